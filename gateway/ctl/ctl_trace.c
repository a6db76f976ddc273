// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_trace.c - begin, wait, fetch, delete.
#include "gateway/ctl/ctl_trace.h"
#include "base/file.h"
#include "gateway/ctl/ctl_put.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 250000000L

static volatile sig_atomic_t enough; // ^C

static void on_interrupt(int number)
{
	(void)number;
	enough = 1;
}

static enum ctl_status complain(const char *what, const char *more, enum ctl_status status)
{
	fprintf(stderr, "sallyportctl: %s%s%s\n", what, more[0] != '\0' ? ": " : "", more);
	return status;
}

static enum ctl_status refused(const json_t *answer)
{
	const char *title = ctl_text(answer, "title"), *detail = ctl_text(answer, "detail");

	return complain(title, detail, CTL_REFUSED);
}

// *answer: what was said, the caller's; NULL where nothing was, or no.
static enum ctl_status ask(const struct ctl_trace *t, const char *method, const char *path, const char *body, json_t **answer)
{
	struct ctl_answer got = { .status = 0 };
	const char *why;

	*answer = NULL;
	if (ctl_ask(t->door, &(struct ctl_question){ .method = method, .path = path, .body = body }, &got, &why) < 0)
		return complain(t->door->address, why, CTL_UNREACHED);
	*answer = got.body;
	if (got.status < 300)
		return CTL_DONE;
	refused(*answer);
	json_decref(*answer);
	*answer = NULL;
	return CTL_REFUSED;
}

// The list

static void show_row(const json_t *row)
{
	const json_t *next = json_object_get(row, "next");

	ctl_put(ctl_text(row, "id"), 9);
	ctl_put(json_is_true(json_object_get(row, "running")) ? "runs" : "ended", 6);
	ctl_put(ctl_text(row, "media"), 8);
	ctl_put_number(row, "age_seconds", 8);
	ctl_put_number(row, "octets", 9);
	ctl_put_number(row, "messages", 8);
	ctl_put_number(row, "packets", 8);
	ctl_put_number(row, "lost", 6);
	ctl_put(ctl_text(row, "by"), 12);
	if (json_is_object(next)) {
		printf("next %.0f: ", ctl_number(next, "calls"));
		ctl_put(ctl_text(next, "caller"), 0);
		printf(" -> ");
		ctl_put(ctl_text(next, "callee"), 0);
	} else {
		printf("call %.0f", ctl_number(row, "call"));
	}
	putchar('\n');
}

static enum ctl_status list(const struct ctl_trace *t)
{
	enum ctl_status err;
	json_t *answer, *row;
	size_t i;

	err = ask(t, "GET", "/v1/traces", NULL, &answer);
	if (err != CTL_DONE)
		return err;
	if (t->json) {
		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		printf("ID        STATE  MEDIA    AGE       OCTETS    MESSAGES PACKETS LOST   BY           WHAT\n");
		json_array_foreach(json_object_get(answer, "traces"), i, row)
			show_row(row);
	}
	json_decref(answer);
	return CTL_DONE;
}

// One

static bool number_of(const char *text, json_t **to)
{
	if (text[0] == '\0' || strlen(text) > 10 || text[strspn(text, "0123456789")] != '\0')
		return false;
	*to = json_integer(strtoll(text, NULL, 10));
	return true;
}

static bool add_number(json_t *body, const char *key, const char *text)
{
	json_t *number;

	return text == NULL || (number_of(text, &number) && json_object_set_new(body, key, number) == 0);
}

static bool add_word(json_t *body, const char *key, const char *text)
{
	return text == NULL || json_object_set_new(body, key, json_string(text)) == 0;
}

