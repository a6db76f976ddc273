// SPDX-License-Identifier: GPL-3.0-or-later
// call_info.c - INFO within a dialog (RFC 6086, DTMF of many phones): carried to the other side, its response back.
#include "signaling/sip_header.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_status.h"
#include <string.h>

#define INFO_BODY_MAX 4096u

static int info_response(void *dialog, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_dialog *to = dialog, *from = to->joined;
	struct sip *sip = to->call->sip;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);

	if (orq != to->relayed_out || status < 200)
		return 0;
	if (status == 401 || status == 407)
		status = 403;
	if (from->relayed_in != NULL)
		sip_respond(from->relayed_in, status, sip_response_new(sip, from->relayed_in, NULL));
	sip_drop_incoming(sip, &from->relayed_in);
	sip_drop_outgoing(sip, &to->relayed_out);
	return 0;
}

int call_info_in(struct sip_dialog *from, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_dialog *to = from->joined;
	struct sip *sip = from->call->sip;
	struct call_body body = sip_body_of(request);

	if (to == NULL || to->fsm.state != DIALOG_CONFIRMED || from->fsm.state != DIALOG_CONFIRMED)
		return sip_refuse(sip, irq, 481, 0, NULL);
	if (body.len > INFO_BODY_MAX)
		return sip_refuse(sip, irq, 413, 0, NULL);
	if (sip_body_is_sdp(request)) // a description would bypass the offer/answer exchange
		return sip_refuse(sip, irq, 415, 0, NULL);
	if (from->relayed_in != NULL || to->relayed_out != NULL)
		return sip_refuse(sip, irq, 500, 0, NULL); // one at a time, as in RFC 6086 section 4.2.2
	msg_t *msg = sip_request_new(to, 70);

	sip_request_headers(msg, irq, from, to);
	if (msg != NULL && body.text != NULL && request->sip_content_type != NULL)
		msg = sip_message_body(msg, request->sip_content_type->c_type, body.text, body.len);
	to->relayed_out = sip_dialog_send(to, msg, sip_method_info, info_response);
	if (to->relayed_out == NULL)
		return sip_refuse(sip, irq, 500, 0, NULL);
	from->relayed_in = irq;
	sip->n_requests++;
	return 0;
}
