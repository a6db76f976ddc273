// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_http.h - one request to the management door and its answer, or the events that it streams.
#pragma once
#include <jansson.h>
#include <stdbool.h>

struct ctl_door {
	const char *address; // HOST:PORT, https://HOST:PORT, or unix:PATH
	const char *authorities, *certificate, *key; // of https: PEM files; NULL: the host's authorities, none
	const char *token;   // "": none
};

// The body of what GET says, malloc'ed, whatever it is; NULL as below.
char *ctl_fetch(const struct ctl_door *door, const char *path, size_t *len, int *status, const char **why);

struct ctl_question {
	const char *method, *path;
	const char *type, *body; // NULL: no body; type NULL: JSON
	const char *match;       // of If-Match; NULL: none
};

struct ctl_answer {
	int status;
	char tag[80];  // ETag, with its quotes; empty: none
	json_t *body;  // the caller's
};

int ctl_ask(const struct ctl_door *door, const struct ctl_question *question, struct ctl_answer *answer, const char **why); // -1: none came

struct ctl_event {
	char id[64], name[64];
	json_t *data;
};
typedef bool ctl_event_fn(void *ctx, const struct ctl_event *event); // false: enough

enum ctl_stream_end { CTL_STREAM_ENOUGH, CTL_STREAM_ENDED, CTL_STREAM_REFUSED, CTL_STREAM_UNREACHED };

// Events of GET path until the stream ends. last_id "": from now on. REFUSED: *problem is the answer's body, the caller's from now
// on; UNREACHED: *why says so.
enum ctl_stream_end ctl_stream(const struct ctl_door *door, const char *path, const char *last_id, ctl_event_fn *take, void *ctx,
			       json_t **problem, const char **why);
