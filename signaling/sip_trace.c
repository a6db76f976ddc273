// SPDX-License-Identifier: GPL-3.0-or-later
// sip_trace.c - from what crosses a socket to the messages of traced calls. Whose a message is, its Call-ID says: a trace knows those
// of its calls, and learns more as calls grow. An INVITE that is waited for is known by its own text, so that one that is refused,
// or comes from nobody's address, is seen as well.
#include "signaling/sip_trace_priv.h"
#include "base/secret.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_raw.h"
#include "signaling/sip_secrets.h"
#include "signaling/sip_stream.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define BUCKETS 256
#define IDS_MAX (SIP_TRACES * SIP_TRACE_CALLS * 4)
#define PIECE_MAX (160u << 10) // of one system call: more than the agent sends or takes at once

struct traced_id { // a Call-ID
	struct traced_id *next;
	uint32_t trace, call;
	uint16_t realm;
	char text[SIP_ID_MAX];
};

struct sip_traces {
	struct sip *sip;
	struct sip_trace_sink sink;
	struct sip_trace_want wants[SIP_TRACES]; // trace 0: free
	unsigned n;
	struct traced_id *ids[BUCKETS];
	unsigned n_ids;
	struct sip_streams *streams; // while n > 0, as the next
	char *piece;
};

struct wire { // where one came
	struct sip_traces *traces;
	struct sip_traced as;
	bool known; // the realm
};

// Call-IDs

static unsigned bucket_of(struct sip_text id)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (uint8_t)id.at[i]) * 16777619u;
	return h % BUCKETS;
}

static struct traced_id *id_find(const struct sip_traces *traces, struct sip_text id)
{
	struct traced_id *at = traces->ids[bucket_of(id)];

	while (at != NULL && !sip_text_is(id, at->text))
		at = at->next;
	return at;
}

static struct traced_id *id_add(struct sip_traces *traces, struct sip_text id, const struct traced_id *as)
{
	struct traced_id *made = traces->n_ids < IDS_MAX && id.len < SIP_ID_MAX && id.len > 0 ? malloc(sizeof(*made)) : NULL;
	unsigned bucket = bucket_of(id);

	if (made == NULL)
		return NULL;
	*made = *as;
	memcpy(made->text, id.at, id.len);
	made->text[id.len] = '\0';
	made->next = traces->ids[bucket];
	traces->ids[bucket] = made;
	traces->n_ids++;
	return made;
}

static void ids_drop(struct sip_traces *traces, uint32_t trace)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		for (struct traced_id **link = &traces->ids[i]; *link != NULL;) {
			struct traced_id *at = *link;

			if (at->trace != trace) {
				link = &at->next;
				continue;
			}
			*link = at->next;
			free(at);
			traces->n_ids--;
		}
	}
}

static struct sip_text text_of(const char *text)
{
	return (struct sip_text){ text, strlen(text) };
}

static struct sip_trace_want *want_of(struct sip_traces *traces, uint32_t trace)
{
	for (unsigned i = 0; i < SIP_TRACES && trace != 0; i++) {
		if (traces->wants[i].trace == trace)
			return &traces->wants[i];
	}
	return NULL;
}

// Messages

static bool word_fits(const char *word, struct sip_text text)
{
	return word[0] == '\0' || sip_text_is(text, word);
}

static bool is_wanted(const struct wire *wire, const struct sip_trace_want *want, struct sip_text from, struct sip_text to,
		      struct sip_text request)
{
	if (want->trace == 0 || want->call != 0 || want->calls == 0)
		return false;
	if (want->realm >= 0 && want->realm != wire->as.realm)
		return false;
	if (want->peer >= 0 && want->peer != sip_peer_by_source(wire->traces->sip->config, wire->as.realm, &wire->as.remote.addr))
		return false;
	return word_fits(want->caller, sip_raw_user(from)) &&
	       (word_fits(want->callee, sip_raw_user(to)) || word_fits(want->callee, sip_raw_user(request)));
}

static bool has_tag(struct sip_text to)
{
	const char *end = to.len > 0 ? memchr(to.at, '>', to.len) : NULL;
	size_t at = end != NULL ? (size_t)(end - to.at) : 0;

	for (; at + 5 <= to.len; at++) {
		if (strncasecmp(to.at + at, ";tag=", 5) == 0)
			return true;
	}
	return false;
}

// An INVITE that begins a call, of theirs, which one of the traces has been waiting for.
static struct traced_id *wanted(const struct wire *wire, const char *text, size_t head, struct sip_text id)
{
	struct sip_traces *traces = wire->traces;
	const char *line = memchr(text, '\n', head);
	struct sip_text from, to, request = { text, line != NULL ? (size_t)(line - text) : 0 };

