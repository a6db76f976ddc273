// SPDX-License-Identifier: GPL-3.0-or-later
// control_syscalls.h - control may make the system calls that SIP, DTLS and its timers need, and no others.
#pragma once

// Before a byte from the network is read, with one thread. The rest of this process's life runs under it.
int control_syscalls_confine(void);
