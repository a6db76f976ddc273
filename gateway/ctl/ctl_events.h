// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_events.h - the command events: what happens, one line an event, until ^C.
#pragma once
#include "gateway/ctl/ctl_http.h"

struct ctl_events {
	const char *path;         // with its query
	const char *since;        // the id of the last one that was seen; NULL: from now on
	unsigned long count;      // then enough; 0: never
	bool json;
};

// Comes back to a gateway that was away for a while. How it ended; *problem and *why as ctl_stream() has them.
enum ctl_stream_end ctl_events_show(const struct ctl_door *door, const struct ctl_events *wanted, json_t **problem, const char **why);
