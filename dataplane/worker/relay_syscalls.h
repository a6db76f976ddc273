// SPDX-License-Identifier: GPL-3.0-or-later
// relay_syscalls.h - once its ports are open, the relay may make the system calls that its loops need, and no others.
#pragma once

// All threads, those of the EAL among them. -errno: nothing is filtered.
int relay_syscalls_confine(void);
