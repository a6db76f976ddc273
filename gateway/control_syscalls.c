// SPDX-License-Identifier: GPL-3.0-or-later
// control_syscalls.c - the list, hot ones first. Found by tracing the end-to-end tests; what is in no test but in a
// library's documented path (a clock without vDSO, memory that shrinks) is here as well.
#include "gateway/control_syscalls.h"
#include "base/syscall_filter.h"
#include <asm/termbits.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const struct syscall_rule rules[] = {
	// loops
	{ SYS_epoll_wait },
	{ SYS_epoll_pwait },
	{ SYS_poll },
	{ SYS_ppoll },
	{ SYS_read },
	{ SYS_write },
	{ SYS_readv },
	{ SYS_writev },
	{ SYS_futex },
	{ SYS_epoll_ctl },
	{ SYS_epoll_create },
	{ SYS_epoll_create1 },
	{ SYS_eventfd2 },
	{ SYS_timerfd_create },
	{ SYS_timerfd_settime },
	{ SYS_pipe2 },
	{ SYS_close },
	{ SYS_fcntl },
	{ SYS_dup },
	// sockets: SIP over IPv4 and IPv6; netlink is how the C library looks for our addresses
	{ SYS_recvmsg },
	{ SYS_recvfrom },
	{ SYS_recvmmsg },
	{ SYS_sendmsg },
	{ SYS_sendto },
	{ SYS_sendmmsg },
	{ SYS_socket, SYSCALL_ARG_IS, 0, AF_INET },
	{ SYS_socket, SYSCALL_ARG_IS, 0, AF_INET6 },
	{ SYS_socket, SYSCALL_ARG_IS, 0, AF_NETLINK },
	{ SYS_socketpair },
	{ SYS_bind },
	{ SYS_connect },
	{ SYS_listen },
	{ SYS_accept },
	{ SYS_accept4 },
	{ SYS_shutdown },
	{ SYS_getsockname },
	{ SYS_getpeername },
	{ SYS_getsockopt },
	{ SYS_setsockopt },
	{ SYS_ioctl, SYSCALL_ARG_IS, 1, FIONREAD },
	{ SYS_ioctl, SYSCALL_ARG_IS, 1, FIONBIO },
	{ SYS_ioctl, SYSCALL_ARG_IS, 1, TCGETS },
	{ SYS_ioctl, SYSCALL_ARG_IS, 1, SIOCGIFCONF },
	{ SYS_ioctl, SYSCALL_ARG_IS, 1, SIOCGIFFLAGS },
	{ SYS_ioctl, SYSCALL_ARG_IS, 1, SIOCGIFINDEX },
	{ SYS_ioctl, SYSCALL_ARG_IS, 1, SIOCGIFADDR },
	// time, chance, who we are
	{ SYS_getrandom },
	{ SYS_clock_gettime },
	{ SYS_gettimeofday },
	{ SYS_time },
	{ SYS_clock_nanosleep },
	{ SYS_nanosleep },
	{ SYS_getpid },
	{ SYS_gettid },
	{ SYS_getppid },
	{ SYS_getuid },
	{ SYS_geteuid },
	{ SYS_getgid },
	{ SYS_getegid },
	{ SYS_uname },
	{ SYS_sysinfo },
	{ SYS_getrusage },
	{ SYS_prlimit64 },
	{ SYS_getrlimit },
	{ SYS_sched_yield },
	// files: time zone, resolver, the certificate of our own
	{ SYS_openat },
	{ SYS_newfstatat },
	{ SYS_fstat },
	{ SYS_stat },
	{ SYS_statx },
	{ SYS_lseek },
	{ SYS_pread64 },
	{ SYS_fstatfs },
	{ SYS_rename },
	{ SYS_unlink },
	{ SYS_fsync },
	{ SYS_fchmod },
	{ SYS_ftruncate },
	{ SYS_access },
	{ SYS_getdents64 },
	{ SYS_memfd_create }, // a document for the supervisor
	SYSCALL_RULES_PROCESS,
#ifdef SALLYPORT_SANITIZE_ADDRESS
	SYSCALL_RULES_SANITIZER,
	{ SYS_socket, SYSCALL_ARG_IS, 0, AF_UNIX },
#endif
};

int control_syscalls_confine(void)
{
	return syscall_filter_install(rules, sizeof(rules) / sizeof(rules[0]));
}
