// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_endpoint_priv.h - inside dtls/: the endpoint's state, shared by its life (dtls_endpoint.c) and the library (dtls_tls.c).
#pragma once
#include "dtls/dtls_endpoint.h"
#include "dtls/dtls_hello.h"
#include <wolfssl/ssl.h>

struct dtls_endpoint {
	const struct env *env;
	struct dtls_identity *identity;
	WOLFSSL *ssl;
	enum dtls_role role;
	enum dtls_status status;
	enum dtls_failure failure;
	bool send_alerts;
	bool muted;      // nothing may go out any more
	bool keys_taken;
	bool address_proven; // by ICE: a hello without cookie is acted upon
	uint16_t profiles[DTLS_PROFILES_MAX + 1];
	uint16_t chosen; // passive side: of those that the hello offers
	uint16_t mtu;

	// Fingerprints that were signalled, and the certificate that was shown.
	bool expecting;
	struct dtls_fingerprints expected;
	uint8_t *leaf; // DER
	size_t leaf_len;

	// The hello that the library took up: a copy may pass again, another may not.
	struct dtls_hello_merge merge;
	bool hello_taken;
	bool cipher_change_due; // DTLS 1.2: all that comes before the peer's ChangeCipherSpec was seen
	uint8_t hello_head[2 + 32]; // version and random

	// Valid during a call only.
	const uint8_t *in;
	size_t in_len;
	const struct dtls_out *out;
	uint32_t sent; // datagrams in this call

	// Time. Nothing runs once the handshake is through.
	mono_ns handshake_limit, first_interval;
	mono_ns interval, retransmit_at, ack_at, give_up_at;
	mono_ns answered_at;   // last flight sent again on the peer's request
	uint8_t answers_left;

	struct dtls_endpoint_info info;
};

// dtls_tls.c: everything that knows the library.
int dtls_tls_open(struct dtls_endpoint *ep, const struct dtls_endpoint_config *config);
int dtls_tls_mtu(struct dtls_endpoint *ep, uint16_t mtu);
void dtls_tls_close(struct dtls_endpoint *ep);
// Goes on with the handshake as far as the datagram in ep->in leads; sets status and failure.
void dtls_tls_handshake(struct dtls_endpoint *ep);
void dtls_tls_read(struct dtls_endpoint *ep);       // after the handshake
void dtls_tls_retransmit(struct dtls_endpoint *ep); // our last flight again
void dtls_tls_acknowledge(struct dtls_endpoint *ep);
uint32_t dtls_tls_refused(const struct dtls_endpoint *ep); // records that did not verify, or came twice
bool dtls_tls_wants_ack(const struct dtls_endpoint *ep);
bool dtls_tls_hello_taken(const struct dtls_endpoint *ep); // a ClientHello with a good cookie is being worked on
int dtls_tls_choose_profile(struct dtls_endpoint *ep, uint16_t profile);
int dtls_tls_export(struct dtls_endpoint *ep, struct dtls_srtp_keys *client, struct dtls_srtp_keys *server);
void dtls_tls_shutdown(struct dtls_endpoint *ep);

void dtls_endpoint_fail(struct dtls_endpoint *ep, enum dtls_failure failure);
