// SPDX-License-Identifier: GPL-3.0-or-later
// call_bye.c - BYE: of a side, which ends the call for both, and ours (RFC 3261 section 15).
#include "signaling/call_carry.h"
#include "signaling/call_transfer.h"
#include "signaling/sip_header.h"
#include "signaling/sip_count.h"
#include "signaling/sip_priv.h"
#include <sofia-sip/sip_extra.h>
#include <string.h>

// Requests of theirs that the end of the dialog leaves open.
static void answer_open_requests(struct sip_dialog *d)
{
	struct sip *sip = d->call->sip;

	if (d->invite_in != NULL && nta_incoming_status(d->invite_in) < 200)
		sip_respond(d->invite_in, 487, sip_response_new(sip, d->invite_in, d));
	sip_drop_incoming(sip, &d->invite_in);
	if (d->update_in != NULL)
		sip_respond(d->update_in, 487, sip_response_new(sip, d->update_in, d));
	sip_drop_incoming(sip, &d->update_in);
	if (d->prack_in != NULL)
		sip_respond(d->prack_in, 487, sip_response_new(sip, d->prack_in, d));
	sip_drop_incoming(sip, &d->prack_in);
}

// RFC 3326, RFC 6432: why one side ended the call, or refused it, is for the other one to know.
void call_keep_reason(struct sip_call *call, const sip_t *message)
{
	if (call->closing)
		return;
	su_home_t home[1] = { SU_HOME_INIT(home) };

	su_home_init(home);
	const char *value = sip_header_value(home, message, "Reason");

	if (value != NULL && strlen(value) < sizeof(call->reason) && value[strcspn(value, "\r\n")] == '\0') {
		strcpy(call->reason, value);
		sip_addresses_hide(call->reason);
	}
	if (message->sip_retry_after != NULL)
		call->retry_after = (unsigned)message->sip_retry_after->af_delta;
	su_home_deinit(home);
}

int call_bye_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_call *call = d->call;
	bool setting_up = d->fsm.state == DIALOG_TRYING || d->fsm.state == DIALOG_EARLY;

	if (setting_up && d->outgoing) // the far side has CANCEL's counterpart: a final response
		return sip_refuse(call->sip, irq, 481, 0, NULL);
	sip_respond(irq, 200, sip_response_new(call->sip, irq, NULL));
	call_keep_reason(call, request);
	nta_incoming_destroy(irq);
	if (setting_up) {
		call_step(&call->fsm, CALL_EV_CANCEL, call_now(call));
		call_end_by(d, 487, "BYE before the answer");
		return 0;
	}
	if (d->fsm.state == DIALOG_ENDING) { // crossed ours
		dialog_step(&d->fsm, DIALOG_EV_BYE_IN, call_now(call));
		return 0;
	}
	bool leaves = call_transfer_leaves(d);

	answer_open_requests(d);
	if (leaves)
		call_carry_gone(d);
	call_dialog_over(d, DIALOG_EV_BYE_IN);
	if (!leaves)
		call_end_by(d, 200, "BYE");
	return 0;
}

static int bye_response(void *dialog, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_dialog *d = dialog;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);

	sip_count_answer(response);
	// Whatever it says, the dialog is over (section 15.1.1); a challenge is not answered.
	if (orq == d->bye_out && status >= 200)
		call_dialog_over(d, DIALOG_EV_BYE_DONE);
	return 0;
}

void call_bye_out(struct sip_dialog *d, int status, const char *cause)
{
	struct sip_call *call = d->call;
	msg_t *msg = sip_request_new(d, 70);

	answer_open_requests(d);
	if (call->reason[0] != '\0')
		sip_message_header(msg, "Reason", "%s", call->reason);
	else if (status != 200)
		sip_message_reason(msg, status, cause);
	d->bye_out = sip_dialog_send(d, msg, sip_method_bye, bye_response);
	dialog_step(&d->fsm, DIALOG_EV_BYE_OUT, call_now(call));
	if (d->bye_out == NULL)
		call_dialog_over(d, DIALOG_EV_BYE_DONE);
}
