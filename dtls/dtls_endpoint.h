// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_endpoint.h - one DTLS-SRTP association (RFC 5764): datagrams in, datagrams and keys out, no socket, no timer.
//
// A run: open, start (the active side speaks first), input for every DTLS datagram of this peer, tick when deadline is due,
// until dtls_endpoint_status() leaves HANDSHAKING:
//   PARKED   the handshake is through, but no fingerprint was known: the peer's certificate is kept, no key exists outside.
//            dtls_endpoint_claim() with the answer's fingerprints moves to SECURED, or says that this was someone else.
//   SECURED  the certificate was signalled: dtls_endpoint_take_keys(), once.
//   FAILED   dtls_endpoint_failure() says whose fault it was. Close it; others may be tried on the same leg.
//   CLOSED   the peer said so by an authenticated close_notify.
// Go on feeding datagrams afterwards: a lost last flight is answered again, and everything that is not authenticated (forged
// alerts, new ClientHellos, HelloRequest) is dropped and counted. Application data is dropped, always.
// An endpoint belongs to one thread. Only the identity and the cookie secrets are shared.
#pragma once
#include "base/clock.h"
#include "base/env.h"
#include "dtls/dtls_fingerprint.h"
#include "dtls/dtls_profile.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtls_cookie; // dtls_listener.h
struct dtls_endpoint;
struct dtls_identity;

enum dtls_role { DTLS_ACTIVE, DTLS_PASSIVE }; // a=setup: client, server
enum dtls_version { DTLS_VERSION_ANY, DTLS_VERSION_1_2, DTLS_VERSION_1_3 };
enum dtls_status { DTLS_HANDSHAKING, DTLS_PARKED, DTLS_SECURED, DTLS_FAILED, DTLS_CLOSED };

enum dtls_fault {
	DTLS_FAULT_NONE,
	DTLS_FAULT_PEER,   // bad bytes, wrong certificate: drop, count
	DTLS_FAULT_POLICY, // good bytes, nothing in common: the call is refused
	DTLS_FAULT_OURS,   // no memory: alarm
};

// X(NAME, fault, text)
#define DTLS_FAILURES(X)                                                                      \
	X(NONE, NONE, "none")                                                                 \
	X(FINGERPRINT, PEER, "certificate does not match any signalled fingerprint")         \
	X(NO_CERTIFICATE, PEER, "no certificate shown")                                       \
	X(BAD_CERTIFICATE, PEER, "certificate unreadable or its key not proven")              \
	X(ALERT, PEER, "peer refused with an alert")                                          \
	X(PROTOCOL, PEER, "handshake message malformed or out of place")                      \
	X(TIMEOUT, PEER, "handshake did not finish in time")                                  \
	X(NO_PROFILE, POLICY, "no common SRTP protection profile")                            \
	X(NO_SRTP, POLICY, "peer does not negotiate SRTP (no use_srtp)")                      \
	X(NO_VERSION, POLICY, "no common DTLS version")                                       \
	X(NO_CIPHER, POLICY, "no common cipher suite, group or signature algorithm")          \
	X(NO_FINGERPRINT, POLICY, "no usable fingerprint signalled")                          \
	X(NO_MEMORY, OURS, "out of memory")                                                   \
	X(INTERNAL, OURS, "TLS library failed")

#define X(name, fault, text) DTLS_FAILURE_##name,
enum dtls_failure { DTLS_FAILURES(X) DTLS_FAILURE_COUNT };
#undef X

// What an endpoint dropped, by name.
#define DTLS_DROPS(X)                                                                         \
	X(HELLO_MALFORMED, "ClientHello malformed, too long or contradictory")                \
	X(FORGED, "unprotected record that no honest peer sends now")                         \
	X(PLAIN_ALERT, "unprotected alert during the handshake: noted, not believed")         \
	X(APPLICATION, "application data")                                                    \
	X(REFUSED, "record that the TLS library refused after the handshake")                 \
	X(ALERT_UNSENT, "own alert kept back")                                                \
	X(FINISHED, "datagram after failure or close")

#define X(name, text) DTLS_DROP_##name,
enum dtls_drop { DTLS_DROPS(X) DTLS_DROP_COUNT };
#undef X

struct dtls_out {
	void (*send)(void *ctx, const uint8_t *datagram, size_t len); // copies, or sends at once; never calls back
	void *ctx;
};

