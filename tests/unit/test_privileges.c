// SPDX-License-Identifier: GPL-3.0-or-later
// test_privileges.c - what control cannot do any more, tried from within.
#include "gateway/privileges.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

// Runs in a process of its own, since there is no way back: 0, or the number of the line that found something.
static void in_child(int (*check)(bool), bool bind_low)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(privileges_drop("nobody", bind_low) < 0 ? 255 : check(bind_low));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static uint64_t status_mask(const char *name)
{
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t mask = UINT64_MAX;
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			mask = strtoull(line + strlen(name) + 1, NULL, 16);
	}
	if (f != NULL)
		fclose(f);
	return mask;
}

static int has_nothing_left(bool bind_low)
{
	uint64_t kept = bind_low ? 1u << 10 : 0; // CAP_NET_BIND_SERVICE
	gid_t groups[4];

	if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getgroups(4, groups) != 0)
		return 1;
	if (status_mask("CapEff") != kept || status_mask("CapPrm") != kept || status_mask("CapBnd") != kept)
		return 2;
	if (status_mask("NoNewPrivs") != 1)
		return 3;
	if (setuid(0) == 0 || setresuid(0, 0, 0) == 0 || setgid(0) == 0)
		return 4;
	if (open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0)
		return 5;
	if (socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0)
		return 6;
	return 0;
}

static int binds_low(bool bind_low)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(506) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return (bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0) == bind_low ? 0 : 1;
}

static void nothing_is_left(void **state)
{
	in_child(has_nothing_left, false);
	in_child(has_nothing_left, true);
}

static void low_ports_only_where_a_listener_wants_one(void **state)
{
	in_child(binds_low, false);
	in_child(binds_low, true);
}

static void unknown_user(void **state)
{
	assert_int_equal(privileges_drop("no-such-user", false), -ENOENT);
	assert_int_equal(geteuid(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(low_ports_only_where_a_listener_wants_one),
		cmocka_unit_test(unknown_user),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) // a namespace of its own: other sockets and sysctls do not disturb
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
