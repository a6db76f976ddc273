// SPDX-License-Identifier: GPL-3.0-or-later
// calls_far.h - the callees of bench_calls. They keep nothing about a call: what the user called is, is what they do.
#pragma once
#include "tests/bench/calls_text.h"
#include "tests/bench/calls_wire.h"
#include <stdint.h>

struct far_counts {
	uint64_t invites, acks, byes, cancels; // repeated ones too
	uint64_t plain;                        // INVITEs that offer RTP/AVP
};

void far_open(const char *own, const char *transport);
void far_message(const struct wire_peer *from, const char *bytes, size_t len);
void far_answer(const struct wire_peer *from, const struct sip_text *request); // of either end, in dialog
struct far_counts *far_counts(void);
