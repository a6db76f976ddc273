// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_trace.h - trace a call until it is over, the time is up or ^C comes, and put it into a file.
#pragma once
#include "gateway/ctl/ctl_http.h"
#include <stdbool.h>

struct ctl_trace { // text as given; NULL: not
	const struct ctl_door *door;
	bool json, next;
	const char *call; // its number; "list": what is there
	const char *media, *seconds, *octets, *output;
	const char *calls, *caller, *callee, *realm, *peer; // of the next
};

enum ctl_status { CTL_DONE = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNREACHED = 3 }; // exit status

enum ctl_status ctl_trace(const struct ctl_trace *t);
