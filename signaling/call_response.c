// SPDX-License-Identifier: GPL-3.0-or-later
// call_response.c - responses to an INVITE of ours: progress, answer and failure passed on to the caller. Forks of the far
// side are told apart by their To tags (call_fork.c).
#include "signaling/call_media.h"
#include "signaling/call_timer.h"
#include "signaling/sip_option.h"
#include "signaling/sip_count.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_status.h"
#include <stdio.h>
#include <string.h>

static const char *to_tag(const sip_t *response)
{
	const char *tag = response->sip_to != NULL ? response->sip_to->a_tag : NULL;

	return tag != NULL && strlen(tag) < SIP_ID_MAX ? tag : NULL;
}

static msg_t *response_on(struct sip_dialog *b, nta_outgoing_t *orq, const struct call_body *body)
{
	struct sip_dialog *a = b->joined;
	msg_t *msg = sip_response_new(b->sip, a->invite_in, a), *in = orq != NULL ? nta_outgoing_getresponse(orq) : NULL;

	if (orq != NULL)
		sip_response_headers(msg, orq, b, a);
	msg = sip_message_bodies(msg, body != NULL ? body : &(struct call_body){ NULL, 0 },
				 in != NULL ? sip_object(in) : NULL, b, a);
	if (in != NULL)
		msg_destroy(in);
	return msg;
}

// The dialog as far as a 1xx that counts, or the 2xx, shows it.
static void learn_dialog(struct sip_dialog *b, nta_outgoing_t *orq, const sip_t *response)
{
	msg_t *msg = nta_outgoing_getresponse(orq);
	struct inet_endpoint source;

	if (sip_dialog_remote_tag(b) < 0)
		return;
	call_abilities(b, response);
	nta_leg_client_reroute(b->leg, response->sip_record_route, response->sip_contact, 1);
	if (msg != NULL && sip_agent_source_of(b->sip->agent, msg, &source) == 0)
		b->source = source;
	if (msg != NULL)
		msg_destroy(msg);
	call_route(b, false);
}

// What the far side's provisional response says of the session, for the caller. -EPROTO: the call cannot go on.
static int read_progress(struct sip_dialog *b, enum oa_carrier carrier, const struct call_body *in, struct call_body *out,
			 struct call_refusal *why)
{
	struct sip_call *call = b->call;
	enum oa_meaning meaning = oa_read(&b->oa, carrier, in->text != NULL);
	struct call_body answer;
	struct call_offer offer;
	int err;

	*out = (struct call_body){ NULL, 0 };
	switch (meaning) {
	case OA_IS_PREVIEW: // what cannot be taken may be better in the 200
		if (call_media_answer(b, in->text, in->len, true, out, why) < 0)
			*out = (struct call_body){ NULL, 0 };
		return 0;
	case OA_IS_ANSWER:
		err = call_media_keep_asked(call);
		if (err < 0)
			return call_refuse(why, 500, 0, "no memory");
		err = call_media_answer(b, in->text, in->len, false, out, why);
		if (err == 0)
			oa_step(&b->oa, OA_EV_RECV_ANSWER, call_now(call));
		return err;
	case OA_IS_OFFER:
		if (b->joined->oa.state != OA_OWED) {
			call_fork_offered(b, carrier, in, &answer);
			call_prack_out(b, answer.text != NULL ? &answer : NULL);
			return 0;
		}
		if (call_media_keep_asked(call) < 0)
			return call_refuse(why, 500, 0, "no memory");
		err = call_media_offer(b, in->text, in->len, &offer, why);
		if (err < 0)
			return err;
		oa_open(&b->oa, OA_EV_RECV_OFFER, carrier, call_now(call));
		*out = offer.body;
		return 0;
	default:
		return 0;
	}
}

