// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_events.c - a stream that is taken up again where it broke off.
#include "gateway/ctl/ctl_events.h"
#include "gateway/ctl/ctl_put.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRIES 60 // a second each: as long as a control may need that takes another one's place

struct watch {
	const struct ctl_events *wanted;
	unsigned long seen;
	char last_id[64];
	unsigned tries;
};

static void show_value(const json_t *value)
{
	if (json_is_string(value))
		ctl_put(json_string_value(value), 0);
	else if (json_is_integer(value))
		printf("%lld", (long long)json_integer_value(value));
	else
		printf("%.3f", json_number_value(value));
}

// "core <sip:pbx@192.0.2.1>", or a dash.
static void show_side(const json_t *side)
{
	ctl_put(ctl_text(side, "realm"), 0);
	printf(" <");
	ctl_put(ctl_text(side, "uri"), 0);
	putchar('>');
}

static void show_event(const char *name, const json_t *data)
{
	double at = ctl_number(data, "at");
	time_t second = (time_t)at;
	const json_t *value;
	struct tm local;
	char clock[32];
	const char *key;

	localtime_r(&second, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	printf("%s.%03d  ", clock, (int)((at - (double)second) * 1000));
	ctl_put(name, 17);
	if (json_is_integer(json_object_get(data, "call")))
		printf(" call=%lld", (long long)json_integer_value(json_object_get(data, "call")));
	if (json_is_object(json_object_get(data, "caller"))) {
		putchar(' ');
		show_side(json_object_get(data, "caller"));
		printf(" -> ");
		show_side(json_object_get(data, "callee"));
	}
	json_object_foreach((json_t *)data, key, value) {
		if (strcmp(key, "at") == 0 || strcmp(key, "call") == 0 || strncmp(key, "call_id", 7) == 0 || json_is_object(value) ||
		    json_is_null(value))
			continue;
		putchar(' ');
		ctl_put(key, 0);
		putchar('=');
		show_value(value);
	}
	putchar('\n');
}

static bool take(void *ctx, const struct ctl_event *event)
{
	struct watch *w = ctx;

	w->tries = 0;
	snprintf(w->last_id, sizeof(w->last_id), "%s", event->id);
	if (w->wanted->json) {
		json_t *line = json_pack("{s:s, s:s, s:O}", "id", event->id, "event", event->name, "data", event->data);

		json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
		putchar('\n');
		json_decref(line);
	} else {
		show_event(event->name, event->data);
	}
	fflush(stdout);
	w->seen++;
	return w->wanted->count == 0 || w->seen < w->wanted->count;
}

enum ctl_stream_end ctl_events_show(const struct ctl_door *door, const struct ctl_events *wanted, json_t **problem, const char **why)
{
	struct watch w = { .wanted = wanted };
	bool began = false;

	if (wanted->since != NULL)
		snprintf(w.last_id, sizeof(w.last_id), "%s", wanted->since);
	for (;;) {
		enum ctl_stream_end end = ctl_stream(door, wanted->path, w.last_id, take, &w, problem, why);

		began = began || end == CTL_STREAM_ENDED;
		if (end == CTL_STREAM_ENOUGH || end == CTL_STREAM_REFUSED || !began || ++w.tries > TRIES)
			return end;
		sleep(1);
	}
}
