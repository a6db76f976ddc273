// SPDX-License-Identifier: GPL-3.0-or-later
// offer_answer.c - the offer/answer table and its step function.
#include "signaling/offer_answer.h"
#include "base/log.h"
#include <errno.h>

#define X(name, text) [OA_##name] = text,
static const char *const state_text[OA_STATE_COUNT] = { OA_STATES(X) };
#undef X
#define X(name, text) [OA_EV_##name] = text,
static const char *const event_text[OA_EVENT_COUNT] = { OA_EVENTS(X) };
#undef X

// Zero (OA_IMPOSSIBLE) means: this event is not allowed here.
static const enum oa_state next_state[OA_STATE_COUNT][OA_EVENT_COUNT] = {
	[OA_STABLE] = {
		[OA_EV_SEND_OFFER] = OA_OFFER_SENT,
		[OA_EV_RECV_OFFER] = OA_OFFER_RECEIVED,
	},
	[OA_OFFER_SENT] = {
		[OA_EV_PREVIEW] = OA_OFFER_SENT,
		[OA_EV_RECV_ANSWER] = OA_STABLE,
		[OA_EV_REFUSED] = OA_STABLE,
	},
	[OA_OFFER_RECEIVED] = {
		[OA_EV_PREVIEW] = OA_OFFER_RECEIVED,
		[OA_EV_SEND_ANSWER] = OA_STABLE,
		[OA_EV_REFUSE] = OA_STABLE,
	},
};

void oa_fsm_start(struct oa_fsm *fsm, uint32_t number, mono_ns now)
{
	*fsm = (struct oa_fsm){ .state = OA_STABLE, .number = number, .since = now };
}

int oa_step(struct oa_fsm *fsm, enum oa_event event, mono_ns now)
{
	enum oa_state next = next_state[fsm->state][event];

	if (next == OA_IMPOSSIBLE) {
		log_debug("offer_answer", "event refused", LOG_CALL_IDS(fsm->ids), LOG_UINT("dialog", fsm->number),
			  LOG_STR("state", state_text[fsm->state]), LOG_STR("on", event_text[event]));
		return -EPROTO;
	}
	if (next != fsm->state) {
		log_debug("offer_answer", "state", LOG_CALL_IDS(fsm->ids), LOG_UINT("dialog", fsm->number),
			  LOG_STR("from", state_text[fsm->state]), LOG_STR("on", event_text[event]),
			  LOG_STR("to", state_text[next]), LOG_UINT("after_ms", (now - fsm->since) / MONO_MS(1)));
		fsm->state = next;
		fsm->since = now;
	}
	return 0;
}

bool oa_allows(const struct oa_fsm *fsm, enum oa_event event)
{
	return next_state[fsm->state][event] != OA_IMPOSSIBLE;
}
