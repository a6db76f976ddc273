// SPDX-License-Identifier: GPL-3.0-or-later
// call_reinvite.c - INVITE within a dialog: hold, resume, a new address. Carried to the other side with its description
// rewritten; its answer, or its refusal, comes back, and a refusal leaves the session as it was (RFC 3261 section 14).
#include "signaling/call_carry.h"
#include "signaling/call_timer.h"
#include "signaling/call_transfer.h"
#include "signaling/sip_count.h"
#include "signaling/sip_priv.h"
#include <sofia-sip/sip_tag.h>

// Section 14.2: theirs may not meet one of ours (491) nor one of their own (500 with Retry-After).
static int check_glare(const struct sip_dialog *d)
{
	if (d->invite_in != NULL || d->oa.state == OA_OFFER_RECEIVED || d->oa.state == OA_OWED)
		return 500;
	if (d->invite_out != NULL || d->oa.state != OA_STABLE)
		return 491;
	if (d->call->fsm.state == CALL_ANSWERING)
		return d->outgoing ? 491 : 500; // the caller's ACK is still due
	return call_allows(&d->call->fsm, CALL_EV_REINVITE) ? 0 : 491;
}

int call_reinvite_out(struct sip_dialog *to, nta_incoming_t *irq, const struct call_body *offer)
{
	struct sip_call *call = to->call;
	msg_t *msg;

	if (to->invite_out != NULL || !call_allows(&call->fsm, CALL_EV_REINVITE))
		return -1;
	msg = sip_request_onward(to, irq, offer);
	to->cancelled = false;
	to->invite_out = sip_dialog_send(to, msg, sip_method_invite, call_response_in);
	if (to->invite_out == NULL)
		return -1;
	call_step(&call->fsm, CALL_EV_REINVITE, call_now(call));
	return 0;
}

// Without a description: the other side is asked for an offer.
static int ask_on(struct sip_dialog *d, nta_incoming_t *irq, struct call_refusal *why)
{
	// It may have transferred the call and gone: its dialog is over, but its leg stays for NOTIFYs.
	if (d->joined->fsm.state != DIALOG_CONFIRMED || call_media_offered(d->call) || !oa_allows(&d->joined->oa, OA_EV_ASK))
		return call_refuse(why, 491, 0, NULL);
	if (call_reinvite_out(d->joined, irq, &(struct call_body){ NULL, 0 }) < 0)
		return call_refuse(why, 500, 0, NULL);
	oa_open(&d->oa, OA_EV_BE_ASKED, OA_BY_INVITE, call_now(d->call));
	oa_open(&d->joined->oa, OA_EV_ASK, OA_BY_INVITE, call_now(d->call));
	return CALL_CARRIED;
}

static void answer_now(struct sip_dialog *d, const struct call_body *answer)
{
	msg_t *msg = sip_message_body(sip_response_new(d->sip, d->invite_in, d), "application/sdp", answer->text, answer->len);

	call_timer_serve(d, msg);
	sip_record_write(d->call); // first: a next life must know what the peer may have been told
	if (sip_respond(d->invite_in, 200, msg) < 0)
		call_end(d->call, "gateway", 500, "no memory");
}

static int checked(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	struct sip *sip = d->sip;
	struct call_body in = sip_body_of(request), answer = { NULL, 0 };
	struct call_refusal why;
	int err;

	sip_count_response(SIP_STAT_OUT, sip_method_invite, 100);
	nta_incoming_treply(irq, SIP_100_TRYING, TAG_END());
	err = in.text == NULL ? ask_on(d, irq, &why) : call_carry_offer(d, OA_BY_INVITE, irq, &in, &answer, &why);
	if (err < 0)
		return sip_refuse(sip, irq, why.status, why.warning, why.text);
	call_refresh(d, request);
	d->invite_in = irq;
	sip->n_requests++;
	nta_incoming_bind(irq, call_ack_or_cancel_in, d);
	if (err == CALL_CARRIED_HERE)
		answer_now(d, &answer);
	else
		sip_pending_write(d->call);
	return 0;
}

int call_reinvite_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	struct sip *sip = d->sip;
	int glare, status;

	if (!d->call->closing && call_transfer_moving(d)) // whether it has a session is being settled
		return sip_refuse(sip, irq, 491, 0, NULL);
	if (d->call->closing || d->joined == NULL || d->fsm.state < DIALOG_ANSWERED)
		return sip_refuse(sip, irq, 481, 0, NULL);
	glare = check_glare(d);
	if (glare == 500)
		return sip_refuse_later(d, irq);
	if (glare != 0)
		return sip_refuse(sip, irq, glare, 0, NULL);
	status = sip_body_status(sip, d->profile, request);
	if (status != 0)
		return sip_refuse(sip, irq, status, 0, NULL);
	if (d->call->frozen)
		return sip_refuse(sip, irq, 488, 399, "the session cannot be changed");
	return checked(d, irq, request);
}

// It was asked for an offer. Its ACK waits for the answer.
static void offered(struct sip_dialog *to, const sip_t *response)
{
	struct sip_call *call = to->call;
	struct sip_dialog *from = to->joined;
	struct call_body in = sip_body_of(response);
	struct call_offer offer;
	struct call_refusal why;

	if (call_transfer_leaves(from) && dialog_is_over(&from->fsm)) {
		call_carry_offer_alone(to, &in);
		return;
	}
	if (from->invite_in == NULL || call_media_offer(to, in.text, in.len, &offer, &why) < 0) {
		int status = from->invite_in == NULL || why.status == 400 ? 488 : why.status;

		call_ack_decline(to, &in);
		if (from->invite_in != NULL) {
			sip_respond(from->invite_in, status, sip_response_new(call->sip, from->invite_in, from));
			sip_drop_incoming(call->sip, &from->invite_in);
		}
		call_end(call, "gateway", status, "an offer that cannot go on");
		return;
	}
	oa_open(&to->oa, OA_EV_RECV_OFFER, OA_BY_OK, call_now(call));
	oa_open(&from->oa, OA_EV_SEND_OFFER, OA_BY_OK, call_now(call));
	msg_t *msg = sip_response_new(call->sip, from->invite_in, from);

	msg = sip_message_body(msg, "application/sdp", offer.body.text, offer.body.len);
	call_timer_serve(from, msg);
	if (sip_respond(from->invite_in, 200, msg) < 0)
		call_end(call, "gateway", 500, "no memory"); // its ACK goes out there
}

int call_reinvite_response(struct sip_dialog *to, const sip_t *response)
{
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(to->invite_out);

	if (status < 200)
		return 0; // the side that waits has its 100
	if (status == 422 && to->cancelled) // it crossed our CANCEL, and is not sent again
		status = 487;
	if (status >= 300) {
		sip_drop_outgoing(to->sip, &to->invite_out);
		call_timer_refusal(to, status);
	} else {
		struct call_body in = sip_body_of(response);

		call_refresh(to, response);
		call_timer_learn(to, response);
		if (!to->call->closing && to->oa.state == OA_ASKED) {
			offered(to, response);
			return 0;
		}
		if (call_ack_decline(to, &in) < 0) {
			call_end(to->call, "gateway", 500, "no memory");
			return 0;
		}
	}
	call_carry_response(to, OA_BY_OK, status, response);
	return 0;
}
