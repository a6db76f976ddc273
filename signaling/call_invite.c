// SPDX-License-Identifier: GPL-3.0-or-later
// call_invite.c - the INVITE that starts a call: checked, routed, its offer read, and an INVITE of ours sent on.
#include "signaling/call_media.h"
#include "signaling/sip_header.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_priv.h"
#include <errno.h>
#include <sofia-sip/sip_tag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FORWARDS 70u
#define FIRST_CSEQ "100" // not nta's, which is the time: after a restart it must go on from the record

static bool copy_id(char dst[SIP_ID_MAX], const char *text)
{
	if (text == NULL || strlen(text) >= SIP_ID_MAX)
		return false;
	strcpy(dst, text);
	return true;
}

// What decides where a request goes, as a number: RFC 3261 section 16.6 item 8. One that comes back with the same is in a
// loop; with another, a proxy of the peer's has sent it round on purpose.
static uint32_t mark_of(const sip_t *request, uint16_t realm)
{
	char uri[SIP_URI_MAX];
	uint32_t mark = 2166136261u ^ realm;

	url_e(uri, sizeof(uri), request->sip_request->rq_url);
	uri[sizeof(uri) - 1] = '\0';
	for (const char *c = uri; *c != '\0'; c++)
		mark = (mark ^ (uint8_t)*c) * 16777619u;
	return mark;
}

// An INVITE that never became a call.
static int turn_away(struct sip *sip, nta_incoming_t *irq, const sip_t *request, int peer, int status, const char *warning)
{
	log_info("sip", "call refused", LOG_STR("call_id_a", request->sip_call_id->i_id),
		 LOG_STR("from_peer", sip->config->peers[peer].name), LOG_INT("status", status), LOG_STR("cause", warning));
	return sip_refuse(sip, irq, status, warning != NULL ? 399 : 0, warning);
}

static int refuse_extensions(struct sip *sip, nta_incoming_t *irq, const sip_t *request)
{
	msg_t *msg = sip_response_new(sip, irq, NULL);

	for (const sip_require_t *r = request->sip_require; r != NULL; r = r->k_next) {
		for (const msg_param_t *item = r->k_items; item != NULL && *item != NULL; item++)
			sip_message_header(msg, "Unsupported", "%s", *item);
	}
	sip_respond(irq, 420, msg);
	nta_incoming_destroy(irq);
	return 0;
}

// What can be wrong with an INVITE before anybody looks at where it goes: 0, or the status.
static int check_request(const struct sip *sip, const sip_t *request, uint16_t realm)
{
	if (request->sip_max_forwards != NULL && request->sip_max_forwards->mf_count == 0)
		return 483;
	if (sip_agent_loops(sip->agent, request, mark_of(request, realm)))
		return 482;
	if (request->sip_contact == NULL || request->sip_contact->m_url->url_host == NULL)
		return 400; // section 8.1.1.8
	if (request->sip_from->a_tag == NULL || strlen(request->sip_from->a_tag) >= SIP_ID_MAX ||
	    strlen(request->sip_call_id->i_id) >= SIP_ID_MAX)
		return 400;
	if (request->sip_request->rq_url->url_type != url_sip)
		return 416;
	if (request->sip_payload != NULL && request->sip_payload->pl_len > 0 && !sip_body_is_sdp(request))
		return 415;
	if (sip->draining)
		return 503;
	return 0;
}

