// SPDX-License-Identifier: GPL-3.0-or-later
// trace_headers.h - IP and UDP or TCP headers for what was seen above them: complete, checksums included, so that a reader finds
// nothing to complain of.
#pragma once
#include "base/inet.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_HEADERS_MAX 60 // IPv6 and TCP
#define TRACE_SEGMENT 32768  // octets that one packet takes; UDP takes what UDP takes

struct trace_way {
	struct inet_endpoint from, to; // of one family
	bool tcp;
	uint32_t seq, ack; // of TCP
	bool push;         // it ends a message
};

// Headers for `len` octets of payload, in front of which they belong; returns how many. 0: they do not fit, or make no sense.
size_t trace_headers(uint8_t dst[TRACE_HEADERS_MAX], const struct trace_way *way, const void *payload, size_t len);
