// SPDX-License-Identifier: GPL-3.0-or-later
// call_relay.c - INFO (RFC 6086, DTMF of many phones), MESSAGE, SUBSCRIBE and NOTIFY within a call's dialog.
#include "signaling/sip_relay.h"

int call_relay_in(struct sip_dialog *from, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_dialog *to = from->joined;

	if (to == NULL || to->fsm.state != DIALOG_CONFIRMED || from->fsm.state != DIALOG_CONFIRMED)
		return sip_refuse(from->sip, irq, 481, 0, NULL);
	sip_relay_request(from, to, irq, request, NULL, NULL);
	return 0;
}

void call_relay_end(struct sip_dialog *d)
{
	sip_relay_end(d, 487);
	if (d->joined != NULL) // what waited for a response in it
		sip_relay_end(d->joined, 481);
}
