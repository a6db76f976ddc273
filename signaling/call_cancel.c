// SPDX-License-Identifier: GPL-3.0-or-later
// call_cancel.c - CANCEL: the caller gives up before the answer, or we do towards the far side (RFC 3261 section 9).
#include "signaling/sip_priv.h"
#include "signaling/sip_count.h"
#include <sofia-sip/sip_tag.h>

// nta has answered the CANCEL itself with 200.
int call_cancel_in(struct sip_dialog *d, const sip_t *request)
{
	struct sip_call *call = d->call;

	if (d->fsm.state == DIALOG_TRYING || d->fsm.state == DIALOG_EARLY) {
		call_keep_reason(call, request);
		call_step(&call->fsm, CALL_EV_CANCEL, call_now(call));
		call_end_by(d, 487, "cancelled by the caller");
	} else if (d->joined != NULL && d->joined->invite_out != NULL) {
		// A re-INVITE: its other half decides. 487 comes back if it was not too late.
		call_cancel_out(d->joined);
	}
	return 0;
}

// Section 9.1: without a final response within 64*T1 the INVITE counts as cancelled.
static void cancel_expired(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip_call *call = arg;

	for (struct sip_dialog *d = call->dialogs, *next; d != NULL; d = next) {
		next = d->next;
		if (d->cancelled && (d->fsm.state == DIALOG_TRYING || d->fsm.state == DIALOG_EARLY))
			call_dialog_over(d, DIALOG_EV_FAIL);
	}
	call_settle(call); // forks that never had a final response end with it
}

void call_cancel_out(struct sip_dialog *d)
{
	struct sip *sip = d->call->sip;

	if (d->cancelled || d->invite_out == NULL)
		return;
	d->cancelled = true;
	if (d->call->closing)
		su_timer_set_interval(d->call->timer_c, cancel_expired, d->call,
				      64 * (su_duration_t)(sip->t1_ms > 0 ? sip->t1_ms : NTA_SIP_T1));
	// Held back by nta until a provisional response is there (section 9.1). Nobody waits for the response to it:
	// the INVITE's own final response is what counts.
	nta_outgoing_t *cancel = nta_outgoing_tcancel(d->invite_out, NULL, NULL,
						      TAG_IF(d->call->reason[0] != '\0', SIPTAG_REASON_STR(d->call->reason)),
						      TAG_END());

	if (cancel != NULL)
		sip_count_request(SIP_STAT_OUT, sip_method_cancel);
	nta_outgoing_destroy(cancel);
}
