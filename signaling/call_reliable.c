// SPDX-License-Identifier: GPL-3.0-or-later
// call_reliable.c - provisional responses that are sent until they are acknowledged (RFC 3262 sections 3 and 4), on each leg
// for itself. One of ours is open at a time; decision 0111 says why nta's own machinery for them is not used.
#include "signaling/sip_priv.h"
#include <errno.h>
#include <sofia-sip/sip_tag.h>
#include <string.h>

static void stop(struct sip_reliable *r)
{
	if (r->timer != NULL)
		su_timer_reset(r->timer);
	if (r->sent != NULL)
		msg_destroy(r->sent);
	r->sent = NULL;
	r->open = false;
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

static void repeat(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip_dialog *d = arg;
	struct sip_reliable *r = &d->reliable;
	unsigned t1 = sip_t1(d->sip);

	if (!r->open)
		return;
	r->waited_ms += r->interval_ms;
	if (r->waited_ms >= 64 * t1) { // section 3: the INVITE is rejected with a 5xx
		call_end(d->call, "gateway", 504, "no PRACK for a provisional response");
		return;
	}
	msg_t *again = msg_dup(r->sent);

	if (again != NULL)
		nta_incoming_mreply(d->invite_in, again);
	r->interval_ms *= 2;
	su_timer_set_interval(r->timer, repeat, d, (su_duration_t)r->interval_ms);
}

static uint32_t next_rseq(struct sip_dialog *d)
{
	if (d->reliable.rseq == 0) { // section 3: from 1 to 2^31 - 1, and room to count
		uint32_t random = 0;

		env_random(d->sip->env, &random, sizeof(random));
		return 1 + (random & 0x3fffffff);
	}
	return d->reliable.rseq + 1;
}

// The header is nta's own kind: without it nta takes the response for one that it must make reliable itself.
static int complete(struct sip_dialog *d, int status, msg_t *msg)
{
	su_home_t *home = msg_home(msg);
	sip_rseq_t *rseq = sip_rseq_format(home, "%u", d->reliable.rseq);

	sip_message_header(msg, "Require", "100rel");
	if (rseq == NULL || msg_header_insert(msg, NULL, (msg_header_t *)rseq) < 0)
		return -ENOMEM;
	return nta_incoming_complete_response(d->invite_in, msg, status, NULL, TAG_END());
}

int call_reliable_send(struct sip_dialog *d, int status, msg_t *msg, bool precious)
{
	struct sip_reliable *r = &d->reliable;

	if (msg == NULL)
		return -ENOMEM;
	if (r->open) { // section 3: not before the PRACK for the one before it
		if (r->held_precious && r->held != NULL && !precious) {
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
	r->rseq = next_rseq(d);
	if (r->timer == NULL || complete(d, status, msg) < 0)
		goto fail;
	r->sent = msg_dup(msg);
	if (r->sent == NULL)
		goto fail;
	r->open = true;
	r->precious = precious;
	r->waited_ms = 0;
	r->interval_ms = sip_t1(d->sip);
	su_timer_set_interval(r->timer, repeat, d, (su_duration_t)r->interval_ms);
	return nta_incoming_mreply(d->invite_in, msg);
fail:
	msg_destroy(msg);
	return -ENOMEM;
}

int call_reliable_final(struct sip_dialog *d, msg_t *msg)
{
	struct sip_reliable *r = &d->reliable;

	if (!r->open || !r->precious) {
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

bool call_reliable_acknowledged(struct sip_dialog *d, const sip_t *prack)
{
	const sip_rack_t *rack = prack->sip_rack;
	struct sip_reliable *r = &d->reliable;

	if (rack == NULL || !r->open || d->invite_in == NULL || rack->ra_response != r->rseq ||
	    rack->ra_method != sip_method_invite || rack->ra_cseq != nta_incoming_cseq(d->invite_in))
		return false;
	stop(r);
	return true;
}

void call_reliable_go_on(struct sip_dialog *d)
{
	struct sip_reliable *r = &d->reliable;
	msg_t *msg = r->held;

	if (msg == NULL || r->open || d->prack_in != NULL)
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
