// SPDX-License-Identifier: GPL-3.0-or-later
// http_server.c - connections, their phases and their ends.
#include "gateway/admin/http_server.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/secret.h"
#include "dtls/tls_stream.h"
#include "gateway/admin/http_wire.h"
#include "gateway/event_drop.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAG "admin"
#define READ_STEP 16384
#define STREAM_MAX (1u << 20) // octets that a slow reader may leave with us
#define LINGER_MS 1000          // for a client to see our last word before its unread octets reset the connection
#define ACCEPT_AT_ONCE 16
#define UNSHAKEN_LINES 5 // a second

const struct http_limits http_limits_default = {
	.connections = 256, .shake_ms = 10000, .head_ms = 10000, .body_ms = 30000, .answer_ms = 30000,
};

enum phase { PHASE_SHAKE, PHASE_HEAD, PHASE_BODY, PHASE_HANDLED, PHASE_ANSWER, PHASE_STREAM, PHASE_LINGER };

struct http_exchange { // a connection; it has one request at a time
	TAILQ_ENTRY(http_exchange) entry;
	struct http_server *server;
	struct http_wire wire;
	enum phase phase;
	struct event *on_read, *on_write, *on_deadline;
	struct evbuffer *in, *out;
	struct http_request request;
	size_t head_len, used; // used: octets of the request that is being answered
	bool ends;             // after this answer
	bool cut;              // a stream that was not read in time: nothing more goes out
	void (*gone)(void *arg);
	void *gone_arg;
	char source[INET_ENDPOINT_STRLEN];
};
TAILQ_HEAD(exchange_list, http_exchange);

struct http_server {
	struct http_server_start start;
	struct event *on_accept;
	struct exchange_list waiting; // for the client's octets, longest first
	struct exchange_list busy;
	unsigned n_open;
	bool paused;
	struct http_counts counts;
	struct log_limit unshaken; // of the log
};

static bool is_waiting(enum phase phase)
{
	return phase == PHASE_SHAKE || phase == PHASE_HEAD || phase == PHASE_BODY || phase == PHASE_LINGER;
}

static struct exchange_list *list_of(struct http_server *server, enum phase phase)
{
	return is_waiting(phase) ? &server->waiting : &server->busy;
}

static void enter(struct http_exchange *x, enum phase phase, unsigned deadline_ms)
{
	struct timeval tv = { .tv_sec = deadline_ms / 1000, .tv_usec = (suseconds_t)(deadline_ms % 1000) * 1000 };

	TAILQ_REMOVE(list_of(x->server, x->phase), x, entry);
	x->phase = phase;
	TAILQ_INSERT_TAIL(list_of(x->server, phase), x, entry);
	if (deadline_ms > 0)
		event_add(x->on_deadline, &tv);
	else
		event_del(x->on_deadline);
}

static void exchange_free(struct http_exchange *x)
{
	event_drop(x->on_read);
	event_drop(x->on_write);
	event_drop(x->on_deadline);
	if (x->in != NULL)
		evbuffer_free(x->in);
	if (x->out != NULL)
		evbuffer_free(x->out);
	http_wire_close(&x->wire);
	secret_wipe(&x->request, sizeof(x->request)); // a token
	free(x);
}

static void exchange_end(struct http_exchange *x)
{
	struct http_server *server = x->server;
	void (*gone)(void *arg) = x->gone;
	void *arg = x->gone_arg;

	TAILQ_REMOVE(list_of(server, x->phase), x, entry);
	exchange_free(x);
	server->n_open--;
	counter_set(&server->counts.open, server->n_open);
	if (server->paused) {
		server->paused = false;
		event_add(server->on_accept, NULL);
	}
	if (gone != NULL)
		gone(arg);
}

static void deadline(evutil_socket_t fd, short what, void *arg)
{
	struct http_exchange *x = arg;

	if (x->phase == PHASE_STREAM)
		counter_add(&x->server->counts.cut, 1);
	else if (x->phase != PHASE_LINGER && (x->phase != PHASE_HEAD || evbuffer_get_length(x->in) > 0))
		counter_add(&x->server->counts.late, 1); // a client that has nothing to ask any more is not late
	exchange_end(x);
}

// Answers

