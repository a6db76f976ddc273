// SPDX-License-Identifier: GPL-3.0-or-later
// service.h - what the supervisor says to systemd and gets from it. Without systemd every call does nothing.
#pragma once
#include "base/clock.h"

void service_ready(const char *status); // READY=1
void service_stopping(void);
void service_status(const char *status);
mono_ns service_watchdog(void); // how often systemd wants to hear service_alive(), halved; MONO_NEVER: it does not
void service_alive(void);       // WATCHDOG=1
// The descriptor store: systemd keeps a copy while we are away, so that a crash of the supervisor loses no call.
void service_store(const char *name, int fd);
void service_unstore(const char *name);
int service_stored(const char *name); // a descriptor from before, close-on-exec; -ENOENT
