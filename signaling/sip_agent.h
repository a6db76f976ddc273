// SPDX-License-Identifier: GPL-3.0-or-later
// sip_agent.h - the transports: every listener of every realm behind one nta agent. Knows which listener a request came in
// by and where from, and sends every request of ours from a chosen listener to a numeric address with Via and Contact of
// that listener's advertised address. Nothing here resolves names.
#pragma once
#include "base/env.h"
#include "signaling/sip_config.h"
#include "signaling/sofia.h"

struct sip_agent;

#define SIP_LISTENERS_A_REALM 8
#define SIP_TOKEN_LEN 28 // shard number, dash, random: a tag, Call-ID or Contact user of ours, with its zero byte
#define SIP_URI_MAX 256

struct sip_agent_start {
	su_root_t *root;
	const struct sip_config *config;
	const struct env *env;
	unsigned t1_ms;         // RFC 3261 T1; 0: 500 ms. Tests shorten it
	nta_response_f *late;   // responses of no transaction
	nta_request_f *request; // requests outside of every dialog
	void *ctx;
};

// Where a message came from, or where one goes to. The listener says realm, transport and family.
struct sip_hop {
	struct inet_endpoint address;
	uint16_t listener; // realm * SIP_LISTENERS_A_REALM + its index there
};

int sip_agent_open(struct sip_agent **agentp, const struct sip_agent_start *start);
void sip_agent_close(struct sip_agent *agent);
nta_agent_t *sip_agent_nta(struct sip_agent *agent);

const struct sip_listener *sip_agent_listener(const struct sip_agent *agent, uint16_t listener);
uint16_t sip_agent_realm(uint16_t listener);
// The realm's first listener of this transport and family. -EAFNOSUPPORT: there is none.
int sip_agent_find(const struct sip_agent *agent, uint16_t realm, enum sip_transport transport, enum inet_family family,
		   uint16_t *listener);
int sip_agent_arrival(struct sip_agent *agent, nta_incoming_t *irq, struct sip_hop *from);
int sip_agent_delivered(struct sip_agent *agent, msg_t *msg, struct sip_hop *from); // the same for what is just coming in
int sip_agent_source_of(struct sip_agent *agent, msg_t *msg, struct inet_endpoint *from);
// Whether the request has been here before and left with this mark. With another one it comes back on purpose: a spiral.
bool sip_agent_loops(const struct sip_agent *agent, const sip_t *request, uint32_t mark);
// Whether a connection to this address is open (always false for UDP).
bool sip_agent_connected(struct sip_agent *agent, const struct sip_hop *hop);

void sip_agent_configure(struct sip_agent *agent, const struct sip_config *config); // the same listeners
void sip_agent_token(struct sip_agent *agent, char dst[SIP_TOKEN_LEN]);
// Our address there as it stands in a URI.
void sip_agent_host(const struct sip_agent *agent, uint16_t listener, char dst[INET_ENDPOINT_STRLEN]);
int sip_agent_contact(const struct sip_agent *agent, uint16_t listener, const char *token, char *dst, size_t room);

// A request of ours as it will be sent to that hop: completed from the leg, with a Via that has a branch of its own and that mark.
// asks: it is an INVITE without an offer.
int sip_agent_complete(struct sip_agent *agent, nta_leg_t *leg, msg_t *msg, sip_method_t method, const char *uri,
		       const struct sip_hop *hop, uint32_t mark, bool asks);
// Whether the INVITE that this answers had no offer: our branch says so, also when nobody here knows that INVITE any more.
bool sip_agent_asked(const sip_t *response);
// Takes msg over, which is complete, also when it fails (NULL).
// acked, of an ACK: branch of an INVITE whose transaction may be gone; nta asserts that it has it, without. NULL else.
nta_outgoing_t *sip_agent_send(struct sip_agent *agent, msg_t *msg, const struct sip_hop *hop, const char *acked,
			       nta_response_f *callback, void *magic);

// Transactions that another life of this process had.
// The request of theirs that msg is has come in there: nta repeats and absorbs what belongs to it. Takes msg over. NULL: no memory.
nta_incoming_t *sip_agent_resume(struct sip_agent *agent, msg_t *msg, uint16_t listener);
// The ACK for a refusal of an INVITE of ours, to where that came from; the refusal stays the caller's.
int sip_agent_ack_refusal(struct sip_agent *agent, const sip_t *refusal, const struct sip_hop *from);

// Reads the numeric host of a SIP URI: address, port (5060 by default) and transport. -ENOTSUP: a name, or not SIP.
int sip_uri_hop(const url_t *url, struct inet_endpoint *address, enum sip_transport *transport);
