// SPDX-License-Identifier: GPL-3.0-or-later
// leg_path.h - whether there is a way to a leg's peer, as the relay finds it in Linux's routes and neighbours.
#pragma once
#include "mediarelay/media_priv.h"

void leg_path_lost(struct leg_transport *tp, int cause); // negative errno
void leg_path_back(struct leg_transport *tp);
void leg_path_tick(struct leg_transport *tp, mono_ns now); // ends the call when it was without a way for too long
