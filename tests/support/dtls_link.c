// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_link.c - two DTLS endpoints and the wire between them, under a fake clock.
#include "tests/support/dtls_link.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static mono_ns link_now(void *ctx)
{
	return ((struct dtls_link *)ctx)->now;
}

static int link_random(void *ctx, uint8_t *dst, size_t len)
{
	struct dtls_link *l = ctx;

	for (size_t i = 0; i < len; i++) {
		l->seed = l->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		dst[i] = (uint8_t)(l->seed >> 56);
	}
	return 0;
}

static void link_send(void *ctx, const uint8_t *datagram, size_t len)
{
	struct link_port *port = ctx;
	struct dtls_link *l = port->link;
	struct link_queue *q = &l->to[!port->from];

	assert(len <= LINK_DATAGRAM);
	l->sent[port->from]++;
	l->bytes[port->from] += len;
	if (len > l->longest[port->from])
		l->longest[port->from] = len;
	if (q->n == LINK_QUEUE)
		return; // lost, as on any wire
	q->d[q->n].len = len;
	memcpy(q->d[q->n++].bytes, datagram, len);
}

struct dtls_link *link_new(enum dtls_version min, enum dtls_version max)
{
	struct dtls_link *l = calloc(1, sizeof(*l));

	assert(l != NULL);
	l->now = MONO_S(1000);
	l->seed = 1;
	l->env = (struct env){ link_now, link_random, l };
	for (int end = CLIENT; end <= SERVER; end++) {
		int err = dtls_identity_make(&l->identity[end], 30);

		assert(err == 0);
		l->port[end] = (struct link_port){ l, end };
		l->out[end] = (struct dtls_out){ link_send, &l->port[end] };
		l->config[end] = (struct dtls_endpoint_config){
			.identity = l->identity[end],
			.env = &l->env,
			.role = end == CLIENT ? DTLS_ACTIVE : DTLS_PASSIVE,
			.min_version = min,
			.max_version = max,
		};
	}
	return l;
}

void link_open(struct dtls_link *l)
{
	for (int end = CLIENT; end <= SERVER; end++) {
		int err = dtls_endpoint_open(&l->end[end], &l->config[end]);

		assert(err == 0);
	}
}

void link_free(struct dtls_link *l)
{
	if (l == NULL)
		return;
	for (int end = CLIENT; end <= SERVER; end++) {
		dtls_endpoint_close(l->end[end]);
		dtls_identity_unref(l->identity[end]);
	}
	free(l);
}

void link_expect(const struct dtls_link *l, int of, struct dtls_fingerprints *list, enum dtls_hash hash)
{
	*list = (struct dtls_fingerprints){ .n = 1 };
	list->list[0] = *dtls_identity_fingerprint(l->identity[of], hash);
}

struct dtls_link *link_expecting(enum dtls_version version)
{
	struct dtls_link *l = link_new(version, version);
	struct dtls_fingerprints lists[2]; // copied as the endpoints are made

	for (int end = CLIENT; end <= SERVER; end++) {
		link_expect(l, !end, &lists[end], DTLS_HASH_SHA256);
		l->config[end].expected = &lists[end];
	}
	link_open(l);
	l->config[CLIENT].expected = l->config[SERVER].expected = NULL;
	return l;
}

int link_deliver(struct dtls_link *l, int to)
{
	struct link_queue *q = malloc(sizeof(*q)); // what is sent meanwhile waits for the next round
	int err = 0;

	assert(q != NULL);
	*q = l->to[to];
	l->to[to].n = 0;
	for (size_t i = 0; i < q->n; i++) {
		int e = dtls_endpoint_input(l->end[to], q->d[i].bytes, q->d[i].len, &l->out[to]);

		if (e < 0)
			err = e;
	}
	free(q);
	return err;
}

void link_pass(struct dtls_link *l)
{
	for (int i = 0; i < 100 && (l->to[CLIENT].n > 0 || l->to[SERVER].n > 0); i++) {
		link_deliver(l, SERVER);
		link_deliver(l, CLIENT);
	}
}

void link_tick(struct dtls_link *l)
{
	for (int end = CLIENT; end <= SERVER; end++)
		if (dtls_endpoint_deadline(l->end[end]) <= l->now)
			dtls_endpoint_tick(l->end[end], l->now, &l->out[end]);
}

mono_ns link_deadline(const struct dtls_link *l)
{
	mono_ns a = dtls_endpoint_deadline(l->end[CLIENT]), b = dtls_endpoint_deadline(l->end[SERVER]);

	return a < b ? a : b;
}

bool link_wait(struct dtls_link *l, mono_ns span)
{
	mono_ns end = l->now + span;
	bool any = false;

	while (link_deadline(l) <= end) {
		if (link_deadline(l) > l->now)
			l->now = link_deadline(l);
		link_tick(l);
		any = true;
	}
	l->now = end;
	return any;
}

void link_run(struct dtls_link *l)
{
	dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
	link_pass(l);
	while (link_deadline(l) != MONO_NEVER) {
		if (link_deadline(l) > l->now)
			l->now = link_deadline(l);
		link_tick(l);
		link_pass(l);
	}
}

void link_discard(struct dtls_link *l, int to)
{
	l->to[to].n = 0;
}
