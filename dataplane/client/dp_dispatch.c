// SPDX-License-Identifier: GPL-3.0-or-later
// dp_dispatch.c - what the relay says: events, then punts in three classes, each with a budget, the unproven last.
#include "dataplane/client/dp_client_priv.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const unsigned punt_budget[DP_CLASSES] = {
	[DP_CLASS_RTCP] = 256,
	[DP_CLASS_PROVEN] = 256,
	[DP_CLASS_UNPROVEN] = 64,
};
#define EVENT_BUDGET 1024

static void event_deliver(struct dp_client *dp, const struct dp_event *event)
{
	if (event->kind == DP_EVENT_RELAY_BACK) {
		dp->callbacks.event(dp->callbacks.ctx, event);
		return;
	}
	if (!dp_client_owns(dp, event->transport))
		return; // a late word about an old generation
	if (event->kind == DP_EVENT_REMOVED)
		dp_client_freed(dp, event->transport);
	if (event->kind == DP_EVENT_MOVED)
		dp_client_moved(dp, event->transport, event->worker);
	dp->callbacks.event(dp->callbacks.ctx, event);
}

static void punt_deliver(struct dp_client *dp, const void *message, size_t len)
{
	struct dp_punt_head head;
	struct dp_punt punt;

	if (len < sizeof(head))
		return;
	memcpy(&head, message, sizeof(head));
	if (!dp_client_owns(dp, head.transport))
		return;
	punt = (struct dp_punt){
		.transport = head.transport,
		.kind = head.kind,
		.proven = head.proven != 0,
		.mtu = (uint16_t)head.mtu,
		.source = head.source,
		.back = head.back,
		.payload = (const uint8_t *)message + sizeof(head),
		.len = len - sizeof(head),
	};
	dp->punt = &punt;
	dp->callbacks.punt(dp->callbacks.ctx, &punt);
	dp->punt = NULL;
}

static void event_message(struct dp_client *dp, const void *message, size_t len)
{
	struct dp_event event;

	if (len != sizeof(event))
		return;
	memcpy(&event, message, sizeof(event));
	event_deliver(dp, &event);
}

// Returns whether the ring may hold more.
static bool ring_serve(struct dp_client *dp, struct byte_ring *ring, unsigned budget,
		       void (*take)(struct dp_client *dp, const void *message, size_t len))
{
	const void *message;
	size_t len;

	for (unsigned i = 0; i < budget; i++) {
		if (byte_ring_peek(ring, &message, &len) < 0) {
			byte_ring_set_sleeping(ring);
			if (byte_ring_peek(ring, &message, &len) < 0)
				return false;
		}
		take(dp, message, len);
		byte_ring_next(ring);
	}
	return true;
}

void dp_client_dispatch(struct dp_client *dp)
{
	unsigned n = dp->map.config.n_workers;
	bool more = false;
	uint64_t ticks;

	(void)!read(dp->our_event, &ticks, sizeof(ticks));
	if (dp->timer_armed)
		(void)!read(dp->timer, &ticks, sizeof(ticks));
	dp_client_flush(dp);
	for (unsigned w = 0; w <= n; w++)
		more |= ring_serve(dp, &dp->events[w], EVENT_BUDGET, event_message);
	for (unsigned k = 0; k < DP_CLASSES; k++) {
		for (unsigned w = 0; w < n; w++)
			more |= ring_serve(dp, &dp->punts[w][k], punt_budget[k], punt_deliver);
	}
	if (more)
		eventfd_write(dp->our_event, 1);
}
