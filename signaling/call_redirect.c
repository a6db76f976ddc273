// SPDX-License-Identifier: GPL-3.0-or-later
// call_redirect.c - 3xx to our first INVITE (RFC 3261 section 8.1.3.4), by the far side's profile: told to the caller, with our
// address in place of theirs, or followed here: an INVITE of its own, with ports of its own, to each Contact in turn that is a
// peer's address in the same realm.
#include "signaling/call_media.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_refer.h"
#include <errno.h>
#include <sofia-sip/sip_tag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS_MAX 6 // of a call: the first one, and five that it was sent on to

// 305 and 380 would have the caller do what only we could.
static bool may_go_on(int status)
{
	return status == 300 || status == 301 || status == 302;
}

// The callers' way to that user: here. -EINVAL: not a user that we could be asked for.
static int contact_here(const struct sip_dialog *a, const sip_contact_t *contact, char dst[SIP_URI_MAX])
{
	char user[128];

	if (contact->m_url->url_type != url_sip || contact->m_url->url_user == NULL ||
	    sip_target_expand("{user}", contact->m_url->url_user, user, sizeof(user)) < 0)
		return -EINVAL;
	return sip_agent_contact(a->sip->agent, a->hop.listener, user, dst, SIP_URI_MAX);
}

static void tell(struct sip_dialog *b, const sip_t *response, int status)
{
	struct sip_dialog *a = b->joined;
	msg_t *msg = sip_response_new(a->sip, a->invite_in, NULL);
	char uri[SIP_URI_MAX], last[SIP_URI_MAX] = "";
	unsigned n = 0;

	for (const sip_contact_t *c = response->sip_contact; msg != NULL && c != NULL && n < TARGETS_MAX; c = c->m_next) {
		if (contact_here(a, c, uri) < 0 || strcmp(uri, last) == 0)
			continue;
		sip_contact_t *told = sip_contact_format(msg_home(msg), c->m_q != NULL ? "<%s>;q=%s" : "<%s>", uri, c->m_q);

		n += told != NULL && msg_header_insert(msg, NULL, (msg_header_t *)told) == 0;
		strcpy(last, uri);
	}
	if (n > 0)
		sip_respond(a->invite_in, status, msg);
	else if (msg != NULL)
		msg_destroy(msg);
}

static bool tried(const struct sip_call *call, const char *uri)
{
	for (const struct sip_dialog *d = call->dialogs; d != NULL; d = d->next) {
		if (d->outgoing && strcmp(d->target, uri) == 0)
			return true;
	}
	return false;
}

static unsigned n_tried(const struct sip_call *call)
{
	unsigned n = 0;

	for (const struct sip_dialog *d = call->dialogs; d != NULL; d = d->next)
		n += d->outgoing;
	return n;
}

// Default deny holds for calls as well: only what is a peer's of that realm is called. Its index; negative: none.
static int peer_at(const struct sip_dialog *b, const url_t *url)
{
	struct inet_endpoint address;
	enum sip_transport transport;
	uint16_t listener;

	if (sip_uri_hop(url, &address, &transport) < 0 ||
	    sip_agent_find(b->sip->agent, b->realm, transport, address.addr.family, &listener) < 0)
		return -EHOSTUNREACH;
	return sip_peer_by_source(b->sip->config, b->realm, &address.addr);
}

static int uri_of(const sip_contact_t *contact, char dst[SIP_URI_MAX])
{
	url_t url = *contact->m_url;

	url.url_headers = NULL; // of the INVITE that would come of it: ours are ours
	return url_e(dst, SIP_URI_MAX, &url) < SIP_URI_MAX ? 0 : -ENAMETOOLONG;
}

static float q_of(const sip_contact_t *contact)
{
	return contact->m_q != NULL ? strtof(contact->m_q, NULL) : 1.0f;
}

