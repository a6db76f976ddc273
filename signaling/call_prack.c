// SPDX-License-Identifier: GPL-3.0-or-later
// call_prack.c - PRACK (RFC 3262): theirs for a reliable provisional response of ours, and ours for theirs. One of the far
// side's that went on reliably is acknowledged when the caller has acknowledged it; else at once.
#include "signaling/call_carry.h"
#include "signaling/sip_count.h"
#include "signaling/sip_priv.h"
#include <sofia-sip/sip_tag.h>

// The answer to the offer that our response had, and with it the far side's PRACK.
static void answered(struct sip_dialog *d, const struct call_body *in)
{
	struct call_refusal why;

	if (call_carry_take(d, in, &why) < 0)
		call_end(d->call, "gateway", why.status == 400 ? 488 : why.status, why.text);
}

// A new offer. 200 when the answer is here; a refusal leaves the session, and the response counts as acknowledged all the same.
static void offered(struct sip_dialog *d, nta_incoming_t *irq, const struct call_body *in)
{
	struct call_refusal why;
	struct call_body answer;
	int err = call_carry_offer(d, OA_BY_PRACK, irq, in, &answer, &why);

	if (err < 0) {
		sip_refuse(d->sip, irq, why.status, why.warning, why.text);
	} else if (err == CALL_CARRIED_HERE) {
		sip_answer_ok(d, irq, &answer);
	} else {
		d->prack_in = irq;
		d->sip->n_requests++;
	}
}

int call_prack_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_call *call = d->call;
	struct call_body in = sip_body_of(request);

	if (call->closing || d->prack_in != NULL)
		return sip_refuse(d->sip, irq, 481, 0, NULL);
	int status = sip_body_status(d->sip, d->profile, request);

	if (status != 0)
		return sip_refuse(d->sip, irq, status, 0, NULL);
	switch (oa_read(&d->oa, OA_BY_PRACK, in.text != NULL)) {
	case OA_IS_ANSWER:
	case OA_IS_MISSING:
		sip_answer_ok(d, irq, NULL);
		answered(d, &in);
		break;
	case OA_IS_OFFER:
		offered(d, irq, &in);
		break;
	case OA_NOTHING:
		sip_answer_ok(d, irq, NULL);
		break;
	default:
		sip_refuse(d->sip, irq, 491, 0, NULL);
		break;
	}
	if (call->closing)
		return 0;
	if (d->joined->reliable.prack_due) // nothing of the above was for it
		call_prack_out(d->joined, NULL);
	call_reliable_go_on(d);
	return 0;
}

static int prack_response(void *dialog, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_dialog *d = dialog;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);

	sip_count_answer(response);
	if (orq != d->prack_out || status < 200)
		return 0;
	if (d->oa.state == OA_OFFER_SENT && d->oa.by == OA_BY_PRACK)
		call_carry_response(d, OA_BY_PRACK_OK, status, response);
	sip_drop_outgoing(d->sip, &d->prack_out);
	return 0;
}

int call_prack_out(struct sip_dialog *to, const struct call_body *body)
{
	msg_t *msg = sip_request_new(to, 70);

	sip_message_header(msg, "RAck", "%u %u INVITE", to->reliable.seen, nta_outgoing_cseq(to->trunk->invite_out));
	if (body != NULL)
		msg = sip_message_body(msg, "application/sdp", body->text, body->len);
	sip_drop_outgoing(to->sip, &to->prack_out);
	to->prack_out = sip_dialog_send(to, msg, sip_method_prack, prack_response);
	to->reliable.prack_due = to->prack_out == NULL;
	return to->prack_out != NULL ? 0 : -1;
}
