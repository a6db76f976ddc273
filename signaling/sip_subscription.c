// SPDX-License-Identifier: GPL-3.0-or-later
// sip_subscription.c - SUBSCRIBE (RFC 6665) or REFER (RFC 3515) out of dialog: two dialogs that live as long as the subscription, the subscriber's
// and ours towards the notifier. Refreshes go one way, NOTIFYs the other; what was not refreshed in time is swept away.
#include "signaling/sip_check.h"
#include "signaling/sip_refer.h"
#include "signaling/sip_relay.h"
#include <errno.h>
#include <sofia-sip/sip_tag.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EXPIRES_DEFAULT 3600u // of event packages that say nothing
#define EXPIRES_MAX 86400u    // what is granted beyond must be refreshed all the same
#define REFER_S 180u          // of the subscription that a REFER makes, until a NOTIFY says it
#define GRACE_S 32u           // for the last NOTIFY, and a refresh that is on its way

#define SUB_STATES(X)                                                      \
	X(IMPOSSIBLE, "impossible")                                        \
	X(ASKED, "asked")     /* SUBSCRIBE is out */                       \
	X(UP, "up")           /* accepted */                               \
	X(LEAVING, "leaving") /* ended by the subscriber, or a poll: the last NOTIFY is due */ \
	X(OVER, "over")

#define SUB_EVENTS(X)                                                      \
	X(ACCEPTED, "accepted")     /* 2xx for some time */                \
	X(LEFT, "left")             /* 2xx for no time */                  \
	X(TERMINATED, "terminated") /* by a NOTIFY that was taken */       \
	X(REFUSED, "refused")                                              \
	X(LOST, "lost")             /* one end knows it no more */         \
	X(EXPIRED, "expired")

#define X(name, text) SUB_##name,
enum sub_state { SUB_STATES(X) SUB_STATE_COUNT };
#undef X
#define X(name, text) SUB_EV_##name,
enum sub_event { SUB_EVENTS(X) SUB_EVENT_COUNT };
#undef X
#define X(name, text) [SUB_EV_##name] = text,
static const char *const event_text[SUB_EVENT_COUNT] = { SUB_EVENTS(X) };
#undef X
#define X(name, text) [SUB_##name] = text,
static const char *const state_text[SUB_STATE_COUNT] = { SUB_STATES(X) };
#undef X

// Zero (SUB_IMPOSSIBLE) means: this event is not allowed here.
static const enum sub_state next_state[SUB_STATE_COUNT][SUB_EVENT_COUNT] = {
	[SUB_ASKED] = {
		[SUB_EV_ACCEPTED] = SUB_UP,
		[SUB_EV_LEFT] = SUB_LEAVING,
		[SUB_EV_TERMINATED] = SUB_LEAVING, // before the 2xx, which is still awaited
		[SUB_EV_REFUSED] = SUB_OVER,
		[SUB_EV_LOST] = SUB_OVER,
		[SUB_EV_EXPIRED] = SUB_OVER,
	},
	[SUB_UP] = {
		[SUB_EV_ACCEPTED] = SUB_UP,
		[SUB_EV_LEFT] = SUB_LEAVING,
		[SUB_EV_TERMINATED] = SUB_OVER,
		[SUB_EV_LOST] = SUB_OVER,
		[SUB_EV_EXPIRED] = SUB_OVER,
	},
	[SUB_LEAVING] = {
		[SUB_EV_ACCEPTED] = SUB_OVER, // its last NOTIFY came first
		[SUB_EV_LEFT] = SUB_LEAVING,
		[SUB_EV_TERMINATED] = SUB_OVER,
		[SUB_EV_REFUSED] = SUB_OVER,
		[SUB_EV_LOST] = SUB_OVER,
		[SUB_EV_EXPIRED] = SUB_OVER,
	},
};

struct sip_subscription {
	struct sip_subscription *next, **link; // of sip->subscriptions
	struct sip_dialog near, far;           // the subscriber's; towards the notifier
	struct call_ids ids;
	enum sub_state state;
	uint32_t theirs, ours; // number of the REFER that made it, on each side; 0: a SUBSCRIBE did
	su_timer_t *timer; // the subscription's end; when it is over, the end of this
	mono_ns started;
};

