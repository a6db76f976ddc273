// SPDX-License-Identifier: GPL-3.0-or-later
// call_reliable.c - provisional responses that are sent until they are acknowledged (RFC 3262 sections 3 and 4), on each leg
// for itself. Ours are nta's, with fences around them (decision 0111): one at a time, and never one that outlives its dialog.
#include "signaling/sip_priv.h"
#include "signaling/sip_count.h"
#include <errno.h>
#include <sofia-sip/sip_tag.h>
#include <string.h>

static void stop(struct sip_reliable *r)
{
	if (r->timer != NULL)
		su_timer_reset(r->timer);
	nta_reliable_destroy(r->sent); // it would call us for a late PRACK
	r->sent = NULL;
}

static void drop_held(struct sip_reliable *r)
{
	if (r->held != NULL)
		msg_destroy(r->held);
	r->held = NULL;
	r->held_status = 0;
}

void call_reliable_end(struct sip_dialog *d)
{
	stop(&d->reliable);
	drop_held(&d->reliable);
	if (d->reliable.timer != NULL)
		su_timer_destroy(d->reliable.timer);
	d->reliable.timer = NULL;
}

static void no_prack(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip_dialog *d = arg;

	if (d->reliable.sent != NULL) // section 3: the INVITE is rejected with a 5xx
		call_end(d->call, "gateway", 504, "no PRACK for a provisional response");
}

// nta finds the response by RAck and asks nobody who it is that sends the PRACK.
static int on_prack(nta_reliable_magic_t *magic, nta_reliable_t *rel, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_dialog *d = magic;
	struct sip_hop from;

	if (request != NULL)
		sip_count_request(SIP_STAT_IN, sip_method_prack);
	if (irq == NULL || rel != d->reliable.sent) // given up with its INVITE
		return 0;
	if (!sip_dialog_is_peer(d, irq, &from))
		return sip_refuse(d->sip, irq, 403, 0, NULL);
	stop(&d->reliable);
	return call_prack_in(d, irq, request);
}

int call_reliable_send(struct sip_dialog *d, int status, msg_t *msg, bool precious)
{
	struct sip_reliable *r = &d->reliable;

	if (msg == NULL)
		return -ENOMEM;
	if (r->sent != NULL) { // section 3: not before the PRACK for the one before it
		if (r->held != NULL && r->held_precious && !precious) {
			msg_destroy(msg);
			return 0;
		}
		drop_held(r);
		r->held = msg;
		r->held_status = status;
		r->held_precious = precious;
		return 0;
	}
	if (r->timer == NULL)
		r->timer = su_timer_create(su_root_task(d->sip->root), 0);
	if (r->timer == NULL || nta_incoming_complete_response(d->invite_in, msg, status, NULL, TAG_END()) < 0) {
		msg_destroy(msg);
		return -ENOMEM;
	}
	sip_count_response(SIP_STAT_OUT, sip_method_invite, status);
	r->sent = nta_reliable_mreply(d->invite_in, on_prack, d, msg); // which takes msg
	r->precious = precious;
	// nta would give up at 64 * T1, free the transaction in its own callback, and never repeat the refusal.
	if (r->sent != NULL)
		su_timer_set_interval(r->timer, no_prack, d, (su_duration_t)(63 * sip_t1(d->sip)));
	return r->sent != NULL ? 0 : -ENOMEM;
}

int call_reliable_final(struct sip_dialog *d, msg_t *msg)
{
	struct sip_reliable *r = &d->reliable;

	if (r->sent == NULL || !r->precious) {
		stop(r); // section 3: not repeated any more
		drop_held(r);
		return sip_respond(d->invite_in, 200, msg);
	}
	if (msg == NULL)
		return -ENOMEM;
	drop_held(r);
	r->held = msg;
	r->held_status = 200;
	return 0;
}

void call_reliable_go_on(struct sip_dialog *d)
{
	struct sip_reliable *r = &d->reliable;
	msg_t *msg = r->held;

	if (msg == NULL || r->sent != NULL || d->prack_in != NULL)
		return;
	r->held = NULL;
	if (r->held_status < 200)
		call_reliable_send(d, r->held_status, msg, r->held_precious);
	else if (sip_respond(d->invite_in, r->held_status, msg) < 0)
		call_end(d->call, "gateway", 500, "no memory");
	else
		call_answered(d);
}

static bool requires_100rel(const sip_t *response)
{
	return response->sip_require != NULL && sip_has_feature(response->sip_require, "100rel");
}

bool call_reliable_is(const struct sip_dialog *d, const sip_t *response)
{
	return d->reliable.able && requires_100rel(response) && response->sip_rseq != NULL &&
	       response->sip_rseq->rs_response != 0;
}

bool call_reliable_arrived(struct sip_dialog *d, const sip_t *response)
{
	uint32_t rseq = response->sip_rseq->rs_response;

	if (d->reliable.seen != 0 && rseq != d->reliable.seen + 1) // section 4
		return false;
	d->reliable.seen = rseq;
	d->reliable.prack_due = true;
	return true;
}
