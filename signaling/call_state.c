// SPDX-License-Identifier: GPL-3.0-or-later
// call_state.c - the call table and its step function.
#include "signaling/call_state.h"
#include "base/log.h"
#include <errno.h>

#define X(name, text) [CALL_##name] = text,
static const char *const state_text[CALL_STATE_COUNT] = { CALL_STATES(X) };
#undef X
#define X(name, text) [CALL_EV_##name] = text,
static const char *const event_text[CALL_EVENT_COUNT] = { CALL_EVENTS(X) };
#undef X

// Zero (CALL_IMPOSSIBLE) means: this event is not allowed here.
static const enum call_state next_state[CALL_STATE_COUNT][CALL_EVENT_COUNT] = {
	[CALL_ROUTING] = {
		[CALL_EV_ROUTED] = CALL_CALLING,
		[CALL_EV_CANCEL] = CALL_ENDED,
		[CALL_EV_FAIL] = CALL_ENDED,
	},
	[CALL_CALLING] = {
		[CALL_EV_PROGRESS] = CALL_EARLY,
		[CALL_EV_ANSWER] = CALL_ANSWERING,
		[CALL_EV_CANCEL] = CALL_CANCELLING,
		[CALL_EV_FAIL] = CALL_ENDING,
	},
	[CALL_EARLY] = {
		[CALL_EV_PROGRESS] = CALL_EARLY,
		[CALL_EV_ANSWER] = CALL_ANSWERING,
		[CALL_EV_CANCEL] = CALL_CANCELLING,
		[CALL_EV_FAIL] = CALL_ENDING,
	},
	[CALL_ANSWERING] = {
		[CALL_EV_ACK] = CALL_UP,
		[CALL_EV_HANGUP] = CALL_ENDING,
	},
	[CALL_UP] = {
		[CALL_EV_ACK] = CALL_UP, // repeated, or of a re-INVITE
		[CALL_EV_REINVITE] = CALL_MODIFYING,
		[CALL_EV_HANGUP] = CALL_ENDING,
	},
	[CALL_MODIFYING] = {
		[CALL_EV_ACK] = CALL_MODIFYING,
		[CALL_EV_SETTLED] = CALL_UP,
		[CALL_EV_HANGUP] = CALL_ENDING,
	},
	[CALL_CANCELLING] = {
		[CALL_EV_PROGRESS] = CALL_CANCELLING,
		[CALL_EV_ANSWER] = CALL_ENDING, // the 200 crossed our CANCEL: ACK and BYE
		[CALL_EV_FAIL] = CALL_ENDING,
		[CALL_EV_GONE] = CALL_ENDED,
	},
	[CALL_ENDING] = {
		[CALL_EV_ACK] = CALL_ENDING,
		[CALL_EV_GONE] = CALL_ENDED,
	},
};

void call_fsm_start(struct call_fsm *fsm, uint32_t number, mono_ns now)
{
	*fsm = (struct call_fsm){ .state = CALL_ROUTING, .number = number, .since = now };
}

void call_fsm_restore(struct call_fsm *fsm, uint32_t number, mono_ns now)
{
	*fsm = (struct call_fsm){ .state = CALL_UP, .number = number, .since = now };
}

int call_step(struct call_fsm *fsm, enum call_event event, mono_ns now)
{
	enum call_state next = next_state[fsm->state][event];

	if (next == CALL_IMPOSSIBLE) {
		log_debug("call", "event refused", LOG_CALL_IDS(fsm->ids), LOG_UINT("call", fsm->number),
			  LOG_STR("state", state_text[fsm->state]), LOG_STR("on", event_text[event]));
		return -EPROTO;
	}
	if (next != fsm->state) {
		log_debug("call", "state", LOG_CALL_IDS(fsm->ids), LOG_UINT("call", fsm->number),
			  LOG_STR("from", state_text[fsm->state]), LOG_STR("on", event_text[event]), LOG_STR("to", state_text[next]),
			  LOG_UINT("after_ms", (now - fsm->since) / MONO_MS(1)));
		fsm->state = next;
		fsm->since = now;
	}
	return 0;
}

bool call_allows(const struct call_fsm *fsm, enum call_event event)
{
	return next_state[fsm->state][event] != CALL_IMPOSSIBLE;
}

bool call_is_setting_up(const struct call_fsm *fsm)
{
	return call_allows(fsm, CALL_EV_FAIL) && fsm->state != CALL_CANCELLING;
}

const char *call_state_text(enum call_state state)
{
	return state < CALL_STATE_COUNT ? state_text[state] : "?";
}