static const char *status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 406, "Not Acceptable" },
		{ 409, "Conflict" }, { 412, "Precondition Failed" }, { 413, "Content Too Large" }, { 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" }, { 417, "Expectation Failed" }, { 422, "Unprocessable Content" },
		{ 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 503, "Service Unavailable" }, { 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "Unknown";
}

static void write_head(struct http_exchange *x, int status, const char *type, const char *more, ssize_t len)
{
	evbuffer_add_printf(x->out, "HTTP/1.1 %d %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n", status,
			    status_text(status));
	if (type != NULL)
		evbuffer_add_printf(x->out, "Content-Type: %s\r\n", type);
	if (len >= 0 && status != 204)
		evbuffer_add_printf(x->out, "Content-Length: %zd\r\n", len);
	if (x->ends)
		evbuffer_add_printf(x->out, "Connection: close\r\n");
	evbuffer_add_printf(x->out, "%s\r\n", more != NULL ? more : "");
}

static void answered(struct http_exchange *x)
{
	if (!x->ends) {
		enter(x, PHASE_HEAD, x->server->start.limits.head_ms);
		event_add(x->on_read, NULL);
		if (evbuffer_get_length(x->in) > 0)
			event_active(x->on_read, EV_TIMEOUT, 0); // the next one came with this one
		return;
	}
	http_wire_end(&x->wire);
	enter(x, PHASE_LINGER, LINGER_MS);
	event_add(x->on_read, NULL);
}

static void flush(struct http_exchange *x)
{
	while (evbuffer_get_length(x->out) > 0) {
		ssize_t n = http_wire_write(&x->wire, x->out);

		if (n == -EAGAIN || n == -EINTR) {
			event_add(x->on_write, NULL);
			return;
		}
		if (n <= 0) {
			exchange_end(x);
			return;
		}
	}
	if (x->phase == PHASE_STREAM && !x->cut)
		event_del(x->on_deadline);
	else if (x->phase == PHASE_ANSWER)
		answered(x);
}

static void writable(evutil_socket_t fd, short what, void *arg)
{
	struct http_exchange *x = arg;

	if (http_wire_reads_on_write(&x->wire))
		event_active(x->on_read, EV_READ, 0);
	if (x->phase != PHASE_SHAKE)
		flush(x);
}

void http_reply(struct http_exchange *x, const struct http_answer *answer)
{
	bool bare = x->request.method == HTTP_HEAD || answer->status == 204;

	x->gone = NULL;
	x->ends = x->ends || answer->close || !x->request.keep_alive || x->phase < PHASE_HANDLED;
	write_head(x, answer->status, answer->type, answer->headers, (ssize_t)answer->len);
	if (!bare && answer->len > 0)
		evbuffer_add(x->out, answer->body, answer->len);
	secret_wipe(&x->request, sizeof(x->request));
	enter(x, PHASE_ANSWER, x->server->start.limits.answer_ms);
	event_del(x->on_read);
	event_active(x->on_write, EV_WRITE, 0); // never from within a caller that still looks at x
}

void http_defer(struct http_exchange *x, void (*gone)(void *arg), void *arg)
{
	x->gone = gone;
	x->gone_arg = arg;
	event_add(x->on_read, NULL); // hears that the client leaves
}

void http_stream_begin(struct http_exchange *x, const char *type)
{
	x->ends = true;
	write_head(x, 200, type, NULL, -1);
	secret_wipe(&x->request, sizeof(x->request));
	enter(x, PHASE_STREAM, x->server->start.limits.answer_ms);
	event_active(x->on_write, EV_WRITE, 0);
}

void http_stream_send(struct http_exchange *x, const char *text, size_t len)
{
	struct timeval now = { 0 };

	if (x->cut)
		return;
	if (evbuffer_get_length(x->out) + len > STREAM_MAX) {
		x->cut = true; // what follows must not hide the hole
		event_add(x->on_deadline, &now); // ends it, from the loop
		return;
	}
	if (evbuffer_get_length(x->out) == 0)
		enter(x, PHASE_STREAM, x->server->start.limits.answer_ms);
	evbuffer_add(x->out, text, len);
	event_active(x->on_write, EV_WRITE, 0);
}

// detail: NULL, or ours.
static void refuse(struct http_exchange *x, int status, const char *detail)
{
	char body[192];
	int len = snprintf(body, sizeof(body), "{\"title\": \"%s\", \"status\": %d%s%s%s}\n", status_text(status), status,
			   detail != NULL ? ", \"detail\": \"" : "", detail != NULL ? detail : "", detail != NULL ? "\"" : "");

	counter_add(&x->server->counts.malformed, 1);
	x->request.method = HTTP_GET; // it may not have come so far
	x->ends = true;
	http_reply(x, &(struct http_answer){ .status = status, .type = "application/problem+json", .body = body,
					     .len = (size_t)len, .close = true });
}

// Requests

static void take_body(struct http_exchange *x)
{
	if (evbuffer_get_length(x->in) < x->head_len + x->request.content_length)
		return;
	x->used = x->head_len + (size_t)x->request.content_length;
	enter(x, PHASE_HANDLED, 0);
	event_del(x->on_read);
	x->server->start.request(x->server->start.ctx, x);
}

static void take_head(struct http_exchange *x)
{
	size_t len = evbuffer_get_length(x->in);
	int n = http_request_parse(&x->request, (const char *)evbuffer_pullup(x->in, -1), len);

	if (n < 0) {
		refuse(x, -n, NULL);
		return;
	}
	if (n == 0)
		return;
	x->head_len = (size_t)n;
	if (x->server->start.head(x->server->start.ctx, x) != 0)
		return;
	enter(x, PHASE_BODY, x->server->start.limits.body_ms);
	if (x->request.expects_continue && x->request.content_length > len - x->head_len) {
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

		evbuffer_add(x->out, go_on, sizeof(go_on) - 1); // the first octets of this answer
		event_active(x->on_write, EV_WRITE, 0);
	}
	take_body(x);
}

static void take_input(struct http_exchange *x)
{
	if (x->phase == PHASE_HEAD && x->used > 0) { // of the request before
		evbuffer_drain(x->in, x->used);
		x->used = 0;
	}
	if (x->phase == PHASE_HEAD && evbuffer_get_length(x->in) > 0)
		take_head(x);
	else if (x->phase == PHASE_BODY)
		take_body(x);
	else if (x->phase == PHASE_LINGER || x->phase == PHASE_STREAM)
		evbuffer_drain(x->in, evbuffer_get_length(x->in));
}

static void begin(struct http_exchange *x)
{
	enter(x, PHASE_HEAD, x->server->start.limits.head_ms);
	event_add(x->on_read, NULL);
}

static void log_unshaken(struct http_exchange *x)
{
	uint64_t left_out;

	if (log_limit_pass(&x->server->unshaken, clock_now(), UNSHAKEN_LINES, &left_out))
		log_warning(TAG, "TLS handshake failed", LOG_STR("source", x->source), LOG_STR("cause", tls_stream_failure(x->wire.tls)),
			    LOG_UINT("left_out", left_out));
}

static void shake(struct http_exchange *x)
{
	int err = http_wire_handshake(&x->wire);

	if (err == 0) {
		begin(x);
		event_active(x->on_read, EV_READ, 0); // the library may have the request already
	} else if (err == -ENOTTY) {
		http_wire_clear(&x->wire);
		refuse(x, 400, "this port speaks TLS: ask for https");
	} else if (err == -EAGAIN) {
		if (http_wire_reads_on_write(&x->wire))
			event_add(x->on_write, NULL);
	} else {
		counter_add(&x->server->counts.unshaken, 1);
		log_unshaken(x);
		exchange_end(x);
	}
}

static void readable(evutil_socket_t fd, short what, void *arg)
{
	struct http_exchange *x = arg;
	size_t bound = HTTP_HEAD_MAX + HTTP_BODY_MAX;
	ssize_t n;

	if (x->phase == PHASE_SHAKE) {
		shake(x);
		return;
	}
	if ((what & EV_READ) != 0) {
		if (evbuffer_get_length(x->in) >= bound) { // it sends on while its answer is being made
			event_del(x->on_read);
			return;
		}
		n = http_wire_read(&x->wire, x->in, READ_STEP);
		if ((n == -EAGAIN || n == -EINTR) && http_wire_reads_on_write(&x->wire))
			event_add(x->on_write, NULL);
		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n <= 0) {
			exchange_end(x);
			return;
		}
	}
	take_input(x);
}

