// SPDX-License-Identifier: GPL-3.0-or-later
// calls_text.c - as much SIP as bench_calls needs.
#include "tests/bench/calls_text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool piece_is(struct piece p, const char *text)
{
	return p.len == strlen(text) && memcmp(p.at, text, p.len) == 0;
}

struct piece piece_after(struct piece in, const char *mark, const char *ends)
{
	const char *at = memmem(in.at, in.len, mark, strlen(mark)), *end = in.at + in.len;
	struct piece found = { NULL, 0 };

	if (at == NULL)
		return found;
	found.at = at += strlen(mark);
	while (at < end && strchr(ends, *at) == NULL)
		at++;
	found.len = (size_t)(at - found.at);
	return found;
}

static bool named(struct piece line, const char *name, char compact, struct piece *value)
{
	size_t len = strlen(name), at = 0;

	if (line.len > len && line.at[len] == ':' && strncasecmp(line.at, name, len) == 0)
		at = len + 1;
	else if (line.len > 1 && line.at[1] == ':' && (line.at[0] | 0x20) == compact)
		at = 2;
	else
		return false;
	while (at < line.len && line.at[at] == ' ')
		at++;
	*value = (struct piece){ line.at + at, line.len - at };
	return true;
}

static void header_read(struct sip_text *m, struct piece line)
{
	struct piece whole = { line.at, line.len + 2 }, value;

	if (named(line, "Via", 'v', &value) && m->n_via < LINES_MAX)
		m->via[m->n_via++] = whole;
	else if (named(line, "Record-Route", '-', &value) && m->n_route < LINES_MAX)
		m->route[m->n_route++] = whole;
	else if (named(line, "From", 'f', &value))
		m->from = value;
	else if (named(line, "To", 't', &value))
		m->to = value;
	else if (named(line, "Call-ID", 'i', &value))
		m->call_id = value;
	else if (named(line, "CSeq", '-', &value))
		m->cseq = value;
	else if (named(line, "Contact", 'm', &value))
		m->contact = value;
}

static bool first_read(struct sip_text *m, struct piece line)
{
	const char *space = memchr(line.at, ' ', line.len);

	if (space == NULL)
		return false;
	if (line.len > 12 && memcmp(line.at, "SIP/2.0 ", 8) == 0) {
		m->status = atoi(line.at + 8);
		return m->status >= 100;
	}
	m->method = (struct piece){ line.at, (size_t)(space - line.at) };
	m->uri = piece_after(line, " ", " ");
	return true;
}

bool text_read(struct sip_text *m, const char *bytes, size_t len)
{
	const char *end = bytes + len, *eol;
	bool first = true;

	memset(m, 0, sizeof(*m));
	for (const char *at = bytes; (eol = memchr(at, '\r', (size_t)(end - at))) != NULL && eol + 1 < end; at = eol + 2) {
		struct piece line = { at, (size_t)(eol - at) };

		if (line.len == 0) {
			m->body = (struct piece){ eol + 2, (size_t)(end - eol - 2) };
			break;
		}
		if (first && !first_read(m, line))
			return false;
		if (!first)
			header_read(m, line);
		first = false;
	}
	if (m->status != 0)
		m->method = piece_after(m->cseq, " ", " ");
	return !first && m->call_id.len > 0 && m->cseq.len > 0 && m->method.len > 0 && m->n_via > 0;
}

size_t text_framed(const char *bytes, size_t len)
{
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);
	size_t head = end != NULL ? (size_t)(end - bytes) + 4 : 0;

	if (end == NULL)
		return 0;
	for (const char *at = bytes; at < end; at += strcspn(at, "\n") + 1) {
		struct piece line = { at, (size_t)(end - at) }, value;

		if (named(line, "Content-Length", 'l', &value))
			head += (size_t)atoi(value.at);
	}
	return head <= len ? head : 0;
}

void text_add(struct text_out *out, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(out->bytes + out->len, sizeof(out->bytes) - out->len, format, ap);

	va_end(ap);
	if (n > 0 && out->len + (size_t)n < sizeof(out->bytes))
		out->len += (size_t)n;
}

void text_add_piece(struct text_out *out, struct piece p)
{
	if (out->len + p.len >= sizeof(out->bytes))
		return;
	memcpy(out->bytes + out->len, p.at, p.len);
	out->len += p.len;
}

void text_add_body(struct text_out *out, const char *type, struct piece body)
{
	if (type != NULL)
		text_add(out, "Content-Type: %s\r\n", type);
	text_add(out, "Content-Length: %zu\r\n\r\n", type != NULL ? body.len : 0);
	if (type != NULL)
		text_add_piece(out, body);
}