// The best that has not been tried. -ENOENT: there is none.
static int choose(const struct sip_dialog *b, const sip_t *response, char best[SIP_URI_MAX])
{
	int peer = -ENOENT;
	float q = -1;

	for (const sip_contact_t *c = response->sip_contact; c != NULL; c = c->m_next) {
		char uri[SIP_URI_MAX];
		int at = peer_at(b, c->m_url);

		if (at < 0 || q_of(c) <= q || uri_of(c, uri) < 0 || tried(b->call, uri))
			continue;
		strcpy(best, uri);
		peer = at;
		q = q_of(c);
	}
	return peer;
}

// What `b` has had of the call is the new dialog's.
static int offer_to(struct sip_dialog *n, struct sip_dialog *b, struct call_body *offer, struct call_refusal *why)
{
	struct sip_call *call = n->call;

	n->media = call_media_fork(call);
	if (n->media == NULL)
		return -ENOMEM;
	call_fork_only(b);
	call_fork_follow(n);
	call_media_forget(call, &b->media);
	return call_media_redirect(n, offer, why);
}

static int invite(struct sip_dialog *n, struct sip_dialog *b, const char *uri)
{
	struct sip_dialog *a = b->joined;
	struct dialog_named named = { .naming = DIALOG_NAMED_BY_NOTHING };
	msg_t *msg = nta_incoming_getrequest(a->invite_in);
	const sip_t *request = msg != NULL ? sip_object(msg) : NULL;
	struct call_body offer = { NULL, 0 };
	struct call_refusal why = { 500, 0, "no memory" };
	int err = -ENOMEM;

	n->joined = a;
	sip_agent_token(n->sip->agent, n->call_id);
	if (request != NULL)
		err = sip_dialog_reach_at(n, request, uri, call_request_in);
	if (err == 0)
		err = offer_to(n, b, &offer, &why);
	if (err == 0)
		err = call_invite_out(n, a->invite_in, request, &offer, &named);
	if (err == 0)
		call_invite_opens(n, offer.text != NULL);
	else
		log_info("sip", "redirection not followed", LOG_CALL_IDS(&n->call->ids), LOG_STR("call", n->call->name),
			 LOG_STR("cause", why.text));
	if (msg != NULL)
		msg_destroy(msg);
	return err;
}

// Where the call goes on to after `b`, if it does.
static bool next(struct sip_dialog *b, const sip_t *response)
{
	struct sip_call *call = b->call;
	char uri[SIP_URI_MAX];
	int peer = n_tried(call) < TARGETS_MAX ? choose(b, response, uri) : -ELOOP;
	struct sip_dialog *n = peer >= 0 ? call_dialog_create(call, true, (uint16_t)peer) : NULL;

	if (n == NULL)
		return false;
	if (invite(n, b, uri) < 0) {
		if (b->joined->joined != n) { // b's descriptions are still the call's
			call_media_forget(call, &n->media);
			call_dialog_free(n);
		}
		return false;
	}
	b->joined = NULL;
	call_dialog_over(b, DIALOG_EV_FAIL);
	call_early_begin(call);
	call_start_timer_c(call);
	log_info("sip", "call redirected", LOG_CALL_IDS(&call->ids), LOG_STR("call", call->name),
		 LOG_STR("to_peer", call->sip->config->peers[peer].name), LOG_UINT("targets", n_tried(call)));
	return true;
}

void call_redirect_end(struct sip_call *call)
{
	if (call->redirect != NULL)
		msg_destroy(call->redirect);
	call->redirect = NULL;
}

bool call_redirect(struct sip_dialog *b, const sip_t *response, int status)
{
	struct sip_call *call = b->call;

	if (call->closing || b->joined == NULL || b->joined->invite_in == NULL)
		return false;
	if (may_go_on(status) && response != NULL) {
		if (call->sip->config->policies[b->profile].redirect == SIP_REDIRECT_PASS) {
			tell(b, response, status);
			return false;
		}
		call_redirect_end(call);
		call->redirect = nta_outgoing_getresponse(b->invite_out);
	}
	// A target that fails is not the last; 6xx says that no other would do better.
	return call->redirect != NULL && status < 600 && next(b, sip_object(call->redirect));
}
