// SPDX-License-Identifier: GPL-3.0-or-later
// admin_events.c - events are kept for who comes back, and sent to who is there. A stream holds nothing here but its filter: what it
// has not read waits in its connection, which is cut when that is too much or too old (http_server.h).
#include "gateway/admin/admin_events.h"
#include "gateway/admin/admin_priv.h"
#include "gateway/admin/event_json.h"
#include "gateway/event_drop.h"
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define RING_ENTRIES 2048
#define RING_OCTETS (512u << 10) // below what a stream may leave unread: all of it can be sent at once
#define HEARTBEAT_S 15
#define RETRY "retry: 2000\n\n"

struct event_stream {
	LIST_ENTRY(event_stream) entry;
	struct admin_events *events;
	struct http_exchange *x;
	uint32_t types; // bits; 0: all
	uint32_t call;  // 0: any
};

struct admin_events {
	struct admin *admin;
	struct event_feed *feed;
	struct event_ring *ring;
	struct event *on_heartbeat;
	LIST_HEAD(, event_stream) streams;
	unsigned most;
	struct admin_events_counts counts;
};

// Telling

static bool wants(const struct event_stream *s, const struct event_entry *e)
{
	if (e->type == EVENT_GAP)
		return true;
	return (s->types == 0 || (s->types & 1u << e->type) != 0) && (s->call == 0 || s->call == e->call);
}

static void tell(struct admin_events *events, enum event_type type, uint32_t call, json_t *data)
{
	char *text = data != NULL ? json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
	const struct event_entry *entry = text != NULL ? event_ring_add(events->ring, type, call, text) : NULL;
	struct event_stream *s;

	json_decref(data);
	free(text);
	if (entry == NULL)
		return;
	events->counts.told[type]++;
	LIST_FOREACH(s, &events->streams, entry) {
		if (wants(s, entry))
			http_stream_send(s->x, entry->text, entry->len);
	}
}

void admin_events_tell(struct admin_events *events, enum event_type type, json_t *data)
{
	tell(events, type, 0, data);
}

static void take_sip(void *ctx, const struct sip_notice *n)
{
	enum event_type type;
	json_t *data = event_of_sip(n, &type);

	tell(ctx, type, n->call, data);
}

static void take_media(void *ctx, const struct media_notice *n)
{
	const struct admin_events *events = ctx;
	const struct admin *admin = events->admin;
	enum event_type type;
	json_t *data = event_of_media(n, &type,
				      admin->start.relay_restarts +
					      (unsigned)counter_read(&media_stats(admin->start.media)->relay_restarts));

	tell(ctx, type, n->call, data);
}

static void take_lost(void *ctx, uint64_t notices)
{
	tell(ctx, EVENT_GAP, 0,
	     json_pack("{s:f, s:s, s:I}", "at", event_time(0), "cause", "overrun", "lost", (json_int_t)notices));
}

// A proxy, and a client, can tell a quiet gateway from a dead one.
static void heartbeat(evutil_socket_t fd, short what, void *ctx)
{
	struct admin_events *events = ctx;
	struct event_stream *s;

	LIST_FOREACH(s, &events->streams, entry)
		http_stream_send(s->x, ":\n\n", 3);
}

// Streams

static void stream_gone(void *arg)
{
	struct event_stream *s = arg;

	LIST_REMOVE(s, entry);
	s->events->counts.streams--;
	free(s);
}

static int type_of(const char *word, size_t len)
{
	for (int t = 0; t < EVENT_TYPE_COUNT; t++) {
		if (strlen(event_type_word[t]) == len && memcmp(event_type_word[t], word, len) == 0)
			return t;
	}
	return -EINVAL;
}

static int types_read(const char *list, uint32_t *types)
{
	for (*types = 0;; list++) {
		size_t len = strcspn(list, ",");
		int type = type_of(list, len);

		if (type < 0)
			return type;
		*types |= 1u << type;
		list += len;
		if (*list == '\0')
			return 0;
	}
}

// What the query says. NULL: all is well.
static const char *query_read(const char *query, struct event_stream *s)
{
	char types[HTTP_VALUE_MAX], call[16];
	int err = http_query_value(query, "type", types, sizeof(types));

	if (err == -EINVAL || (err == 0 && types_read(types, &s->types) < 0))
		return "type: expected names of events, with commas between";
	err = http_query_value(query, "call", call, sizeof(call));
	if (err == -EINVAL || (err == 0 && (!admin_number_read(call, &s->call, UINT32_MAX) || s->call == 0)))
		return "call: expected the number of a call";
	return NULL;
}

