// SPDX-License-Identifier: GPL-3.0-or-later
// dialog_state.h - the life of one SIP dialog (RFC 3261 section 12), ours or the peer's making. A table and one step.
#pragma once
#include "base/clock.h"
#include "signaling/call_ids.h"
#include <stdbool.h>
#include <stdint.h>

#define DIALOG_STATES(X)                                                    \
	X(IMPOSSIBLE, "impossible")                                         \
	X(TRYING, "trying")         /* INVITE is under way, no To tag yet */ \
	X(EARLY, "early")           /* a tagged 1xx */                      \
	X(ANSWERED, "answered")     /* 2xx, its ACK is still due */         \
	X(CONFIRMED, "confirmed")                                           \
	X(ENDING, "ending")         /* our BYE is under way */              \
	X(TERMINATED, "terminated")

#define DIALOG_EVENTS(X)                                                    \
	X(PROGRESS, "progress") /* 1xx with a To tag */                     \
	X(ANSWER, "answer")     /* 2xx to the INVITE */                     \
	X(ACK, "ack")                                                       \
	X(FAIL, "fail")         /* 3xx-6xx, or another fork was taken */    \
	X(NO_ACK, "no ack")     /* 64*T1 after the 2xx (section 13.3.1.4) */ \
	X(BYE_OUT, "bye out")                                               \
	X(BYE_IN, "bye in")                                                 \
	X(BYE_DONE, "bye done") /* final response to our BYE, or none */    \
	X(LOST, "lost")         /* 408 or 481 within the dialog */

#define X(name, text) DIALOG_##name,
enum dialog_state { DIALOG_STATES(X) DIALOG_STATE_COUNT };
#undef X
#define X(name, text) DIALOG_EV_##name,
enum dialog_event { DIALOG_EVENTS(X) DIALOG_EVENT_COUNT };
#undef X

struct dialog_fsm {
	enum dialog_state state;
	uint32_t number; // for the log
	mono_ns since;   // of the state
	const struct call_ids *ids; // for the log; may be NULL
};

void dialog_fsm_start(struct dialog_fsm *fsm, uint32_t number, mono_ns now);
// Moves and logs. -EPROTO: the event is not allowed here, nothing moved.
int dialog_step(struct dialog_fsm *fsm, enum dialog_event event, mono_ns now);
const char *dialog_state_text(enum dialog_state state);
bool dialog_is_over(const struct dialog_fsm *fsm);
