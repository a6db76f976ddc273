// SPDX-License-Identifier: GPL-3.0-or-later
// fake_child.c - stands in for relay or control under a supervisor in test: says what it is given and what it is told.
// FAKE_<ROLE>: "good" (default), "stubborn" (ignores SIGTERM), "mute" (never ready), "broken" (exit 3 at once).
#include "base/region.h"
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *role, *mode;

static void say(const char *what, long number)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "fake %s: %s %ld\n", role, what, number);

	if (write(STDERR_FILENO, line, (size_t)len) != len)
		_exit(4);
}

static int need_fd(const char *variable)
{
	const char *text = getenv(variable);
	int fd = text != NULL ? atoi(text) : -1;

	if (fd < 0 || fcntl(fd, F_GETFD) < 0) {
		say(variable, -1);
		exit(5);
	}
	return fd;
}

// The region counts lives in its last eight bytes: what a life left is there in the next.
static void count_life(const char *variable)
{
	struct region r;
	uint64_t *lives;

	if (region_map(&r, need_fd(variable)) < 0)
		exit(6);
	lives = (uint64_t *)(void *)((uint8_t *)r.base + r.size - 8);
	say("life", (long)++*lives);
}

static void check_given(void)
{
	need_fd("SALLYPORT_RELAY_EVENT");
	need_fd("SALLYPORT_CONTROL_EVENT");
	if (getenv("NOTIFY_SOCKET") != NULL || getenv("LISTEN_FDS") != NULL)
		exit(7); // systemd's words are for the supervisor
	if (strcmp(role, "control") == 0) {
		char first[5] = "";
		int fd = open(getenv("SALLYPORT_CONFIG"), O_RDONLY);

		if (fd < 0 || read(fd, first, 4) != 4 || strcmp(first, "log:") != 0)
			exit(8);
		close(fd);
	}
	for (int fd = 3; fd < 64; fd++) { // nothing else may have slipped through
		char name[16];
		bool named = false;

		snprintf(name, sizeof(name), "%d", fd);
		for (char **e = environ; *e != NULL; e++) {
			if (strncmp(*e, "SALLYPORT_", 10) == 0 && strcmp(strchr(*e, '=') + 1, name) == 0)
				named = true;
		}
		if (!named && fcntl(fd, F_GETFD) >= 0)
			say("stray descriptor", fd);
	}
}

int main(int argc, char **argv)
{
	char variable[32];
	sigset_t term;
	int number;

	role = argc > 1 ? argv[1] : "relay";
	snprintf(variable, sizeof(variable), "FAKE_%s", role);
	mode = getenv(variable) != NULL ? getenv(variable) : "good";
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	say("pid", getpid());
	if (strcmp(mode, "broken") == 0)
		return 3;
	check_given();
	count_life(strcmp(role, "control") == 0 ? "SALLYPORT_CALL_REGION" : "SALLYPORT_MEDIA_REGION");
	if (strcmp(mode, "mute") != 0 && write(need_fd("SALLYPORT_SUPERVISOR"), "ready\n", 6) != 6)
		return 9;
	do {
		sigwait(&term, &number);
		say("told to end", number);
	} while (strcmp(mode, "stubborn") == 0);
	return 0;
}