static void sub_free(struct sip_subscription *sub)
{
	struct sip *sip = sub->near.sip;

	sip_relay_end(&sub->near, 500);
	sip_relay_end(&sub->far, 481);
	sip_dialog_drop_leg(&sub->near);
	sip_dialog_drop_leg(&sub->far);
	if (sub->timer != NULL)
		su_timer_destroy(sub->timer);
	*sub->link = sub->next;
	if (sub->next != NULL)
		sub->next->link = sub->link;
	if (sub->state != SUB_OVER)
		sip->subscribed[sub->near.peer]--;
	sip->n_subscriptions--;
	free(sub);
}

static void set_end(struct sip_subscription *sub, unsigned seconds);

static void step(struct sip_subscription *sub, enum sub_event event)
{
	struct sip *sip = sub->near.sip;
	enum sub_state next = next_state[sub->state][event];

	if (next == SUB_IMPOSSIBLE || next == sub->state)
		return;
	log_debug("sip", "subscription state", LOG_CALL_IDS(&sub->ids), LOG_STR("from", state_text[sub->state]),
		  LOG_STR("on", event_text[event]), LOG_STR("to", state_text[next]));
	sub->state = next;
	if (next != SUB_OVER)
		return;
	log_info("sip", "subscription ended", LOG_CALL_IDS(&sub->ids), LOG_STR("cause", event_text[event]),
		 LOG_STR("from_peer", sip->config->peers[sub->near.peer].name),
		 LOG_UINT("duration_ms", (env_now(sip->env) - sub->started) / MONO_MS(1)));
	sip->subscribed[sub->near.peer]--;
	su_timer_reset(sub->timer);
	set_end(sub, 0); // not within a callback that still looks at it
}

static void time_over(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip_subscription *sub = arg;

	if (sub->state != SUB_OVER)
		step(sub, SUB_EV_EXPIRED);
	else
		sub_free(sub);
}

static void set_end(struct sip_subscription *sub, unsigned seconds)
{
	su_timer_set_interval(sub->timer, time_over, sub, seconds > 0 ? (su_duration_t)seconds * 1000 : 1);
}

static unsigned expires_of(const sip_t *response, const sip_t *request)
{
	const sip_expires_t *e = response != NULL && response->sip_expires != NULL ? response->sip_expires
			       : request != NULL				    ? request->sip_expires
										    : NULL;
	unsigned expires = e != NULL ? (unsigned)e->ex_delta : EXPIRES_DEFAULT;

	return expires < EXPIRES_MAX ? expires : EXPIRES_MAX;
}

// The notifier's side of the dialog, from its 2xx or from a NOTIFY that was quicker.
static void take_far(struct sip_subscription *sub, const sip_t *message, const char *tag)
{
	struct sip_dialog *far = &sub->far;

	if (far->remote_tag[0] != '\0' || tag == NULL || strlen(tag) >= SIP_ID_MAX)
		return;
	strcpy(far->remote_tag, tag);
	nta_leg_rtag(far->leg, far->remote_tag);
	if (message->sip_request != NULL)
		nta_leg_server_route(far->leg, message->sip_record_route, message->sip_contact);
	else
		nta_leg_client_reroute(far->leg, message->sip_record_route, message->sip_contact, 1);
	call_route(far, false);
}

// The response to a SUBSCRIBE of the subscriber, the first or a refresh, or to a REFER.
static void subscribed(struct sip_relayed *r, int status, const sip_t *response)
{
	struct sip_subscription *sub = r->owner;
	msg_t *msg = nta_incoming_getrequest(r->in);
	unsigned expires = expires_of(response, msg != NULL ? sip_object(msg) : NULL);

	if (r->method == sip_method_refer)
		expires = response != NULL && sip_refer_no_sub(response) ? 0 : REFER_S;

	if (msg != NULL)
		msg_destroy(msg);
	if (status < 300 && response != NULL) {
		take_far(sub, response, response->sip_to->a_tag);
		step(sub, expires > 0 ? SUB_EV_ACCEPTED : SUB_EV_LEFT);
		if (sub->state != SUB_OVER)
			set_end(sub, expires + GRACE_S);
	} else if (sub->state == SUB_ASKED || (sub->state == SUB_LEAVING && sub->far.remote_tag[0] == '\0')) {
		step(sub, SUB_EV_REFUSED);
	} else if (status == 481) { // RFC 6665 section 4.1.2.2
		step(sub, SUB_EV_LOST);
	}
}

