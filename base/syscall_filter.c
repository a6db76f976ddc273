// SPDX-License-Identifier: GPL-3.0-or-later
// syscall_filter.c - rules to a classic BPF program. For constant answers the kernel keeps a bitmap, so what is
// always allowed costs nothing.
#include "base/syscall_filter.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NUMBER offsetof(struct seccomp_data, nr)
#define ARCH offsetof(struct seccomp_data, arch)
#define LOW_HALF(arg) (offsetof(struct seccomp_data, args) + 8 * (arg)) // little endian
#define X32_BIT 0x40000000

// No part of ours makes these after its start; whoever does has taken the process over.
static const int fatal[] = {
	SYS_execve,
	SYS_execveat,
	SYS_fork,
	SYS_vfork,
	SYS_ptrace,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_setns,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_reboot,
	SYS_add_key,
	SYS_keyctl,
	SYS_request_key,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_iopl,
	SYS_ioperm,
	SYS_swapon,
	SYS_process_vm_writev,
	SYS_process_vm_readv,
	SYS_acct,
	SYS_settimeofday,
	SYS_pidfd_getfd,
	SYS_open_by_handle_at,
};

struct program {
	struct sock_filter code[16 + 5 * SYSCALL_RULES_MAX + 2 * sizeof(fatal) / sizeof(fatal[0])];
	unsigned short n;
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	p->code[p->n++] = (struct sock_filter){ .code = code, .jt = yes, .jf = no, .k = k };
}

static void load(struct program *p, uint32_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void answer(struct program *p, uint32_t action)
{
	put(p, BPF_RET | BPF_K, action, 0, 0);
}

// With the number loaded; leaves it loaded.
static void when_number(struct program *p, int number, uint32_t action)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
	answer(p, action);
}

static void allow(struct program *p, const struct syscall_rule *rule)
{
	if (rule->test == SYSCALL_ANY) {
		when_number(p, rule->number, SECCOMP_RET_ALLOW);
		return;
	}
	// Another number jumps over the test, and the number is loaded again behind it.
	unsigned short start = p->n;

	put(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->number, 0, 0);
	load(p, LOW_HALF(rule->arg));
	if (rule->test == SYSCALL_ARG_HAS)
		put(p, BPF_ALU | BPF_AND | BPF_K, rule->value, 0, 0);
	if (rule->test == SYSCALL_ARG_LACKS)
		put(p, BPF_JMP | BPF_JSET | BPF_K, rule->value, 1, 0);
	else
		put(p, BPF_JMP | BPF_JEQ | BPF_K, rule->value, 0, 1);
	answer(p, SECCOMP_RET_ALLOW);
	load(p, NUMBER);
	p->code[start].jf = (uint8_t)(p->n - start - 1);
}

static void build(struct program *p, const struct syscall_rule *rules, size_t n)
{
	load(p, ARCH);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	answer(p, SECCOMP_RET_KILL_PROCESS);
	load(p, NUMBER);
	put(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	answer(p, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < n; i++)
		allow(p, &rules[i]);
	when_number(p, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		when_number(p, fatal[i], SECCOMP_RET_KILL_PROCESS);
	answer(p, SECCOMP_RET_ERRNO | EPERM);
}

int syscall_filter_install(const struct syscall_rule *rules, size_t n)
{
	static struct program p; // 14 KiB, used once in a process
	struct sock_fprog prog;
	long done;

	if (n > SYSCALL_RULES_MAX)
		return -EINVAL;
	p.n = 0;
	build(&p, rules, n);
	prog = (struct sock_fprog){ .len = p.n, .filter = p.code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	done = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog);
	if (done < 0)
		return -errno;
	return done == 0 ? 0 : -ESRCH; // a thread that could not be brought along
}
