// SPDX-License-Identifier: GPL-3.0-or-later
// call_carry.c - offers and answers from dialog to dialog; see call_carry.h.
#include "signaling/call_carry.h"
#include "signaling/call_timer.h"
#include "signaling/call_transfer.h"
#include "signaling/oa_crossing.h"
#include "signaling/sip_status.h"
#include <errno.h>

#define ATTEMPTS_MAX 4 // of an offer of ours that meets theirs

unsigned sip_t1(const struct sip *sip)
{
	return sip->t1_ms > 0 ? sip->t1_ms : NTA_SIP_T1;
}

static mono_ns now_of(const struct sip_dialog *d)
{
	return call_now(d->call);
}

static enum oa_side_state state_of(const struct sip_dialog *d)
{
	if (call_fork_is(d)) // one of several cannot be asked for all of them
		return OA_SIDE_SETUP;
	if (d->oa.state == OA_OWED)
		return OA_SIDE_ASKING;
	if (d->fsm.state == DIALOG_CONFIRMED)
		return OA_SIDE_UP;
	if (d->fsm.state == DIALOG_ANSWERED)
		return OA_SIDE_ACK_DUE;
	if (d->fsm.state != DIALOG_EARLY || d->oa.state != OA_STABLE)
		return OA_SIDE_SETUP;
	if (d->reliable.prack_due)
		return OA_SIDE_PRACK;
	return d->reliable.sent != NULL ? OA_SIDE_SETUP : OA_SIDE_EARLY; // RFC 3311 section 5.1: not before their PRACK
}

// Section 14.1: not while an INVITE or an offer is open there.
static bool may_offer(const struct sip_dialog *to, enum oa_carrier carrier)
{
	if (!oa_allows(&to->oa, OA_EV_SEND_OFFER))
		return false;
	return carrier != OA_BY_INVITE || (to->invite_in == NULL && to->invite_out == NULL &&
					   call_allows(&to->call->fsm, CALL_EV_REINVITE));
}

static int send_on(struct sip_dialog *to, enum oa_carrier carrier, nta_incoming_t *irq, const struct call_body *offer)
{
	switch (carrier) {
	case OA_BY_INVITE:
		return call_reinvite_out(to, irq, offer);
	case OA_BY_UPDATE:
		return call_update_out(to, irq, offer);
	case OA_BY_PRACK:
		return call_prack_out(to, offer);
	default:
		return -EINVAL;
	}
}

static void patience_over(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip_dialog *d = arg;

	call_cancel_out(d);
}

static void set_timer(struct sip_dialog *d, su_timer_t **timerp, su_timer_f fired, unsigned ms)
{
	if (*timerp == NULL)
		*timerp = su_timer_create(su_root_task(d->sip->root), 0);
	if (*timerp != NULL)
		su_timer_set_interval(*timerp, fired, d, (su_duration_t)ms);
}

static int answer_here(struct sip_dialog *d, struct call_body *answer, struct call_refusal *why)
{
	int err = call_media_answer_here(d, answer, why);

	if (err < 0) {
		call_media_withdraw(d->call);
		return err;
	}
	oa_step(&d->oa, OA_EV_SEND_ANSWER, now_of(d));
	log_debug("sip", "offer answered here", LOG_CALL_IDS(&d->call->ids), LOG_STR("call", d->call->name));
	return CALL_CARRIED_HERE;
}

int call_carry_offer_here(struct sip_dialog *d, enum oa_carrier by, const struct call_body *in, struct call_body *answer,
			  struct call_refusal *why)
{
	struct call_offer offer;
	int err = call_media_offer(d, in->text, in->len, &offer, why);

	if (err < 0)
		return err;
	oa_open(&d->oa, OA_EV_RECV_OFFER, by, now_of(d));
	err = answer_here(d, answer, why);
	if (err == CALL_CARRIED_HERE && offer.concerns)
		d->joined->stale = true;
	return err;
}

int call_carry_offer(struct sip_dialog *d, enum oa_carrier by, nta_incoming_t *irq, const struct call_body *in,
		     struct call_body *answer, struct call_refusal *why)
{
	call_fork_follow(d);
	struct sip_dialog *to = d->joined;
	struct oa_side side = { .state = state_of(to), .update = to->update };
	struct oa_way way = oa_cross(by, &side);
	struct call_offer offer;
	int err = call_media_offer(d, in->text, in->len, &offer, why);

