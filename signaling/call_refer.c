// SPDX-License-Identifier: GPL-3.0-or-later
// call_refer.c - REFER within a call (RFC 3515), where the side that it is for makes the new call: carried to that side, with
// the NOTIFYs that come of it. Those may still come when the call is over, so its dialogs wait for them.
#include "signaling/call_transfer.h"
#include "signaling/sip_check.h"
#include "signaling/sip_refer.h"
#include "signaling/sip_relay.h"
#include <stdlib.h>
#include <strings.h>

#define OPEN_MAX 4u     // of one call
#define LATE_T1 64u     // that an ended call waits for NOTIFYs

struct sip_refer { // one that was carried, and its implicit subscription
	struct sip_refer *next;
	struct sip_dialog *from, *to;
	uint32_t theirs, ours; // number of the REFER on each side: the subscription's id
};

static unsigned open_refers(const struct sip_call *call)
{
	unsigned n = 0;

	for (const struct sip_refer *r = call->refers; r != NULL; r = r->next)
		n++;
	return n;
}

bool call_refer_keeps(const struct sip_dialog *d)
{
	for (const struct sip_refer *r = d->call->refers; r != NULL; r = r->next) {
		if (r->from == d || r->to == d)
			return true;
	}
	return false;
}

static struct sip_refer *find(const struct sip_call *call, const struct sip_dialog *from, uint32_t theirs)
{
	for (struct sip_refer *r = call->refers; r != NULL; r = r->next) {
		if (r->from == from && r->theirs == theirs)
			return r;
	}
	return NULL;
}

// By what its NOTIFY, or its SUBSCRIBE, says. Without a number: the first of the dialog (RFC 3515 section 2.4.6).
static struct sip_refer *find_event(const struct sip_dialog *d, bool notify, uint32_t id)
{
	struct sip_refer *first = NULL;

	for (struct sip_refer *r = d->call->refers; r != NULL; r = r->next) { // the newest comes first
		if ((notify ? r->to : r->from) != d)
			continue;
		if (id == (notify ? r->ours : r->theirs))
			return r;
		first = r;
	}
	return id == 0 ? first : NULL;
}

void call_refer_drop(struct sip_call *call)
{
	while (call->refers != NULL) {
		struct sip_refer *r = call->refers;

		call->refers = r->next;
		free(r);
	}
	if (call->refer_timer != NULL)
		su_timer_destroy(call->refer_timer);
	call->refer_timer = NULL;
}

static void waited(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip_call *call = arg;

	if (call->refers != NULL)
		log_debug("sip", "transfer without an end", LOG_CALL_IDS(&call->ids), LOG_STR("call", call->name));
	call_refer_drop(call);
	call_drop_over(call);
	call_settle(call);
}

// Nothing comes of it any more.
static void forget(struct sip_call *call, struct sip_refer *gone)
{
	for (struct sip_refer **at = &call->refers; *at != NULL; at = &(*at)->next) {
		if (*at != gone)
			continue;
		*at = gone->next;
		free(gone);
		break;
	}
	// Not within a callback that still looks at what belongs to the dialogs.
	if (call->refers == NULL && call->refer_timer != NULL)
		su_timer_set_interval(call->refer_timer, waited, call, 1);
}

void call_refer_call_ends(struct sip_call *call)
{
	if (call->refers == NULL)
		return;
	call->refer_timer = su_timer_create(su_root_task(call->sip->root), 0);
	if (call->refer_timer == NULL || call->sip->draining)
		call_refer_drop(call);
	else
		su_timer_set_interval(call->refer_timer, waited, call, (su_duration_t)LATE_T1 * sip_t1(call->sip));
}

static void referred(struct sip_relayed *relayed, int status, const sip_t *response)
{
	struct sip_dialog *from = relayed->from;
	struct sip_call *call = from->call;
	struct sip_refer *r = find(call, from, nta_incoming_cseq(relayed->in));

	log_info("sip", "transfer passed", LOG_CALL_IDS(&call->ids), LOG_STR("call", call->name),
		 LOG_STR("from_peer", call->sip->config->peers[from->peer].name), LOG_INT("status", status));
	if (r != NULL && (status >= 300 || (response != NULL && sip_refer_no_sub(response)))) // RFC 4488 section 4
		forget(call, r);
}

