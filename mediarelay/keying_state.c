// SPDX-License-Identifier: GPL-3.0-or-later
// keying_state.c - the keying table of a leg transport.
#include "mediarelay/keying_state.h"

#include <errno.h>

#define TO(state) (KEYING_STATE_##state + 1) // zero means: not allowed

static const unsigned char next_state[KEYING_STATE_COUNT][KEYING_EVENT_COUNT] = {
	[KEYING_STATE_NONE] = {
		[KEYING_EVENT_PREPARE] = TO(PENDING),
		[KEYING_EVENT_AGREE] = TO(PENDING),
		[KEYING_EVENT_KEYS] = TO(SECURED),
	},
	[KEYING_STATE_PENDING] = {
		[KEYING_EVENT_PREPARE] = TO(PENDING),
		[KEYING_EVENT_AGREE] = TO(PENDING),
		[KEYING_EVENT_PARK] = TO(PARKED),
		[KEYING_EVENT_KEYS] = TO(SECURED),
		[KEYING_EVENT_EXPIRE] = TO(FAILED),
	},
	[KEYING_STATE_PARKED] = {
		[KEYING_EVENT_PREPARE] = TO(PARKED),
		[KEYING_EVENT_AGREE] = TO(PARKED), // the claim follows
		[KEYING_EVENT_PARK] = TO(PARKED),  // one more candidate
		[KEYING_EVENT_UNPARK] = TO(PENDING),
		[KEYING_EVENT_KEYS] = TO(SECURED),
		[KEYING_EVENT_EXPIRE] = TO(FAILED),
	},
	[KEYING_STATE_SECURED] = {
		[KEYING_EVENT_PREPARE] = TO(SECURED),
		[KEYING_EVENT_AGREE] = TO(REKEYING),
		[KEYING_EVENT_PARK] = TO(SECURED), // a re-offer is open, and its handshake is first
		[KEYING_EVENT_UNPARK] = TO(SECURED),
		[KEYING_EVENT_KEYS] = TO(SECURED),
	},
	[KEYING_STATE_REKEYING] = {
		[KEYING_EVENT_PREPARE] = TO(REKEYING),
		[KEYING_EVENT_AGREE] = TO(REKEYING),
		[KEYING_EVENT_PARK] = TO(REKEYING),
		[KEYING_EVENT_UNPARK] = TO(REKEYING),
		[KEYING_EVENT_KEYS] = TO(SECURED),
		[KEYING_EVENT_KEEP] = TO(SECURED),
		[KEYING_EVENT_EXPIRE] = TO(FAILED),
	},
	[KEYING_STATE_FAILED] = {
		[KEYING_EVENT_AGREE] = TO(PENDING), // a re-offer may mend it
		[KEYING_EVENT_KEYS] = TO(SECURED),
	},
};

#define X(name, word) [KEYING_STATE_##name] = word,
static const char *const state_names[KEYING_STATE_COUNT] = { KEYING_STATES(X) };
#undef X
#define X(name, word) [KEYING_EVENT_##name] = word,
static const char *const event_names[KEYING_EVENT_COUNT] = { KEYING_EVENTS(X) };
#undef X

const char *keying_state_name(enum keying_state state)
{
	return state < KEYING_STATE_COUNT ? state_names[state] : "invalid";
}

const char *keying_event_name(enum keying_event event)
{
	return event < KEYING_EVENT_COUNT ? event_names[event] : "invalid";
}

int keying_step(enum keying_state *state, enum keying_event event)
{
	unsigned char next = *state < KEYING_STATE_COUNT && event < KEYING_EVENT_COUNT ? next_state[*state][event] : 0;

	if (next == 0)
		return -EPROTO;
	*state = (enum keying_state)(next - 1);
	return 0;
}
