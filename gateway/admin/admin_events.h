// SPDX-License-Identifier: GPL-3.0-or-later
// admin_events.h - GET /v1/events: what happens, as a stream of server-sent events. Main loop alone, but for what event_feed.h takes.
#pragma once
#include "gateway/admin/event_feed.h"
#include "gateway/admin/event_ring.h"
#include <jansson.h>
#include <stdbool.h>

struct admin;
struct admin_events;

struct admin_events_counts {
	uint64_t streams, refused, told[EVENT_TYPE_COUNT]; // streams: now; refused: one too many
};

// The feed is the door's; streams: so many at a time.
int admin_events_open(struct admin_events **eventsp, struct admin *admin, struct event_feed *feed, unsigned streams);
void admin_events_close(struct admin_events *events); // after the server has; NULL is fine
void admin_events_tell(struct admin_events *events, enum event_type type, json_t *data); // takes data
const struct admin_events_counts *admin_events_counts(const struct admin_events *events);