struct dtls_endpoint_config {
	struct dtls_identity *identity; // referenced
	const struct env *env;          // clock of input and start; NULL: env_real
	enum dtls_role role;
	enum dtls_version min_version, max_version;  // ANY: 1.2 to 1.3
	uint16_t mtu;                                // longest UDP payload sent; 0: 1200
	// In our order, zero ends it; empty: AEAD_256, AEAD_128, SHA1_80, SHA1_32. As passive side our order decides. As active
	// side the library offers them in ascending numbers, and the peer's order decides.
	uint16_t profiles[DTLS_PROFILES_MAX + 1];
	const struct dtls_fingerprints *expected;    // copied; NULL: not known yet, see PARKED
	// Passive side: proof of the peer's address before state and certificates are spent on it, NULL where ICE proved it.
	struct dtls_cookie *cookie;
	uint64_t cookie_generation;                  // as dtls_listener_input() said; 0: the current secret
	const void *peer;                            // address bytes that the cookie is bound to; with cookie
	size_t peer_len;                             // at most 28
	uint32_t retransmit_ms;                      // first retransmission, doubling; 0: 200
	uint32_t handshake_ms;                       // from the first datagram; 0: 10,000
	bool send_alerts;                            // tell a peer why its handshake failed (never if its certificate did not match)
	bool post_quantum;                           // active side: offer X25519MLKEM768 too; wants an MTU of 1500
};

struct dtls_srtp_keys {
	uint16_t profile; // RFC 5764 number
	uint8_t key_len, salt_len;
	uint8_t key[32], salt[14];
};

struct dtls_endpoint_info {
	const char *version; // "1.2", "1.3"; NULL before it is known, as all below
	const char *cipher, *group;
	uint16_t profile;
	uint32_t retransmissions; // our flights sent again by timer
	uint32_t datagrams_in, datagrams_out;
	uint8_t plain_alert;      // last unprotected alert seen in the handshake, 0 if none
	uint32_t drops[DTLS_DROP_COUNT];
};

// -EINVAL: configuration makes no sense; -ENOMEM.
int dtls_endpoint_open(struct dtls_endpoint **epp, const struct dtls_endpoint_config *config);
// Wipes keys and frees; NULL is fine. Says nothing to the peer: dtls_endpoint_close_notify() before it does.
void dtls_endpoint_close(struct dtls_endpoint *ep);

// Active side: sends the ClientHello. Passive side: nothing happens, 0.
int dtls_endpoint_start(struct dtls_endpoint *ep, const struct dtls_out *out);
// Feeds one datagram. What was sent through `out` must go out even if the call fails. 0, or a negative errno when this very
// datagram made the endpoint fail: -EPROTO (PEER), -EPERM (POLICY), -ENOMEM (OURS). Dropped datagrams are 0.
int dtls_endpoint_input(struct dtls_endpoint *ep, const void *datagram, size_t len, const struct dtls_out *out);
// The way to the peer takes datagrams of at most so many octets: flights not yet sent are cut to that. Never above what the
// configuration says. What was sent and is repeated keeps its size: tell it before the peer's datagram that asks for a flight.
void dtls_endpoint_mtu(struct dtls_endpoint *ep, size_t mtu);
// Absolute time of the next retransmission or of giving up; MONO_NEVER when nothing waits.
mono_ns dtls_endpoint_deadline(const struct dtls_endpoint *ep);
int dtls_endpoint_tick(struct dtls_endpoint *ep, mono_ns now, const struct dtls_out *out); // -ETIMEDOUT: given up, now FAILED
int dtls_endpoint_close_notify(struct dtls_endpoint *ep, const struct dtls_out *out); // -ENOTCONN before the handshake is through

enum dtls_status dtls_endpoint_status(const struct dtls_endpoint *ep);
enum dtls_failure dtls_endpoint_failure(const struct dtls_endpoint *ep);
enum dtls_fault dtls_failure_fault(enum dtls_failure failure);
const char *dtls_failure_text(enum dtls_failure failure);
const char *dtls_drop_text(enum dtls_drop drop);

// The signalled fingerprints are known now. While HANDSHAKING they are taken up for the certificate to come. PARKED: 0 and
// SECURED if the certificate matches; -EACCES and still PARKED if not (it may be another fork's: the owner decides when to close).
// -EPERM: the list has no usable line. -EALREADY: fingerprints were known before.
int dtls_endpoint_claim(struct dtls_endpoint *ep, const struct dtls_fingerprints *expected);
// Moves the keys out: what we receive with and what we send with. -EAGAIN unless SECURED, -ENODATA the second time.
int dtls_endpoint_take_keys(struct dtls_endpoint *ep, struct dtls_srtp_keys *rx, struct dtls_srtp_keys *tx);
void dtls_srtp_keys_wipe(struct dtls_srtp_keys *keys);

void dtls_endpoint_info(const struct dtls_endpoint *ep, struct dtls_endpoint_info *info);
// The certificate that the peer showed, as SHA-256 for logs: -ENOENT before it did. Also known after a mismatch.
int dtls_endpoint_peer_fingerprint(const struct dtls_endpoint *ep, struct dtls_fingerprint *fp);