// The caller's half: whether its response is reliable, and what its description is there.
static bool tell_progress(struct sip_dialog *b, nta_outgoing_t *orq, int status, bool reliable, struct call_body *body)
{
	struct sip_dialog *a = b->joined;
	mono_ns now = call_now(b->call);
	bool acknowledged = a->reliable.required || (reliable && a->reliable.able);
	struct call_refusal why;

	if (body->text != NULL && call_early_withheld(a)) {
		*body = (struct call_body){ NULL, 0 };
		status = status == 183 ? 180 : status;
		log_debug("sip", "early media withheld", LOG_CALL_IDS(&b->call->ids), LOG_STR("call", b->call->name));
	}
	// We have offered for a caller that did not: it can take the offer as soon as the answer to ours is sure.
	if (acknowledged && a->oa.state == OA_OWED && body->text == NULL && b->oa.state == OA_STABLE &&
	    call_media_offer_again(a, body, &why) < 0)
		*body = (struct call_body){ NULL, 0 };
	if (body->text != NULL && a->oa.state == OA_OWED)
		oa_open(&a->oa, OA_EV_SEND_OFFER, OA_BY_RELIABLE, now);
	else if (body->text != NULL && a->oa.state == OA_OFFER_RECEIVED)
		oa_step(&a->oa, acknowledged ? OA_EV_SEND_ANSWER : OA_EV_PREVIEW, now);
	else
		*body = (struct call_body){ NULL, 0 }; // it has its answer
	msg_t *msg = response_on(b, orq, body);

	if (!acknowledged)
		sip_respond(a->invite_in, status, msg);
	else if (call_reliable_send(a, status, msg, body->text != NULL) < 0)
		call_end(b->call, "gateway", 500, "no memory");
	return acknowledged;
}

static int progress(struct sip_dialog *trunk, nta_outgoing_t *orq, const sip_t *response, int status)
{
	struct sip_call *call = trunk->call;
	const char *tag = to_tag(response);
	struct call_body in = { NULL, 0 }, out;
	struct call_refusal why;

	trunk->rang = true;
	if (call->closing || tag == NULL || sip_status_map_provisional(status) == 0)
		return 0;
	call_start_timer_c(call);
	if (call->rung == 0)
		call->rung = call_now(call);
	struct sip_dialog *b = call_fork_find(trunk, tag);

	if (b == NULL)
		return 0; // one too many: its 2xx would still be taken
	struct sip_dialog *was = call_caller(call)->joined;
	bool reliable = call_reliable_is(b, response), second = reliable && sip_body_is_sdp(response) && call_fork_is_second(b);

	if (second && (call_caller(call)->oa.state != OA_STABLE || call_fork_offering(b) < 0))
		return 0; // it comes again, when the caller has answered the first
	if (reliable && !call_reliable_arrived(b, response)) {
		if (b->reliable.prack_due && b->joined->reliable.sent == NULL) // ours could not be sent
			call_prack_out(b, NULL);
		return 0;
	}
	if (sip_body_is_sdp(response))
		in = sip_body_of(response);
	if (b->left || (b->oa.state == OA_ASKED && !reliable)) // others have spoken since: it is heard again if it answers; no offer
		in.text = NULL;
	if (in.text != NULL || (!b->left && call_fork_is_own(b)))
		call_fork_follow(b);
	if (call_fork_is_own(b)) { // it was left: the caller hears of it again if it answers
		if (reliable)
			call_prack_out(b, NULL);
		return 0;
	}
	dialog_step(&b->fsm, DIALOG_EV_PROGRESS, call_now(call));
	call_step(&call->fsm, CALL_EV_PROGRESS, call_now(call));
	dialog_step(&b->joined->fsm, DIALOG_EV_PROGRESS, call_now(call));
	if (reliable)
		learn_dialog(b, orq, response);
	if (b->joined->joined == b)
		call_early_read(b, response);
	if (read_progress(b, reliable ? OA_BY_RELIABLE : OA_BY_PLAIN, &in, &out, &why) < 0) {
		if (reliable)
			call_prack_out(b, NULL);
		call_end(call, "gateway", why.status == 400 ? 488 : why.status, why.text);
		return 0;
	}
	if (second && b->declined)
		call_fork_put_back(b, was);
	// Reliable on both sides: ours is due when the caller's is here, if it is for this one alone.
	if ((!tell_progress(b, orq, sip_status_map_provisional(status), reliable, &out) || call_fork_is(b)) && reliable &&
	    b->reliable.prack_due && b->oa.state != OA_OFFER_RECEIVED) // its PRACK has the answer
		call_prack_out(b, NULL);
	return 0;
}