// The response to a NOTIFY. It was taken, or the subscriber does not know it any more.
static void notified_last(struct sip_relayed *r, int status, const sip_t *response)
{
	step(r->owner, status == 481 ? SUB_EV_LOST : SUB_EV_TERMINATED);
}

static void notified(struct sip_relayed *r, int status, const sip_t *response)
{
	if (status == 481)
		step(r->owner, SUB_EV_LOST);
}

static struct sip_subscription *sub_of(struct sip_dialog *d);

// id: how the side that it goes to knows the REFER.
static void carry(struct sip_dialog *from, struct sip_dialog *to, nta_incoming_t *irq, const sip_t *request, uint32_t id,
		  sip_relayed_fn *done)
{
	struct sip_subscription *sub = sub_of(from);
	uint32_t said;

	if (sub->theirs == 0) {
		sip_relay_request(from, to, irq, request, done, sub);
		return;
	}
	int status = !sip_refer_event(request, &said) ? 489 : sip_relay_busy(from) ? 503 : sip_relay_status(from, request);

	if (status == 0 && request->sip_request->rq_method == sip_method_notify && !sip_refer_notify_is_sound(request))
		status = 400;
	if (status != 0)
		sip_refuse(from->sip, irq, status, 0, NULL);
	else
		sip_relay_send(from, to, irq, sip_refer_event_on(from, to, irq, request, said == 0 ? 0 : id),
			       request->sip_request->rq_method, done, sub);
}

static int notify_in(struct sip_subscription *sub, nta_incoming_t *irq, const sip_t *request)
{
	const sip_subscription_state_t *state = request->sip_subscription_state;
	bool last = state != NULL && state->ss_substate != NULL && strcasecmp(state->ss_substate, "terminated") == 0;

	take_far(sub, request, request->sip_from->a_tag);
	if (state != NULL && state->ss_expires != NULL && sub->state == SUB_UP && !last) {
		unsigned long expires = strtoul(state->ss_expires, NULL, 10);

		set_end(sub, (unsigned)(expires < EXPIRES_MAX ? expires : EXPIRES_MAX) + GRACE_S);
	}
	carry(&sub->far, &sub->near, irq, request, sub->theirs, last ? notified_last : notified);
	return 0;
}

static int refresh_in(struct sip_subscription *sub, nta_incoming_t *irq, const sip_t *request)
{
	if (sub->state != SUB_UP && sub->state != SUB_LEAVING)
		return sip_refuse(sub->near.sip, irq, 500, 0, NULL);
	if (request->sip_contact != NULL) {
		nta_leg_server_route(sub->near.leg, NULL, request->sip_contact);
		call_route(&sub->near, sip_request_behind_nat(request));
	}
	carry(&sub->near, &sub->far, irq, request, sub->ours, subscribed);
	return 0;
}

static int request_within(struct sip_subscription *sub, struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	sip_method_t method = request->sip_request->rq_method;
	struct sip *sip = d->sip;
	struct sip_hop from;

	if (method == sip_method_ack)
		return sip_refuse_silently(irq);
	if (!sip_dialog_is_peer(d, irq, &from))
		return sip_refuse(sip, irq, 403, 0, NULL);
	if (d->by_flow && from.listener == d->hop.listener) // its NAT may have given it another port meanwhile
		d->source = d->hop.address = from.address;
	if (sip_check_refused(sip, irq, request, d->profile))
		return 0;
	if (sub->state == SUB_OVER)
		return sip_refuse(sip, irq, 481, 0, NULL);
	if (method == sip_method_subscribe && d == &sub->near)
		return refresh_in(sub, irq, request);
	if (method == sip_method_notify && d == &sub->far)
		return notify_in(sub, irq, request);
	if (method == sip_method_options)
		return call_options_in(sip, irq);
	return sip_refuse(sip, irq, 405, 0, NULL);
}

static struct sip_subscription *sub_of(struct sip_dialog *d)
{
	size_t at = d->outgoing ? offsetof(struct sip_subscription, far) : offsetof(struct sip_subscription, near);

	return (struct sip_subscription *)((char *)d - at);
}

static int on_request(void *ctx, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *request)
{
	return request_within(sub_of(ctx), ctx, irq, request);
}

