// SPDX-License-Identifier: GPL-3.0-or-later
// media_trace.c - which transports are traced, and whose trace a packet belongs to.
#include "mediarelay/media_trace.h"
#include "mediarelay/leg_transport.h"
#include "mediarelay/media_priv.h"
#include <errno.h>

#define LOOK_US 20000 // so often, while there is one

static uint64_t wanted(uint32_t trace, enum dp_trace what)
{
	return what == DP_TRACE_NONE ? 0 : (uint64_t)trace << 8 | what;
}

void media_session_trace(struct media *media, uint32_t session, uint32_t trace, enum dp_trace what)
{
	if (session == 0 || session > media->max_sessions)
		return;
	atomic_store(&media->slots[session].trace, wanted(trace, what));
	media_session_order(media, session, MEDIA_ORDER_TRACE);
}

static void look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval every = { .tv_usec = LOOK_US };
	struct media *media = arg;

	(void)fd, (void)what;
	dp_client_traces(media->dp);
	if (dp_client_tracing(media->dp) > 0)
		event_add(media->trace_event, &every);
}

static void trace_transport(struct media *media, const struct leg_transport *tp, enum dp_trace what)
{
	if (!transport_live(tp))
		return;
	dp_transport_trace(media->dp, tp->ref, what);
	if (what != DP_TRACE_NONE && !event_pending(media->trace_event, EV_TIMEOUT, NULL))
		look(-1, 0, media);
}

static enum dp_trace what_of(const struct media *media, uint32_t session)
{
	return (enum dp_trace)(atomic_load(&media->slots[session].trace) & 0xff);
}

void media_trace_take(struct media *media, uint32_t session)
{
	const struct media_session *s = media->slots[session].session;
	enum dp_trace what = what_of(media, session);

	for (const struct leg_line *line = s != NULL ? s->lines : NULL; line != NULL; line = line->next) {
		for (unsigned i = 0; i < LEG_COMPONENTS; i++)
			trace_transport(media, &line->transports[i], what);
	}
}

void media_trace_transport(struct media *media, const struct leg_transport *tp)
{
	enum dp_trace what = what_of(media, tp->line->session->id);

	if (what != DP_TRACE_NONE)
		trace_transport(media, tp, what);
}

void media_trace_drain(struct media *media, uint32_t session)
{
	if (what_of(media, session) != DP_TRACE_NONE)
		dp_client_traces(media->dp);
}

void media_trace_packet(void *ctx, const struct dp_traced *packet)
{
	struct media *media = ctx;
	const struct leg_transport *tp = leg_transport_find(media, packet->transport);
	uint32_t session = tp != NULL ? tp->line->session->id : 0;
	uint64_t trace = tp != NULL ? atomic_load(&media->slots[session].trace) : 0;

	if (trace == 0 || media->start.traced == NULL)
		return;
	media->start.traced(media->start.trace_ctx, &(struct media_traced){
		.trace = (uint32_t)(trace >> 8), .session = session, .realm = tp->line->plan.seat.realm, .out = packet->out,
		.time = packet->time, .bytes = packet->bytes, .len = packet->len, .original = packet->original,
	});
}

int media_trace_open(struct media *media)
{
	media->trace_event = event_new(media->base, -1, 0, look, media);
	return media->trace_event != NULL ? 0 : -ENOMEM;
}

void media_trace_close(struct media *media)
{
	if (media->trace_event != NULL)
		event_free(media->trace_event);
}
