// SPDX-License-Identifier: GPL-3.0-or-later
// sip_dialog.c - what a dialog is on the wire: its identifiers, its leg of nta's, and where its requests go. The same for
// dialogs of calls and of subscriptions.
#include "signaling/sip_peer.h"
#include "signaling/sip_privacy.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_trace_priv.h"
#include <errno.h>
#include <sofia-sip/sip_tag.h>
#include <stdio.h>
#include <string.h>

#define FIRST_CSEQ "100" // not nta's, which is the time: after a restart it must go on from the record

static bool copy_id(char dst[SIP_ID_MAX], const char *text)
{
	if (text == NULL || strlen(text) >= SIP_ID_MAX)
		return false;
	strcpy(dst, text);
	return true;
}

void sip_dialog_init(struct sip_dialog *d, struct sip *sip, bool outgoing, uint16_t peer)
{
	*d = (struct sip_dialog){
		.sip = sip,
		.outgoing = outgoing,
		.number = ++sip->last_dialog,
		.peer = peer,
		.realm = sip->config->peers[peer].realm,
		.profile = sip->config->peers[peer].profile,
	};
}

int sip_dialog_accept(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from,
		      nta_request_f *within)
{
	struct sip *sip = d->sip;

	d->hop = *from;
	d->source = from->address;
	sip_agent_token(sip->agent, d->local_tag);
	if (!copy_id(d->call_id, request->sip_call_id->i_id) || !copy_id(d->remote_tag, request->sip_from->a_tag))
		return -EINVAL;
	sip_trace_dialog(d);
	url_e(d->local_uri, sizeof(d->local_uri), request->sip_to->a_url);
	url_e(d->remote_uri, sizeof(d->remote_uri), request->sip_from->a_url);
	if (sip_agent_contact(sip->agent, from->listener, d->local_tag, d->contact, sizeof(d->contact)) < 0)
		return -ENAMETOOLONG;
	d->leg = nta_leg_tcreate(sip_agent_nta(sip->agent), within, d, SIPTAG_CALL_ID(request->sip_call_id),
				 SIPTAG_FROM(request->sip_to), SIPTAG_TO(request->sip_from),
				 SIPTAG_CSEQ_STR(FIRST_CSEQ), NTATAG_REMOTE_CSEQ(request->sip_cseq->cs_seq), TAG_END());
	if (d->leg == NULL)
		return -ENOMEM;
	if (nta_leg_tag(d->leg, d->local_tag) == NULL || nta_incoming_tag(irq, d->local_tag) == NULL ||
	    nta_leg_server_route(d->leg, request->sip_record_route, request->sip_contact) < 0)
		return -ENOMEM;
	call_route(d, sip_request_behind_nat(request));
	return 0;
}

int sip_dialog_accept_again(struct sip_dialog *d, const struct sip_dialog *of, nta_incoming_t *irq, nta_request_f *within)
{
	msg_t *msg = nta_incoming_getrequest(irq);
	const sip_t *request = msg != NULL ? sip_object(msg) : NULL;
	int err = -ENOMEM;

	if (request == NULL)
		return err;
	sip_agent_token(d->sip->agent, d->local_tag);
	d->hop = of->hop;
	d->source = of->source;
	d->by_flow = of->by_flow;
	d->update = of->update;
	memcpy(d->call_id, of->call_id, sizeof(d->call_id));
	memcpy(d->remote_tag, of->remote_tag, sizeof(d->remote_tag));
	memcpy(d->local_uri, of->local_uri, sizeof(d->local_uri));
	memcpy(d->remote_uri, of->remote_uri, sizeof(d->remote_uri));
	if (sip_agent_contact(d->sip->agent, d->hop.listener, d->local_tag, d->contact, sizeof(d->contact)) == 0)
		d->leg = nta_leg_tcreate(sip_agent_nta(d->sip->agent), within, d, SIPTAG_CALL_ID(request->sip_call_id),
					 SIPTAG_FROM(request->sip_to), SIPTAG_TO(request->sip_from),
					 SIPTAG_CSEQ_STR(FIRST_CSEQ), NTATAG_REMOTE_CSEQ(request->sip_cseq->cs_seq), TAG_END());
	if (d->leg != NULL && nta_leg_tag(d->leg, d->local_tag) != NULL &&
	    nta_leg_server_route(d->leg, request->sip_record_route, request->sip_contact) == 0)
		err = 0;
	msg_destroy(msg);
	return err;
}

// nta gives a transaction one tag, and finds the ACK for its 2xx by it. Ours are of one length: the next one is written in its
// place.
void sip_dialog_retag(const struct sip_dialog *d, nta_incoming_t *irq)
{
	char *tag = (char *)(uintptr_t)nta_incoming_gettag(irq);

	if (tag != NULL && strlen(tag) == strlen(d->local_tag))
		memcpy(tag, d->local_tag, strlen(tag));
}

