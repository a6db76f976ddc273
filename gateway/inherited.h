// SPDX-License-Identifier: GPL-3.0-or-later
// inherited.h - what the supervisor hands to its children by the environment: descriptors by number.
#pragma once

int inherited_fd(const char *variable); // close-on-exec from now on; -1: none
const char *inherited_config(void);     // path of the configuration snapshot, or NULL
void inherited_restarts(unsigned *control, unsigned *relay); // of the two processes, so far
