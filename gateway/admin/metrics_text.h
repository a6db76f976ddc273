// SPDX-License-Identifier: GPL-3.0-or-later
// metrics_text.h - the exposition formats of Prometheus (text 0.0.4) and OpenMetrics 1.0, which differ in little.
#pragma once
#include "base/counter.h"
#include <stdbool.h>
#include <stdio.h>

struct metrics_text {
	FILE *to;
	bool open_metrics;
	const char *name; // of the family that is being written
	bool counter;
};

enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

// A family: its samples follow. `name` without _total.
void metrics_family(struct metrics_text *m, const char *name, enum metric_kind kind, const char *help);
// labels: realm="access",direction="in", or "". Values in them must need no escape: names of ours and of the configuration.
void metrics_count(struct metrics_text *m, uint64_t value, const char *labels, ...) __attribute__((format(printf, 3, 4)));
void metrics_real(struct metrics_text *m, double value, const char *labels, ...) __attribute__((format(printf, 3, 4)));
// unit: what one of the histogram's is in those of the family, such as 0.001 for milliseconds.
void metrics_histogram(struct metrics_text *m, const struct histogram *h, const struct histogram_scale *scale, double unit,
		       const char *labels, ...) __attribute__((format(printf, 5, 6)));
void metrics_end(struct metrics_text *m);
