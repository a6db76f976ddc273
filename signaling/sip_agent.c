// SPDX-License-Identifier: GPL-3.0-or-later
// sip_agent.c - listeners, sources, Via and Contact; see sip_agent.h.
#include "signaling/sip_agent.h"
#include "signaling/sip_count.h"
#include "base/log.h"
#include <errno.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_tag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MESSAGE_MAX 131072u // a larger one is answered 413
#define SEND_QUEUE 2048u    // messages waiting on one TCP connection
#define UDP_BURST (4u << 20)  // octets that wait on one UDP socket; the host may allow less (net.core.rmem_max)
#define TCP_IDLE_MS 1800000u
#define LOOP_MARK "." // in our branches: before the mark, in eight hexadecimal digits
#define ASKS_MARK "-" // at their end: an INVITE without an offer
#define SHARD 0u // the sip thread that owns the dialog; there is one so far

struct sip_agent {
	const struct sip_config *config;
	const struct env *env;
	nta_agent_t *nta;
	nta_leg_t *outside; // default leg: requests outside of every dialog
	char (*idents)[8];  // each listener's number as text; nta keeps pointers to them
};

static const url_string_t *url_string(const char *text)
{
	return (const url_string_t *)text; // Sofia tells text and parsed URL apart by the first byte
}

static const char *transport_name(enum sip_transport transport)
{
	return transport == SIP_TCP ? "tcp" : "udp";
}

static const struct inet_addr *listener_advertise(const struct sip_listener *l)
{
	return l->advertise.family == INET_NONE ? &l->bind.addr : &l->advertise;
}

static void host_print(char dst[INET_ENDPOINT_STRLEN], const struct inet_addr *addr)
{
	char text[INET_ADDR_STRLEN];

	inet_addr_print(text, addr);
	snprintf(dst, INET_ENDPOINT_STRLEN, addr->family == INET_V6 ? "[%s]" : "%s", text);
}

const struct sip_listener *sip_agent_listener(const struct sip_agent *agent, uint16_t listener)
{
	uint16_t realm = sip_agent_realm(listener), index = listener % SIP_LISTENERS_A_REALM;

	if (realm >= agent->config->n_realms || index >= agent->config->realms[realm].n_listeners)
		return NULL;
	return &agent->config->realms[realm].listeners[index];
}

uint16_t sip_agent_realm(uint16_t listener)
{
	return listener / SIP_LISTENERS_A_REALM;
}

int sip_agent_find(const struct sip_agent *agent, uint16_t realm, enum sip_transport transport, enum inet_family family,
		   uint16_t *listener)
{
	const struct sip_realm *r = &agent->config->realms[realm];

	for (uint16_t i = 0; i < r->n_listeners; i++) {
		if (r->listeners[i].transport == transport && r->listeners[i].bind.addr.family == family) {
			*listener = (uint16_t)(realm * SIP_LISTENERS_A_REALM + i);
			return 0;
		}
	}
	return -EAFNOSUPPORT;
}

// The tport's identity is the listener's number: nta then sends from the right socket, and we know where requests came in.
static int add_listener(struct sip_agent *agent, uint16_t number)
{
	const struct sip_listener *l = sip_agent_listener(agent, number);
	char host[INET_ENDPOINT_STRLEN], url[128];

	host_print(host, &l->bind.addr);
	snprintf(url, sizeof(url), "sip:%s:%u;transport=%s", host, l->bind.port, transport_name(l->transport));
	snprintf(agent->idents[number], sizeof(agent->idents[number]), "%u", number);
	if (nta_agent_add_tport(agent->nta, url_string(url), TPTAG_IDENT(agent->idents[number]), TPTAG_QUEUESIZE(SEND_QUEUE),
				TPTAG_IDLE(TCP_IDLE_MS), TPTAG_UDP_RMEM(UDP_BURST), TAG_END()) < 0) {
		int err = su_errno() > 0 ? -su_errno() : -EIO;

		log_error("sip", "cannot listen", LOG_STR("address", url), LOG_ERRNO(err));
		return err;
	}
	log_info("sip", "listening", LOG_STR("address", url),
		 LOG_STR("realm", agent->config->realms[sip_agent_realm(number)].name));
	return 0;
}

