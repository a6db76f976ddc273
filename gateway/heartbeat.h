// SPDX-License-Identifier: GPL-3.0-or-later
// heartbeat.h - does the relay still turn? Each of its workers notes the time in the media region once a round.
#pragma once
#include "base/clock.h"
#include "dataplane/dp_config.h"

struct heartbeat;

int heartbeat_open(struct heartbeat **hbp, int media_region_fd); // the descriptor stays the caller's
void heartbeat_close(struct heartbeat *hb);                      // NULL is fine
mono_ns heartbeat_oldest(const struct heartbeat *hb);            // of the worker that has been silent longest
