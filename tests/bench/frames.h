// SPDX-License-Identifier: GPL-3.0-or-later
// frames.h - the injector that the limit program and the relay's bench share: frames of many sessions in random order,
// protected by libsrtp2, packed on the memory of DPDK (hugepages where there are some), and the check of what came out.
//
// Nothing here is timed. Each pass visits every session once, always in the same order. The frames are made once:
// whoever sends them again begins the sessions anew. Frames made between two runs would leave the caches to whoever
// made them, and it takes many passes until 10,000 GCM keys are back.
#pragma once
#include "dataplane/srtp_suite.h"
#include <stddef.h>

#define FRAMES_HEADERS 42       // Ethernet, IPv4, UDP
#define FRAMES_FIRST_PORT 20000 // of each media address
#define FRAMES_PORTS 30000      // used of each

struct frames_plan {
	enum srtp_suite in, out; // NONE: plain RTP
	unsigned sessions, passes, payload;
	unsigned addresses; // media addresses that the sessions are spread over, evenly
	unsigned first;     // of the sessions: others have those before
};

struct frames {
	struct frames_plan plan;
	size_t len;                   // of each frame
	uint32_t *order;              // session of the k-th packet of a pass
	struct srtp_master *in, *out; // of each session; suite NONE: none
	size_t slot;
	uint8_t *bytes;
};

// Ends the program with a sentence if something cannot be had.
void frames_open(struct frames *f, const struct frames_plan *plan); // after DPDK has started
void frames_keys(struct frames *f, const struct frames_plan *plan); // the same without the frames: whom they are for

static inline const uint8_t *frames_at(const struct frames *f, unsigned t)
{
	return f->bytes + f->slot * t;
}

static inline unsigned frames_session(const struct frames *f, unsigned t)
{
	return f->order[t % f->plan.sessions];
}

// Where session i is received, host byte order: 192.0.2.1 and up.
uint32_t frames_address(const struct frames_plan *plan, unsigned session);
uint16_t frames_port(const struct frames_plan *plan, unsigned session);

// Is this RTP or SRTP packet what the t-th frame of the newest frames_fill() becomes? Opens it by libsrtp2 if need be.
bool frames_good(const struct frames *f, unsigned t, const uint8_t *rtp, size_t len);
