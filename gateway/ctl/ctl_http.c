// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_http.c - HTTP/1.1 as far as this one server needs it: a request, an answer of stated length, the end.
#include "gateway/ctl/ctl_http.h"
#include "gateway/ctl/ctl_wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (128u << 20) // a trace of 64 MB, with its headers

static int send_request(struct ctl_wire *wire, const struct ctl_door *door, const struct ctl_question *q, const char *more)
{
	const char *match = q->match != NULL ? q->match : "", *type = q->type != NULL ? q->type : "application/json";
	const char *body = q->body != NULL ? q->body : "";
	char *text;
	int len = asprintf(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s%s%s%s%s%s%s%s%sContent-Length: %zu\r\n\r\n%s",
			   q->method, q->path, more, door->token[0] != '\0' ? "Authorization: Bearer " : "", door->token,
			   door->token[0] != '\0' ? "\r\n" : "", match[0] != '\0' ? "If-Match: " : "", match, match[0] != '\0' ? "\r\n" : "",
			   q->body != NULL ? "Content-Type: " : "", q->body != NULL ? type : "", q->body != NULL ? "\r\n" : "", strlen(body), body);
	int err;

	if (len < 0)
		return -1;
	err = ctl_wire_send(wire, text, (size_t)len);
	explicit_bzero(text, (size_t)len);
	free(text);
	return err;
}

// Zero-terminated; NULL: no memory, too long, or the time is up.
static char *read_answer(struct ctl_wire *wire, size_t *len)
{
	size_t room = 1 << 16;
	char *text = malloc(room), *more;
	ssize_t n;

	*len = 0;
	while (text != NULL && (n = ctl_wire_receive(wire, text + *len, room - 1 - *len)) != 0) {
		if (n < 0 || room > ANSWER_MAX) {
			free(text);
			return NULL;
		}
		*len += (size_t)n;
		if (*len < room - 1)
			continue;
		more = realloc(text, room *= 2);
		if (more == NULL)
			free(text);
		text = more;
	}
	if (text != NULL)
		text[*len] = '\0';
	return text;
}

// Of an answer; cut short counts as none.
static const char *octets_of(const char *text, size_t len, int *status, size_t *body_len)
{
	const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length: ");

	if (sscanf(text, "HTTP/1.1 %3d ", status) != 1 || body == NULL || length == NULL || length > body)
		return NULL;
	body += 4;
	*body_len = len - (size_t)(body - text);
	return strtoul(length + 18, NULL, 10) == *body_len ? body : NULL;
}

static json_t *body_of(const char *text, size_t len, int *status)
{
	size_t body_len;
	const char *body = octets_of(text, len, status, &body_len);

	return body != NULL ? json_loadb(body, body_len, 0, NULL) : NULL;
}

static void read_tag(char tag[80], const char *text)
{
	const char *blank = strstr(text, "\r\n\r\n"), *line = strcasestr(text, "\r\nETag: ");
	size_t len = line != NULL ? strcspn(line + 8, "\r\n") : 0;

	tag[0] = '\0';
	if (line != NULL && line < blank && len < 80)
		snprintf(tag, 80, "%.*s", (int)len, line + 8);
}

// The whole of what comes, zero-terminated; NULL: *why.
static char *exchange(const struct ctl_door *door, const struct ctl_question *question, size_t *len, const char **why)
{
	struct ctl_wire *wire = ctl_wire_open(door, why);
	char *text;

	if (wire == NULL)
		return NULL;
	*why = "no whole answer";
	text = send_request(wire, door, question, "") == 0 ? read_answer(wire, len) : NULL;
	ctl_wire_close(wire);
	return text;
}

char *ctl_fetch(const struct ctl_door *door, const char *path, size_t *len, int *status, const char **why)
{
	size_t all;
	char *text = exchange(door, &(struct ctl_question){ .method = "GET", .path = path }, &all, why);
	const char *body = text != NULL ? octets_of(text, all, status, len) : NULL;

	if (body == NULL) {
		free(text);
		return NULL;
	}
	memmove(text, body, *len);
	return text;
}

