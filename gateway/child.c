// SPDX-License-Identifier: GPL-3.0-or-later
// child.c - fork, exec, the ready line, and back-off.
#include "gateway/child.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAG "supervisor"
#define BACKOFF_FIRST MONO_MS(100)
#define BACKOFF_LONGEST MONO_S(1)
#define LONG_LIFE MONO_S(10)
#define EXIT_NO_EXEC 127

void child_init(struct child *c, const char *name, const struct child_program *program, const char *config)
{
	*c = (struct child){ .name = name, .program = *program, .config = config, .ready_fd = -1 };
	c->restart_at = MONO_NEVER;
}

void child_give(struct child *c, const char *variable, int fd)
{
	struct child_fd *slot = &c->fds[c->n_fds];

	if (c->n_fds == CHILD_FDS_MAX)
		abort(); // a bound of ours, not of the configuration's
	snprintf(slot->variable, sizeof(slot->variable), "%s", variable);
	slot->fd = fd;
	c->n_fds++;
}

static int keep_fd(const char *variable, int fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	if (fcntl(fd, F_SETFD, 0) < 0 || setenv(variable, number, 1) < 0)
		return -errno;
	return 0;
}

static int set_environment(const struct child *c, int ready_fd)
{
	int err;

	// What whoever started us left open is not for the children.
	if (close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return -errno;
	err = keep_fd("SALLYPORT_SUPERVISOR", ready_fd);
	for (size_t i = 0; i < c->n_fds && err == 0; i++)
		err = keep_fd(c->fds[i].variable, c->fds[i].fd);
	if (err == 0 && setenv("SALLYPORT_CONFIG", c->config, 1) < 0)
		err = -errno;
	unsetenv("NOTIFY_SOCKET"); // what systemd says is for the supervisor
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	return err;
}

// In the new process: never returns.
_Noreturn static void become(const struct child *c, pid_t supervisor, int ready_fd)
{
	const char *argv[] = { c->program.path, c->program.argument, NULL };
	sigset_t none;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor) // it died before the line above
		_exit(EXIT_NO_EXEC);
	setpgid(0, 0); // the terminal's Ctrl-C is for the supervisor, which ends its children in order
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	err = set_environment(c, ready_fd);
	if (err == 0) {
		execv(c->program.path, (char *const *)argv);
		err = -errno;
	}
	log_error(TAG, "cannot execute", LOG_STR("child", c->name), LOG_STR("path", c->program.path), LOG_ERRNO(err));
	_exit(EXIT_NO_EXEC);
}

int child_start(struct child *c)
{
	pid_t supervisor = getpid(), pid;
	int pair[2], err;

	c->restart_at = MONO_NEVER;
	err = link_open(pair);
	if (err < 0)
		return err;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	if (pid == 0)
		become(c, supervisor, pair[1]);
	close(pair[1]);
	c->pid = pid;
	c->ready_fd = pair[0];
	c->ready = c->leaves = c->left = false;
	c->born = clock_now();
	log_debug(TAG, "child started", LOG_STR("child", c->name), LOG_INT("pid", pid));
	return 0;
}

static void now_ready(struct child *c)
{
	c->ready = true;
	c->ready_since = clock_now();
	if (c->was_ready)
		log_info(TAG, "child back", LOG_STR("child", c->name), LOG_INT("pid", c->pid),
			 LOG_UINT("after_ms", (clock_now() - c->died) / MONO_MS(1)));
	c->was_ready = true;
}

bool child_hear(struct child *c, char text[LINK_TEXT], int *attached)
{
	int n = c->ready_fd >= 0 ? link_hear(c->ready_fd, text, attached) : -EAGAIN;

	if (n == -EAGAIN)
		return false;
	if (n <= 0) { // its end; SIGCHLD tells the rest
		close(c->ready_fd);
		c->ready_fd = -1;
		return false;
	}
	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, "ready") == 0 && !c->ready)
		now_ready(c);
	return true;
}

static mono_ns backoff(unsigned deaths)
{
	mono_ns wait = BACKOFF_FIRST;

	if (deaths <= 1)
		return 0; // the first time at once
	for (; deaths > 2 && wait < BACKOFF_LONGEST; deaths--)
		wait *= 2;
	return wait < BACKOFF_LONGEST ? wait : BACKOFF_LONGEST;
}

static void log_end(const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		log_error(TAG, "child died", LOG_STR("child", c->name), LOG_INT("pid", c->pid),
			  LOG_STR("signal", sigabbrev_np(WTERMSIG(status))),
			  LOG_UINT("lived_ms", (c->died - c->born) / MONO_MS(1)));
	else
		log_error(TAG, "child died", LOG_STR("child", c->name), LOG_INT("pid", c->pid),
			  LOG_INT("status", WEXITSTATUS(status)),
			  LOG_UINT("lived_ms", (c->died - c->born) / MONO_MS(1)));
}

void child_ended(struct child *c, int status)
{
	c->died = clock_now();
	c->left = c->leaves && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (c->left) {
		log_info(TAG, "child left", LOG_STR("child", c->name), LOG_INT("pid", c->pid));
		child_forget(c);
		c->restart_at = c->died;
		return;
	}
	c->deaths = c->died - c->born >= LONG_LIFE ? 1 : c->deaths + 1;
	log_end(c, status);
	child_forget(c);
	c->restart_at = c->died + backoff(c->deaths);
}

void child_signal(const struct child *c, int number)
{
	if (c->pid > 0)
		kill(c->pid, number);
}

void child_forget(struct child *c)
{
	if (c->ready_fd >= 0)
		close(c->ready_fd);
	c->ready_fd = -1;
	c->ready = false;
	c->pid = 0;
}
