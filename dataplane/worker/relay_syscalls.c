// SPDX-License-Identifier: GPL-3.0-or-later
// relay_syscalls.c - the list, hot ones first. The opening of ports, which needs far more, is done by then.
#include "dataplane/worker/relay_syscalls.h"
#include "base/syscall_filter.h"
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/vfio.h>
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
	{ SYS_readv },
	{ SYS_writev },
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
	// a NIC that is all ours: what its driver asks of VFIO when an interrupt came, the TAP's carrier; net_tap's link
	{ SYS_ioctl, SYSCALL_ARG_IS, 1, VFIO_DEVICE_SET_IRQS },
	{ SYS_ioctl, SYSCALL_ARG_IS, 1, TUNSETCARRIER },
	{ SYS_ioctl, SYSCALL_ARG_IS, 1, SIOCGIFFLAGS },
	// which memory and which core
	{ SYS_mbind },
	{ SYS_get_mempolicy },
	{ SYS_sched_setaffinity },
	{ SYS_getpid },
	{ SYS_gettid },
	{ SYS_getrandom },
	SYSCALL_RULES_PROCESS,
#ifdef SALLYPORT_SANITIZE_ADDRESS
	SYSCALL_RULES_SANITIZER,
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
