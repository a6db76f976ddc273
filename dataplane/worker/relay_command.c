// SPDX-License-Identifier: GPL-3.0-or-later
// relay_command.c - what control asks for, applied between bursts. A crash in the middle has the command applied again:
// each one leads to the same state from wherever the first try ended.
#include "base/clock.h"
#include "dataplane/worker/relay.h"
#include <string.h>
#include "dataplane/fastpath.h"

static struct dp_transport *transport_of(struct relay_worker *w, struct dp_ref ref)
{
	struct dp_transport *tp = transport_named(w->relay, ref);

	return tp != NULL && transport_worker(tp) == w->id && tp->state == DP_STATE_PUBLISHED ? tp : NULL;
}

static void on_path(struct relay_worker *w, struct dp_transport *tp, uint32_t index, const struct dp_path *path)
{
	bool moved = !inet_endpoint_equal(&tp->path.remote, &path->remote);

	transport_write_begin(tp);
	tp->path = *path;
	if (moved)
		tp->out.path_serial++;
	transport_write_end(tp);
	nexthop_dirty(w->relay->hops, index);
	w->keeper_wants_wake = true;
}

static void on_extensions(struct relay_worker *w, struct dp_transport *tp, const struct dp_extensions *extensions)
{
	static const uint8_t none[sizeof(extensions->encrypted)];
	bool encrypted = memcmp(extensions->encrypted, none, sizeof(none)) != 0;

	transport_write_begin(tp);
	rare_of(w->relay, tp)->extensions = *extensions;
	tp->work = (uint8_t)((tp->work & (DP_WORK_EPOCH | DP_WORK_TRACE | DP_WORK_TRACE_ALL)) |
			     (extensions->mode != DP_EXTENSION_PASS ? DP_WORK_CHOOSE : 0) |
			     (encrypted ? DP_WORK_ENCRYPT : 0) | (extensions->cryptex ? DP_WORK_CRYPTEX : 0));
	transport_write_end(tp);
}

static void on_trace(struct dp_transport *tp, uint32_t trace)
{
	transport_write_begin(tp);
	tp->work &= (uint8_t)~(DP_WORK_TRACE | DP_WORK_TRACE_ALL);
	if (trace == DP_TRACE_HEADERS || trace == DP_TRACE_ALL)
		tp->work |= DP_WORK_TRACE;
	if (trace == DP_TRACE_ALL)
		tp->work |= DP_WORK_TRACE_ALL;
	transport_write_end(tp);
}

static void on_edges(struct dp_transport *tp, const struct dp_edge *edges, uint32_t n)
{
	transport_write_begin(tp);
	tp->n_edges = 0;
	for (uint32_t i = 0; i < n && i < DP_EDGES_MAX; i++)
		tp->edges[tp->n_edges++] = edges[i];
	transport_write_end(tp);
}

// Security only rises: what was secured once never speaks plain again.
static void on_secure(struct relay_worker *w, struct dp_transport *tp, uint32_t security)
{
	if (security != DP_PLAIN && security != DP_SRTP)
		return;
	if (tp->security == DP_SRTP)
		return;
	transport_write_begin(tp);
	streams_release(w, tp, 0); // what plain packets bound
	tp->security = (uint8_t)security;
	transport_write_end(tp);
}

static bool on_move(struct relay_worker *w, uint32_t to, const uint8_t *body, size_t body_len)
{
	struct dp_ref refs[DP_MOVE_MAX];
	size_t n = body_len / sizeof(refs[0]);

	if (n > DP_MOVE_MAX || to >= DP_WORKERS_MAX)
		return true;
	memcpy(refs, body, n * sizeof(refs[0]));
	return relay_move(w, (uint16_t)to, refs, (uint32_t)n);
}

// False: it cannot be done yet, and is the next one again.
static bool command_apply(struct relay_worker *w, const struct dp_command *c, const uint8_t *body, size_t body_len)
{
	struct dp_transport *tp;

	if (c->kind == DP_COMMAND_PUBLISH)
		return transport_publish(w, c->transport, &c->publish);
	if (c->kind == DP_COMMAND_MOVE)
		return on_move(w, c->move_to, body, body_len);
	if (c->kind == DP_COMMAND_REMOVE)
		return transport_remove(w, c->transport);
	tp = transport_of(w, c->transport);
	if (tp == NULL)
		return true;
	switch (c->kind) {
	case DP_COMMAND_SECURE: on_secure(w, tp, c->secure); break;
	case DP_COMMAND_PATH: on_path(w, tp, c->transport.index, &c->path); break;
	case DP_COMMAND_KEYS: keys_install(w, tp, c->transport, &c->keys); break;
	case DP_COMMAND_RETIRE: keys_retire(w, tp, c->retire.direction, c->retire.below_epoch); break;
	case DP_COMMAND_EXTENSIONS: on_extensions(w, tp, &c->extensions); break;
	case DP_COMMAND_EDGES: on_edges(tp, c->edges.list, c->edges.n); break;
	case DP_COMMAND_TRACE: on_trace(tp, c->trace); break;
	case DP_COMMAND_SEND: relay_answer(w, c->transport.index, &c->send.to, &c->send.by, body, body_len); break;
	default: break;
	}
	return true;
}

static bool command_next(struct relay_worker *w)
{
	const void *message;
	bool through = true;
	size_t len;

	if (byte_ring_peek(&w->commands, &message, &len) != 0)
		return false;
	if (len >= sizeof(struct dp_command)) {
		struct dp_command c;

		memcpy(&c, message, sizeof(c)); // checked as a copy: control could still write there
		through = command_apply(w, &c, (const uint8_t *)message + sizeof(c), len - sizeof(c));
		if (c.kind == DP_COMMAND_KEYS)
			explicit_bzero((void *)(uintptr_t)message, len);
		explicit_bzero(&c, sizeof(c));
	}
	if (through) {
		byte_ring_next(&w->commands);
		dp_count(&w->record->commands, 1);
	}
	return through;
}

// One of what is owed with each command: neither keeps the other waiting. A packet waits for the last one that was begun.
unsigned relay_commands(struct relay_worker *w)
{
	mono_ns begin = clock_now();
	unsigned done = 0, more;

	do {
		more = command_next(w);
		if (w->owed_head != w->owed_tail)
			more += relay_owed_settle(w);
		done += more;
		w->commands_took = clock_now() - begin;
	} while (more > 0 && (int64_t)w->commands_took < w->budget);
	return done;
}
