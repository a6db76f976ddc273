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

// clang-format off
// What every process of ours needs: memory that is never code; threads, signals, the end.
#define SYSCALL_RULES_PROCESS \
	{ SYS_mmap, SYSCALL_ARG_LACKS, 2, PROT_EXEC }, { SYS_mprotect, SYSCALL_ARG_LACKS, 2, PROT_EXEC }, \
	{ SYS_munmap }, { SYS_mremap }, { SYS_brk }, { SYS_madvise }, { SYS_mlock }, { SYS_munlock }, \
	{ SYS_clone, SYSCALL_ARG_HAS, 0, CLONE_THREAD }, { SYS_set_robust_list }, { SYS_rseq }, \
	{ SYS_membarrier }, { SYS_sched_getaffinity }, { SYS_prctl, SYSCALL_ARG_IS, 0, PR_SET_NAME }, \
	{ SYS_rt_sigaction }, { SYS_rt_sigprocmask }, { SYS_rt_sigreturn }, { SYS_sigaltstack }, \
	{ SYS_restart_syscall }, { SYS_tgkill }, { SYS_exit }, \
	{ SYS_exit_group }

// The leak check at the end traces its own threads from a helper; reports look up who is who.
#define SYSCALL_RULES_SANITIZER \
	{ SYS_clone }, { SYS_ptrace }, { SYS_getdents }, { SYS_wait4 }, { SYS_prctl }, { SYS_readlink }, { SYS_open }, \
	{ SYS_mmap }, { SYS_mprotect }, { SYS_arch_prctl }, { SYS_kill }, { SYS_process_vm_readv }, \
	{ SYS_getcwd }, { SYS_pipe }, \
	{ SYS_dup2 }
// clang-format on

// For all threads of the process and what they start; further filters can only narrow it. Sets no_new_privs.
// -EINVAL: too many rules; else the kernel's error, and nothing is filtered.
int syscall_filter_install(const struct syscall_rule *rules, size_t n);