// The caller's dialog: ours is the To side.
static int accept_caller(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from)
{
	struct sip *sip = d->call->sip;

	d->invite_in = irq;
	sip->n_requests++;
	nta_incoming_bind(irq, call_ack_or_cancel_in, d);
	d->hop = *from;
	d->source = from->address;
	sip_agent_token(sip->agent, d->local_tag);
	copy_id(d->call_id, request->sip_call_id->i_id);
	copy_id(d->remote_tag, request->sip_from->a_tag);
	url_e(d->local_uri, sizeof(d->local_uri), request->sip_to->a_url);
	url_e(d->remote_uri, sizeof(d->remote_uri), request->sip_from->a_url);
	if (sip_agent_contact(sip->agent, from->listener, d->local_tag, d->contact, sizeof(d->contact)) < 0)
		return -ENAMETOOLONG;
	d->leg = nta_leg_tcreate(sip_agent_nta(sip->agent), call_request_in, d, SIPTAG_CALL_ID(request->sip_call_id),
				 SIPTAG_FROM(request->sip_to), SIPTAG_TO(request->sip_from),
				 SIPTAG_CSEQ_STR(FIRST_CSEQ), NTATAG_REMOTE_CSEQ(request->sip_cseq->cs_seq), TAG_END());
	if (d->leg == NULL)
		return -ENOMEM;
	if (nta_leg_tag(d->leg, d->local_tag) == NULL || nta_incoming_tag(irq, d->local_tag) == NULL ||
	    nta_leg_server_route(d->leg, request->sip_record_route, request->sip_contact) < 0)
		return -ENOMEM;
	// nta put `received` into the Via of a client that does not know its own address.
	call_route(d, request->sip_via->v_next == NULL && request->sip_via->v_received != NULL);
	nta_incoming_treply(irq, SIP_100_TRYING, TAG_END());
	return 0;
}

void call_route(struct sip_dialog *d, bool behind_nat)
{
	const sip_route_t *route = NULL;
	const sip_contact_t *target = NULL;
	struct sip_hop hop;
	enum sip_transport transport;
	const struct sip *sip = d->call->sip;
	const struct sip_agent *agent = sip->agent;

	if (nta_leg_get_route(d->leg, &route, &target) < 0 || (route == NULL && target == NULL))
		return;
	d->by_flow = route == NULL && behind_nat;
	if (d->by_flow)
		return;
	// A name, or a transport that the realm does not have: what has worked so far goes on working.
	if (sip_uri_hop(route != NULL ? route->r_url : target->m_url, &hop.address, &transport) < 0 ||
	    sip_agent_find(agent, d->realm, transport, hop.address.addr.family, &hop.listener) < 0)
		return;
	if (route == NULL && sip_peer_behind_nat(&sip->config->peers[d->peer], &hop.address.addr, &d->source.addr)) {
		d->by_flow = true;
		d->hop.address = d->source;
		return;
	}
	const struct sip_listener *now = sip_agent_listener(agent, d->hop.listener);

	if (now != NULL && now->transport == transport && now->bind.addr.family == hop.address.addr.family)
		hop.listener = d->hop.listener; // of several alike, the one in use
	d->hop = hop;
}

// Where the callee's INVITE goes: the peer's target, which configuration has checked to be numeric.
static int aim(struct sip_dialog *d, const char *user)
{
	struct sip *sip = d->call->sip;
	const struct sip_peer *peer = &sip->config->peers[d->peer];
	enum sip_transport transport;
	int err;

	err = sip_target_expand(peer->target, user, d->target, sizeof(d->target));
	if (err < 0)
		return err;
	url_t *url = url_hdup(NULL, (const url_t *)d->target);

	if (url == NULL)
		return -EINVAL;
	err = sip_uri_hop(url, &d->hop.address, &transport);
	su_free(NULL, url);
	if (err == 0)
		err = sip_agent_find(sip->agent, d->realm, transport, d->hop.address.addr.family, &d->hop.listener);
	d->source = d->hop.address;
	return err;
}