// Connections

static void name_source(struct http_exchange *x, const struct sockaddr *from)
{
	struct inet_endpoint at;

	snprintf(x->source, sizeof(x->source), "unix");
	if (from->sa_family != AF_INET && from->sa_family != AF_INET6)
		return;
	inet_endpoint_from_sockaddr(&at, from);
	inet_endpoint_print(x->source, &at);
}

static void exchange_open(struct http_server *server, int fd, const struct sockaddr *from)
{
	struct http_exchange *x = calloc(1, sizeof(*x));
	int one = 1;

	if (x == NULL) {
		close(fd);
		return;
	}
	x->server = server;
	if (http_wire_open(&x->wire, fd, server->start.tls) < 0) {
		http_wire_close(&x->wire);
		free(x);
		return;
	}
	x->phase = PHASE_HEAD;
	x->in = evbuffer_new();
	x->out = evbuffer_new();
	x->on_read = event_new(server->start.base, fd, EV_READ | EV_PERSIST, readable, x);
	x->on_write = event_new(server->start.base, fd, EV_WRITE, writable, x);
	x->on_deadline = event_new(server->start.base, -1, 0, deadline, x);
	if (x->in == NULL || x->out == NULL || x->on_read == NULL || x->on_write == NULL || x->on_deadline == NULL) {
		exchange_free(x);
		return;
	}
	name_source(x, from);
	if (from->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	TAILQ_INSERT_TAIL(&server->waiting, x, entry);
	server->n_open++;
	counter_add(&server->counts.connections, 1);
	counter_set(&server->counts.open, server->n_open);
	if (server->start.tls == NULL) {
		begin(x);
		return;
	}
	enter(x, PHASE_SHAKE, server->start.limits.shake_ms);
	event_add(x->on_read, NULL);
}

static bool is_full(const struct http_server *server)
{
	return server->n_open >= server->start.limits.connections;
}

static void acceptable(evutil_socket_t listener, short what, void *arg)
{
	struct http_server *server = arg;

	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage from = { .ss_family = AF_UNIX };
		socklen_t len = sizeof(from);
		int fd;

		if (is_full(server) && TAILQ_EMPTY(&server->waiting)) { // nobody can give way
			event_del(server->on_accept);
			server->paused = true;
			return;
		}
		fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return; // none left, or one that left again
		if (is_full(server)) {
			counter_add(&server->counts.evicted, 1);
			exchange_end(TAILQ_FIRST(&server->waiting));
		}
		exchange_open(server, fd, (struct sockaddr *)&from);
	}
}