void call_route(struct sip_dialog *d, bool behind_nat)
{
	const sip_route_t *route = NULL;
	const sip_contact_t *target = NULL;
	struct sip_hop hop;
	enum sip_transport transport;
	const struct sip *sip = d->sip;
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

void call_abilities(struct sip_dialog *d, const sip_t *message)
{
	if (message->sip_allow != NULL)
		d->update = sip_is_allowed(message->sip_allow, sip_method_update, "UPDATE");
	if (message->sip_allow != NULL)
		d->no_refer = !sip_is_allowed(message->sip_allow, sip_method_refer, "REFER");
}

void call_refresh(struct sip_dialog *d, const sip_t *message)
{
	bool request = message->sip_request != NULL;

	call_abilities(d, message);
	if (message->sip_contact == NULL)
		return;
	if (request) // RFC 3261 section 12.2.2: the remote target moves with it
		nta_leg_server_route(d->leg, NULL, message->sip_contact);
	else
		nta_leg_client_reroute(d->leg, NULL, message->sip_contact, 0);
	call_route(d, request && sip_request_behind_nat(message));
}

static int aim_at(struct sip_dialog *d)
{
	struct sip *sip = d->sip;
	enum sip_transport transport;
	int err;
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

// Where the first request goes: the peer's target, which configuration has checked to be numeric.
static int aim(struct sip_dialog *d, const char *user)
{
	struct sip *sip = d->sip;
	const struct sip_peer *peer = &sip->config->peers[d->peer];
	int err = sip_target_expand(peer->target, user, d->target, sizeof(d->target));
	return err < 0 ? err : aim_at(d);
}

static sip_from_t *make_from(su_home_t *home, const struct sip_dialog *d, const sip_t *request)
{
	const sip_from_t *from = request->sip_from;
	char host[INET_ENDPOINT_STRLEN], user[128];

	// RFC 3323 section 5.3. Within a network of trust it is the network's edge that does it.
	if (sip_request_privacy(request) & SIP_PRIVACY_USER && !d->sip->config->realms[d->realm].trusted)
		return sip_from_format(home, "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=%s", d->local_tag);
	sip_agent_host(d->sip->agent, d->hop.listener, host);
	// The name and number of the caller cross; the address they live at does not.
	if (from->a_url->url_user == NULL ||
	    sip_target_expand("{user}", from->a_url->url_user, user, sizeof(user)) < 0 || user[0] == '\0')
		strcpy(user, "anonymous");
	return sip_from_format(home, "%s <sip:%s@%s>;tag=%s", from->a_display != NULL ? from->a_display : "", user, host,
			       d->local_tag);
}

// The place where another dialog's peer is.
static int aim_like(struct sip_dialog *d, const struct sip_dialog *like)
{
	const sip_route_t *route = NULL;
	const sip_contact_t *target = NULL;

	if (nta_leg_get_route(like->leg, &route, &target) < 0 || target == NULL ||
	    url_e(d->target, sizeof(d->target), target->m_url) >= (isize_t)sizeof(d->target))
		return -EHOSTUNREACH;
	d->hop = like->hop;
	d->source = like->source;
	return 0;
}

static int open_leg(struct sip_dialog *d, const sip_from_t *from, const char *to_uri, nta_request_f *within)
{
	struct sip *sip = d->sip;
	su_home_t home[1] = { SU_HOME_INIT(home) };

	if (sip_agent_contact(sip->agent, d->hop.listener, d->local_tag, d->contact, sizeof(d->contact)) < 0)
		return -ENAMETOOLONG;
	sip_trace_dialog(d);
	su_home_init(home);
	sip_to_t *to = sip_to_format(home, "<%s>", to_uri);

	if (from != NULL && to != NULL) {
		sip_aor_strip(to->a_url);
		url_e(d->local_uri, sizeof(d->local_uri), from->a_url);
		url_e(d->remote_uri, sizeof(d->remote_uri), to->a_url);
		d->leg = nta_leg_tcreate(sip_agent_nta(sip->agent), within, d, SIPTAG_CALL_ID_STR(d->call_id),
					 SIPTAG_FROM(from), SIPTAG_TO(to), SIPTAG_CSEQ_STR(FIRST_CSEQ), TAG_END());
	}
	su_home_deinit(home);
	return d->leg != NULL ? 0 : -ENOMEM;
}

int sip_dialog_reach(struct sip_dialog *d, const sip_t *request, const struct sip_dialog *like, nta_request_f *within)
{
	const char *user = request->sip_request->rq_url->url_user;
	struct sip *sip = d->sip;
	su_home_t home[1] = { SU_HOME_INIT(home) };

	if ((like != NULL ? aim_like(d, like) : aim(d, user != NULL ? user : "")) < 0)
		return -EHOSTUNREACH;
	su_home_init(home);
	sip_agent_token(sip->agent, d->local_tag);
	int err = open_leg(d, make_from(home, d, request), like != NULL ? like->remote_uri : d->target, within);

	su_home_deinit(home);
	return err;
}

int sip_dialog_reach_at(struct sip_dialog *d, const sip_t *request, const char *uri, nta_request_f *within)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };

	if (strlen(uri) >= sizeof(d->target))
		return -ENAMETOOLONG;
	strcpy(d->target, uri);
	if (aim_at(d) < 0)
		return -EHOSTUNREACH;
	su_home_init(home);
	sip_agent_token(d->sip->agent, d->local_tag);
	int err = open_leg(d, make_from(home, d, request), d->target, within);

	su_home_deinit(home);
	return err;
}

