// SPDX-License-Identifier: GPL-3.0-or-later
// keying_state.h - where the keying of one leg transport stands: a table, run without any I/O.
#pragma once

#define KEYING_STATES(X) \
	X(NONE, "none")         /* nothing agreed, nothing runs */                          \
	X(PENDING, "pending")   /* a handshake runs, or an answer is awaited */             \
	X(PARKED, "parked")     /* a handshake is through, whose is not known yet */        \
	X(SECURED, "secured")   /* keys are in force, or the line was agreed as plain */    \
	X(REKEYING, "rekeying") /* old keys in force while new ones are made */             \
	X(FAILED, "failed")

#define KEYING_EVENTS(X)                                                                    \
	X(PREPARE, "prepare")     /* our port is live, the other side may begin */          \
	X(AGREE, "agree")         /* offer and answer name a mechanism that needs a run */  \
	X(PARK, "park")           /* handshake through before its fingerprint was known */  \
	X(UNPARK, "unpark")       /* the parked one was not claimed in time, or not ours */ \
	X(KEYS, "keys")           /* keys installed (SDES: at once), or agreed as plain */  \
	X(KEEP, "keep")           /* the old keys stay: no new ones came, and none were needed */ \
	X(EXPIRE, "expire")       /* keying timeout */

#define X(name, word) KEYING_STATE_##name,
enum keying_state { KEYING_STATES(X) KEYING_STATE_COUNT };
#undef X
#define X(name, word) KEYING_EVENT_##name,
enum keying_event { KEYING_EVENTS(X) KEYING_EVENT_COUNT };
#undef X

const char *keying_state_name(enum keying_state state);
const char *keying_event_name(enum keying_event event);
// Moves *state. 0, or -EPROTO: this event is not allowed here, nothing moved.
int keying_step(enum keying_state *state, enum keying_event event);
