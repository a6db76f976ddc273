// SPDX-License-Identifier: GPL-3.0-or-later
// relay_report.h - what the workers had to do, for whoever runs the machine. The main thread's.
#pragma once
#include "base/clock.h"
#include "dataplane/dp_record.h"

struct relay_report {
	mono_ns since;
	uint64_t received[DP_WORKERS_MAX], handed_out[DP_WORKERS_MAX]; // by then
};

// A line for each worker of whose packets a tenth or more came in for others; once a minute at most.
void relay_report_look(struct relay_report *report, const struct dp_map *map, mono_ns now);
// What such a line has, in percent; 0: none.
unsigned relay_report_share(const struct relay_report *report, const struct dp_map *map, unsigned worker);
void relay_report_end(const struct dp_map *map);
