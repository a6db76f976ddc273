// SPDX-License-Identifier: GPL-3.0-or-later
// sip_relay.c - one request carried from side to side; and those that belong to no dialog. See sip_relay.h.
#include "signaling/sip_count.h"
#include "signaling/sip_relay.h"
#include "signaling/sip_check.h"
#include "signaling/sip_option.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_refer.h"
#include "signaling/sip_status.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 32768u
#define OPEN_MAX 8u       // of one dialog at once
#define SINGLES_MAX 4096u // out of dialog at once, of all peers

struct sip_single { // a request out of dialog
	struct sip_single *next, **link; // of sip->singles
	struct sip_dialog from, to;
};

static unsigned bit_of(sip_method_t method)
{
	switch (method) {
	case sip_method_info:
		return SIP_RELAY_INFO;
	case sip_method_message:
		return SIP_RELAY_MESSAGE;
	case sip_method_subscribe:
	case sip_method_notify:
		return SIP_RELAY_SUBSCRIBE;
	case sip_method_publish:
		return SIP_RELAY_PUBLISH;
	default:
		return 0;
	}
}

unsigned sip_relay_allowed(const struct sip_dialog *from, const struct sip_dialog *to, sip_method_t method)
{
	const struct sip_policy *policies = from->sip->config->policies;

	return bit_of(method) & policies[from->profile].relay & policies[to->profile].relay;
}

static void relayed_free(struct sip_relayed *r)
{
	*r->link = r->next;
	if (r->next != NULL)
		r->next->link = r->link;
	sip_drop_incoming(r->from->sip, &r->in);
	sip_drop_outgoing(r->from->sip, &r->out);
	free(r);
}

static msg_t *copy_body(msg_t *msg, const sip_t *from)
{
	if (msg == NULL || from->sip_payload == NULL || from->sip_payload->pl_len == 0)
		return msg;
	sip_payload_t *payload = sip_payload_create(msg_home(msg), from->sip_payload->pl_data, from->sip_payload->pl_len);

	if (payload != NULL && msg_header_insert(msg, NULL, (msg_header_t *)payload) == 0)
		return msg;
	msg_destroy(msg);
	return NULL;
}

// What the waiting side gets. With a Contact where the response makes or refreshes a dialog.
static void pass_back(struct sip_relayed *r, int status, const sip_t *response, bool internal)
{
	struct sip_dialog *from = r->from;
	bool subscribes = r->method == sip_method_subscribe || r->method == sip_method_refer;
	msg_t *msg = sip_response_new(from->sip, r->in, subscribes && status < 300 ? from : NULL);

	if (!internal && response != NULL) {
		sip_response_headers(msg, r->out, r->to, from);
		if (r->method != sip_method_refer)
			msg = copy_body(msg, response);
		else if (msg != NULL && status < 300)
			sip_refer_sub(msg, response);
		else if (msg != NULL && status == 420)
			sip_options_unsupported(msg, response);
	}
	sip_respond(r->in, status, msg);
}

static int relayed_response(void *ctx, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_relayed *r = ctx;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);
	bool internal = response == NULL || nta_sip_is_internal(response);

	sip_count_answer(response);
	if (orq != r->out || status < 200)
		return 0;
	int told = sip_status_map_relayed(status, internal ? SIP_ANSWERED_BY_NOBODY : SIP_ANSWERED_BY_PEER);
	sip_relayed_fn *done = r->done;

	if (status == 420 && r->method == sip_method_refer && !internal)
		told = status; // what it requires of the other side crosses, and so does that it is not met

	log_at(r->from->call != NULL || r->method == sip_method_notify ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "sip",
	       "request relayed", LOG_STR("method", sip_method_name(r->method, "?")),
	       LOG_STR("call_id_a", r->from->call_id), LOG_STR("call_id_b", r->to->call_id),
	       LOG_STR("from_peer", r->from->sip->config->peers[r->from->peer].name),
	       LOG_STR("to_peer", r->from->sip->config->peers[r->to->peer].name), LOG_INT("answered", status),
	       LOG_INT("status", told));
	if (done != NULL)
		done(r, told, internal ? NULL : response);
	// nta keeps a 408 back: whoever waits gives up by himself at the same time (RFC 4320 section 4.2).
	pass_back(r, told, response, internal);
	relayed_free(r);
	return 0;
}

