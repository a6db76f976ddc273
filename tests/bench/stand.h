// SPDX-License-Identifier: GPL-3.0-or-later
// stand.h - a relay in the bench's own process, between two ports, with a session for each of an injector's: control
// and keeper are the caller. Its workers are called burst by burst, or run their own loop in their own threads.
#pragma once
#include "dataplane/worker/relay.h"
#include "tests/bench/frames.h"

struct stand_plan {
	enum dp_driver driver;
	const char *devargs[2];
	unsigned workers;
	uint16_t cpu[DP_WORKERS_MAX]; // of each worker
	const struct frames *frames;  // one a worker: whose sessions it has; plans suffice, frames may come later
	bool no_huge;
};

struct stand {
	struct stand_plan plan;
	struct relay relay;
	struct region region;
	struct dp_client *dp;
	unsigned sessions; // of all workers
	struct dp_ref *in, *out;
	bool running;
};

// Each ends the program with a sentence if it fails.
void stand_open(struct stand *s, const struct stand_plan *plan);
void stand_start(struct stand *s); // the workers' threads, and their loop
void stand_stop(struct stand *s);
void stand_sessions_make(struct stand *s);
void stand_sessions_forget(struct stand *s);

uint64_t stand_sent(const struct stand *s);    // packets that left by the sessions' legs
uint64_t stand_dropped(const struct stand *s); // by all workers, ever; names them on standard error