static int add_listeners(struct sip_agent *agent)
{
	for (uint16_t r = 0; r < agent->config->n_realms; r++) {
		for (uint16_t i = 0; i < agent->config->realms[r].n_listeners; i++) {
			int err = add_listener(agent, (uint16_t)(r * SIP_LISTENERS_A_REALM + i));

			if (err < 0)
				return err;
		}
	}
	return 0;
}

int sip_agent_open(struct sip_agent **agentp, const struct sip_agent_start *start)
{
	unsigned t1 = start->t1_ms > 0 ? start->t1_ms : NTA_SIP_T1;
	struct sip_agent *agent = calloc(1, sizeof(*agent));
	int err = -ENOMEM;

	if (agent == NULL)
		return -ENOMEM;
	agent->config = start->config;
	agent->env = start->env;
	agent->idents = calloc(start->config->n_realms * SIP_LISTENERS_A_REALM + 1, sizeof(*agent->idents));
	if (agent->idents == NULL)
		goto out;
	// NTATAG_UA: repeat a 2xx until its ACK, bring ACKs to their INVITE. We answer a cancelled INVITE ourselves.
	agent->nta = nta_agent_create(start->root, (url_string_t *)-1, NULL, NULL, NTATAG_UA(1), NTATAG_UDP_MTU(65535),
				      NTATAG_MAXSIZE(MESSAGE_MAX), NTATAG_CANCEL_487(0), NTATAG_MERGE_482(1),
				      NTATAG_SIP_T1(t1), NTATAG_SIP_T1X64(64 * t1), NTATAG_SIP_T2(8 * t1),
				      NTATAG_SIP_T4(10 * t1), NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), TAG_END());
	if (agent->nta == NULL)
		goto out;
	agent->outside = nta_leg_tcreate(agent->nta, start->request, start->ctx, NTATAG_NO_DIALOG(1), TAG_END());
	if (agent->outside == NULL || nta_outgoing_default(agent->nta, start->late, start->ctx) == NULL)
		goto out;
	err = add_listeners(agent);
	if (err < 0)
		goto out;
	*agentp = agent;
	agent = NULL;
out:
	sip_agent_close(agent);
	return err;
}

void sip_agent_close(struct sip_agent *agent)
{
	if (agent == NULL)
		return;
	if (agent->outside != NULL)
		nta_leg_destroy(agent->outside);
	if (agent->nta != NULL)
		nta_agent_destroy(agent->nta);
	free(agent->idents);
	free(agent);
}

void sip_agent_configure(struct sip_agent *agent, const struct sip_config *config)
{
	agent->config = config;
}

nta_agent_t *sip_agent_nta(struct sip_agent *agent)
{
	return agent->nta;
}

int sip_agent_source_of(struct sip_agent *agent, msg_t *msg, struct inet_endpoint *from)
{
	const su_sockaddr_t *su = msg_addr(msg);

	if (su == NULL)
		return -EINVAL;
	inet_endpoint_from_sockaddr(from, &su->su_sa);
	return from->addr.family == INET_NONE ? -EAFNOSUPPORT : 0;
}

static int arrival_of(struct sip_agent *agent, msg_t *msg, tport_t *tport, struct sip_hop *from)
{
	memset(from, 0, sizeof(*from));
	if (msg == NULL || tport == NULL)
		return -EINVAL;
	// A TCP connection's parent is its listener; a UDP socket is its own.
	const tp_name_t *name = tport_name(tport_is_secondary(tport) ? tport_parent(tport) : tport);

	if (name->tpn_ident == NULL)
		return -EINVAL;
	from->listener = (uint16_t)strtoul(name->tpn_ident, NULL, 10);
	if (sip_agent_listener(agent, from->listener) == NULL)
		return -EINVAL;
	return sip_agent_source_of(agent, msg, &from->address);
}