	if (wire->as.out || !wire->known || request.len < 7 || memcmp(text, "INVITE ", 7) != 0 ||
	    !sip_raw_header(text, head, "From", 'f', &from) || !sip_raw_header(text, head, "To", 't', &to) || has_tag(to))
		return NULL;
	for (unsigned i = 0; i < SIP_TRACES; i++) {
		struct sip_trace_want *want = &traces->wants[i];
		struct traced_id *made;

		if (!is_wanted(wire, want, from, to, request))
			continue;
		made = id_add(traces, id, &(struct traced_id){ .trace = want->trace, .realm = wire->as.realm });
		want->calls -= made != NULL;
		return made;
	}
	return NULL;
}

static void message(void *ctx, char *text, size_t len)
{
	const struct wire *wire = ctx;
	size_t head = sip_raw_head(text, len);
	const struct sip_trace_want *want;
	struct sip_traced m = wire->as;
	const struct traced_id *at;
	struct sip_text id;

	if (!sip_raw_header(text, head, "Call-ID", 'i', &id))
		return;
	at = id_find(wire->traces, id);
	if (at == NULL)
		at = wanted(wire, text, head, id);
	want = at != NULL ? want_of(wire->traces, at->trace) : NULL;
	if (want == NULL)
		return;
	sip_secrets_blank(text, len, want->media == DP_TRACE_ALL);
	m.trace = at->trace;
	m.call = at->call;
	m.realm = at->realm;
	m.text = text;
	m.len = len;
	wire->traces->sink.message(wire->traces->sink.ctx, &m);
}

// Its media from now on, or no more.
static void trace_media(const struct sip_call *call, enum dp_trace what)
{
	if (call->session != 0 && !call->closing)
		media_session_trace(call->sip->media, call->session, call->trace, what);
}

static void begin(struct sip_traces *traces, const struct sip_call *call)
{
	const struct sip_trace_want *want = want_of(traces, call->trace);

	if (want->media != DP_TRACE_NONE)
		trace_media(call, want->media);
	traces->sink.call(traces->sink.ctx, call->trace, call->number, call->session);
}

// Sockets

static bool endpoint_of(struct inet_endpoint *to, int fd, int (*get)(int fd, struct sockaddr *at, socklen_t *len))
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	if (get(fd, (struct sockaddr *)&at, &len) < 0)
		return false;
	inet_endpoint_from_sockaddr(to, (const struct sockaddr *)&at);
	return to->addr.family != INET_NONE;
}

static int name_of_socket(int fd, struct sockaddr *at, socklen_t *len)
{
	return getsockname(fd, at, len);
}

static int name_of_peer(int fd, struct sockaddr *at, socklen_t *len)
{
	return getpeername(fd, at, len);
}

// A connection that we have opened has a port of its own.
static bool realm_of(struct wire *wire)
{
	const struct sip_config *config = wire->traces->sip->config;

	for (size_t r = 0; r < config->n_realms; r++) {
		for (size_t i = 0; i < config->realms[r].n_listeners; i++) {
			const struct sip_listener *l = &config->realms[r].listeners[i];

			if (l->transport != wire->as.transport || !inet_addr_equal(&l->bind.addr, &wire->as.local.addr) ||
			    (l->transport == SIP_UDP && l->bind.port != wire->as.local.port))
				continue;
			wire->as.realm = (uint16_t)r;
			if (l->bind.port == wire->as.local.port)
				return true;
		}
	}
	return false;
}

static size_t gather(char *to, const struct iovec *iov, size_t n, size_t len)
{
	size_t at = 0;

	for (size_t i = 0; i < n && at < len; i++) {
		size_t step = iov[i].iov_len < len - at ? iov[i].iov_len : len - at;

		memcpy(to + at, iov[i].iov_base, step);
		at += step;
	}
	return at;
}

static void on_wire(void *ctx, int fd, bool out, const struct iovec *iov, size_t n, size_t len, const struct sockaddr *at)
{
	struct sip_traces *traces = ctx;
	struct wire wire = { .traces = traces, .as = { .out = out, .time = env_now(traces->sip->env) } };
	int type = 0;
	socklen_t size = sizeof(type);

	if (len > PIECE_MAX || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    !endpoint_of(&wire.as.local, fd, name_of_socket))
		return;
	if (at != NULL)
		inet_endpoint_from_sockaddr(&wire.as.remote, at);
	else if (!endpoint_of(&wire.as.remote, fd, name_of_peer))
		return;
	wire.as.transport = type == SOCK_DGRAM ? SIP_UDP : SIP_TCP;
	wire.known = realm_of(&wire);
	len = gather(traces->piece, iov, n, len);
	if (type == SOCK_DGRAM)
		message(&wire, traces->piece, len);
	else
		sip_stream_feed(traces->streams, &(struct sip_stream_name){ fd, out, wire.as.remote }, traces->piece, len, message,
				&wire);
}

