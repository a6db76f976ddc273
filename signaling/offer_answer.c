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
#define X(name, text) [OA_BY_##name] = text,
static const char *const carrier_text[OA_CARRIER_COUNT] = { OA_CARRIERS(X) };
#undef X

// Zero (OA_IMPOSSIBLE) means: this event is not allowed here.
static const enum oa_state next_state[OA_STATE_COUNT][OA_EVENT_COUNT] = {
	[OA_STABLE] = {
		[OA_EV_SEND_OFFER] = OA_OFFER_SENT,
		[OA_EV_RECV_OFFER] = OA_OFFER_RECEIVED,
		[OA_EV_ASK] = OA_ASKED,
		[OA_EV_BE_ASKED] = OA_OWED,
	},
	[OA_ASKED] = {
		[OA_EV_RECV_OFFER] = OA_OFFER_RECEIVED,
		[OA_EV_REFUSED] = OA_STABLE,
	},
	[OA_OWED] = {
		[OA_EV_SEND_OFFER] = OA_OFFER_SENT,
		[OA_EV_REFUSE] = OA_STABLE,
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

// RFC 6337 table 1, and RFC 3261 section 13.2.1 for the preview. begins: may carry an offer by itself. asked: carries one if
// the INVITE had none. answer: carries the answer to an offer in one of these.
#define BIT(carrier) (1u << OA_BY_##carrier)
static const struct {
	bool begins, asked, due; // due: an answer to what is named must be in it
	unsigned answers, previews;
} carriers[OA_CARRIER_COUNT] = {
	[OA_BY_INVITE] = { .begins = true },
	[OA_BY_PLAIN] = { .previews = BIT(INVITE) },
	[OA_BY_RELIABLE] = { .asked = true, .answers = BIT(INVITE) },
	[OA_BY_OK] = { .asked = true, .due = true, .answers = BIT(INVITE) },
	[OA_BY_ACK] = { .due = true, .answers = BIT(OK) },
	[OA_BY_PRACK] = { .begins = true, .due = true, .answers = BIT(RELIABLE) },
	[OA_BY_PRACK_OK] = { .due = true, .answers = BIT(PRACK) },
	[OA_BY_UPDATE] = { .begins = true },
	[OA_BY_UPDATE_OK] = { .due = true, .answers = BIT(UPDATE) },
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

int oa_open(struct oa_fsm *fsm, enum oa_event event, enum oa_carrier by, mono_ns now)
{
	int err = oa_step(fsm, event, now);

	if (err == 0)
		fsm->by = by;
	return err;
}

bool oa_answers(enum oa_carrier offer, enum oa_carrier carrier)
{
	return carriers[carrier].answers & 1u << offer;
}

static enum oa_meaning read_none(const struct oa_fsm *fsm, enum oa_carrier carrier)
{
	if (!carriers[carrier].due)
		return OA_NOTHING;
	if (fsm->state == OA_OFFER_SENT && oa_answers(fsm->by, carrier))
		return OA_IS_MISSING;
	return fsm->state == OA_ASKED && carriers[carrier].asked ? OA_IS_MISSING : OA_NOTHING;
}

enum oa_meaning oa_read(const struct oa_fsm *fsm, enum oa_carrier carrier, bool has_description)
{
	if (!has_description)
		return read_none(fsm, carrier);
	if (fsm->state == OA_OFFER_SENT && oa_answers(fsm->by, carrier))
		return OA_IS_ANSWER;
	if (fsm->state == OA_OFFER_SENT && carriers[carrier].previews & 1u << fsm->by)
		return OA_IS_PREVIEW;
	if (carriers[carrier].asked && fsm->state == OA_ASKED)
		return OA_IS_OFFER;
	if (!carriers[carrier].begins)
		return OA_IS_REPEAT;
	switch (fsm->state) {
	case OA_STABLE:
		return OA_IS_OFFER;
	case OA_OFFER_SENT:
	case OA_ASKED:
		return OA_IS_GLARE;
	default:
		return OA_IS_EARLY;
	}
}

const char *oa_carrier_text(enum oa_carrier carrier)
{
	return carrier < OA_CARRIER_COUNT ? carrier_text[carrier] : "?";
}

bool oa_allows(const struct oa_fsm *fsm, enum oa_event event)
{
	return next_state[fsm->state][event] != OA_IMPOSSIBLE;
}
