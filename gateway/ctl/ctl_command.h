// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_command.h - what the files with commands share.
#pragma once
#include "gateway/ctl/ctl_http.h"
#include "gateway/ctl/ctl_trace.h"

enum { DONE = CTL_DONE, REFUSED = CTL_REFUSED, USAGE = CTL_USAGE, UNREACHED = CTL_UNREACHED };

#define CTL_TOKEN_MAX 256
#define CTL_ARGUMENTS 4

struct options {
	struct ctl_door door;
	char token[CTL_TOKEN_MAX];
	bool json, once, replace;
	const char *realm, *state, *limit, *before, *type, *call, *since, *count, *match;
	struct ctl_trace trace;
	const char *command, *argument[CTL_ARGUMENTS]; // NULL: not there
};

int ctl_complain(const char *what, const char *more); // REFUSED
// Asks, and shows the answer as the options want it. answer NULL: nobody wants it; else its body is the caller's, if the result is
// DONE or REFUSED.
int ctl_do(const struct options *o, const struct ctl_question *question, void (*show)(const json_t *), struct ctl_answer *answer);
char *ctl_read_file(const char *path); // "-": standard input. malloc'ed; NULL: it has been said why

int ctl_cert(const struct options *o);   // ctl_cert.c: cert list, replace, renew
int ctl_config(const struct options *o); // ctl_config.c: config show, check, diff, apply, rollback
