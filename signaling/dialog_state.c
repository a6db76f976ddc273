// SPDX-License-Identifier: GPL-3.0-or-later
// dialog_state.c - the dialog table and its step function.
#include "signaling/dialog_state.h"
#include "base/log.h"
#include <errno.h>

#define X(name, text) [DIALOG_##name] = text,
static const char *const state_text[DIALOG_STATE_COUNT] = { DIALOG_STATES(X) };
#undef X
#define X(name, text) [DIALOG_EV_##name] = text,
static const char *const event_text[DIALOG_EVENT_COUNT] = { DIALOG_EVENTS(X) };
#undef X

// Zero (DIALOG_IMPOSSIBLE) means: this event is not allowed here.
static const enum dialog_state next_state[DIALOG_STATE_COUNT][DIALOG_EVENT_COUNT] = {
	[DIALOG_TRYING] = {
		[DIALOG_EV_PROGRESS] = DIALOG_EARLY,
		[DIALOG_EV_ANSWER] = DIALOG_ANSWERED,
		[DIALOG_EV_FAIL] = DIALOG_TERMINATED,
	},
	[DIALOG_EARLY] = {
		[DIALOG_EV_PROGRESS] = DIALOG_EARLY,
		[DIALOG_EV_ANSWER] = DIALOG_ANSWERED,
		[DIALOG_EV_FAIL] = DIALOG_TERMINATED,
		[DIALOG_EV_BYE_IN] = DIALOG_TERMINATED, // section 15: the caller may say BYE in an early dialog
	},
	[DIALOG_ANSWERED] = {
		[DIALOG_EV_ACK] = DIALOG_CONFIRMED,
		[DIALOG_EV_NO_ACK] = DIALOG_CONFIRMED, // section 13.3.1.4: the dialog stands, but a BYE must follow
		[DIALOG_EV_BYE_OUT] = DIALOG_ENDING,
		[DIALOG_EV_BYE_IN] = DIALOG_TERMINATED, // overtook the ACK
	},
	[DIALOG_CONFIRMED] = {
		[DIALOG_EV_BYE_OUT] = DIALOG_ENDING,
		[DIALOG_EV_BYE_IN] = DIALOG_TERMINATED,
		[DIALOG_EV_LOST] = DIALOG_TERMINATED,
	},
	[DIALOG_ENDING] = {
		[DIALOG_EV_BYE_DONE] = DIALOG_TERMINATED,
		[DIALOG_EV_BYE_IN] = DIALOG_ENDING, // crossed ours: answered, ours is still awaited
		[DIALOG_EV_ACK] = DIALOG_ENDING,    // late
		[DIALOG_EV_NO_ACK] = DIALOG_ENDING,
		[DIALOG_EV_LOST] = DIALOG_TERMINATED,
	},
};

void dialog_fsm_start(struct dialog_fsm *fsm, uint32_t number, mono_ns now)
{
	*fsm = (struct dialog_fsm){ .state = DIALOG_TRYING, .number = number, .since = now };
}

int dialog_step(struct dialog_fsm *fsm, enum dialog_event event, mono_ns now)
{
	enum dialog_state next = next_state[fsm->state][event];

	if (next == DIALOG_IMPOSSIBLE) {
		log_debug("dialog", "event refused", LOG_CALL_IDS(fsm->ids), LOG_UINT("dialog", fsm->number),
			  LOG_STR("state", state_text[fsm->state]), LOG_STR("on", event_text[event]));
		return -EPROTO;
	}
	if (next != fsm->state) {
		log_debug("dialog", "state", LOG_CALL_IDS(fsm->ids), LOG_UINT("dialog", fsm->number),
			  LOG_STR("from", state_text[fsm->state]), LOG_STR("on", event_text[event]), LOG_STR("to", state_text[next]),
			  LOG_UINT("after_ms", (now - fsm->since) / MONO_MS(1)));
		fsm->state = next;
		fsm->since = now;
	}
	return 0;
}

bool dialog_is_over(const struct dialog_fsm *fsm)
{
	return fsm->state == DIALOG_TERMINATED;
}

const char *dialog_state_text(enum dialog_state state)
{
	return state < DIALOG_STATE_COUNT ? state_text[state] : "?";
}