int sip_agent_delivered(struct sip_agent *agent, msg_t *msg, struct sip_hop *from)
{
	return arrival_of(agent, msg, tport_delivered_by(nta_agent_tports(agent->nta), msg), from);
}

int sip_agent_arrival(struct sip_agent *agent, nta_incoming_t *irq, struct sip_hop *from)
{
	msg_t *msg = nta_incoming_getrequest(irq);
	tport_t *tport = nta_incoming_transport(agent->nta, irq, NULL);
	int err = arrival_of(agent, msg, tport, from);

	if (tport != NULL)
		tport_unref(tport);
	if (msg != NULL)
		msg_destroy(msg);
	return err;
}

static bool is_self(const struct sip_agent *agent, const char *host, const char *port)
{
	unsigned number = port != NULL ? (unsigned)strtoul(port, NULL, 10) : 5060;
	char own[INET_ENDPOINT_STRLEN];

	for (size_t r = 0; r < agent->config->n_realms; r++) {
		const struct sip_realm *realm = &agent->config->realms[r];

		for (size_t i = 0; i < realm->n_listeners; i++) {
			host_print(own, listener_advertise(&realm->listeners[i]));
			if (realm->listeners[i].bind.port == number && strcasecmp(own, host) == 0)
				return true;
		}
	}
	return false;
}

static bool bears_mark(const char *branch, uint32_t mark)
{
	const char *at = branch != NULL ? strrchr(branch, LOOP_MARK[0]) : NULL;

	return at == NULL || strtoul(at + 1, NULL, 16) == mark; // without any: of an older life of ours
}

bool sip_agent_asked(const sip_t *response)
{
	const char *branch = response->sip_via != NULL ? response->sip_via->v_branch : NULL;

	return branch != NULL && branch[0] != '\0' && branch[strlen(branch) - 1] == ASKS_MARK[0];
}

bool sip_agent_loops(const struct sip_agent *agent, const sip_t *request, uint32_t mark)
{
	for (const sip_via_t *via = request->sip_via; via != NULL; via = via->v_next) {
		if (via->v_host != NULL && is_self(agent, via->v_host, via->v_port) &&
		    bears_mark(via->v_branch, mark))
			return true;
	}
	return false;
}

void sip_agent_token(struct sip_agent *agent, char dst[SIP_TOKEN_LEN])
{
	uint8_t random[12];

	// Without random bytes a token could be guessed or repeated: better no process than that.
	if (env_random(agent->env, random, sizeof(random)) < 0)
		abort();
	int n = snprintf(dst, SIP_TOKEN_LEN, "%u-", SHARD);

	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(dst + n + 2 * i, 3, "%02x", random[i]);
}

void sip_agent_host(const struct sip_agent *agent, uint16_t listener, char dst[INET_ENDPOINT_STRLEN])
{
	host_print(dst, listener_advertise(sip_agent_listener(agent, listener)));
}

int sip_agent_contact(const struct sip_agent *agent, uint16_t listener, const char *token, char *dst, size_t room)
{
	const struct sip_listener *l = sip_agent_listener(agent, listener);
	char host[INET_ENDPOINT_STRLEN];

	host_print(host, listener_advertise(l));
	int n = snprintf(dst, room, "sip:%s@%s:%u%s", token, host, l->bind.port,
			 l->transport == SIP_TCP ? ";transport=tcp" : "");

	return n > 0 && (size_t)n < room ? 0 : -ENAMETOOLONG;
}

static void route_url(char *dst, size_t room, const struct sip_listener *l, const struct inet_endpoint *to)
{
	char host[INET_ENDPOINT_STRLEN];

	host_print(host, &to->addr);
	snprintf(dst, room, "sip:%s:%u;transport=%s", host, to->port, transport_name(l->transport));
}

