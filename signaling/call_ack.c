// SPDX-License-Identifier: GPL-3.0-or-later
// call_ack.c - ACK: theirs confirms our 2xx (or fails to come), ours confirms a 2xx of theirs. nta brings ACK and CANCEL of
// an INVITE to one callback.
#include "signaling/call_carry.h"
#include "signaling/sdp/sdp_doc.h"
#include "signaling/sip_count.h"
#include "signaling/sip_priv.h"
#include <sofia-sip/sip_tag.h>

// Same number as the INVITE, whatever has been sent since (RFC 3261 section 13.2.2.4).
static int send_ack(struct sip_dialog *d, uint32_t number, const char *branch, const struct call_body *answer)
{
	msg_t *msg = nta_msg_create(sip_agent_nta(d->sip->agent), 0);
	nta_outgoing_t *ack = NULL;

	if (msg != NULL) {
		sip_cseq_t *cseq = sip_cseq_create(msg_home(msg), number, SIP_METHOD_ACK);
		sip_max_forwards_t *mf = sip_max_forwards_make(msg_home(msg), "70");

		if (cseq != NULL && mf != NULL && msg_header_insert(msg, NULL, (msg_header_t *)cseq) == 0 &&
		    msg_header_insert(msg, NULL, (msg_header_t *)mf) == 0) {
			if (answer != NULL)
				msg = sip_message_body(msg, "application/sdp", answer->text, answer->len);
			ack = branch != NULL ? sip_dialog_ack(d, msg, branch) : sip_dialog_send(d, msg, sip_method_ack, NULL);
		} else {
			msg_destroy(msg);
		}
	}
	// nta keeps it for as long as the 2xx may be repeated, and then repeats the ACK.
	nta_outgoing_destroy(ack);
	return ack != NULL ? 0 : -1;
}

int call_ack_out(struct sip_dialog *d, const struct call_body *answer)
{
	int err = send_ack(d, nta_outgoing_cseq(d->invite_out), NULL, answer);

	sip_drop_outgoing(d->sip, &d->invite_out);
	d->reliable.prack_due = false; // it is not repeated any more, and a PRACK names its INVITE
	return err;
}

int call_ack_decline(struct sip_dialog *d, const struct call_body *in)
{
	size_t len = 0;
	char *text = oa_read(&d->oa, OA_BY_OK, in->text != NULL) == OA_IS_OFFER ? sip_body_decline(d, in, &len) : NULL;
	int err = call_ack_out(d, text != NULL ? &(struct call_body){ text, len } : NULL);

	sdp_body_free(text, len);
	return err;
}

int call_ack_decline_kept(struct sip_dialog *d)
{
	msg_t *msg = nta_outgoing_getresponse(d->invite_out);
	struct call_body in = msg != NULL ? sip_body_of(sip_object(msg)) : (struct call_body){ NULL, 0 };
	int err = call_ack_decline(d, &in);

	if (msg != NULL)
		msg_destroy(msg);
	return err;
}

int call_ack_late(struct sip_dialog *d, uint32_t number, const char *branch, const struct call_body *answer)
{
	return send_ack(d, number, branch, answer);
}

// Our 2xx had an offer: the answer is in this ACK. What the far side made goes on in ours; else it is for us alone.
static void answer_in_ack(struct sip_dialog *from, const sip_t *request)
{
	struct sip_call *call = from->call;
	struct sip_dialog *to = from->joined;
	struct call_body in = sip_body_of(request);
	struct call_refusal why;

	if (call_carry_take(from, &in, &why) < 0) {
		call_end(call, "gateway", why.status, why.text);
		return;
	}
	if (call->fsm.state == CALL_MODIFYING)
		call_step(&call->fsm, CALL_EV_SETTLED, call_now(call));
	if (!call_media_settles(from)) // the far side may use what this one has not chosen
		call_carry_again(to);
}

void call_ack_arrived(struct sip_dialog *d)
{
	if (!d->ack_due)
		return;
	d->sip->n_ack_due--;
	d->ack_due = false;
	log_debug("sip", "answer has arrived", LOG_CALL_IDS(&d->call->ids), LOG_STR("call", d->call->name));
}

// The ACK for our 2xx is here, or 64*T1 have passed without it. It may be the ACK for a 500: nta puts that in the place of
// a 2xx that it cannot send.
static void confirmed(struct sip_dialog *d, const sip_t *request)
{
	struct sip_call *call = d->call;
	bool unsent = nta_incoming_status(d->invite_in) >= 300;
	bool acked = request != NULL && !unsent;
	bool initial = d->fsm.state == DIALOG_ANSWERED;

	sip_drop_incoming(call->sip, &d->invite_in);
	if (initial)
		dialog_step(&d->fsm, acked ? DIALOG_EV_ACK : DIALOG_EV_NO_ACK, call_now(call));
	if (call->closing) {
		if (initial && call->bye_after_ack)
			call_bye_out(d, call->status, call->cause);
		return;
	}
	if (!acked) {
		call_end(call, "gateway", unsent ? 500 : 408,
			 unsent ? "the answer could not be sent" : "no ACK for the answer");
		return;
	}
	call_ack_arrived(d);
	call_step(&call->fsm, CALL_EV_ACK, call_now(call));
	call_media_confirmed(d);
	switch (oa_read(&d->oa, OA_BY_ACK, sip_body_of(request).text != NULL)) {
	case OA_IS_ANSWER:
	case OA_IS_MISSING:
		answer_in_ack(d, request);
		break;
	default:
		if (d->stale)
			call_carry_again(d);
		else if (initial && d->joined->stale)
			call_carry_again(d->joined);
		break;
	}
	if (!call->closing)
		sip_record_write(call);
}

int call_ack_or_cancel_in(void *dialog, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_dialog *d = dialog;
	bool timeout = request == NULL; // timer H

	if (!timeout)
		sip_count_request(SIP_STAT_IN, request->sip_request->rq_method);
	if (irq != d->invite_in)
		return 0;
	if (!timeout && request->sip_request->rq_method == sip_method_cancel)
		return call_cancel_in(d, request);
	if (nta_incoming_status(irq) >= 200)
		confirmed(d, request);
	return 0;
}
