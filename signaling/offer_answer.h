// SPDX-License-Identifier: GPL-3.0-or-later
// offer_answer.h - where a dialog stands in the exchange of session descriptions (RFC 3264, RFC 6337). A table and one step.
#pragma once
#include "base/clock.h"
#include "signaling/call_ids.h"
#include <stdbool.h>
#include <stdint.h>

#define OA_STATES(X)                                                     \
	X(IMPOSSIBLE, "impossible")                                      \
	X(STABLE, "stable")                                              \
	X(OFFER_SENT, "offer sent")                                      \
	X(OFFER_RECEIVED, "offer received")

#define OA_EVENTS(X)                                                                                  \
	X(SEND_OFFER, "send offer")                                                                   \
	X(RECV_OFFER, "receive offer")                                                                \
	X(PREVIEW, "preview")         /* an answer in an unreliable 1xx; the 2xx repeats it */        \
	X(SEND_ANSWER, "send answer")                                                                 \
	X(RECV_ANSWER, "receive answer")                                                              \
	X(REFUSED, "refused")         /* the peer refused our offer: the last stable pair is back */  \
	X(REFUSE, "refuse")           /* we refused theirs */

#define X(name, text) OA_##name,
enum oa_state { OA_STATES(X) OA_STATE_COUNT };
#undef X
#define X(name, text) OA_EV_##name,
enum oa_event { OA_EVENTS(X) OA_EVENT_COUNT };
#undef X

struct oa_fsm {
	enum oa_state state;
	uint32_t number; // the dialog's, for the log
	mono_ns since;
	const struct call_ids *ids; // for the log; may be NULL
};

void oa_fsm_start(struct oa_fsm *fsm, uint32_t number, mono_ns now);
// Moves and logs. -EPROTO: not allowed here; an offer that meets another is glare (491, or 500 from the same side).
int oa_step(struct oa_fsm *fsm, enum oa_event event, mono_ns now);
bool oa_allows(const struct oa_fsm *fsm, enum oa_event event);