bool sip_agent_connected(struct sip_agent *agent, const struct sip_hop *hop)
{
	const struct sip_listener *l = sip_agent_listener(agent, hop->listener);
	char host[INET_ADDR_STRLEN], port[8];

	if (l == NULL || l->transport != SIP_TCP)
		return false;
	inet_addr_print(host, &hop->address.addr);
	snprintf(port, sizeof(port), "%u", hop->address.port);
	tp_name_t name = {
		.tpn_proto = "tcp", .tpn_canon = host, .tpn_host = host, .tpn_port = port,
		.tpn_ident = agent->idents[hop->listener],
	};
	tport_t *tport = tport_by_name(nta_agent_tports(agent->nta), &name);

	return tport != NULL && tport_is_secondary(tport);
}

static int add_via(msg_t *msg, const struct sip_listener *l, const char *branch)
{
	char host[INET_ENDPOINT_STRLEN];

	host_print(host, listener_advertise(l));
	// RFC 3581: behind a NAT of ours the response comes back only to the port that the NAT gave us.
	sip_via_t *via = sip_via_format(msg_home(msg), "SIP/2.0/%s %s:%u;rport;branch=%s", l->transport == SIP_TCP ? "TCP" : "UDP",
					host, l->bind.port, branch);

	return via != NULL ? msg_header_insert(msg, NULL, (msg_header_t *)via) : -1;
}

int sip_agent_complete(struct sip_agent *agent, nta_leg_t *leg, msg_t *msg, sip_method_t method, const char *uri,
		       const struct sip_hop *hop, uint32_t mark, bool asks)
{
	const struct sip_listener *l = sip_agent_listener(agent, hop->listener);
	char token[SIP_TOKEN_LEN], branch[64];

	if (l == NULL || hop->address.addr.family != l->bind.addr.family)
		return -EHOSTUNREACH;
	// nta's own branches count upwards: an outsider could guess one and answer in a peer's place.
	sip_agent_token(agent, token);
	snprintf(branch, sizeof(branch), "z9hG4bK%s" LOOP_MARK "%08x%s", token, mark, asks ? ASKS_MARK : "");
	if (add_via(msg, l, branch) < 0 ||
	    nta_msg_request_complete(msg, leg, method, sip_method_name(method, NULL), url_string(uri)) < 0)
		return -ENOMEM;
	return 0;
}

nta_outgoing_t *sip_agent_send(struct sip_agent *agent, msg_t *msg, const struct sip_hop *hop, const char *acked,
			       nta_response_f *callback, void *magic)
{
	const struct sip_listener *l = sip_agent_listener(agent, hop->listener);
	nta_outgoing_t *orq = NULL;
	char route[128];

	if (l != NULL && hop->address.addr.family == l->bind.addr.family) {
		route_url(route, sizeof(route), l, &hop->address);
		orq = nta_outgoing_mcreate(agent->nta, callback, magic, url_string(route), msg, NTATAG_USER_VIA(1),
					   NTATAG_BRANCH_KEY(sip_object(msg)->sip_via->v_branch),
					   TAG_IF(acked != NULL, NTATAG_ACK_BRANCH(acked)),
					   TPTAG_IDENT(agent->idents[hop->listener]), TAG_END());
	}
	if (orq != NULL)
		sip_count_request(SIP_STAT_OUT, nta_outgoing_method(orq));
	else
		msg_destroy(msg);
	return orq;
}

static tport_t *tport_of(struct sip_agent *agent, uint16_t listener)
{
	tport_t *tport = tport_primaries(nta_agent_tports(agent->nta));

	while (tport != NULL && (tport_name(tport)->tpn_ident == NULL ||
				 strcmp(tport_name(tport)->tpn_ident, agent->idents[listener]) != 0))
		tport = tport_next(tport);
	return tport;
}

