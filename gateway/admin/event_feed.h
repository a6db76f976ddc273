// SPDX-License-Identifier: GPL-3.0-or-later
// event_feed.h - notices of the sip and the media thread, on their way to the main loop. Each thread writes a ring of its own,
// without a lock and without waiting; what does not fit is counted. They come out in the order of their times.
#pragma once
#include "mediarelay/media_notice.h"
#include "signaling/sip_notice.h"

struct event_base;
struct event_feed;

struct event_listener { // on the main loop
	void (*sip)(void *ctx, const struct sip_notice *notice);
	void (*media)(void *ctx, const struct media_notice *notice);
	void (*lost)(void *ctx, uint64_t notices); // so many had no room
	void *ctx;
};

int event_feed_open(struct event_feed **feedp);
void event_feed_close(struct event_feed *feed); // when no thread is left that could write; NULL is fine
int event_feed_listen(struct event_feed *feed, struct event_base *base, const struct event_listener *listener);
void event_feed_deaf(struct event_feed *feed); // what comes from now on fills its ring, and then is lost

void event_feed_sip(void *feed, const struct sip_notice *notice);     // the sip thread alone
void event_feed_media(void *feed, const struct media_notice *notice); // the media thread alone
