// SPDX-License-Identifier: GPL-3.0-or-later
// call_state.h - the life of a call: who is joined with whom, and what may happen next. A table and one step.
#pragma once
#include "base/clock.h"
#include "signaling/call_ids.h"
#include <stdbool.h>
#include <stdint.h>

#define CALL_STATES(X)                                                                    \
	X(IMPOSSIBLE, "impossible")                                                       \
	X(ROUTING, "routing")         /* an INVITE came in; nothing has left yet */       \
	X(CALLING, "calling")         /* our INVITE is out, no tagged response */         \
	X(EARLY, "early")             /* the far side rings or sends early media */       \
	X(ANSWERING, "answering")     /* 200 passed on, the caller's ACK is due */        \
	X(UP, "up")                                                                       \
	X(MODIFYING, "modifying")     /* a re-INVITE of one side is with the other */     \
	X(CANCELLING, "cancelling")   /* caller has gone, far side must still answer */   \
	X(ENDING, "ending")           /* BYE is under way to whom it may concern */       \
	X(ENDED, "ended")

#define CALL_EVENTS(X)                                                                    \
	X(ROUTED, "routed")           /* INVITE sent on */                                \
	X(PROGRESS, "progress")       /* 1xx with a To tag */                             \
	X(ANSWER, "answer")           /* 2xx from the far side, passed on */              \
	X(ACK, "ack")                 /* by the caller */                                 \
	X(REINVITE, "re-invite")      /* of one side, sent on */                          \
	X(SETTLED, "settled")         /* it was answered or refused */                    \
	X(CANCEL, "cancel")           /* caller gave up before the answer */              \
	X(FAIL, "fail")               /* set-up failed: final error to the caller */      \
	X(HANGUP, "hangup")           /* BYE of a side, media failed, drain */            \
	X(GONE, "gone")               /* no dialog is left */

#define X(name, text) CALL_##name,
enum call_state { CALL_STATES(X) CALL_STATE_COUNT };
#undef X
#define X(name, text) CALL_EV_##name,
enum call_event { CALL_EVENTS(X) CALL_EVENT_COUNT };
#undef X

struct call_fsm {
	enum call_state state;
	uint32_t number; // for the log
	mono_ns since;
	const struct call_ids *ids; // for the log; may be NULL
};

void call_fsm_start(struct call_fsm *fsm, uint32_t number, mono_ns now);
void call_fsm_restore(struct call_fsm *fsm, uint32_t number, mono_ns now); // from a record: it was up
// Moves and logs. -EPROTO: the event is not allowed here, nothing moved.
int call_step(struct call_fsm *fsm, enum call_event event, mono_ns now);
bool call_allows(const struct call_fsm *fsm, enum call_event event);
bool call_is_setting_up(const struct call_fsm *fsm); // before the 200: a final error can still go to the caller
const char *call_state_text(enum call_state state);
