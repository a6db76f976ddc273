// SPDX-License-Identifier: GPL-3.0-or-later
// media_trace.h - packets of traced sessions, as they came and as they went, on their way from the workers to whoever keeps them.
#pragma once
#include "base/clock.h"
#include "dataplane/client/dp_client.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct media;
struct leg_transport;

struct media_traced {
	uint32_t trace, session;
	uint16_t realm;
	bool out;
	mono_ns time;
	const uint8_t *bytes; // from the IP header on, perhaps cut; valid during the call
	size_t len, original; // original: octets that it had
};

// For the sip thread, as media.h's verbs of a session are: until the session ends. trace: the asker's name for it.
void media_session_trace(struct media *media, uint32_t session, uint32_t trace, enum dp_trace what);

// For the media thread.
int media_trace_open(struct media *media);
void media_trace_close(struct media *media);
void media_trace_take(struct media *media, uint32_t session);        // what the sip thread wants of it has changed
void media_trace_transport(struct media *media, const struct leg_transport *tp); // one that is new in its session
void media_trace_drain(struct media *media, uint32_t session);       // before a transport goes, if it is traced
void media_trace_packet(void *media, const struct dp_traced *packet); // of dp_callbacks
