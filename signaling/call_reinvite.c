// SPDX-License-Identifier: GPL-3.0-or-later
// call_reinvite.c - INVITE within a dialog: hold, resume, a new address. Carried to the other side with its description
// rewritten; its answer, or its refusal, comes back, and a refusal leaves the session as it was (RFC 3261 section 14).
#include "signaling/call_media.h"
#include "signaling/sip_header.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_status.h"

static int refuse_later(struct sip_dialog *d, nta_incoming_t *irq)
{
	msg_t *msg = sip_response_new(d->call->sip, irq, d);

	sip_message_retry_after(msg);
	sip_respond(irq, 500, msg);
	nta_incoming_destroy(irq);
	return 0;
}

// Section 14.2: theirs may not meet one of ours (491) nor one of their own (500 with Retry-After).
static int check_glare(const struct sip_dialog *d)
{
	if (d->invite_in != NULL)
		return 500;
	if (d->invite_out != NULL)
		return 491;
	if (d->call->fsm.state == CALL_ANSWERING)
		return d->outgoing ? 491 : 500; // the caller's ACK is still due
	return call_allows(&d->call->fsm, CALL_EV_REINVITE) ? 0 : 491;
}

static int send_on(struct sip_dialog *from, nta_incoming_t *irq, const struct call_body *offer)
{
	struct sip_dialog *to = from->joined;
	msg_t *msg = sip_request_new(to, 70);

	sip_request_headers(msg, irq, from, to);
	msg = sip_message_body(msg, "application/sdp", offer->text, offer->len);
	to->cancelled = false;
	to->invite_out = sip_dialog_send(to, msg, sip_method_invite, call_response_in);
	return to->invite_out != NULL ? 0 : -1;
}

int call_reinvite_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_call *call = d->call;
	struct sip *sip = call->sip;
	struct call_body in = sip_body_of(request), out;
	struct call_refusal why;
	int glare;

	if (call->closing || d->joined == NULL || d->fsm.state < DIALOG_ANSWERED)
		return sip_refuse(sip, irq, 481, 0, NULL);
	glare = check_glare(d);
	if (glare == 500)
		return refuse_later(d, irq);
	if (glare != 0)
		return sip_refuse(sip, irq, glare, 0, NULL);
	if (request->sip_require != NULL)
		return sip_refuse(sip, irq, 420, 0, NULL);
	if (in.text != NULL && !sip_body_is_sdp(request))
		return sip_refuse(sip, irq, 415, 0, NULL);
	if (call->restored) // its descriptions are not in the record
		return sip_refuse(sip, irq, 488, 399, "the session cannot be changed");
	if (in.text == NULL) // the other side is to offer
		out = in;
	else if (call_media_offer(d, in.text, in.len, &out, &why) < 0)
		return sip_refuse(sip, irq, why.status, why.warning, why.text);
	if (request->sip_contact != NULL) { // section 12.2.2: the remote target moves with it
		nta_leg_server_route(d->leg, NULL, request->sip_contact);
		call_route(d, sip_request_behind_nat(request));
	}
	nta_incoming_treply(irq, SIP_100_TRYING, TAG_END());
	if (send_on(d, irq, &out) < 0) {
		call_media_rollback(call);
		return sip_refuse(sip, irq, 500, 0, NULL);
	}
	d->invite_in = irq;
	sip->n_requests++;
	nta_incoming_bind(irq, call_ack_or_cancel_in, d);
	call_step(&call->fsm, CALL_EV_REINVITE, call_now(call));
	return 0;
}

static void refused(struct sip_dialog *to, const sip_t *response, int status)
{
	struct sip_call *call = to->call;
	struct sip_dialog *from = to->joined;
	bool internal = response == NULL || nta_sip_is_internal(response);

	sip_drop_outgoing(call->sip, &to->invite_out);
	call_media_rollback(call);
	call_step(&call->fsm, CALL_EV_SETTLED, call_now(call));
	if (from->invite_in != NULL) {
		// Glare stays glare: the side that began tries again in its own time (section 14.1).
		int told = status == 491 ? 491
					 : sip_status_map_final(status,
								internal ? SIP_ANSWERED_BY_NOBODY : SIP_ANSWERED_BY_PEER, true);

		sip_respond(from->invite_in, told, sip_response_new(call->sip, from->invite_in, from));
		sip_drop_incoming(call->sip, &from->invite_in);
	}
	// Section 12.2.1.2: these say that the other end has no such dialog any more.
	if (status == 408 || status == 481) {
		call_dialog_over(to, DIALOG_EV_LOST);
		call_end(call, sip_peer_realm_name(to), status, "the far side lost the dialog");
	}
}

static void accepted(struct sip_dialog *to, const sip_t *response)
{
	struct sip_call *call = to->call;
	struct sip_dialog *from = to->joined;
	struct call_body in = sip_body_of(response), out;
	struct call_refusal why;
	int err;

	if (response->sip_contact != NULL) {
		nta_leg_client_reroute(to->leg, NULL, response->sip_contact, 0);
		call_route(to, false);
	}
	bool offers = !call_media_offered(call); // then the ACK waits for the answer
	bool acked = true;

	if (call->closing || from->invite_in == NULL) {
		call_ack_out(to, NULL);
		return;
	}
	err = offers ? call_media_offer(to, in.text, in.len, &out, &why)
		     : call_media_answer(to, in.text, in.len, false, &out, &why);
	if (err < 0 || !offers)
		acked = call_ack_out(to, NULL) == 0;
	if (err < 0) { // it has moved to a session that we cannot join: there is no way back for it
		sip_respond(from->invite_in, why.status == 400 ? 488 : why.status,
			    sip_response_new(call->sip, from->invite_in, from));
		sip_drop_incoming(call->sip, &from->invite_in);
		call_end(call, "gateway", why.status, why.text);
		return;
	}
	msg_t *msg = sip_response_new(call->sip, from->invite_in, from);

	msg = sip_message_body(msg, "application/sdp", out.text, out.len);
	if (sip_respond(from->invite_in, 200, msg) < 0 || !acked) { // one side has moved, the other does not know
		if (offers)
			call_ack_out(to, NULL);
		call_end(call, "gateway", 500, "no memory");
		return;
	}
	if (offers)
		return; // settled by the ACK
	call_step(&call->fsm, CALL_EV_SETTLED, call_now(call));
	sip_record_write(call);
}

int call_reinvite_response(struct sip_dialog *to, const sip_t *response)
{
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(to->invite_out);

	if (status < 200)
		return 0; // the side that waits has its 100
	if (status < 300)
		accepted(to, response);
	else
		refused(to, response, status);
	return 0;
}