static void take_dialog(struct sip_dialog *b, nta_outgoing_t *orq, const sip_t *response)
{
	learn_dialog(b, orq, response);
	call_timer_learn(b, response);
	dialog_step(&b->fsm, DIALOG_EV_ANSWER, call_now(b->call));
}

// What the 2xx brings, after all that its 1xx may have brought. out: what the caller's is to say. ack: what ours, if it is sent now.
static int read_answer(struct sip_dialog *b, const struct call_body *in, struct call_body *out, struct call_body *ack,
		       struct call_refusal *why)
{
	struct sip_call *call = b->call;
	struct sip_dialog *a = b->joined;
	struct call_offer offer;
	uint64_t id, told, version;
	int err = 0;

	call_media_versions(call, a, &id, &told);
	*out = *ack = (struct call_body){ NULL, 0 };
	switch (oa_read(&b->oa, OA_BY_OK, in->text != NULL)) {
	case OA_IS_OFFER: // ours had none: the ACK waits for the caller's answer
		if (a->oa.state != OA_OWED) {
			call_fork_offered(b, OA_BY_OK, in, ack);
			break;
		}
		err = call_media_offer(b, in->text, in->len, &offer, why);
		if (err < 0)
			return err;
		oa_open(&b->oa, OA_EV_RECV_OFFER, OA_BY_OK, call_now(call));
		*out = offer.body;
		break;
	case OA_IS_ANSWER:
	case OA_IS_MISSING:
		if (b->oa.state == OA_ASKED)
			return call_refuse(why, 488, 399, "the far side made no offer");
		err = call_media_answer(b, in->text, in->len, false, out, why);
		if (err < 0)
			return err;
		oa_step(&b->oa, OA_EV_RECV_ANSWER, call_now(call));
		break;
	default:
		break;
	}
	if (b->declined)
		return call_refuse(why, 488, 399, "another offer than the caller's");
	call_media_versions(call, a, &id, &version);
	// A caller that had its answer in a reliable 1xx, from one that was not, may have been told something else.
	// So may one that had it from another fork.
	a->stale |= (a->oa.state == OA_STABLE && version != told) || call_media_differs(call);
	b->stale |= call_media_differs(call); // it may have to hear in turn what the caller makes of it
	if (a->oa.state == OA_OWED && out->text == NULL) // it was us who offered to the far side
		err = call_media_offer_again(a, out, why);
	else if (a->oa.state == OA_OFFER_RECEIVED && out->text == NULL && call_media_current(a, out) < 0)
		err = call_refuse(why, 500, 0, "no memory");
	return err;
}

static void answer_caller(struct sip_dialog *b, nta_outgoing_t *orq, struct call_body *body)
{
	struct sip_dialog *a = b->joined;
	mono_ns now = call_now(b->call);

	if (a->oa.state == OA_OFFER_RECEIVED)
		oa_step(&a->oa, OA_EV_SEND_ANSWER, now);
	else if (a->oa.state == OA_OWED)
		oa_open(&a->oa, OA_EV_SEND_OFFER, OA_BY_OK, now);
	else
		*body = (struct call_body){ NULL, 0 }; // a reliable 1xx had it
	msg_t *msg = response_on(b, orq, body);

	call_timer_serve(a, msg);
	if (call_reliable_final(a, msg) < 0)
		call_end(b->call, "gateway", 500, "no memory");
	else if (a->reliable.held == NULL)
		call_answered(a);
	else // it waits for a PRACK; who has answered is not to be cancelled any more
		sip_pending_write(b->call);
}

// The caller's 2xx is out.
void call_answered(struct sip_dialog *a)
{
	struct sip_call *call = a->call;

	dialog_step(&a->fsm, DIALOG_EV_ANSWER, call_now(call));
	call_step(&call->fsm, CALL_EV_ANSWER, call_now(call));
	call->answered = call_now(call);
	sip_count_answered(call);
	call_log(LOG_LEVEL_INFO, call, "call answered");
	sip_notice_answered(call);
	sip_record_write(call);
	sip_pending_write(call);
}

