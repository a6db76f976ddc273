// SPDX-License-Identifier: GPL-3.0-or-later
// log_limit.h - for events that anybody outside can cause as often as they like: some lines a second, the rest counted, so
// that the log keeps room for what matters. Zeroed at start; one thread.
#pragma once
#include "base/clock.h"
#include <stdbool.h>

struct log_limit {
	mono_ns since;     // the second that is counted began here
	unsigned lines;    // in it
	uint64_t left_out; // since the last line that was written
};

// true: write the line, and that so many before it were left out.
bool log_limit_pass(struct log_limit *limit, mono_ns now, unsigned lines_a_second, uint64_t *left_out);
