// SPDX-License-Identifier: GPL-3.0-or-later
// traffic_count.h - what became of the packets of a run: by phase, by tenth of a second of their sending, by stream.
#pragma once
#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>

#define TRAFFIC_PHASES 4
#define TRAFFIC_BINS 400            // a phase; a tenth of a second each
#define TRAFFIC_LATE MONO_MS(50)    // later than this counts as lost
#define TRAFFIC_MICROSECONDS 200000 // of the histogram

struct traffic_phase {
	mono_ns began;
	double seconds;
	uint64_t sent, good, late, left_out;
	uint32_t sent_in[TRAFFIC_BINS], good_in[TRAFFIC_BINS];
	uint32_t *histogram; // of microseconds; the last: as many or more
};

struct traffic_count {
	struct traffic_phase phases[TRAFFIC_PHASES];
	unsigned n_phases, n_streams;
	uint64_t strange; // frames that are not ours, or cannot be read
	mono_ns *newest;  // good packet of each stream
};

void traffic_begin(struct traffic_count *c, unsigned n_streams); // a run
void traffic_phase(struct traffic_count *c, mono_ns began, double seconds);
void traffic_sent(struct traffic_count *c, mono_ns made, unsigned n);
void traffic_received(struct traffic_count *c, unsigned stream, mono_ns sent, mono_ns now);
void traffic_strange(struct traffic_count *c);
void traffic_left_out(struct traffic_count *c, uint64_t n);
void traffic_print(const struct traffic_count *c);
