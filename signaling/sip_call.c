// SPDX-License-Identifier: GPL-3.0-or-later
// sip_call.c - birth, death and lookup of calls and their dialogs, and the one way a call ends.
#include "signaling/call_media.h"
#include "signaling/call_timer.h"
#include "signaling/call_transfer.h"
#include "signaling/sip_count.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_trace_priv.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sip_call **bucket_of(struct sip *sip, uint32_t session)
{
	return &sip->by_session[session % CALL_BUCKETS];
}

static void session_unlink(struct sip_call *call)
{
	struct sip_call **link = bucket_of(call->sip, call->session);

	for (; *link != NULL; link = &(*link)->session_next) {
		if (*link == call) {
			*link = call->session_next;
			return;
		}
	}
}

struct sip_call *call_by_session(struct sip *sip, uint32_t session)
{
	struct sip_call *call = *bucket_of(sip, session);

	while (call != NULL && call->session != session)
		call = call->session_next;
	return call;
}

static void timer_c_fired(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip_call *call = arg;

	if (call_is_setting_up(&call->fsm))
		call_end(call, "gateway", 408, "no answer (timer C)");
}

void call_start_timer_c(struct sip_call *call)
{
	su_timer_set_interval(call->timer_c, timer_c_fired, call, (su_duration_t)call->sip->config->timer_c_s * 1000);
}

static void grave_fired(void *ctx, su_timer_t *timer, void *arg)
{
	call_free(arg);
}

int call_create(struct sip *sip, struct sip_call **callp)
{
	struct sip_call *call = calloc(1, sizeof(*call));
	int err = -ENOMEM;

	if (call == NULL)
		return -ENOMEM;
	call->sip = sip;
	call->number = ++sip->last_call;
	snprintf(call->name, sizeof(call->name), "%u", call->number);
	call->started = env_now(sip->env);
	call_fsm_start(&call->fsm, call->number, call->started);
	call->fsm.ids = &call->ids;
	call->next = sip->calls;
	if (call->next != NULL)
		call->next->link = &call->next;
	call->link = &sip->calls;
	sip->calls = call;
	sip->n_calls++;
	sip_count_now(sip);
	call->timer_c = su_timer_create(su_root_task(sip->root), 0);
	call->grave = su_timer_create(su_root_task(sip->root), 0);
	if (call->timer_c == NULL || call->grave == NULL)
		goto out;
	err = call_media_create(call);
	if (err < 0)
		goto out;
	call_start_timer_c(call);
	*callp = call;
	call = NULL;
out:
	if (call != NULL)
		call_free(call);
	return err;
}

int call_open_session(struct sip_call *call)
{
	int err = media_session_open(call->sip->media, &call->session);

	if (err < 0) {
		call->session = 0;
		return err;
	}
	call_restore_session(call, call->session);
	sip_trace_session(call);
	return 0;
}

void call_restore_session(struct sip_call *call, uint32_t session)
{
	call->session = session;
	call->session_next = *bucket_of(call->sip, session);
	*bucket_of(call->sip, session) = call;
	media_session_name(call->sip->media, session, call->number);
}

static void dialog_drop(struct sip_dialog *d)
{
	struct sip *sip = d->call->sip;
	bool kept = call_refer_keeps(d) || call_transfer_keeps(d);

	call_reliable_end(d);
	sip_drop_incoming(sip, &d->invite_in);
	sip_drop_outgoing(sip, &d->invite_out);
	sip_drop_outgoing(sip, &d->bye_out);
	if (!kept)
		call_relay_end(d);
	call_timer_drop(d);
	sip_drop_incoming(sip, &d->update_in);
	sip_drop_outgoing(sip, &d->update_out);
	sip_drop_incoming(sip, &d->prack_in);
	sip_drop_outgoing(sip, &d->prack_out);
	if (d->patience != NULL)
		su_timer_destroy(d->patience);
	if (d->back_off != NULL)
		su_timer_destroy(d->back_off);
	d->patience = d->back_off = NULL;
	if (!kept)
		sip_dialog_drop_leg(d);
}

void call_drop_over(struct sip_call *call)
{
	for (struct sip_dialog *d = call->dialogs; d != NULL; d = d->next) {
		if (dialog_is_over(&d->fsm))
			dialog_drop(d);
	}
}

