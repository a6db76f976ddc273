// SPDX-License-Identifier: GPL-3.0-or-later
// syscall_filter.h - the system calls that a process may make from now on (seccomp(2)), as a list of rules.
//
// A call that a rule matches is allowed. One that a program of this kind never makes and an intruder would (execve,
// ptrace, mount, ...) kills the process; any other fails with EPERM, so that a library's unusual path costs a feature
// and not the calls. clone3() fails with ENOSYS: the C library then uses clone(), whose flags a filter can see.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum syscall_test { SYSCALL_ANY = 0, SYSCALL_ARG_IS, SYSCALL_ARG_HAS, SYSCALL_ARG_LACKS };

struct syscall_rule {
	int number; // SYS_...
	enum syscall_test test;
	uint8_t arg;    // which argument; its low 32 bits are looked at
	uint32_t value; // IS: equal; HAS: all these bits; LACKS: none of them
};

#define SYSCALL_RULES_MAX 160

// For all threads of the process and what they start; further filters can only narrow it. Sets no_new_privs.
// -EINVAL: too many rules; else the kernel's error, and nothing is filtered.
int syscall_filter_install(const struct syscall_rule *rules, size_t n);
