// SPDX-License-Identifier: GPL-3.0-or-later
// child.h - one child process of the supervisor: how it is started, when it is ready, when it may come back.
#pragma once
#include "base/clock.h"
#include "gateway/link.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILD_FDS_MAX 24

struct child_fd { // handed over: its number stands in the environment
	char variable[40];
	int fd;
};

struct child_program {
	const char *path;
	const char *argument; // or NULL
};

struct child {
	const char *name; // "relay", "control": the word of the log
	struct child_program program;
	struct child_fd fds[CHILD_FDS_MAX];
	size_t n_fds;
	const char *config; // value of SALLYPORT_CONFIG
	pid_t pid;          // 0: not running
	int ready_fd;       // our end of the link (link.h); -1: not running
	bool ready;         // of this life
	bool was_ready;     // of any life
	unsigned restarts;  // starts after the first
	bool leaves, left;  // it has said that it makes room for another; it has, and that was no death
	unsigned deaths;    // in a row; forgotten after a life of ten seconds
	mono_ns born, died; // died 0: never
	mono_ns ready_since;
	mono_ns restart_at; // MONO_NEVER: not planned
};

void child_init(struct child *c, const char *name, const struct child_program *program, const char *config);
void child_give(struct child *c, const char *variable, int fd); // before the first start
int child_start(struct child *c);
// Takes one of the things that the child has said: true, `text`, and in *attached a descriptor that is the caller's, or -1. "ready"
// is logged as "child back" the second time and later.
bool child_hear(struct child *c, char text[LINK_TEXT], int *attached);
// waitpid() reported its end: logs it and plans the next life.
void child_ended(struct child *c, int status);
void child_signal(const struct child *c, int number); // not running: nothing
void child_forget(struct child *c);                   // closes what is ours of it
