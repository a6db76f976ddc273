// SPDX-License-Identifier: GPL-3.0-or-later
// call_options.c - OPTIONS: answered here, as a peer's keep-alive or to learn what we do (RFC 3261 section 11).
#include "signaling/sip_priv.h"

int call_options_in(struct sip *sip, nta_incoming_t *irq)
{
	msg_t *msg = sip_response_new(sip, irq, NULL);

	// Section 11.2: the response code is that of an INVITE, so a gateway that takes no calls says so.
	int status = sip->draining || sip->door_closed || sip->n_calls >= sip->config->max_calls ? 503 : 200;

	sip_message_allow(msg);
	sip_message_header(msg, "Accept", "application/sdp, multipart/mixed");
	if (status == 503)
		sip_message_retry_after(msg);
	sip_respond(irq, status, msg);
	nta_incoming_destroy(irq);
	return 0;
}