	if (err < 0)
		return err;
	oa_open(&d->oa, OA_EV_RECV_OFFER, by, now_of(d));
	if (!offer.concerns)
		return answer_here(d, answer, why);
	if (way.carrier != OA_BY_NONE && !may_offer(to, way.carrier))
		way = (struct oa_way){ OA_BY_NONE, 491 };
	if (way.carrier == OA_BY_NONE) {
		call_media_withdraw(d->call);
		*why = (struct call_refusal){ .status = way.status, .text = "the other side cannot be asked now" };
		return -EPROTO;
	}
	if (send_on(to, way.carrier, irq, &offer.body) < 0) {
		call_media_withdraw(d->call);
		*why = (struct call_refusal){ .status = 500, .text = "cannot send to the other side" };
		return -EPROTO;
	}
	oa_open(&to->oa, OA_EV_SEND_OFFER, way.carrier, now_of(to));
	if (way.carrier == OA_BY_INVITE && by != OA_BY_INVITE)
		set_timer(to, &to->patience, patience_over, 40 * sip_t1(d->sip)); // of 64 * T1 that their transaction has
	log_debug("sip", "offer carried", LOG_CALL_IDS(&d->call->ids), LOG_STR("call", d->call->name),
		  LOG_STR("from", oa_carrier_text(by)), LOG_STR("to", oa_carrier_text(way.carrier)));
	return CALL_CARRIED;
}

static int respond(struct sip_dialog *d, nta_incoming_t *irq, int status, const struct call_body *body)
{
	msg_t *msg = sip_response_new(d->sip, irq, d);

	if (body != NULL)
		msg = sip_message_body(msg, "application/sdp", body->text, body->len);
	if (status < 300 && call_timer_by(d, nta_incoming_method(irq)))
		call_timer_serve(d, msg);
	return sip_respond(irq, status, msg);
}

// Answers what is open of theirs with a final response. An INVITE that is accepted stays until its ACK.
static int finish(struct sip_dialog *d, enum oa_carrier by, int status, const struct call_body *body)
{
	nta_incoming_t **irqp = by == OA_BY_UPDATE ? &d->update_in : by == OA_BY_PRACK ? &d->prack_in : &d->invite_in;
	int err;

	if (*irqp == NULL)
		return -ENOENT;
	err = respond(d, *irqp, status, body);
	if (by != OA_BY_INVITE || status >= 300)
		sip_drop_incoming(d->sip, irqp);
	return err;
}

int call_carry_answer(struct sip_dialog *d, const struct call_body *answer)
{
	int err = 0;

	if (d->oa.state != OA_OFFER_RECEIVED)
		return 0; // the offer was ours
	switch (d->oa.by) {
	case OA_BY_INVITE:
	case OA_BY_UPDATE:
	case OA_BY_PRACK:
		err = finish(d, d->oa.by, 200, answer);
		break;
	case OA_BY_RELIABLE:
		err = call_prack_out(d, answer);
		break;
	case OA_BY_OK:
		err = call_ack_out(d, answer);
		if (d->fsm.state == DIALOG_ANSWERED)
			dialog_step(&d->fsm, DIALOG_EV_ACK, now_of(d));
		break;
	default:
		return -EINVAL;
	}
	oa_step(&d->oa, OA_EV_SEND_ANSWER, now_of(d));
	call_reliable_go_on(d); // it may have been a PRACK
	return err;
}

int call_carry_take(struct sip_dialog *d, const struct call_body *in, struct call_refusal *why)
{
	struct call_body out;
	int err = call_media_answer(d, in->text, in->len, false, &out, why);

	if (err < 0)
		return err;
	oa_step(&d->oa, OA_EV_RECV_ANSWER, now_of(d));
	err = call_carry_answer(d->joined, &out);
	return err < 0 ? call_refuse(why, 500, 0, "no memory") : 0;
}