void call_dialog_free(struct sip_dialog *d)
{
	struct sip_dialog **link = &d->call->dialogs;

	dialog_drop(d);
	while (*link != d)
		link = &(*link)->next;
	*link = d->next;
	d->call->n_dialogs--;
	d->sip->n_dialogs--;
	d->sip->n_ack_due -= d->ack_due;
	free(d);
}

void call_free(struct sip_call *call)
{
	struct sip *sip = call->sip;

	sip_trace_over(call);
	call_redirect_end(call);
	call_fork_end(call);
	call_media_free(call);
	if (call->session != 0)
		session_unlink(call);
	call_refer_drop(call);
	call_transfer_drop(call);
	for (struct sip_dialog *d = call->dialogs; d != NULL; d = d->next)
		dialog_drop(d);
	while (call->dialogs != NULL) {
		struct sip_dialog *d = call->dialogs;

		sip->n_ack_due -= d->ack_due;
		call->dialogs = d->next;
		free(d);
		sip->n_dialogs--;
	}
	if (call->timer_c != NULL)
		su_timer_destroy(call->timer_c);
	if (call->grave != NULL)
		su_timer_destroy(call->grave);
	*call->link = call->next;
	if (call->next != NULL)
		call->next->link = call->link;
	free(call->left);
	free(call);
	sip->n_calls--;
	sip_count_now(sip);
	if (sip->n_calls == 0)
		call_none_left(sip);
}

void call_forget_over(struct sip_call *call)
{
	for (struct sip_dialog *d = call->dialogs, *next; d != NULL; d = next) {
		next = d->next;
		if (dialog_is_over(&d->fsm) && d->joined == NULL && d->leg == NULL)
			call_dialog_free(d);
	}
}

struct sip_dialog *call_dialog_create(struct sip_call *call, bool outgoing, uint16_t peer)
{
	struct sip_dialog *d, **link = &call->dialogs;

	if (call->n_dialogs == DIALOGS_MAX)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	sip_dialog_init(d, call->sip, outgoing, peer);
	d->call = call;
	d->side = outgoing;
	dialog_fsm_start(&d->fsm, d->number, call_now(call));
	oa_fsm_start(&d->oa, d->number, call_now(call));
	d->fsm.ids = d->oa.ids = &call->ids;
	if (call->ids.a == NULL)
		call->ids.a = d->call_id; // the caller's is the first
	while (*link != NULL)
		link = &(*link)->next;
	d->trunk = d;
	d->leg_number = d->number;
	*link = d;
	call->n_dialogs++;
	call->sip->n_dialogs++;
	return d;
}

struct sip_dialog *call_caller(struct sip_call *call)
{
	return call->dialogs;
}

void call_join(struct sip_dialog *a, struct sip_dialog *b)
{
	a->joined = b;
	b->joined = a;
	a->call->ids.b = b->call_id;
}

void call_log(enum log_level level, const struct sip_call *call, const char *event)
{
	const struct sip_dialog *a = call->dialogs, *b = a != NULL ? a->joined : NULL;

	log_at(level, "sip", event, LOG_STR("call", call->name), LOG_STR("call_id_a", a != NULL ? a->call_id : NULL),
	       LOG_STR("call_id_b", b != NULL ? b->call_id : NULL), LOG_STR("state", call_state_text(call->fsm.state)));
}

static void log_ended(const struct sip_call *call)
{
	const struct sip_dialog *a = call->dialogs, *b = a != NULL ? a->joined : NULL;
	mono_ns now = call_now(call);

	log_info("sip", "call ended", LOG_STR("call", call->name), LOG_STR("call_id_a", a != NULL ? a->call_id : NULL),
		 LOG_STR("call_id_b", b != NULL ? b->call_id : NULL), LOG_STR("cause", call->cause),
		 LOG_INT("status", call->status),
		 LOG_UINT("duration_ms", call->answered != 0 ? (now - call->answered) / MONO_MS(1) : 0),
		 LOG_UINT("setup_ms", ((call->answered != 0 ? call->answered : now) - call->started) / MONO_MS(1)),
		 LOG_STR("by", call->by), LOG_UINT("session", call->session));
}

void call_settle(struct sip_call *call)
{
	for (struct sip_dialog *d = call->dialogs; d != NULL; d = d->next) {
		if (!dialog_is_over(&d->fsm))
			return;
	}
	if (call->buried || call->refers != NULL)
		return;
	call->buried = true;
	if (call_allows(&call->fsm, CALL_EV_GONE))
		call_step(&call->fsm, CALL_EV_GONE, call_now(call));
	// We may be inside a callback that still looks at the call when we return.
	su_timer_set_interval(call->grave, grave_fired, call, 1);
}