int sip_dialog_reach_for(struct sip_dialog *d, const char *user, const struct sip_dialog *by, const struct sip_dialog *like,
			 nta_request_f *within)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };
	char host[INET_ENDPOINT_STRLEN], name[128] = "anonymous";

	if ((like != NULL ? aim_like(d, like) : aim(d, user)) < 0)
		return -EHOSTUNREACH;
	su_home_init(home);
	sip_agent_token(d->sip->agent, d->local_tag);
	sip_agent_host(d->sip->agent, d->hop.listener, host);
	// Whom it has talked to is called on our side by what it was told.
	url_t *with = url_hdup(home, (const url_t *)by->local_uri);

	if (with != NULL && with->url_user != NULL)
		sip_target_expand("{user}", with->url_user, name, sizeof(name));
	int err = open_leg(d, sip_from_format(home, "<sip:%s@%s>;tag=%s", name, host, d->local_tag),
			   like != NULL ? like->remote_uri : d->target, within);

	su_home_deinit(home);
	return err;
}

// The identifiers of a dialog are no password: whoever speaks in it must be its peer by address as well.
bool sip_dialog_is_peer(const struct sip_dialog *d, nta_incoming_t *irq, struct sip_hop *from)
{
	if (sip_agent_arrival(d->sip->agent, irq, from) < 0)
		return false;
	if (sip_agent_realm(from->listener) == d->realm && sip_peer_is_at(d->sip->config, d->peer, &from->address.addr))
		return true;
	// Of a caller that no configuration knows any more, its last address is all that is left.
	return (d->outgoing || d->sip->config->peers[d->peer].name[0] == '\0') &&
	       inet_addr_equal(&from->address.addr, &d->source.addr);
}

// A leg keeps the tag that it has: another fork's answer is another leg, whose requests follow those of `before`.
static nta_leg_t *leg_of_tag(struct sip_dialog *d, nta_leg_t *before)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };
	char cseq[16];

	su_home_init(home);
	sip_from_t *from = sip_from_format(home, "<%s>;tag=%s", d->local_uri, d->local_tag);
	sip_to_t *to = sip_to_format(home, "<%s>;tag=%s", d->remote_uri, d->remote_tag);

	snprintf(cseq, sizeof(cseq), "%u", nta_leg_get_seq(before));
	nta_leg_t *leg = from == NULL || to == NULL ? NULL :
		nta_leg_tcreate(sip_agent_nta(d->sip->agent), call_request_in, d, SIPTAG_CALL_ID_STR(d->call_id), SIPTAG_FROM(from),
				SIPTAG_TO(to), SIPTAG_CSEQ_STR(cseq), TAG_END());

	su_home_deinit(home);
	return leg;
}

int sip_dialog_remote_tag(struct sip_dialog *d)
{
	const char *known = nta_leg_get_rtag(d->leg);

	if (known == NULL)
		return nta_leg_rtag(d->leg, d->remote_tag) != NULL ? 0 : -ENOMEM;
	if (strcmp(known, d->remote_tag) == 0)
		return 0;
	nta_leg_t *leg = leg_of_tag(d, d->leg);

	if (leg == NULL)
		return -ENOMEM;
	nta_leg_destroy(d->leg);
	d->leg = leg;
	return 0;
}

int sip_dialog_fork(struct sip_dialog *d, const struct sip_dialog *of, const char *tag)
{
	d->hop = of->hop;
	d->source = of->source;
	memcpy(d->call_id, of->call_id, sizeof(d->call_id));
	memcpy(d->local_tag, of->local_tag, sizeof(d->local_tag));
	memcpy(d->contact, of->contact, sizeof(d->contact));
	memcpy(d->target, of->target, sizeof(d->target));
	memcpy(d->local_uri, of->local_uri, sizeof(d->local_uri));
	memcpy(d->remote_uri, of->remote_uri, sizeof(d->remote_uri));
	if (!copy_id(d->remote_tag, tag))
		return -EINVAL;
	d->leg = leg_of_tag(d, of->leg);
	return d->leg != NULL ? 0 : -ENOMEM;
}

void sip_dialog_drop_leg(struct sip_dialog *d)
{
	if (d->leg == NULL)
		return;
	nta_leg_destroy(d->leg);
	d->leg = NULL;
}
