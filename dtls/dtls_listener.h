// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_listener.h - DTLS from addresses that nothing has proven yet (legs without ICE): a cookie first, state after.
//
// Until a ClientHello brings our cookie back, a peer draws at most one HelloVerifyRequest or HelloRetryRequest, never more
// bytes than it sent, and no timer. All that is remembered is a fixed table of half-received ClientHellos: four a port, 1,024
// in all, 4 KiB and 2 s each, the oldest overwritten.
#pragma once
#include "dtls/dtls_endpoint.h"

struct dtls_listener;

// The secrets behind the cookies, shared by the listeners and endpoints of a process; internally locked. A new one
// every period; the last one is still honoured, so a cookie lives between one and two periods.
int dtls_cookie_open(struct dtls_cookie **cookiep, const struct env *env, mono_ns period); // 0: 60 s
void dtls_cookie_close(struct dtls_cookie *cookie);

// X(NAME, word, text)
#define DTLS_LISTENER_DROPS(X)                                                                  \
	X(NOT_HELLO, "not_hello", "no ClientHello from an unproven address")                    \
	X(MALFORMED, "malformed", "ClientHello malformed or too long")                          \
	X(NO_VERSION, "no_version", "ClientHello without a DTLS version or cipher that we do")  \
	X(BAD_COOKIE, "bad_cookie", "cookie not ours, or of another address")                   \
	X(TOO_LONG, "too_long", "answer longer than the question")                              \
	X(OVERWRITTEN, "overwritten", "half-received ClientHello gave way to another")          \
	X(REFUSED, "refused", "refused by the TLS library")

#define X(name, word, text) DTLS_LISTENER_DROP_##name,
enum dtls_listener_drop { DTLS_LISTENER_KEPT, DTLS_LISTENER_DROPS(X) DTLS_LISTENER_DROP_COUNT };
#undef X

struct dtls_listener_config {
	struct dtls_identity *identity; // referenced
	const struct env *env;
	struct dtls_cookie *cookie; // outlives the listener
	enum dtls_version min_version, max_version;
	uint16_t mtu;
};

struct dtls_proof {
	const void *datagram; // the merged ClientHello; valid until the next call with the same listener
	size_t len;
	uint64_t cookie_generation;
	enum dtls_listener_drop drop; // why there is none; KEPT: answered, or more must come
};

struct dtls_listener_info {
	uint64_t datagrams_in, bytes_in, answers_out, bytes_out, proven;
	uint64_t drops[DTLS_LISTENER_DROP_COUNT];
};

// One a thread.
int dtls_listener_open(struct dtls_listener **lp, const struct dtls_listener_config *config);
void dtls_listener_close(struct dtls_listener *l);

// Feeds a datagram of an unproven peer. `port` names the leg transport, `peer` is the address as in dtls_endpoint_config.
// 0: nothing more to do (kept, answered through out, or dropped, counted and named in the proof).
// 1: the address is proven: open an endpoint with the same cookie and peer and the proof's generation, and feed it the
//    proof's datagram, which it checks again.
int dtls_listener_input(struct dtls_listener *l, uint64_t port, const void *peer, size_t peer_len, const void *datagram,
			size_t len, const struct dtls_out *out, struct dtls_proof *proof);
bool dtls_is_hello(const void *datagram, size_t len); // begins with a ClientHello, or a piece of one
void dtls_listener_info(const struct dtls_listener *l, struct dtls_listener_info *info);
const char *dtls_listener_drop_word(enum dtls_listener_drop drop); // "bad_cookie"
const char *dtls_listener_drop_text(enum dtls_listener_drop drop);
