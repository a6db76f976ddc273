// SPDX-License-Identifier: GPL-3.0-or-later
// http_server.h - HTTP/1.1 on one listening socket and one libevent loop. Every phase of a connection has an end in time that
// no octet puts off: its head, its body, its answer's way out. The number of connections is bounded; at the bound the one that
// has kept us waiting longest gives way, and if nobody keeps us waiting, accepting pauses.
// Who has no right to ask sends no body: the head is judged before a body is read.
#pragma once
#include "base/clock.h"
#include "base/counter.h"
#include "base/inet.h"
#include "gateway/admin/http_request.h"

struct event_base;
struct tls_setup;
struct http_server;
struct http_exchange; // one request and its answer; owned by the server

struct http_limits {
	unsigned connections; // at a time
	unsigned shake_ms;    // from accept to the end of a TLS handshake
	unsigned head_ms;     // from accept, or from the answer before, to the end of the head
	unsigned body_ms;     // from there to the end of the body
	unsigned answer_ms;   // from the answer's first octet to its last; of a stream, for what waits to be sent
};
extern const struct http_limits http_limits_default;

struct http_counts { // by the loop's thread alone
	_Atomic uint64_t connections, open; // open is a gauge
	_Atomic uint64_t evicted, late, malformed, unshaken, cut; // ended early; unshaken: TLS handshakes that failed; cut: streams that were not read in time
};

struct http_server_start {
	struct event_base *base;
	int listener; // non-blocking; the server's from now on
	struct tls_setup *tls; // NULL: in clear
	struct http_limits limits;
	// The head is there. 0: go on; else it has been answered.
	int (*head)(void *ctx, struct http_exchange *x);
	// All is there: answer now, or later after http_defer().
	void (*request)(void *ctx, struct http_exchange *x);
	void *ctx;
};

int http_server_open(struct http_server **serverp, const struct http_server_start *start);
void http_server_close(struct http_server *server); // what is deferred hears that it is gone; NULL is fine
void http_server_secure(struct http_server *server, struct tls_setup *tls); // connections to come; what is under way goes on
const struct http_counts *http_server_counts(const struct http_server *server);

const struct http_request *http_exchange_request(const struct http_exchange *x);
const char *http_exchange_body(const struct http_exchange *x, size_t *len);
void http_exchange_wipe_body(struct http_exchange *x); // it was a secret; afterwards it is zeros
bool http_exchange_peer_is(const struct http_exchange *x, const char *name); // by its certificate; see tls_stream_peer_is()
const char *http_exchange_source(const struct http_exchange *x); // for the log: an endpoint, or "unix"

struct http_answer {
	int status;
	const char *type;    // of the body; NULL: none
	const char *headers; // more, whole lines with CRLF; NULL: none
	const char *body;
	size_t len;
	bool close; // the connection ends with it
};
void http_reply(struct http_exchange *x, const struct http_answer *answer); // x is gone

// The answer comes later, or is a stream: `gone` is called if the client leaves before. Not called once http_reply() was.
void http_defer(struct http_exchange *x, void (*gone)(void *arg), void *arg);
// An answer without an end, after http_defer(). What is sent waits in memory, up to a bound; a client that does not keep up
// is closed: `gone`.
void http_stream_begin(struct http_exchange *x, const char *type);
void http_stream_send(struct http_exchange *x, const char *text, size_t len);
