// SPDX-License-Identifier: GPL-3.0-or-later
// event_feed.c - two rings with one writer each, and an eventfd.
#include "gateway/admin/event_feed.h"
#include "base/byte_ring.h"
#include "gateway/event_drop.h"
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SIP_OCTETS (1u << 21) // more than a thousand notices each
#define MEDIA_OCTETS (1u << 20)
#define AT_ONCE 256           // then the loop's other work

struct feed_ring {
	void *memory;
	struct byte_ring in, out; // the writer's end, and ours
	uint64_t lost;            // of those that did not fit: told
};

struct event_feed {
	struct feed_ring sip, media;
	int wake;
	struct event *on_wake;
	struct event_listener listener;
};

static int ring_open(struct feed_ring *ring, size_t octets)
{
	size_t size = (byte_ring_footprint(octets) + 63) & ~(size_t)63;

	ring->memory = aligned_alloc(64, size);
	if (ring->memory == NULL || byte_ring_format(ring->memory, octets) < 0)
		return -ENOMEM;
	byte_ring_attach(&ring->in, ring->memory, octets, BYTE_RING_PRODUCER);
	byte_ring_attach(&ring->out, ring->memory, octets, BYTE_RING_CONSUMER);
	return 0;
}

int event_feed_open(struct event_feed **feedp)
{
	struct event_feed *feed = calloc(1, sizeof(*feed));
	int err = -ENOMEM;

	if (feed == NULL)
		return err;
	feed->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (feed->wake >= 0)
		err = ring_open(&feed->sip, SIP_OCTETS);
	if (err == 0)
		err = ring_open(&feed->media, MEDIA_OCTETS);
	if (err < 0)
		event_feed_close(feed);
	else
		*feedp = feed;
	return err;
}

void event_feed_close(struct event_feed *feed)
{
	if (feed == NULL)
		return;
	event_feed_deaf(feed);
	if (feed->wake >= 0)
		close(feed->wake);
	free(feed->sip.memory);
	free(feed->media.memory);
	free(feed);
}

static void write_notice(struct event_feed *feed, struct feed_ring *ring, const void *notice, size_t len)
{
	byte_ring_push2(&ring->in, notice, len, NULL, 0); // one that does not fit is counted there
	if (byte_ring_take_sleeping(&ring->in))
		eventfd_write(feed->wake, 1);
}

void event_feed_sip(void *feed, const struct sip_notice *notice)
{
	write_notice(feed, &((struct event_feed *)feed)->sip, notice, sizeof(*notice));
}

void event_feed_media(void *feed, const struct media_notice *notice)
{
	write_notice(feed, &((struct event_feed *)feed)->media, notice, sizeof(*notice));
}

// The next in time. What sip has told of a call is in its ring before media hears of that call: who sees the one sees the other, if
// media's ring is looked at first. False: there is none.
static bool take_next(struct event_feed *feed)
{
	const struct event_listener *l = &feed->listener;
	const void *message;
	struct media_notice media;
	struct sip_notice sip;
	size_t len;
	bool has_media = byte_ring_peek(&feed->media.out, &message, &len) == 0;

	if (has_media)
		memcpy(&media, message, sizeof(media));
	if (byte_ring_peek(&feed->sip.out, &message, &len) == 0) {
		memcpy(&sip, message, sizeof(sip));
		if (!has_media || sip.at <= media.at) {
			byte_ring_next(&feed->sip.out);
			l->sip(l->ctx, &sip);
			return true;
		}
	}
	if (has_media) {
		byte_ring_next(&feed->media.out);
		l->media(l->ctx, &media);
	}
	return has_media;
}

static void tell_lost(struct event_feed *feed, struct feed_ring *ring)
{
	uint64_t lost = byte_ring_refused(&ring->out);

	if (lost > ring->lost)
		feed->listener.lost(feed->listener.ctx, lost - ring->lost);
	ring->lost = lost;
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
	struct event_feed *feed = ctx;
	eventfd_t count;

	eventfd_read(feed->wake, &count);
	byte_ring_set_sleeping(&feed->sip.out);
	byte_ring_set_sleeping(&feed->media.out);
	for (int i = 0; i < AT_ONCE; i++) {
		if (take_next(feed))
			continue;
		tell_lost(feed, &feed->sip);
		tell_lost(feed, &feed->media);
		return;
	}
	event_active(feed->on_wake, EV_TIMEOUT, 0); // there is more
}

int event_feed_listen(struct event_feed *feed, struct event_base *base, const struct event_listener *listener)
{
	feed->listener = *listener;
	feed->on_wake = event_new(base, feed->wake, EV_READ | EV_PERSIST, on_wake, feed);
	if (feed->on_wake == NULL || event_add(feed->on_wake, NULL) < 0)
		return -ENOMEM;
	event_active(feed->on_wake, EV_TIMEOUT, 0); // what came before
	return 0;
}

void event_feed_deaf(struct event_feed *feed)
{
	event_drop(feed->on_wake);
	feed->on_wake = NULL;
}
