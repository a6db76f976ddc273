// SPDX-License-Identifier: GPL-3.0-or-later
// call_invite.c - the INVITE that starts a call: checked, routed, its offer read, and an INVITE of ours sent on.
#include "signaling/call_media.h"
#include "signaling/call_timer.h"
#include "signaling/sip_check.h"
#include "signaling/sip_count.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_refer.h"
#include <errno.h>
#include <sofia-sip/sip_tag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


// An INVITE that never became a call.
static int turn_away(struct sip *sip, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from, int peer, int status,
		     const char *warning)
{
	log_info("sip", "call refused", LOG_STR("call_id_a", request->sip_call_id->i_id),
		 LOG_STR("from_peer", sip->config->peers[peer].name), LOG_INT("status", status), LOG_STR("cause", warning));
	sip_report_refused(sip, request, from, peer, status, warning);
	return sip_refuse(sip, irq, status, warning != NULL ? 399 : 0, warning);
}

// What can be wrong with an INVITE before anybody looks at where it goes: 0, or the status.
static int check_request(const struct sip *sip, const sip_t *request, uint16_t realm, int peer)
{
	int status = sip_check_onward(sip, request, realm);

	if (status != 0)
		return status;
	if (request->sip_contact == NULL || request->sip_contact->m_url->url_host == NULL)
		return 400; // section 8.1.1.8
	status = sip_body_status(sip, sip->config->peers[peer].profile, request);
	if (status != 0)
		return status;
	return sip->draining || sip->door_closed ? 503 : 0;
}

// The caller's dialog: ours is the To side.
static int accept_caller(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from)
{
	int err;

	d->invite_in = irq;
	d->sip->n_requests++;
	nta_incoming_bind(irq, call_ack_or_cancel_in, d);
	err = sip_dialog_accept(d, irq, request, from, call_request_in);
	if (err < 0)
		return err;
	call_abilities(d, request);
	call_timer_asked(d, request);
	d->reliable.required = sip_has_feature(request->sip_require, "100rel");
	d->reliable.able = d->reliable.required || sip_has_feature(request->sip_supported, "100rel");
	return 0;
}

// 100rel is ours, and offered where an offer of ours could be answered reliably, or the caller could take a reliable offer.
static void offer_reliable(struct sip_dialog *b, msg_t *msg, bool offers)
{
	b->reliable.able = offers || b->joined->reliable.able;
	if (b->reliable.able)
		sip_message_header(msg, "Supported", "100rel");
}