// NULL: usage.
static char *wanted(const struct ctl_trace *t)
{
	json_t *body = json_object(), *next = json_object();
	char *text = NULL;
	bool good = add_word(body, "media", t->media) && add_number(body, "seconds", t->seconds) && add_number(body, "octets", t->octets);

	if (t->next)
		good = good && t->call == NULL && add_number(next, "calls", t->calls) && add_word(next, "caller", t->caller) &&
		       add_word(next, "callee", t->callee) && add_word(next, "realm", t->realm) && add_word(next, "peer", t->peer) &&
		       json_object_set(body, "next", next) == 0;
	else
		good = good && t->call != NULL && add_number(body, "call", t->call);
	if (good)
		text = json_dumps(body, JSON_COMPACT);
	json_decref(next);
	json_decref(body);
	return text;
}

static enum ctl_status wait_for(const struct ctl_trace *t, const char *path)
{
	enum ctl_status err = CTL_DONE;
	bool running = true;
	json_t *answer;

	while (running && !enough) {
		nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
		err = ask(t, "GET", path, NULL, &answer);
		if (err != CTL_DONE)
			return err;
		running = json_is_true(json_object_get(answer, "running"));
		json_decref(answer);
	}
	return err;
}

// For nobody else's eyes.
static enum ctl_status save(const char *name, const char *bytes, size_t len)
{
	bool out = strcmp(name, "-") == 0;
	int fd = out ? STDOUT_FILENO : open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), err;

	if (fd < 0)
		return complain(name, strerror(errno), CTL_REFUSED);
	err = file_write(fd, bytes, len);
	if (!out && close(fd) < 0 && err == 0)
		err = -errno;
	return err < 0 ? complain(name, strerror(-err), CTL_REFUSED) : CTL_DONE;
}

static enum ctl_status fetch(const struct ctl_trace *t, const char *path, const char *name)
{
	enum ctl_status err;
	const char *why;
	int status = 0;
	size_t len;
	char file[64], *bytes;

	snprintf(file, sizeof(file), "%s/pcapng", path);
	bytes = ctl_fetch(t->door, file, &len, &status, &why);
	if (bytes == NULL)
		return complain(t->door->address, why, CTL_UNREACHED);
	err = status == 200 ? save(name, bytes, len) : complain("the trace cannot be read", "", CTL_REFUSED);
	free(bytes);
	return err;
}

static enum ctl_status trace_one(const struct ctl_trace *t, const char *id)
{
	char path[48], name[48];
	enum ctl_status err;
	json_t *answer;

	snprintf(path, sizeof(path), "/v1/traces/%.16s", id);
	snprintf(name, sizeof(name), "trace-%.16s.pcapng", id);
	fprintf(stderr, "sallyportctl: trace %.16s runs; ^C ends it\n", id);
	err = wait_for(t, path);
	if (err == CTL_DONE)
		err = fetch(t, path, t->output != NULL ? t->output : name);
	if (err != CTL_DONE || ask(t, "GET", path, NULL, &answer) != CTL_DONE)
		return err;
	fprintf(stderr, "sallyportctl: %.0f messages, %.0f packets, %.0f lost, in %s\n", ctl_number(answer, "messages"),
		ctl_number(answer, "packets"), ctl_number(answer, "lost"), t->output != NULL ? t->output : name);
	json_decref(answer);
	err = ask(t, "DELETE", path, NULL, &answer);
	json_decref(answer);
	return err;
}

enum ctl_status ctl_trace(const struct ctl_trace *t)
{
	const struct sigaction action = { .sa_handler = on_interrupt };
	char *body, id[17] = "";
	enum ctl_status err;
	json_t *answer;

	if (t->call != NULL && strcmp(t->call, "list") == 0)
		return list(t);
	body = wanted(t);
	if (body == NULL)
		return complain("which call?", "trace CALL, or trace --next", CTL_USAGE);
	sigaction(SIGINT, &action, NULL); // before there is one that would be left
	sigaction(SIGTERM, &action, NULL);
	err = ask(t, "POST", "/v1/traces", body, &answer);
	free(body);
	if (err != CTL_DONE)
		return err;
	snprintf(id, sizeof(id), "%s", ctl_text(answer, "id"));
	json_decref(answer);
	if (id[strspn(id, "0123456789abcdef")] != '\0')
		return complain("no answer that can be read", "", CTL_UNREACHED);
	return trace_one(t, id);
}
