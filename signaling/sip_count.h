// SPDX-License-Identifier: GPL-3.0-or-later
// sip_count.h - what signalling notes for sip_stats.h. On the sip thread, whose figures sip_count_here() names; elsewhere
// (a test without a thread) nothing is counted.
#pragma once
#include "signaling/sip_stats.h"
#include "signaling/sofia.h"

struct sip;
struct sip_call;

int sip_count_open(struct sip_stats **statsp, size_t n_realms);
void sip_count_here(struct sip_stats *stats); // NULL: no more
void sip_count_request(enum sip_stat_way way, sip_method_t method);
void sip_count_response(enum sip_stat_way way, sip_method_t method, int status);
void sip_count_answer(const sip_t *response); // NULL, or made by nta itself: none came
void sip_count_stranger(void);
void sip_count_answered(const struct sip_call *call);
void sip_count_ended(const struct sip_call *call);
void sip_count_now(const struct sip *sip);  // calls, dialogs and the like
void sip_count_tick(const struct sip *sip); // the same, and what the transaction layer has counted
