// SPDX-License-Identifier: GPL-3.0-or-later
// fake_media.h - mediarelay/media.h without media: seats, sessions and plans are kept and counted, plans are logged, events
// are sent when a test says so. For tests of signaling that must not depend on the media side.
#pragma once
#include "mediarelay/media.h"

struct fake_media_counts {
	unsigned sessions, seats, plans, adopted;
	unsigned faults; // uses that the contract forbids: unknown session, foreign or doubly used seat
};

void fake_media_counts(struct media *media, struct fake_media_counts *counts);
void fake_media_set_limits(struct media *media, unsigned sessions, unsigned seats); // how many there can be at once
// Sends an event as the media thread would. The call may be of any thread.
void fake_media_event(struct media *media, enum media_event_kind kind, uint32_t session, const char *cause);
void fake_media_forget(struct media *media); // every session and seat, as a media side that lost its state
void fake_media_set_receiver(struct media *media, media_event_fn *event, void *ctx);