static unsigned open_requests(const struct sip_dialog *d)
{
	unsigned n = 0;

	for (const struct sip_relayed *r = d->relayed; r != NULL; r = r->next)
		n++;
	return n;
}

static int refuse_later(struct sip *sip, nta_incoming_t *irq)
{
	msg_t *msg = sip_response_new(sip, irq, NULL);

	sip_message_retry_after(msg);
	sip_respond(irq, 500, msg);
	nta_incoming_destroy(irq);
	return -1;
}

static int refuse(struct sip *sip, nta_incoming_t *irq, int status)
{
	sip_refuse(sip, irq, status, 0, NULL);
	return -1;
}

int sip_relay_status(const struct sip_dialog *from, const sip_t *request)
{
	if (request->sip_max_forwards != NULL && request->sip_max_forwards->mf_count == 0)
		return 483;
	if (request->sip_payload != NULL && request->sip_payload->pl_len > BODY_MAX)
		return 413;
	return sip_body_is_sdp(request) ? 415 : 0; // a description would bypass the offer/answer exchange
}

bool sip_relay_busy(const struct sip_dialog *from)
{
	return open_requests(from) >= OPEN_MAX;
}

int sip_relay_send(struct sip_dialog *from, struct sip_dialog *to, nta_incoming_t *irq, msg_t *msg, sip_method_t method,
		   sip_relayed_fn *done, void *owner)
{
	struct sip *sip = from->sip;
	struct sip_relayed *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		if (msg != NULL)
			msg_destroy(msg);
		return refuse(sip, irq, 500);
	}
	*r = (struct sip_relayed){ .from = from, .to = to, .method = method, .done = done, .owner = owner };
	r->out = sip_dialog_send_for(to, msg, method, relayed_response, r);
	if (r->out == NULL) {
		free(r);
		return refuse(sip, irq, 502);
	}
	r->in = irq;
	sip->n_requests++;
	r->next = from->relayed;
	r->link = &from->relayed;
	if (r->next != NULL)
		r->next->link = &r->next;
	from->relayed = r;
	return 0;
}

int sip_relay_request(struct sip_dialog *from, struct sip_dialog *to, nta_incoming_t *irq, const sip_t *request,
		      sip_relayed_fn *done, void *owner)
{
	struct sip *sip = from->sip;
	sip_method_t method = request->sip_request->rq_method;
	int status = sip_relay_allowed(from, to, method) ? sip_relay_status(from, request) : 405;

	if (status != 0)
		return refuse(sip, irq, status);
	if (sip_relay_busy(from))
		return refuse_later(sip, irq);
	msg_t *msg = sip_request_bare(to, sip_check_hops(request), bit_of(method) == SIP_RELAY_SUBSCRIBE);

	sip_request_headers(msg, irq, from, to);
	return sip_relay_send(from, to, irq, copy_body(msg, request), method, done, owner);
}

void sip_relay_end(struct sip_dialog *from, int status)
{
	while (from->relayed != NULL) {
		struct sip_relayed *r = from->relayed;

		sip_respond(r->in, status, sip_response_new(from->sip, r->in, NULL));
		relayed_free(r);
	}
}

static void single_free(struct sip_single *single)
{
	struct sip *sip = single->from.sip;

	sip_relay_end(&single->from, 500);
	sip_dialog_drop_leg(&single->to);
	*single->link = single->next;
	if (single->next != NULL)
		single->next->link = single->link;
	sip->n_singles--;
	free(single);
}

// Nothing comes back within what was no dialog.
static int nothing_within(void *ctx, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_dialog *to = ctx;

	return request->sip_request->rq_method == sip_method_ack ? sip_refuse_silently(irq)
								 : sip_refuse(to->sip, irq, 481, 0, NULL);
}

static void single_swept(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip *sip = arg;

	for (struct sip_single *s = sip->singles, *next; s != NULL; s = next) {
		next = s->next;
		if (s->from.relayed == NULL)
			single_free(s);
	}
}