int call_invite_out(struct sip_dialog *b, nta_incoming_t *irq, const sip_t *request, const struct call_body *offer,
		    const struct dialog_named *named)
{
	const struct sip_dialog *a = b->joined;
	msg_t *msg = sip_request_new(b, sip_check_hops(request));

	sip_request_headers(msg, irq, a, b);
	sip_refer_named_write(msg, named);
	sip_refer_target_dialog(msg, request, a, b);
	if (sip_refer_between(a, b))
		sip_refer_by(msg, request, b);
	offer_reliable(b, msg, offer->text != NULL);
	msg = sip_message_bodies(msg, offer, request, a, b);
	b->loop_mark = sip_check_mark(request, a->realm);
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

// What our INVITE offers: what the caller does. Without that the far side makes an offer in its 200, and the caller answers
// in its ACK (RFC 3261 section 13.2.1); or the far side's profile says that we offer.
static int offer_on(struct sip_dialog *a, const struct call_body *body, struct call_body *out, struct call_refusal *why)
{
	struct call_offer offer;
	int err;

	*out = *body;
	if (body->text == NULL)
		return call_insert(a->joined, out, why);
	err = call_media_offer(a, body->text, body->len, &offer, why);
	if (err == 0)
		*out = offer.body;
	return err;
}

void call_invite_opens(struct sip_dialog *b, bool offers)
{
	oa_open(&b->oa, offers ? OA_EV_SEND_OFFER : OA_EV_ASK, OA_BY_INVITE, call_now(b->call));
	b->oa_asked = b->oa;
}

static void open_exchange(struct sip_dialog *a, bool offered, bool offers)
{
	oa_open(&a->oa, offered ? OA_EV_RECV_OFFER : OA_EV_BE_ASKED, OA_BY_INVITE, call_now(a->call));
	call_invite_opens(a->joined, offers);
}

static int connect_callee(struct sip_call *call, nta_incoming_t *irq, const sip_t *request, const struct dialog_named *named)
{
	struct sip_dialog *a = call->dialogs, *b = a->joined;
	struct call_body body = sip_body_of(request), offer;
	struct call_refusal why = { 500, 0, "no memory" };

	if (b == NULL)
		return refuse_call(call, &why);
	int err = sip_dialog_reach(b, request, named->target, call_request_in);

	if (err == -EHOSTUNREACH)
		return refuse_call(call, &(struct call_refusal){ 404, 0, "no such target" });
	if (err < 0)
		return refuse_call(call, &why);
	if (call_open_session(call) < 0)
		return refuse_call(call, &(struct call_refusal){ 503, 0, "at the limit of media sessions" });
	sip_notice_started(call); // before media hears of it
	if (offer_on(a, &body, &offer, &why) < 0)
		return refuse_call(call, &why);
	if (call_invite_out(b, irq, request, &offer, named) < 0)
		return refuse_call(call, &(struct call_refusal){ 502, 0, "cannot send to the far side" });
	open_exchange(a, body.text != NULL, offer.text != NULL);
	call_step(&call->fsm, CALL_EV_ROUTED, call_now(call));
	// Not before the record has it: a caller that has heard nothing asks again, and one that has will be told of the end.
	sip_count_response(SIP_STAT_OUT, sip_method_invite, 100);
	nta_incoming_treply(irq, SIP_100_TRYING, TAG_END());
	log_info("sip", "call leg out", LOG_STR("call", call->name), LOG_STR("call_id_a", a->call_id),
		 LOG_STR("call_id_b", b->call_id), LOG_UINT("session", call->session));
	return 0;
}

int call_invite_in(struct sip *sip, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from, int peer)
{
	const char *user = request->sip_request->rq_url->url_user;
	uint16_t realm = sip_agent_realm(from->listener);
	struct dialog_named named;
	struct sip_call *call;
	int status, to_peer;

	status = check_request(sip, request, realm, peer);
	if (status != 0)
		return turn_away(sip, irq, request, from, peer, status, NULL);
	// There is no TLS listener yet, so no leg's signalling is protected (RFC 5763 section 3, RFC 4568 section 7).
	if (sip->config->profiles[sip->config->peers[peer].profile].keying.signalling_security_required)
		return turn_away(sip, irq, request, from, peer, 403, "this peer must use protected signalling");
	status = sip_refer_named(sip, request, peer, &named);
	if (status != 0)
		return turn_away(sip, irq, request, from, peer, status, "the dialog that it names is not here");
	// What joins or replaces a dialog goes to whoever has the other end of that.
	to_peer = named.target != NULL ? named.target->peer : sip_route_take(sip, realm, peer, user != NULL ? user : "");
	if (to_peer < 0)
		return turn_away(sip, irq, request, from, peer, 404, "no route");
	if (named.only_peer >= 0 && named.only_peer != to_peer)
		return turn_away(sip, irq, request, from, peer, 481, "the dialog that it names is elsewhere");
	if (sip->config->profiles[sip->config->peers[to_peer].profile].keying.signalling_security_required)
		return turn_away(sip, irq, request, from, peer, 488, "the far side must use protected signalling");
	if (sip->n_calls >= sip->config->max_calls)
		return turn_away(sip, irq, request, from, peer, 503, "at the limit of calls");
	if (call_timer_refused(sip, sip->config->peers[peer].profile, irq, request))
		return 0;
	if (call_create(sip, &call) < 0)
		return turn_away(sip, irq, request, from, peer, 500, "no memory");
	struct sip_dialog *a = call_dialog_create(call, false, (uint16_t)peer);

	if (a == NULL || accept_caller(a, irq, request, from) < 0) {
		call_free(call);
		return 500;
	}
	snprintf(call->caller_name, sizeof(call->caller_name), "%s",
		 request->sip_from->a_display != NULL ? request->sip_from->a_display : "");
	// Reliable responses of several dialogs would share one RSeq.
	call->parallel = sip->config->policies[a->profile].forking == SIP_FORKING_PARALLEL && !a->reliable.required;
	a->reliable.able &= !call->parallel;
	struct sip_dialog *b = call_dialog_create(call, true, (uint16_t)to_peer);

	if (b != NULL) { // named at once: from its first line on, the log finds the call by either Call-ID
		sip_agent_token(sip->agent, b->call_id);
		call_join(a, b);
		call_early_begin(call);
	}
	log_started(call, request, peer, to_peer);
	return connect_callee(call, irq, request, &named);
}