static void settled(struct sip_call *call)
{
	if (call->fsm.state == CALL_MODIFYING)
		call_step(&call->fsm, CALL_EV_SETTLED, call_now(call));
	if (!call_is_setting_up(&call->fsm)) {
		sip_record_write(call);
		sip_pending_write(call);
	}
}

static void back_off(struct sip_dialog *d);

static void back_off_over(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip_dialog *d = arg;

	if (!d->stale) // it has heard since
		return;
	if (d->oa.state == OA_OFFER_SENT || d->oa.state == OA_ASKED) // what the other side says has come between: no attempt
		back_off(d);
	else
		call_carry_again(d);
}

// The time that section 14.1 gives each end.
static void back_off(struct sip_dialog *d)
{
	uint32_t random = 0;

	if (env_random(d->sip->env, &random, sizeof(random)) < 0)
		return;
	unsigned ms = oa_back_off_ms(d->outgoing, random);

	log_debug("sip", "offer again later", LOG_CALL_IDS(&d->call->ids), LOG_STR("call", d->call->name),
		  LOG_UINT("in_ms", ms));
	set_timer(d, &d->back_off, back_off_over, ms * sip_t1(d->sip) / NTA_SIP_T1);
}

// An offer of ours met one of theirs.
static void try_later(struct sip_dialog *d)
{
	if (++d->attempts <= ATTEMPTS_MAX)
		back_off(d);
}

static void refused(struct sip_dialog *d, int status, const sip_t *response)
{
	struct sip_call *call = d->call;
	struct sip_dialog *from = d->joined;
	bool internal = response == NULL || nta_sip_is_internal(response);
	enum oa_carrier by = from->oa.by;
	bool waits = from->oa.state == OA_OFFER_RECEIVED || from->oa.state == OA_OWED;
	// Glare stays glare: the side that began tries again in its own time (section 14.1).
	int told = status == 491 ? 491
				 : sip_status_map_final(status, internal ? SIP_ANSWERED_BY_NOBODY : SIP_ANSWERED_BY_PEER, true);

	if (by == OA_BY_UPDATE && status == 487)
		told = 504; // we have cancelled what it had become
	waits &= by != OA_BY_INVITE || !call_is_setting_up(&call->fsm);
	call_media_rollback(call);
	if (oa_allows(&d->oa, OA_EV_REFUSED)) // it was asked for an offer
		oa_step(&d->oa, OA_EV_REFUSED, now_of(d));
	if (waits) {
		if (oa_allows(&from->oa, OA_EV_REFUSE))
			oa_step(&from->oa, OA_EV_REFUSE, now_of(from));
		finish(from, by, told, NULL);
		call_reliable_go_on(from);
	}
	settled(call);
	// Section 12.2.1.2: these say that the other end has no such dialog any more.
	if ((status == 408 || status == 481) && !call_is_setting_up(&call->fsm)) {
		call_dialog_over(d, DIALOG_EV_LOST);
		call_end_by(d, status, "the far side lost the dialog");
	} else if (!waits && status == 491) {
		try_later(d);
	}
}

// The 2xx of `d` has offered, and its ACK waits for an answer that will not come.
static void answer_alone(struct sip_dialog *d)
{
	struct call_body answer;
	struct call_refusal why;

	oa_step(&d->joined->oa, OA_EV_RECV_ANSWER, now_of(d));
	if (answer_here(d, &answer, &why) == CALL_CARRIED_HERE) {
		call_ack_out(d, &answer);
	} else {
		oa_open(&d->oa, OA_EV_ASK, OA_BY_INVITE, now_of(d));
		call_ack_decline_kept(d);
		oa_step(&d->oa, OA_EV_REFUSED, now_of(d));
	}
	settled(d->call);
}

void call_carry_gone(struct sip_dialog *d)
{
	if (d->oa.state == OA_OFFER_SENT && d->oa.by == OA_BY_OK)
		answer_alone(d->joined);
	else if (d->oa.state == OA_OFFER_SENT || d->oa.state == OA_ASKED)
		refused(d, 491, NULL);
	else if (oa_allows(&d->oa, OA_EV_REFUSE)) // the other side's answer is still taken, and goes nowhere
		oa_step(&d->oa, OA_EV_REFUSE, now_of(d));
}

