// SPDX-License-Identifier: GPL-3.0-or-later
// relay_syscalls.c - the list, hot ones first. The opening of ports, which needs far more, is done by then; netlink
// goes on over a socket that is open already.
#include "dataplane/worker/relay_syscalls.h"
#include "base/syscall_filter.h"
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const struct syscall_rule rules[] = {
	// workers: wake the device, wake each other, sleep
	{ SYS_sendto },
	{ SYS_recvfrom },
	{ SYS_ppoll },
	{ SYS_poll },
	{ SYS_read },
	{ SYS_write },
	{ SYS_futex },
	{ SYS_recvmsg },
	{ SYS_sendmsg },
	{ SYS_recvmmsg },
	{ SYS_sendmmsg },
	{ SYS_clock_nanosleep },
	{ SYS_nanosleep },
	{ SYS_clock_gettime },
	{ SYS_sched_yield },
	// the EAL's threads, and memif, whose peers come and go
	{ SYS_epoll_wait },
	{ SYS_epoll_pwait },
	{ SYS_epoll_ctl },
	{ SYS_epoll_create },
	{ SYS_epoll_create1 },
	{ SYS_eventfd2 },
	{ SYS_timerfd_create },
	{ SYS_timerfd_settime },
	{ SYS_pipe2 },
	{ SYS_accept },
	{ SYS_accept4 },
	{ SYS_connect },
	{ SYS_shutdown },
	{ SYS_socket, SYSCALL_ARG_IS, 0, AF_UNIX },
	{ SYS_socket, SYSCALL_ARG_IS, 0, AF_NETLINK }, // the keeper's, anew after an overrun
	{ SYS_bind },
	{ SYS_listen },
	{ SYS_getsockname },
	{ SYS_getsockopt },
	{ SYS_setsockopt },
	{ SYS_memfd_create },
	{ SYS_ftruncate },
	{ SYS_close },
	{ SYS_fcntl },
	{ SYS_unlink },
	{ SYS_unlinkat },
	{ SYS_rmdir },
	{ SYS_openat },
	{ SYS_newfstatat },
	{ SYS_fstat },
	{ SYS_lseek },
	{ SYS_access },
	{ SYS_getdents64 },
	{ SYS_flock },
	{ SYS_bpf, SYSCALL_ARG_IS, 0, BPF_MAP_DELETE_ELEM },
	// memory that is never code
	{ SYS_mmap, SYSCALL_ARG_LACKS, 2, PROT_EXEC },
	{ SYS_mprotect, SYSCALL_ARG_LACKS, 2, PROT_EXEC },
	{ SYS_munmap },
	{ SYS_mremap },
	{ SYS_brk },
	{ SYS_madvise },
	{ SYS_mlock },
	{ SYS_munlock },
	{ SYS_mbind },
	{ SYS_get_mempolicy },
	// threads, signals, the end
	{ SYS_clone, SYSCALL_ARG_HAS, 0, CLONE_THREAD },
	{ SYS_set_robust_list },
	{ SYS_rseq },
	{ SYS_membarrier },
	{ SYS_sched_getaffinity },
	{ SYS_sched_setaffinity },
	{ SYS_getpid },
	{ SYS_gettid },
	{ SYS_getrandom },
	{ SYS_prctl, SYSCALL_ARG_IS, 0, PR_SET_NAME },
	{ SYS_rt_sigaction },
	{ SYS_rt_sigprocmask },
	{ SYS_rt_sigreturn },
	{ SYS_sigaltstack },
	{ SYS_restart_syscall },
	{ SYS_tgkill },
	{ SYS_exit },
	{ SYS_exit_group },
#ifdef SALLYPORT_SANITIZE_ADDRESS
	// The leak check at the end traces its own threads from a helper; reports look up who is who.
	{ SYS_clone },
	{ SYS_ptrace },
	{ SYS_getdents },
	{ SYS_wait4 },
	{ SYS_prctl },
	{ SYS_readlink },
	{ SYS_open },
	{ SYS_mmap },
	{ SYS_mprotect },
	{ SYS_arch_prctl },
	{ SYS_kill },
	{ SYS_process_vm_readv },
	{ SYS_getcwd },
	{ SYS_pipe },
	{ SYS_dup2 },
	{ SYS_getppid },
	{ SYS_prlimit64 },
	{ SYS_stat },
	{ SYS_sysinfo },
	{ SYS_getuid },
	{ SYS_geteuid },
#endif
};

int relay_syscalls_confine(void)
{
	return syscall_filter_install(rules, sizeof(rules) / sizeof(rules[0]));
}
