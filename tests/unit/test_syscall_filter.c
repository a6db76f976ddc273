// SPDX-License-Identifier: GPL-3.0-or-later
// test_syscall_filter.c - what a filtered process may do, must not, and dies of; each in a process of its own.
#include "base/syscall_filter.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const struct syscall_rule rules[] = {
	{ SYS_write },
	{ SYS_futex },
	{ SYS_munmap },
	{ SYS_madvise },
	{ SYS_brk },
	{ SYS_rseq },
	{ SYS_set_robust_list },
	{ SYS_rt_sigprocmask },
	{ SYS_exit },
	{ SYS_exit_group },
	{ SYS_clone, SYSCALL_ARG_HAS, 0, CLONE_THREAD },
	{ SYS_mmap, SYSCALL_ARG_LACKS, 2, PROT_EXEC },
	{ SYS_mprotect, SYSCALL_ARG_LACKS, 2, PROT_EXEC },
	{ SYS_socket, SYSCALL_ARG_IS, 0, AF_INET },
	{ SYS_socket, SYSCALL_ARG_IS, 0, AF_INET6 },
	{ SYS_sched_getaffinity },
	{ SYS_sigaltstack },
	{ SYS_gettid },
	{ SYS_sigaltstack },
	{ SYS_gettid },
};
#define N_RULES (sizeof(rules) / sizeof(rules[0]))

static int status_of(int (*check)(void), bool filtered)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (filtered && syscall_filter_install(rules, N_RULES) < 0)
			_exit(255);
		syscall(SYS_exit_group, check()); // _exit() is a sanitizer's, which wants more calls
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int by_argument(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || mprotect(page, 4096, PROT_READ) < 0)
		return 1;
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 || errno != EPERM)
		return 2;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return 3;
	if (socket(AF_INET, SOCK_DGRAM, 0) < 0 || socket(AF_INET6, SOCK_DGRAM, 0) < 0)
		return 4;
	if (socket(AF_UNIX, SOCK_DGRAM, 0) >= 0 || errno != EPERM)
		return 5;
	return 0;
}

static int not_listed(void)
{
	return syscall(SYS_getppid) == -1 && errno == EPERM ? 0 : 1;
}

static void *other_thread(void *arg)
{
	*(int *)arg = syscall(SYS_getppid) == -1 && errno == EPERM;
	return NULL;
}

static int threads(void)
{
	pthread_t thread;
	int filtered = 0;

	if (pthread_create(&thread, NULL, other_thread, &filtered) != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	return filtered ? 0 : 2;
}

static int clone_without_thread(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) == -1 && errno == EPERM ? 0 : 1;
}

static int runs_a_program(void)
{
	char *const arguments[] = { (char *)"true", NULL };

	execv("/bin/true", arguments);
	return 1;
}

static int traces(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	return 0;
}

static void listed_calls_work(void **state)
{
	assert_int_equal(status_of(by_argument, true), 0);
	assert_int_equal(status_of(threads, true), 0);
}

static void others_fail(void **state)
{
	assert_int_equal(status_of(not_listed, true), 0);
	assert_int_equal(status_of(clone_without_thread, true), 0);
	assert_int_not_equal(status_of(not_listed, false), 0); // without the filter it works
}

static void what_only_an_intruder_does_kills(void **state)
{
	int (*const deadly[])(void) = { runs_a_program, traces };

	for (size_t i = 0; i < 2; i++) {
		int status = status_of(deadly[i], true);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
		assert_int_equal(status_of(deadly[i], false), 0);
	}
}

static int holds(void)
{
	const struct syscall_rule all[] = { { SYS_getppid } };

	// The first filter does not list seccomp(2) itself, so there is no second one.
	return syscall_filter_install(all, 1) < 0 && syscall(SYS_getppid) == -1 ? 0 : 1;
}

static void is_not_widened(void **state)
{
	assert_int_equal(status_of(holds, true), 0);
}

static void too_many_rules(void **state)
{
	static const struct syscall_rule many[SYSCALL_RULES_MAX + 1];

	assert_int_equal(syscall_filter_install(many, SYSCALL_RULES_MAX + 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listed_calls_work),
		cmocka_unit_test(others_fail),
		cmocka_unit_test(what_only_an_intruder_does_kills),
		cmocka_unit_test(is_not_widened),
		cmocka_unit_test(too_many_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