void call_dialog_over(struct sip_dialog *d, enum dialog_event why)
{
	struct sip_call *call = d->call;

	dialog_step(&d->fsm, why, call_now(call));
	if (!dialog_is_over(&d->fsm))
		return;
	dialog_drop(d);
	if (call->closing)
		sip_pending_write(call);
	call_settle(call);
}

// It offered and waits for an answer that will not come: one that takes nothing is valid, none is not (RFC 3261 13.2.2.4).
static void ack_declined(struct sip_dialog *d)
{
	struct call_body answer;

	if (d->oa.state == OA_ASKED) { // nobody has read it (call_transfer.c)
		call_ack_decline_kept(d);
		return;
	}
	call_ack_out(d, d->oa.state == OA_OFFER_RECEIVED && call_media_decline(d, &answer) == 0 ? &answer : NULL);
}

// A re-INVITE asked it for an offer, and the ACK of its 2xx still waits for the answer.
static bool owes_ack(const struct sip_dialog *d)
{
	return d->invite_out != NULL && d->oa.state == OA_OFFER_RECEIVED && d->oa.by == OA_BY_OK;
}

// What the end of the call means for one dialog depends on where it stands.
static void dialog_end(struct sip_dialog *d, int status, const char *cause)
{
	struct sip *sip = d->call->sip;

	switch (d->fsm.state) {
	case DIALOG_TRYING:
	case DIALOG_EARLY:
		if (!d->outgoing && d->invite_in != NULL) {
			msg_t *msg = sip_response_new(sip, d->invite_in, NULL);

			if (status == 503)
				sip_message_retry_after(msg);
			else if (d->call->retry_after > 0)
				sip_message_header(msg, "Retry-After", "%u", d->call->retry_after);
			if (d->call->reason[0] != '\0' && status != 487) // which the caller has asked for himself
				sip_message_header(msg, "Reason", "%s", d->call->reason);
			call_reliable_end(d);
			// 200: the far side said BYE when the caller's own answer still waited for a PRACK.
			sip_respond(d->invite_in, status >= 300 ? status : 480, msg);
			call_dialog_over(d, DIALOG_EV_FAIL);
		} else if (d->invite_out != NULL) {
			call_cancel_out(d); // over when its INVITE has a final response
		} else {
			call_dialog_over(d, DIALOG_EV_FAIL);
		}
		break;
	case DIALOG_ANSWERED:
		if (!d->outgoing) { // RFC 3261 section 15: not before the ACK, or until it is given up
			d->call->bye_after_ack = true;
			break;
		}
		ack_declined(d);
		dialog_step(&d->fsm, DIALOG_EV_ACK, call_now(d->call));
		call_bye_out(d, status, cause);
		break;
	case DIALOG_CONFIRMED:
		if (owes_ack(d))
			ack_declined(d);
		call_bye_out(d, status, cause);
		break;
	default:
		break;
	}
}

void call_end(struct sip_call *call, const char *by, int status, const char *cause)
{
	if (call->closing)
		return;
	call->closing = true;
	call->status = status;
	call->by = by;
	snprintf(call->cause, sizeof(call->cause), "%s", cause);
	su_timer_reset(call->timer_c);
	log_ended(call);
	sip_notice_ended(call);
	sip_count_ended(call);
	sip_report_ended(call); // before media hears of it: whoever joins the two gets this first
	enum call_event event = call_is_setting_up(&call->fsm) ? CALL_EV_FAIL : CALL_EV_HANGUP;

	if (call_allows(&call->fsm, event)) // a cancelled one has moved already
		call_step(&call->fsm, event, call_now(call));
	call_refer_call_ends(call);
	call_transfer_call_ends(call);
	for (struct sip_dialog *d = call->dialogs, *next; d != NULL; d = next) {
		next = d->next;
		dialog_end(d, status, call->cause);
	}
	call_fork_end(call);
	call_media_free(call); // what was said last may have to be answered before
	sip_record_erase(call); // both sides have been told
	sip_pending_write(call);
	call_settle(call);
}

void call_end_by(struct sip_dialog *d, int status, const char *cause)
{
	if (!d->call->closing)
		d->call->by_side = d->side == 0 ? SIP_SIDE_CALLER : SIP_SIDE_CALLEE;
	call_end(d->call, sip_peer_realm_name(d), status, cause);
}