void call_carry_offer_alone(struct sip_dialog *d, const struct call_body *in)
{
	struct call_body answer;
	struct call_refusal why;

	if (call_carry_offer_here(d, OA_BY_OK, in, &answer, &why) == CALL_CARRIED_HERE) {
		call_ack_out(d, &answer);
	} else {
		call_ack_decline(d, in);
		if (oa_allows(&d->oa, OA_EV_REFUSED))
			oa_step(&d->oa, OA_EV_REFUSED, now_of(d));
	}
	settled(d->call);
}

// `d` has answered an offer of ours: with what the other side has not heard yet, maybe.
static void pass_on(struct sip_dialog *d)
{
	struct sip_dialog *to = d->joined;

	if (to == NULL || !to->stale)
		return;
	to->stale = !call_media_settles(d);
	if (to->stale)
		call_carry_again(to);
}

void call_carry_response(struct sip_dialog *d, enum oa_carrier carrier, int status, const sip_t *response)
{
	struct sip_call *call = d->call;
	struct sip_dialog *from = d->joined;
	struct call_refusal why;

	if (d->patience != NULL)
		su_timer_reset(d->patience);
	if (call->closing)
		return;
	call_fork_follow(d);
	if (status >= 300) {
		if (!call_transfer_refused(d, status))
			refused(d, status, response);
		return;
	}
	struct call_body in = sip_body_of(response);
	enum oa_carrier by = from->oa.by;
	bool waits = from->oa.state == OA_OFFER_RECEIVED;

	d->stale = false;
	d->attempts = 0;
	if (oa_read(&d->oa, carrier, in.text != NULL) == OA_IS_MISSING)
		in.text = NULL;
	if (call_carry_take(d, &in, &why) == 0) {
		settled(call);
		call_transfer_met(call);
		if (!waits)
			pass_on(d);
		return;
	}
	// It has moved to a session that we cannot join: there is no way back for it.
	if (waits && from->oa.state == OA_OFFER_RECEIVED)
		finish(from, by, why.status == 400 ? 488 : why.status, NULL);
	call_end(call, "gateway", why.status, why.text);
}

void call_carry_lost(struct sip_call *call)
{
	struct sip_dialog *a = call_caller(call), *from = a->oa.state == OA_OFFER_RECEIVED ? a : a->joined, *to = from->joined;
	enum oa_carrier by = from->oa.by;

	if (from->oa.state != OA_OFFER_RECEIVED || (by != OA_BY_UPDATE && by != OA_BY_PRACK))
		return;
	log_info("sip", "offer given up", LOG_CALL_IDS(&call->ids), LOG_STR("call", call->name),
		 LOG_UINT("dialog", to->number), LOG_STR("from", oa_carrier_text(by)));
	sip_drop_outgoing(to->sip, &to->update_out); // one in a PRACK goes on: it acknowledges
	to->stale = true; // it may have taken it
	call_media_rollback(call);
	finish(from, by, 504, NULL);
	call_reliable_go_on(from);
}

void call_carry_again(struct sip_dialog *d)
{
	struct sip_call *call = d->call;
	struct oa_side side = { .state = state_of(d), .update = d->update };
	struct oa_way way = oa_cross(OA_BY_UPDATE, &side);
	struct call_refusal why;
	struct call_body offer;

	if (call->closing)
		return;
	d->stale = true;
	// It transfers the call: there is nothing to offer it, unless it must take its place again.
	if (d->joined == NULL || way.carrier == OA_BY_NONE || !may_offer(d, way.carrier)) {
		try_later(d);
		return;
	}
	if (call_media_offer_again(d, &offer, &why) < 0) {
		if (why.status == 491)
			try_later(d);
		return;
	}
	if (send_on(d, way.carrier, NULL, &offer) < 0) {
		call_media_withdraw(call);
		return;
	}
	oa_open(&d->oa, OA_EV_SEND_OFFER, way.carrier, now_of(d));
	log_info("sip", "offer of ours", LOG_CALL_IDS(&call->ids), LOG_STR("call", call->name),
		 LOG_UINT("dialog", d->number), LOG_STR("by", oa_carrier_text(way.carrier)));
}