static struct sip_subscription *sub_create(struct sip *sip, uint16_t near, uint16_t far)
{
	struct sip_subscription *sub = calloc(1, sizeof(*sub));

	if (sub == NULL)
		return NULL;
	sub->timer = su_timer_create(su_root_task(sip->root), 0);
	if (sub->timer == NULL) {
		free(sub);
		return NULL;
	}
	sub->state = SUB_ASKED;
	sub->started = env_now(sip->env);
	sip_dialog_init(&sub->near, sip, false, near);
	sip_dialog_init(&sub->far, sip, true, far);
	sip_agent_token(sip->agent, sub->far.call_id);
	sub->ids = (struct call_ids){ sub->near.call_id, sub->far.call_id };
	sub->next = sip->subscriptions;
	sub->link = &sip->subscriptions;
	if (sub->next != NULL)
		sub->next->link = &sub->next;
	sip->subscriptions = sub;
	sip->subscribed[near]++;
	sip->n_subscriptions++;
	return sub;
}

static int refer(struct sip_subscription *sub, nta_incoming_t *irq, const sip_t *request, const struct refer_target *target)
{
	struct sip *sip = sub->near.sip;
	msg_t *msg = sip_request_bare(&sub->far, sip_check_hops(request), true);
	int status = sip_relay_status(&sub->near, request);

	sip_request_headers(msg, irq, &sub->near, &sub->far);
	if (status == 0)
		status = sip_refer_write(msg, request, target, &sub->near, &sub->far);
	if (status != 0) {
		if (msg != NULL)
			msg_destroy(msg);
		sip_refuse(sip, irq, status, 0, NULL);
		return -1;
	}
	sub->theirs = request->sip_cseq->cs_seq;
	if (sip_relay_send(&sub->near, &sub->far, irq, msg, sip_method_refer, subscribed, sub) < 0)
		return -1;
	sub->ours = nta_outgoing_cseq(sub->near.relayed->out);
	return 0;
}

int sip_subscribe_in(struct sip *sip, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from, int peer,
		     int to_peer, const struct sip_dialog *like)
{
	bool refers = request->sip_request->rq_method == sip_method_refer;
	struct refer_target target;
	struct sip_subscription *sub;
	int err = 0, status = refers ? sip_refer_read(&target, request) : 0;

	if (request->sip_contact == NULL || request->sip_contact->m_url->url_host == NULL)
		return sip_refuse(sip, irq, 400, 0, NULL);
	if (status == 0 && !refers && request->sip_event == NULL) // RFC 6665 section 4.2.1.1
		status = 489;
	if (status != 0)
		return sip_refuse(sip, irq, status, 0, NULL);
	if (sip->subscribed[peer] >= sip->config->max_subscriptions) {
		log_info("sip", "subscription refused", LOG_STR("call_id_a", request->sip_call_id->i_id),
			 LOG_STR("from_peer", sip->config->peers[peer].name), LOG_STR("cause", "at the limit of the peer"));
		return sip_refuse(sip, irq, 503, 0, NULL);
	}
	sub = sub_create(sip, (uint16_t)peer, (uint16_t)to_peer);
	if (sub == NULL)
		return sip_refuse(sip, irq, 500, 0, NULL);
	err = sip_dialog_accept(&sub->near, irq, request, from, on_request);
	if (err == 0) {
		sub->far.loop_mark = sip_check_mark(request, sub->near.realm);
		err = sip_dialog_reach(&sub->far, request, like, on_request);
	}
	if (err < 0) {
		sub_free(sub);
		return sip_refuse(sip, irq, err == -EHOSTUNREACH ? 404 : 500, 0, NULL);
	}
	log_info("sip", "subscription started", LOG_CALL_IDS(&sub->ids), LOG_STR("package", refers ? "refer" : request->sip_event->o_type),
		 LOG_STR("from_peer", sip->config->peers[peer].name), LOG_STR("to_peer", sip->config->peers[to_peer].name));
	err = refers ? refer(sub, irq, request, &target) : sip_relay_request(&sub->near, &sub->far, irq, request, subscribed, sub);
	if (err < 0)
		sub_free(sub);
	else
		set_end(sub, 2 * GRACE_S); // its transaction ends before
	return 0;
}

void sip_subscriptions_close(struct sip *sip)
{
	while (sip->subscriptions != NULL)
		sub_free(sip->subscriptions);
}
