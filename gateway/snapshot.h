// SPDX-License-Identifier: GPL-3.0-or-later
// snapshot.h - a configuration as a sealed memfd: what supervisor hands to control cannot change any more.
#pragma once
#include "gateway/config.h"

int snapshot_make(const struct config *cfg);                                       // a descriptor, or -errno
int snapshot_load(struct config **cfgp, int fd, struct config_error *why);         // fd stays the caller's