static sip_from_t *make_from(su_home_t *home, const struct sip_dialog *d, const sip_t *request)
{
	const sip_from_t *from = request->sip_from;
	const struct sip_listener *l = sip_agent_listener(d->call->sip->agent, d->hop.listener);
	const struct inet_addr *own = l->advertise.family != INET_NONE ? &l->advertise : &l->bind.addr;
	char host[INET_ADDR_STRLEN], user[128];

	inet_addr_print(host, own);
	// The name and number of the caller cross; the address they live at does not.
	if (from->a_url->url_user == NULL ||
	    sip_target_expand("{user}", from->a_url->url_user, user, sizeof(user)) < 0 || user[0] == '\0')
		strcpy(user, "anonymous");
	return sip_from_format(home, "%s <sip:%s@%s%s%s>;tag=%s", from->a_display != NULL ? from->a_display : "", user,
			       own->family == INET_V6 ? "[" : "", host, own->family == INET_V6 ? "]" : "", d->local_tag);
}

static int make_callee_leg(struct sip_dialog *d, const sip_t *request)
{
	struct sip *sip = d->call->sip;
	su_home_t home[1] = { SU_HOME_INIT(home) };
	int err = -ENOMEM;

	sip_agent_token(sip->agent, d->local_tag);
	if (sip_agent_contact(sip->agent, d->hop.listener, d->local_tag, d->contact, sizeof(d->contact)) < 0)
		return -ENAMETOOLONG;
	su_home_init(home);
	sip_from_t *from = make_from(home, d, request);
	sip_to_t *to = sip_to_format(home, "<%s>", d->target);

	if (from != NULL && to != NULL) {
		sip_aor_strip(to->a_url);
		url_e(d->local_uri, sizeof(d->local_uri), from->a_url);
		url_e(d->remote_uri, sizeof(d->remote_uri), to->a_url);
		d->leg = nta_leg_tcreate(sip_agent_nta(sip->agent), call_request_in, d, SIPTAG_CALL_ID_STR(d->call_id),
					 SIPTAG_FROM(from), SIPTAG_TO(to), SIPTAG_CSEQ_STR(FIRST_CSEQ), TAG_END());
	}
	if (d->leg != NULL) {
		err = 0;
	}
	su_home_deinit(home);
	return err;
}

static int send_invite(struct sip_dialog *b, nta_incoming_t *irq, const sip_t *request, const struct call_body *offer)
{
	struct sip *sip = b->call->sip;
	const struct sip_dialog *a = b->joined;
	unsigned forwards = request->sip_max_forwards != NULL ? (unsigned)request->sip_max_forwards->mf_count : MAX_FORWARDS;
	msg_t *in = nta_incoming_getrequest(irq);
	msg_t *msg = sip_request_new(b, forwards - 1);

	if (msg != NULL && in != NULL)
		sip_headers_cross(msg, in, sip->config->realms[a->realm].trusted, sip->config->realms[b->realm].trusted);
	if (in != NULL)
		msg_destroy(in);
	msg = sip_message_body(msg, "application/sdp", offer->text, offer->len);
	b->loop_mark = mark_of(request, a->realm);
	b->invite_out = sip_dialog_send(b, msg, sip_method_invite, call_response_in);
	return b->invite_out != NULL ? 0 : -EHOSTUNREACH;
}

static void log_started(const struct sip_call *call, const sip_t *request, int from_peer, int to_peer)
{
	const struct sip_config *config = call->sip->config;
	const struct sip_dialog *a = call->dialogs, *b = a->joined;
	char uri[SIP_URI_MAX], caller[SIP_URI_MAX];

	url_e(uri, sizeof(uri), request->sip_request->rq_url);
	url_e(caller, sizeof(caller), request->sip_from->a_url);
	uri[sizeof(uri) - 1] = caller[sizeof(caller) - 1] = '\0';
	log_info("sip", "call started", LOG_STR("call", call->name), LOG_STR("call_id_a", a->call_id),
		 LOG_STR("call_id_b", b != NULL ? b->call_id : NULL),
		 LOG_STR("from_realm", config->realms[a->realm].name), LOG_STR("from_peer", config->peers[from_peer].name),
		 LOG_STR("request_uri", uri), LOG_STR("caller", caller),
		 LOG_STR("to_peer", config->peers[to_peer].name));
}

