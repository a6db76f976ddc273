// SPDX-License-Identifier: GPL-3.0-or-later
// call_update.c - UPDATE (RFC 3311): an offer that needs no ACK and no user, before the answer or after it, and a refresh.
#include "signaling/call_carry.h"
#include "signaling/call_timer.h"
#include "signaling/call_transfer.h"
#include "signaling/sip_count.h"
#include "signaling/sip_priv.h"

static int offered(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	struct call_body in = sip_body_of(request), answer;
	struct call_refusal why;

	switch (oa_read(&d->oa, OA_BY_UPDATE, true)) {
	case OA_IS_GLARE:
		return sip_refuse(d->sip, irq, 491, 0, NULL);
	case OA_IS_EARLY:
		return sip_refuse_later(d, irq);
	default:
		break;
	}
	if (d->call->frozen)
		return sip_refuse(d->sip, irq, 488, 399, "the session cannot be changed");
	int err = call_carry_offer(d, OA_BY_UPDATE, irq, &in, &answer, &why);

	if (err < 0)
		return sip_refuse(d->sip, irq, why.status, why.warning, why.text);
	if (err == CALL_CARRIED_HERE) {
		if (!call_is_setting_up(&d->call->fsm))
			sip_record_write(d->call); // first: a next life must know what the peer may have been told
		sip_answer_ok(d, irq, &answer);
		return 0;
	}
	d->update_in = irq;
	d->sip->n_requests++;
	return 0;
}

int call_update_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	struct sip *sip = d->sip;
	bool live = d->fsm.state == DIALOG_EARLY || d->fsm.state == DIALOG_ANSWERED || d->fsm.state == DIALOG_CONFIRMED;

	if (!d->call->closing && call_transfer_moving(d)) // whether it has a session is being settled
		return sip_refuse(sip, irq, 491, 0, NULL);
	if (d->call->closing || d->joined == NULL || !live)
		return sip_refuse(sip, irq, 481, 0, NULL);
	int status = sip_body_status(sip, d->profile, request);

	if (status != 0)
		return sip_refuse(sip, irq, status, 0, NULL);
	if (d->update_in != NULL) // section 5.2: one at a time
		return sip_refuse_later(d, irq);
	call_refresh(d, request);
	return sip_body_of(request).text != NULL ? offered(d, irq, request) : sip_answer_ok(d, irq, NULL);
}

static int update_response(void *dialog, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_dialog *d = dialog;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);

	sip_count_answer(response);
	if (orq != d->update_out || status < 200)
		return 0;
	if (status == 422 && call_timer_again(d, &d->update_out, sip_method_update, response, update_response))
		return 0;
	if (status < 300) {
		call_refresh(d, response);
		if (call_timer_by(d, sip_method_update))
			call_timer_learn(d, response);
	}
	call_carry_response(d, OA_BY_UPDATE_OK, status, response);
	sip_drop_outgoing(d->sip, &d->update_out);
	return 0;
}

int call_update_out(struct sip_dialog *to, nta_incoming_t *irq, const struct call_body *offer)
{
	to->update_out = sip_dialog_send(to, sip_request_onward(to, irq, offer), sip_method_update, update_response);
	return to->update_out != NULL ? 0 : -1;
}
