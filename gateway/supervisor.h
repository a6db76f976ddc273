// SPDX-License-Identifier: GPL-3.0-or-later
// supervisor.h - the process that parses no network input but a configuration that an operator hands in (decision 0121): makes the
// regions, attaches the XDP program, starts relay and control, brings back what dies, and ends all in order.
#pragma once
#include "gateway/child.h"
#include "gateway/config.h"

struct supervisor_programs {
	struct child_program relay, control;
	const char *file; // of the configuration, for reload
};

// Runs until SIGTERM or SIGINT. Returns the exit status of the process: 0, or 1 when it could not start.
int supervisor_run(const struct config *cfg, const struct supervisor_programs *programs);
