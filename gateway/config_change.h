// SPDX-License-Identifier: GPL-3.0-or-later
// config_change.h - what a new configuration changes, and what must begin anew for it (decision 0120).
#pragma once
#include "gateway/config.h"

enum config_scope { // each contains those before it
	CONFIG_SAME,    // nothing differs
	CONFIG_LIVE,    // taken up by the processes that run
	CONFIG_CONTROL, // by a new control, which takes up the calls
	CONFIG_RELAY,   // by a new relay or new regions: the gateway is restarted, and calls end
};

struct config_change {
	enum config_scope scope;
	char keys[400];    // that differ, "log.level, peers"; "..." at the end: and more
	char refused[400]; // of them, those of the highest scope above LIVE
};

int config_change(struct config_change *change, const struct config *from, const struct config *to); // -ENOMEM
typedef void config_change_fn(void *ctx, const char *key, enum config_scope scope);
int config_change_each(const struct config *from, const struct config *to, config_change_fn *tell, void *ctx); // -ENOMEM
// Whether only who can write the file may change it: where root reads, writes or makes folders, and who may come in by the
// management door (decision 0121).
bool config_by_file_alone(const char *key);
const char *config_scope_name(enum config_scope scope); // "same", "live", "control", "relay"

// Makes `next` one that calls can go on under which began under `current`: their peers and profiles stay where they are in its
// tables, retired if they are no more. The change must be LIVE. -ENOSPC: there have been too many changes since this process
// began; next must be freed then. current is not needed afterwards.
int config_follow(struct config *next, const struct config *current);