static int pass(struct sip_dialog *from, nta_incoming_t *irq, const sip_t *request, const struct refer_target *target)
{
	struct sip_dialog *to = from->joined;
	struct sip *sip = from->sip;
	struct sip_refer *r = calloc(1, sizeof(*r));
	msg_t *msg = sip_request_bare(to, sip_check_hops(request), true);

	sip_request_headers(msg, irq, from, to);
	int status = r == NULL ? 500 : sip_refer_write(msg, request, target, from, to);

	if (status != 0) {
		if (msg != NULL)
			msg_destroy(msg);
		free(r);
		return sip_refuse(sip, irq, status, 0, NULL);
	}
	*r = (struct sip_refer){ .next = from->call->refers, .from = from, .to = to, .theirs = request->sip_cseq->cs_seq };
	if (sip_relay_send(from, to, irq, msg, sip_method_refer, referred, NULL) < 0) {
		free(r);
		return 0;
	}
	r->ours = nta_outgoing_cseq(from->relayed->out);
	from->call->refers = r;
	return 0;
}

int call_refer_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	struct sip *sip = d->sip;
	struct refer_target target;

	if (sip->config->policies[d->profile].transfer == SIP_TRANSFER_REFUSE)
		return sip_refuse(sip, irq, 405, 0, NULL);
	if (d->call->closing || d->joined == NULL || d->joined->fsm.state != DIALOG_CONFIRMED || d->fsm.state != DIALOG_CONFIRMED)
		return sip_refuse(sip, irq, 481, 0, NULL);
	int status = sip_body_is_sdp(request) ? 415 : sip_body_status(sip, d->profile, request);

	if (status == 0)
		status = sip_refer_read(&target, request);
	if (status == 0 && sip->config->policies[d->profile].transfer == SIP_TRANSFER_RESOLVE)
		return call_transfer_in(d, irq, request, &target);
	if (status == 0 && !sip_refer_allowed(d)) // the other side cannot, or its profile will not
		status = 405;
	if (status == 0)
		status = sip_relay_status(d, request);
	if (status != 0)
		return sip_refuse(sip, irq, status, 0, NULL);
	if (open_refers(d->call) >= OPEN_MAX || sip_relay_busy(d))
		return sip_refuse_later(d, irq);
	return pass(d, irq, request, &target);
}

static void notified(struct sip_relayed *relayed, int status, const sip_t *response)
{
	struct sip_refer *r = relayed->owner;
	struct sip_call *call = relayed->from->call;

	for (struct sip_refer *at = call->refers; at != NULL; at = at->next) {
		if (at == r && (relayed->last || status == 481)) {
			forget(call, r);
			return;
		}
	}
}

static bool is_last(const sip_t *notify)
{
	const sip_subscription_state_t *state = notify->sip_subscription_state;

	return state != NULL && state->ss_substate != NULL && strcasecmp(state->ss_substate, "terminated") == 0;
}

// The one of its two dialogs that the request did not come in.
static void go_on(struct sip_dialog *d, struct sip_refer *r, nta_incoming_t *irq, const sip_t *request, uint32_t id)
{
	bool notify = request->sip_request->rq_method == sip_method_notify;
	struct sip_dialog *to = notify ? r->from : r->to;
	int status = sip_relay_status(d, request);

	if (status == 0 && to->leg == NULL)
		status = 481;
	if (status == 0 && notify && !sip_refer_notify_is_sound(request))
		status = 400;
	if (status != 0) {
		sip_refuse(d->sip, irq, status, 0, NULL);
		return;
	}
	msg_t *msg = sip_refer_event_on(d, to, irq, request, id == 0 ? 0 : notify ? r->theirs : r->ours);

	if (sip_relay_send(d, to, irq, msg, request->sip_request->rq_method, notify ? notified : NULL, r) == 0)
		d->relayed->last = notify && is_last(request);
}

bool call_refer_takes(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	sip_method_t method = request->sip_request->rq_method;
	uint32_t id;

	if ((method != sip_method_notify && method != sip_method_subscribe) || !sip_refer_event(request, &id))
		return false;
	struct sip_refer *r = find_event(d, method == sip_method_notify, id);

	if (r == NULL)
		return false;
	if (sip_relay_busy(d))
		sip_refuse_later(d, irq);
	else
		go_on(d, r, irq, request, id);
	return true;
}

int call_refer_late(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	if (request->sip_request->rq_method == sip_method_ack)
		return sip_refuse_silently(irq);
	return call_refer_takes(d, irq, request) ? 0 : sip_refuse(d->sip, irq, 481, 0, NULL);
}