// Ends a call that never left the house; the caller is told why.
static int refuse_call(struct sip_call *call, const struct call_refusal *why)
{
	struct sip_dialog *a = call->dialogs;
	msg_t *msg = sip_response_new(call->sip, a->invite_in, NULL);

	if (why->warning != 0)
		sip_message_header(msg, "Warning", "%d sallyport \"%s\"", why->warning, why->text);
	if (why->status == 503)
		sip_message_retry_after(msg);
	sip_respond(a->invite_in, why->status, msg);
	call_end(call, "gateway", why->status, why->text);
	return 0;
}

static int connect_callee(struct sip_call *call, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_dialog *a = call->dialogs, *b = a->joined;
	const char *user = request->sip_request->rq_url->url_user;
	struct call_body body = sip_body_of(request), offer;
	struct call_refusal why = { 500, 0, "no memory" };

	if (b == NULL)
		return refuse_call(call, &why);
	if (aim(b, user != NULL ? user : "") < 0)
		return refuse_call(call, &(struct call_refusal){ 404, 0, "no such target" });
	if (make_callee_leg(b, request) < 0)
		return refuse_call(call, &why);
	if (call_open_session(call) < 0)
		return refuse_call(call, &(struct call_refusal){ 503, 0, "at the limit of media sessions" });
	// Without an offer the far side makes one in its 200, and the caller answers in its ACK (RFC 3261 section 13.2.1).
	if (body.text == NULL)
		offer = body;
	else if (call_media_offer(a, body.text, body.len, &offer, &why) < 0)
		return refuse_call(call, &why);
	if (send_invite(b, irq, request, &offer) < 0)
		return refuse_call(call, &(struct call_refusal){ 502, 0, "cannot send to the far side" });
	call_step(&call->fsm, CALL_EV_ROUTED, call_now(call));
	log_info("sip", "call leg out", LOG_STR("call", call->name), LOG_STR("call_id_a", a->call_id),
		 LOG_STR("call_id_b", b->call_id), LOG_UINT("session", call->session));
	return 0;
}

int call_invite_in(struct sip *sip, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from, int peer)
{
	const char *user = request->sip_request->rq_url->url_user;
	uint16_t realm = sip_agent_realm(from->listener);
	struct sip_call *call;
	int status, to_peer;

	if (request->sip_require != NULL)
		return refuse_extensions(sip, irq, request);
	status = check_request(sip, request, realm);
	if (status != 0)
		return turn_away(sip, irq, request, peer, status, NULL);
	// There is no TLS listener yet, so no leg's signalling is protected (RFC 5763 section 3, RFC 4568 section 7).
	if (sip->config->profiles[sip->config->peers[peer].profile].keying.signalling_security_required)
		return turn_away(sip, irq, request, peer, 403, "this peer must use protected signalling");
	to_peer = sip_route_find(sip->config, realm, peer, user != NULL ? user : "");
	if (to_peer < 0)
		return turn_away(sip, irq, request, peer, 404, "no route");
	if (sip->config->profiles[sip->config->peers[to_peer].profile].keying.signalling_security_required)
		return turn_away(sip, irq, request, peer, 488, "the far side must use protected signalling");
	if (sip->n_calls >= sip->config->max_calls)
		return turn_away(sip, irq, request, peer, 503, "at the limit of calls");
	if (call_create(sip, &call) < 0)
		return turn_away(sip, irq, request, peer, 500, "no memory");
	struct sip_dialog *a = call_dialog_create(call, false, (uint16_t)peer);

	if (a == NULL || accept_caller(a, irq, request, from) < 0) {
		call_free(call);
		return 500;
	}
	struct sip_dialog *b = call_dialog_create(call, true, (uint16_t)to_peer);

	if (b != NULL) { // named at once: from its first line on, the log finds the call by either Call-ID
		sip_agent_token(sip->agent, b->call_id);
		call_join(a, b);
	}
	log_started(call, request, peer, to_peer);
	return connect_callee(call, irq, request);
}