nta_incoming_t *sip_agent_resume(struct sip_agent *agent, msg_t *msg, uint16_t listener)
{
	tport_t *tport = sip_agent_listener(agent, listener) != NULL ? tport_of(agent, listener) : NULL;
	sip_t *request = sip_object(msg);

	if (tport == NULL) {
		msg_destroy(msg);
		return NULL;
	}
	// RFC 3261 section 18.2.2: its connection is gone, another one goes to the port that the peer has named.
	if (tport_is_reliable(tport))
		request->sip_via->v_rport = NULL;
	return nta_incoming_create(agent->nta, NULL, msg, request, NTATAG_TPORT(tport), TAG_END());
}

// RFC 3261 section 17.1.1.3. The Request-URI is the one thing that a response does not tell; nobody finds the transaction by it.
static int ack_of(msg_t *msg, const sip_t *refusal)
{
	su_home_t *home = msg_home(msg);
	const msg_header_t *headers[] = {
		(msg_header_t *)sip_request_create(home, SIP_METHOD_ACK, (url_string_t *)refusal->sip_to->a_url, NULL),
		(msg_header_t *)sip_from_dup(home, refusal->sip_from), (msg_header_t *)sip_to_dup(home, refusal->sip_to),
		(msg_header_t *)sip_call_id_dup(home, refusal->sip_call_id),
		(msg_header_t *)sip_cseq_create(home, refusal->sip_cseq->cs_seq, SIP_METHOD_ACK),
		(msg_header_t *)sip_max_forwards_make(home, "70"),
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (headers[i] == NULL || msg_header_insert(msg, NULL, (msg_header_t *)(uintptr_t)headers[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

int sip_agent_ack_refusal(struct sip_agent *agent, const sip_t *refusal, const struct sip_hop *from)
{
	const struct sip_listener *l = sip_agent_listener(agent, from->listener);
	const char *branch = refusal->sip_via->v_branch;
	msg_t *msg = l != NULL ? nta_msg_create(agent->nta, 0) : NULL;
	char route[128];

	if (msg == NULL)
		return -ENOMEM;
	route_url(route, sizeof(route), l, &from->address);
	if (add_via(msg, l, branch) == 0 && ack_of(msg, refusal) == 0 &&
	    nta_outgoing_mcreate(agent->nta, NULL, NULL, url_string(route), msg, NTATAG_USER_VIA(1), NTATAG_STATELESS(1),
				 NTATAG_BRANCH_KEY(branch), NTATAG_ACK_BRANCH(branch),
				 TPTAG_IDENT(agent->idents[from->listener]), TAG_END()) != NULL)
		return 0; // stateless: sent, and gone
	msg_destroy(msg);
	return -EHOSTUNREACH;
}

int sip_uri_hop(const url_t *url, struct inet_endpoint *address, enum sip_transport *transport)
{
	char host[INET_ADDR_STRLEN + 2], value[16];
	size_t len;

	if (url == NULL || url->url_type != url_sip || url->url_host == NULL)
		return -ENOTSUP;
	len = strlen(url->url_host);
	if (len == 0 || len >= sizeof(host))
		return -ENOTSUP;
	memcpy(host, url->url_host, len + 1);
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		memmove(host, host + 1, len - 1);
	}
	memset(address, 0, sizeof(*address));
	if (inet_addr_parse(&address->addr, host) < 0 || inet_addr_is_any(&address->addr))
		return -ENOTSUP;
	address->port = 5060;
	if (url->url_port != NULL && url->url_port[0] != '\0') {
		unsigned long port = strtoul(url->url_port, NULL, 10);

		if (port == 0 || port > 65535)
			return -ENOTSUP;
		address->port = (uint16_t)port;
	}
	*transport = SIP_UDP;
	if (url_param(url->url_params, "transport", value, sizeof(value)) > 0) {
		if (strcasecmp(value, "tcp") == 0)
			*transport = SIP_TCP;
		else if (strcasecmp(value, "udp") != 0)
			return -ENOTSUP;
	}
	return 0;
}