static int answered(struct sip_dialog *b, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_call *call = b->call;
	struct call_body in = sip_body_of(response), out, ack = { NULL, 0 };
	struct call_refusal why;
	bool acked = true;
	int err = 0;

	take_dialog(b, orq, response);
	if (!call->closing)
		err = read_answer(b, &in, &out, &ack, &why);
	// An answer needs its ACK even when nobody wants it any more.
	if (call->closing || err < 0 || b->oa.state != OA_OFFER_RECEIVED) {
		acked = (ack.text != NULL ? call_ack_out(b, &ack) : call_ack_decline(b, &in)) == 0;
		dialog_step(&b->fsm, DIALOG_EV_ACK, call_now(call));
	}
	if (err < 0) { // a 400 would blame the caller for what the far side wrote
		call_end(call, "gateway", why.status == 400 ? 488 : why.status, why.text);
		return 0;
	}
	if (call->closing) {
		if (call->fsm.state == CALL_CANCELLING)
			call_step(&call->fsm, CALL_EV_ANSWER, call_now(call));
		call_bye_out(b, call->status, call->cause);
		return 0;
	}
	su_timer_reset(call->timer_c);
	call_media_open(call);
	if (!acked)
		call_end(call, "gateway", 500, "no memory");
	else
		answer_caller(b, orq, &out);
	return 0;
}

// RFC 3312 section 11, and others that the two ends settle: what the caller required, and the far side has not, is for the
// caller to know. What we required ourselves is not.
static void tell_unsupported(struct sip_dialog *a, const sip_t *response)
{
	msg_t *msg = sip_response_new(a->sip, a->invite_in, NULL);

	if (msg != NULL && sip_options_unsupported(msg, response) > 0)
		sip_respond(a->invite_in, 420, msg);
	else if (msg != NULL)
		msg_destroy(msg);
}

static int failed(struct sip_dialog *b, const sip_t *response, int status)
{
	struct sip_call *call = b->call;
	bool internal = response == NULL || nta_sip_is_internal(response);
	char cause[SIP_CAUSE_MAX];

	if (status == 401 || status == 407)
		log_warning("sip", "far side asks for credentials", LOG_STR("call", call->name),
			    LOG_STR("call_id_a", call->dialogs->call_id), LOG_STR("call_id_b", b->call_id),
			    LOG_STR("peer", call->sip->config->peers[b->peer].name));
	if (!internal)
		call_keep_reason(call, response);
	snprintf(cause, sizeof(cause), internal ? "no response (%d)" : "far side answered %d", status);
	if (!call->closing)
		call_fork_follow(b);
	if (call_redirect(b, internal ? NULL : response, status))
		return 0;
	if (status == 420 && !internal && !call->closing && b->joined->invite_in != NULL)
		tell_unsupported(b->joined, response);
	if (call->fsm.state == CALL_CANCELLING)
		call_step(&call->fsm, CALL_EV_FAIL, call_now(call));
	call_dialog_over(b, DIALOG_EV_FAIL);
	status = sip_status_map_final(status, internal ? SIP_ANSWERED_BY_NOBODY : SIP_ANSWERED_BY_PEER, b->rang);
	if (internal)
		call_end(call, "gateway", status, cause);
	else
		call_end_by(b, status, cause);
	return 0;
}

int call_response_in(void *dialog, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_dialog *d = dialog;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);

	sip_count_answer(response);
	if (orq != d->invite_out)
		return 0;
	if (status == 422 && call_timer_again(d, &d->invite_out, sip_method_invite, response, call_response_in))
		return 0;
	if (d->fsm.state != DIALOG_TRYING && d->fsm.state != DIALOG_EARLY)
		return call_reinvite_response(d, response);
	if (status < 200)
		return progress(d, orq, response, status);
	return status < 300 ? answered(call_fork_win(d, to_tag(response)), orq, response) : failed(d, response, status);
}
