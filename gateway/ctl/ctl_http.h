// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_http.h - one request to the management door and its answer.
#pragma once
#include <jansson.h>

struct ctl_door {
	const char *address; // HOST:PORT, or unix:PATH
	const char *token;   // "": none
};

// The answer's body as JSON, and its status; NULL: there was none, *why says so.
json_t *ctl_ask(const struct ctl_door *door, const char *method, const char *path, const char *body, int *status, const char **why);