// Not in the ring: it concerns this reader alone. Its number is that of the event before those that follow.
static void send_gap(struct event_stream *s, const char *cause, uint64_t number)
{
	char id[EVENT_ID_STRLEN], text[256];
	int len = snprintf(text, sizeof(text), "id: %s\nevent: gap\ndata: {\"at\":%.6f,\"cause\":\"%s\",\"lost\":null}\n\n",
			   event_ring_id(s->events->ring, number, id), event_time(0), cause);

	http_stream_send(s->x, text, (size_t)len);
}

// From where it was; all there is, if that cannot be known any more.
static void catch_up(struct event_stream *s, const char *last_id)
{
	const struct event_ring *ring = s->events->ring;
	uint64_t number = 0;
	int err = event_ring_read_id(ring, last_id, &number);
	const struct event_entry *e = event_ring_after(ring, number);

	if (err < 0 || (e != NULL && e->number != number + 1))
		send_gap(s, err < 0 ? "other_life" : "too_old", e != NULL ? e->number - 1 : event_ring_last(ring));
	for (; e != NULL; e = e->next) {
		if (wants(s, e))
			http_stream_send(s->x, e->text, e->len);
	}
}

void admin_event_stream(struct admin_request *rq)
{
	struct admin_events *events = rq->admin->events;
	struct event_stream *s, wanted = { .events = events, .x = rq->x };
	char last_id[HTTP_VALUE_MAX];
	const char *wrong = query_read(rq->http->query, &wanted);

	if (wrong != NULL) {
		admin_problem(rq, 400, wrong);
		return;
	}
	if (rq->http->method == HTTP_HEAD) {
		admin_answer_text(rq, 200, "text/event-stream", "", 0);
		return;
	}
	s = events->counts.streams < events->most ? malloc(sizeof(*s)) : NULL;
	if (s == NULL) {
		events->counts.refused++;
		admin_problem(rq, 503, "too many streams are open");
		return;
	}
	*s = wanted;
	snprintf(last_id, sizeof(last_id), "%s", rq->http->last_event_id);
	LIST_INSERT_HEAD(&events->streams, s, entry);
	events->counts.streams++;
	rq->admin->requests[2]++;
	http_defer(s->x, stream_gone, s);
	http_stream_begin(s->x, "text/event-stream");
	http_stream_send(s->x, RETRY, strlen(RETRY));
	if (last_id[0] != '\0')
		catch_up(s, last_id);
}

// Start and end

const struct admin_events_counts *admin_events_counts(const struct admin_events *events)
{
	return &events->counts;
}

// The first event of a life that follows another one.
static void tell_restart(struct admin_events *events)
{
	const struct admin_start *start = &events->admin->start;

	if (start->control_restarts > 0)
		tell(events, EVENT_PROCESS_RESTARTED, 0,
		     json_pack("{s:f, s:s, s:I, s:n}", "at", event_time(0), "process", "control", "restarts",
			       (json_int_t)start->control_restarts, "away_seconds"));
}

int admin_events_open(struct admin_events **eventsp, struct admin *admin, struct event_feed *feed, unsigned streams)
{
	static const struct timeval every = { .tv_sec = HEARTBEAT_S };
	struct admin_events *events = calloc(1, sizeof(*events));
	struct event_listener listener = { .sip = take_sip, .media = take_media, .lost = take_lost, .ctx = events };
	int err = -ENOMEM;

	if (events == NULL)
		return err;
	events->admin = admin;
	events->feed = feed;
	events->most = streams;
	events->on_heartbeat = event_new(admin->start.base, -1, EV_PERSIST, heartbeat, events);
	if (events->on_heartbeat != NULL && event_add(events->on_heartbeat, &every) == 0)
		err = event_ring_open(&events->ring, (uint64_t)(admin->started * 1000), RING_ENTRIES, RING_OCTETS);
	if (err == 0)
		err = event_feed_listen(feed, admin->start.base, &listener);
	if (err < 0) {
		admin_events_close(events);
		return err;
	}
	tell_restart(events);
	*eventsp = events;
	return 0;
}

void admin_events_close(struct admin_events *events)
{
	if (events == NULL)
		return;
	event_feed_deaf(events->feed);
	event_drop(events->on_heartbeat);
	event_ring_close(events->ring);
	free(events);
}
