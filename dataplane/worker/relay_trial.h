// SPDX-License-Identifier: GPL-3.0-or-later
// relay_trial.h - a relay in the caller's own process, with its own region and nobody to supervise it: tables, ports
// and workers are the real ones, control is the caller. For figures of this host: sallyport --size, tests/bench.
#pragma once
#include "dataplane/worker/relay.h"

// `packets` of one pool. No thread is started. Once a process, for DPDK starts once. `why` gets a sentence on error,
// after which the program should end.
int relay_trial_open(struct relay *relay, struct region *region, const struct dp_config *config, unsigned packets,
		     char why[256]);
void relay_trial_close(struct relay *relay, struct region *region); // wipes the region: keys were in it
