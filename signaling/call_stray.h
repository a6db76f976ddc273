// SPDX-License-Identifier: GPL-3.0-or-later
// call_stray.h - answers to INVITEs of ours that nobody wants any more. Given to sofia_on_stray().
#pragma once
#include "signaling/sofia.h"

struct sip;

int call_stray(void *sip, msg_t *msg); // takes msg; 0
void call_strays_close(struct sip *sip);