// Begin and end

static void rest(struct sip_traces *traces)
{
	sofia_on_wire(NULL, NULL);
	sip_streams_free(traces->streams);
	traces->streams = NULL;
	if (traces->piece != NULL)
		secret_wipe(traces->piece, PIECE_MAX);
	free(traces->piece);
	traces->piece = NULL;
}

static int look(struct sip_traces *traces)
{
	traces->streams = sip_streams_new();
	traces->piece = malloc(PIECE_MAX);
	if (traces->streams == NULL || traces->piece == NULL) {
		rest(traces);
		return -ENOSPC;
	}
	sofia_on_wire(on_wire, traces);
	return 0;
}

static struct sip_call *call_named(const struct sip *sip, uint32_t number)
{
	struct sip_call *call = sip->calls;

	while (call != NULL && call->number != number)
		call = call->next;
	return call;
}

static bool is_traced(struct sip_traces *traces, const struct sip_call *call)
{
	return want_of(traces, call->trace) != NULL;
}

int sip_trace_take(struct sip *sip, const struct sip_trace_want *want)
{
	struct sip_traces *traces = sip->traces;
	struct sip_call *call = want->call != 0 ? call_named(sip, want->call) : NULL;
	unsigned i = 0;

	if (want->call != 0 && call == NULL)
		return -ENOENT;
	if (call != NULL && is_traced(traces, call))
		return -EALREADY;
	while (i < SIP_TRACES && traces->wants[i].trace != 0)
		i++;
	if (i == SIP_TRACES || want->trace == 0 || (traces->n == 0 && look(traces) < 0))
		return -ENOSPC;
	traces->wants[i] = *want;
	traces->n++;
	if (call == NULL)
		return 0;
	call->trace = want->trace;
	for (struct sip_dialog *d = call->dialogs; d != NULL; d = d->next)
		sip_trace_dialog(d);
	begin(traces, call);
	return 0;
}

void sip_trace_drop(struct sip *sip, uint32_t trace)
{
	struct sip_traces *traces = sip->traces;
	struct sip_trace_want *want = want_of(traces, trace);

	if (want == NULL)
		return;
	for (const struct sip_call *call = sip->calls; call != NULL && want->media != DP_TRACE_NONE; call = call->next) {
		if (call->trace == trace)
			trace_media(call, DP_TRACE_NONE);
	}
	want->trace = 0;
	ids_drop(traces, trace);
	if (--traces->n == 0)
		rest(traces);
}

void sip_trace_dialog(struct sip_dialog *d)
{
	struct sip_traces *traces = d->sip->traces;
	struct sip_call *call = d->call;
	struct traced_id *at;

	if (traces == NULL || traces->n == 0 || call == NULL)
		return;
	at = id_find(traces, text_of(d->call_id));
	if (at != NULL && at->call == 0)
		at->call = call->number;
	if (at != NULL && !is_traced(traces, call)) {
		call->trace = at->trace;
		begin(traces, call);
	} else if (at == NULL && is_traced(traces, call)) {
		id_add(traces, text_of(d->call_id),
		       &(struct traced_id){ .trace = call->trace, .call = call->number, .realm = d->realm });
	}
}

void sip_trace_session(struct sip_call *call)
{
	struct sip_traces *traces = call->sip->traces;

	if (traces != NULL && traces->n > 0 && is_traced(traces, call))
		begin(traces, call);
}

void sip_trace_over(const struct sip_call *call)
{
	struct sip_traces *traces = call->sip->traces;

	if (traces != NULL && traces->n > 0 && is_traced(traces, call))
		traces->sink.over(traces->sink.ctx, call->trace, call->number);
}

int sip_traces_open(struct sip *sip, const struct sip_trace_sink *sink)
{
	if (sink == NULL)
		return 0;
	sip->traces = calloc(1, sizeof(*sip->traces));
	if (sip->traces == NULL)
		return -ENOMEM;
	sip->traces->sip = sip;
	sip->traces->sink = *sink;
	return 0;
}

void sip_traces_close(struct sip *sip)
{
	for (unsigned i = 0; sip->traces != NULL && i < SIP_TRACES; i++)
		sip_trace_drop(sip, sip->traces->wants[i].trace);
	free(sip->traces);
	sip->traces = NULL;
}