int http_server_open(struct http_server **serverp, const struct http_server_start *start)
{
	struct http_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return -ENOMEM;
	server->start = *start;
	if (start->tls != NULL)
		tls_setup_ref(start->tls);
	TAILQ_INIT(&server->waiting);
	TAILQ_INIT(&server->busy);
	server->on_accept = event_new(start->base, start->listener, EV_READ | EV_PERSIST, acceptable, server);
	if (server->on_accept == NULL || event_add(server->on_accept, NULL) < 0) {
		event_drop(server->on_accept);
		tls_setup_unref(server->start.tls);
		free(server);
		return -ENOMEM;
	}
	*serverp = server;
	return 0;
}

void http_server_close(struct http_server *server)
{
	struct http_exchange *x;

	if (server == NULL)
		return;
	event_free(server->on_accept);
	server->paused = false;
	server->on_accept = NULL;
	while ((x = TAILQ_FIRST(&server->waiting)) != NULL || (x = TAILQ_FIRST(&server->busy)) != NULL)
		exchange_end(x);
	close(server->start.listener);
	tls_setup_unref(server->start.tls);
	free(server);
}

void http_server_secure(struct http_server *server, struct tls_setup *tls)
{
	tls_setup_unref(server->start.tls);
	server->start.tls = tls_setup_ref(tls);
}

const struct http_counts *http_server_counts(const struct http_server *server)
{
	return &server->counts;
}

const struct http_request *http_exchange_request(const struct http_exchange *x)
{
	return &x->request;
}

const char *http_exchange_body(const struct http_exchange *x, size_t *len)
{
	*len = (size_t)x->request.content_length;
	return (const char *)evbuffer_pullup(x->in, -1) + x->head_len;
}

void http_exchange_wipe_body(struct http_exchange *x)
{
	secret_wipe(evbuffer_pullup(x->in, -1) + x->head_len, (size_t)x->request.content_length);
}

bool http_exchange_peer_is(const struct http_exchange *x, const char *name)
{
	return x->wire.tls != NULL && tls_stream_peer_is(x->wire.tls, name);
}

const char *http_exchange_source(const struct http_exchange *x)
{
	return x->source;
}