// We are inside nta's callback, which still looks at what belongs to it.
static void single_done(struct sip_relayed *r, int status, const sip_t *response)
{
	su_timer_set_interval(r->from->sip->sweep, single_swept, r->from->sip, 1);
}

static int send_single(struct sip *sip, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from, int peer,
		       int to_peer)
{
	struct sip_single *s = sip->n_singles < SINGLES_MAX ? calloc(1, sizeof(*s)) : NULL;

	if (s == NULL)
		return sip_refuse(sip, irq, 503, 0, NULL);
	s->next = sip->singles;
	s->link = &sip->singles;
	if (s->next != NULL)
		s->next->link = &s->next;
	sip->singles = s;
	sip->n_singles++;
	sip_dialog_init(&s->from, sip, false, (uint16_t)peer);
	sip_dialog_init(&s->to, sip, true, (uint16_t)to_peer);
	s->from.hop = *from;
	s->from.source = from->address;
	strcpy(s->from.call_id, request->sip_call_id->i_id); // its length is checked
	sip_agent_token(sip->agent, s->to.call_id);
	s->to.loop_mark = sip_check_mark(request, s->from.realm);
	int err = sip_dialog_reach(&s->to, request, NULL, nothing_within);

	if (err < 0)
		sip_refuse(sip, irq, err == -EHOSTUNREACH ? 404 : 500, 0, NULL);
	else
		err = sip_relay_request(&s->from, &s->to, irq, request, single_done, NULL);
	if (err < 0)
		single_free(s);
	return 0;
}

static int turn_away(struct sip *sip, nta_incoming_t *irq, const sip_t *request, int peer, int status, const char *cause)
{
	log_info("sip", "request refused", LOG_STR("method", request->sip_request->rq_method_name),
		 LOG_STR("call_id_a", request->sip_call_id->i_id), LOG_STR("from_peer", sip->config->peers[peer].name),
		 LOG_INT("status", status), LOG_STR("cause", cause));
	return sip_refuse(sip, irq, status, 0, NULL);
}

static bool wants_security(const struct sip *sip, int peer)
{
	return sip->config->profiles[sip->config->peers[peer].profile].keying.signalling_security_required;
}

static bool allows(const struct sip *sip, int peer, sip_method_t method)
{
	const struct sip_policy *policy = &sip->config->policies[sip->config->peers[peer].profile];

	return method == sip_method_refer ? policy->refer_outside : (bit_of(method) & policy->relay) != 0;
}

int sip_relay_outside(struct sip *sip, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from, int peer)
{
	sip_method_t method = request->sip_request->rq_method;
	const char *user = request->sip_request->rq_url->url_user;
	int status = sip_check_onward(sip, request, sip_agent_realm(from->listener));
	int refusal = method == sip_method_refer ? 403 : 405, to_peer;

	if (!allows(sip, peer, method))
		return turn_away(sip, irq, request, peer, refusal, "its profile does not relay this");
	if (status != 0)
		return turn_away(sip, irq, request, peer, status, NULL);
	if (sip->draining)
		return turn_away(sip, irq, request, peer, 503, "draining");
	if (wants_security(sip, peer))
		return turn_away(sip, irq, request, peer, 403, "this peer must use protected signalling");
	const struct sip_dialog *like = method == sip_method_refer ? sip_refer_outside(sip, request, peer) : NULL;

	to_peer = like != NULL ? like->peer : sip_route_take(sip, sip_agent_realm(from->listener), peer, user != NULL ? user : "");
	if (to_peer < 0)
		return turn_away(sip, irq, request, peer, 404, "no route");
	if (!allows(sip, to_peer, method))
		return turn_away(sip, irq, request, peer, refusal, "the far side's profile does not relay this");
	if (wants_security(sip, to_peer))
		return turn_away(sip, irq, request, peer, 488, "the far side must use protected signalling");
	if (method == sip_method_subscribe || method == sip_method_refer)
		return sip_subscribe_in(sip, irq, request, from, peer, to_peer, like);
	return send_single(sip, irq, request, from, peer, to_peer);
}

void sip_relay_close(struct sip *sip)
{
	while (sip->singles != NULL)
		single_free(sip->singles);
}
