// SPDX-License-Identifier: GPL-3.0-or-later
// early_media.h - which way media may flow before the answer: the policies of both sides, and what a trusted called side says
// of each m-line in P-Early-Media (RFC 5009). Plain values; the plan's gates follow (call_streams.h).
#pragma once
#include "signaling/sip_config.h"

#define EARLY_FORWARD 1u  // from the caller to the called side
#define EARLY_BACKWARD 2u // to the caller
#define EARLY_BOTH 3u

#define EARLY_LINES_MAX 8

struct early_media {
	unsigned allowed; // by policy
	unsigned n;       // lines of which the called side has spoken
	uint8_t line[EARLY_LINES_MAX];
};

unsigned early_media_policy(enum sip_early_media a, enum sip_early_media b); // the stricter of both
// value: of a P-Early-Media of the called side. What it says stays until it says something else.
void early_media_read(struct early_media *early, const char *value);
unsigned early_media_gate(const struct early_media *early, unsigned line); // lines in the order of its SDP
bool early_media_heard(const struct early_media *early); // whether the caller may hear anything