int ctl_ask(const struct ctl_door *door, const struct ctl_question *question, struct ctl_answer *answer, const char **why)
{
	size_t len;
	char *text = exchange(door, question, &len, why);

	answer->body = text != NULL ? body_of(text, len, &answer->status) : NULL;
	if (answer->body != NULL)
		read_tag(answer->tag, text);
	free(text);
	return answer->body != NULL ? 0 : -1;
}

// Streams

struct stream {
	char *text; // what has come and is no whole line yet
	size_t len, room;
	struct ctl_event event;
};

static int stream_more(struct stream *st, struct ctl_wire *wire)
{
	ssize_t n;

	if (st->len + 1 >= st->room) {
		char *more = st->room < ANSWER_MAX ? realloc(st->text, st->room * 2 + 4096) : NULL;

		if (more == NULL)
			return -1;
		st->text = more;
		st->room = st->room * 2 + 4096;
	}
	n = ctl_wire_receive(wire, st->text + st->len, st->room - 1 - st->len);
	if (n <= 0)
		return -1;
	st->len += (size_t)n;
	st->text[st->len] = '\0';
	return 0;
}

static void stream_skip(struct stream *st, size_t n)
{
	st->len -= n;
	memmove(st->text, st->text + n, st->len + 1);
}

// One line of the stream; an empty one ends an event. False: who takes them has had enough.
static bool take_line(struct stream *st, const char *line, ctl_event_fn *take, void *ctx)
{
	struct ctl_event *e = &st->event;
	bool go_on = true;

	if (strncmp(line, "id: ", 4) == 0) {
		snprintf(e->id, sizeof(e->id), "%s", line + 4);
	} else if (strncmp(line, "event: ", 7) == 0) {
		snprintf(e->name, sizeof(e->name), "%s", line + 7);
	} else if (strncmp(line, "data: ", 6) == 0) {
		json_decref(e->data);
		e->data = json_loads(line + 6, 0, NULL);
	} else if (line[0] == '\0' && e->data != NULL) {
		go_on = take(ctx, e);
		json_decref(e->data);
		e->data = NULL;
	}
	return go_on;
}

static enum ctl_stream_end stream_read(struct stream *st, struct ctl_wire *wire, ctl_event_fn *take, void *ctx, json_t **problem)
{
	const char *blank = NULL;
	int status = 0;
	char *end;

	while (st->text == NULL || (blank = strstr(st->text, "\r\n\r\n")) == NULL) {
		if (stream_more(st, wire) < 0)
			return CTL_STREAM_UNREACHED;
	}
	if (sscanf(st->text, "HTTP/1.1 %3d ", &status) != 1 || status != 200) {
		while (stream_more(st, wire) == 0)
			continue;
		*problem = body_of(st->text, st->len, &status);
		return *problem != NULL ? CTL_STREAM_REFUSED : CTL_STREAM_UNREACHED;
	}
	stream_skip(st, (size_t)(blank + 4 - st->text));
	for (;;) {
		while ((end = strchr(st->text, '\n')) != NULL) {
			*end = '\0';
			if (!take_line(st, st->text, take, ctx))
				return CTL_STREAM_ENOUGH;
			stream_skip(st, (size_t)(end + 1 - st->text));
		}
		if (stream_more(st, wire) < 0)
			return CTL_STREAM_ENDED;
	}
}

enum ctl_stream_end ctl_stream(const struct ctl_door *door, const char *path, const char *last_id, ctl_event_fn *take, void *ctx,
			       json_t **problem, const char **why)
{
	struct ctl_wire *wire = ctl_wire_open(door, why);
	enum ctl_stream_end end = CTL_STREAM_UNREACHED;
	struct stream st = { .text = NULL };
	char more[128] = "";

	if (wire == NULL)
		return end;
	*why = "no whole answer";
	if (last_id[0] != '\0')
		snprintf(more, sizeof(more), "Last-Event-ID: %s\r\n", last_id);
	if (send_request(wire, door, &(struct ctl_question){ .method = "GET", .path = path }, more) == 0)
		end = stream_read(&st, wire, take, ctx, problem);
	json_decref(st.event.data);
	free(st.text);
	ctl_wire_close(wire);
	return end;
}
