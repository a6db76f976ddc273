// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_parse.c - from a body to a document: bounds, line shapes, and the grammar of the lines that we act upon. Lenient
// in what is nobody's danger (order of lines, s= or t= missing, unknown letters), strict in what we read.
#include "signaling/sdp/sdp_doc_priv.h"
#include "signaling/sdp/sdp_view.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct sdp_doc *doc;
	struct sdp_error *error;
	const struct sdp_line *line; // being checked
	size_t n_attributes;         // of the section
};

// Column: where `at` points into the line; NULL for its begin.
static __attribute__((format(printf, 3, 4))) int fail(struct reader *r, const char *at, const char *format, ...)
{
	va_list args;

	if (r->error == NULL)
		return -EBADMSG;
	r->error->line = r->line->number;
	r->error->column = at != NULL ? (unsigned)(at - r->line->text.s) + 1 : 1;
	va_start(args, format);
	vsnprintf(r->error->text, sizeof(r->error->text), format, args);
	va_end(args);
	return -EBADMSG;
}

static bool is_token(struct sdp_text text, bool slash)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.s[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"(),:;<=>?@[\\]", c) != NULL || (c == '/' && !slash))
			return false;
	}
	return text.len > 0;
}

static bool is_printable(struct sdp_text text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.s[i] <= ' ' || text.s[i] == 0x7f)
			return false;
	}
	return text.len > 0;
}

// RFC 8866 section 5.2: six words.
static int check_origin(struct reader *r)
{
	struct sdp_text rest = r->line->value, word, words[6];
	size_t n = 0;

	while (n < 6 && sdp_text_word(&rest, &word))
		words[n++] = word;
	if (n < 6 || sdp_text_word(&rest, &word))
		return fail(r, n < 6 ? rest.s : word.s, "o= must have six words");
	for (size_t i = 0; i < n; i++) {
		if (!is_printable(words[i]) && i > 0) // a user name may be of another alphabet
			return fail(r, words[i].s, "o= with a character that no word may have");
	}
	return 0;
}

// RFC 8866 section 5.7: three words.
static int check_connection(struct reader *r)
{
	struct sdp_text rest = r->line->value, word;

	for (int i = 0; i < 3; i++) {
		if (!sdp_text_word(&rest, &word))
			return fail(r, rest.s, "c= must have three words");
		if (!is_printable(word))
			return fail(r, word.s, "c= with a character that no word may have");
	}
	if (sdp_text_word(&rest, &word))
		return fail(r, word.s, "c= must have three words");
	return 0;
}

static int check_media_port(struct reader *r, struct sdp_text word)
{
	const char *slash = memchr(word.s, '/', word.len);
	struct sdp_text port = { word.s, slash != NULL ? (size_t)(slash - word.s) : word.len };
	uint64_t number;

	if (sdp_text_number(port, 65535, &number) < 0)
		return fail(r, word.s, "m= with a port that is no number up to 65535");
	if (slash == NULL)
		return 0;
	port = (struct sdp_text){ slash + 1, word.len - port.len - 1 };
	if (sdp_text_number(port, 65535, &number) < 0 || number == 0)
		return fail(r, slash, "m= with a count of ports that is no number");
	return 0;
}

// RFC 8866 section 5.14. A line without a format is let pass here: it is refused, not the whole description.
static int check_media(struct reader *r)
{
	struct sdp_text rest = r->line->value, kind, port, proto, format;
	int err;

	if (!sdp_text_word(&rest, &kind) || !is_token(kind, false))
		return fail(r, r->line->value.s, "m= without a kind of media");
	if (!sdp_text_word(&rest, &port))
		return fail(r, rest.s, "m= without a port");
	err = check_media_port(r, port);
	if (err < 0)
		return err;
	if (!sdp_text_word(&rest, &proto) || !is_token(proto, true))
		return fail(r, proto.s, "m= with a protocol that is no token");
	while (sdp_text_word(&rest, &format)) {
		if (!is_printable(format))
			return fail(r, format.s, "m= with a format that is no token");
	}
	return 0;
}

// RFC 3605: port, then perhaps an address.
static int check_rtcp(struct reader *r)
{
	struct sdp_text rest = r->line->value, word;
	uint64_t number;
	int n = 0;

	if (!sdp_text_word(&rest, &word) || sdp_text_number(word, 65535, &number) < 0 || number == 0)
		return fail(r, r->line->value.s, "a=rtcp without a port from 1 to 65535");
	while (sdp_text_word(&rest, &word))
		n++;
	if (n != 0 && n != 3)
		return fail(r, r->line->value.s, "a=rtcp with an address that has not three words");
	return 0;
}

// RFC 5888 section 4: one m-line, one name.
static int check_mid(struct reader *r)
{
	const struct sdp_doc *doc = r->doc;
	const struct sdp_line *mid;

	if (doc->n_sections == 1)
		return 0; // on session level it means nothing
	if (!is_token(r->line->value, true))
		return fail(r, r->line->value.s, "a=mid that is no token");
	for (int m = 0; m < (int)doc->n_sections - 1; m++) {
		mid = sdp_attribute(doc, m, "mid");
		if (mid == NULL || mid == r->line)
			continue;
		if (m == (int)doc->n_sections - 2)
			return fail(r, NULL, "a=mid stands twice in an m-line's section");
		if (sdp_text_equal(mid->value, r->line->value))
			return fail(r, r->line->value.s, "a=mid used twice");
	}
	return 0;
}

static int check_attribute(struct reader *r)
{
	if (++r->n_attributes > SDP_ATTRIBUTES_MAX)
		return fail(r, NULL, "more than %d attributes in a section", SDP_ATTRIBUTES_MAX);
	if (sdp_text_is(r->line->name, "rtcp"))
		return check_rtcp(r);
	if (sdp_text_is(r->line->name, "mid"))
		return check_mid(r);
	return 0;
}

// v=, o= and s= stand once, in the session.
static int check_once(struct reader *r)
{
	size_t n = 0;

	if (r->doc->n_sections > 1)
		return fail(r, NULL, "%c= in an m-line's section", r->line->type);
	for (size_t i = 0; i < r->doc->sections[0].n; i++)
		n += r->doc->sections[0].lines[i].line.type == r->line->type;
	if (n > 1)
		return fail(r, NULL, "%c= stands twice", r->line->type);
	return r->line->type == 'o' ? check_origin(r) : 0;
}

static int check_line(struct reader *r)
{
	switch (r->line->type) {
	case 'v':
	case 'o':
	case 's':
		return check_once(r);
	case 'c':
		return check_connection(r);
	case 'm':
		return check_media(r);
	case 'a':
		return check_attribute(r);
	default:
		return 0;
	}
}

// Shape of a line, before it is stored: "x=" and no octet that could end it.
static int check_shape(struct reader *r)
{
	const struct sdp_line *line = r->line;
	const struct sdp_doc *doc = r->doc;
	const struct sdp_section *last = &doc->sections[doc->n_sections - 1];
	const char *bad;

	if (line->text.len > SDP_LINE_MAX)
		return fail(r, NULL, "longer than %d octets", SDP_LINE_MAX);
	bad = memchr(line->text.s, '\0', line->text.len);
	if (bad != NULL)
		return fail(r, bad, "NUL octet");
	bad = memchr(line->text.s, '\r', line->text.len);
	if (bad != NULL)
		return fail(r, bad, "CR without LF");
	if (doc->n_lines == 0 && !sdp_text_is(line->text, "v=0"))
		return fail(r, NULL, "does not begin with v=0");
	if (line->text.len == 0)
		return 0; // fine if nothing follows
	if (line->type == 0 || ((line->type | 0x20) < 'a' || (line->type | 0x20) > 'z'))
		return fail(r, NULL, "not of the form x=value");
	if (last->n > 0 && last->lines[last->n - 1].line.type == 0)
		return fail(r, NULL, "a blank line stands before it");
	return 0;
}

static int store_line(struct reader *r, const struct sdp_stored_line *line)
{
	struct sdp_doc *doc = r->doc;
	struct sdp_section *sec;
	int err;

	if (doc->n_lines >= SDP_LINES_MAX)
		return fail(r, NULL, "more than %d lines", SDP_LINES_MAX);
	if (line->line.type == 'm') {
		if (doc->n_sections == 1 + SDP_MEDIA_MAX)
			return fail(r, NULL, "more than %d m-lines", SDP_MEDIA_MAX);
		doc->n_sections++;
		r->n_attributes = 0;
	}
	sec = &doc->sections[doc->n_sections - 1];
	err = sdp_section_put(sec, sec->n, line);
	if (err < 0)
		return err;
	doc->n_lines++;
	r->line = &sec->lines[sec->n - 1].line;
	return check_line(r);
}

static int read_lines(struct reader *r)
{
	const char *s = r->doc->body, *end = s + r->doc->body_len;
	unsigned number = 1;
	int err;

	while (s < end) {
		const char *lf = memchr(s, '\n', (size_t)(end - s));
		const char *stop = lf == NULL ? end : lf;
		struct sdp_stored_line line = { .ending_len = lf != NULL };

		if (lf != NULL && stop > s && stop[-1] == '\r') {
			stop--;
			line.ending_len = 2;
		}
		line.line.text = (struct sdp_text){ s, (size_t)(stop - s) };
		line.line.number = number++;
		sdp_line_split(&line.line);
		r->line = &line.line;
		err = check_shape(r);
		if (err == 0)
			err = store_line(r, &line);
		if (err < 0) {
			r->line = NULL; // it may be the one here
			return err;
		}
		s = stop + line.ending_len;
	}
	return 0;
}

// What only the whole can show: o= is there, and every m-line in use has an address (RFC 8866 section 5.7).
static int check_whole(struct reader *r)
{
	const struct sdp_doc *doc = r->doc;
	struct sdp_text rest, kind, port;
	struct sdp_connection connection;

	r->line = &doc->sections[0].lines[0].line;
	if (sdp_line_of_type(doc, SDP_SESSION, 'o') == NULL)
		return fail(r, NULL, "no o= line");
	for (int m = 0; m < (int)sdp_doc_media_count(doc); m++) {
		r->line = sdp_doc_line(doc, m, 0);
		rest = r->line->value;
		sdp_text_word(&rest, &kind);
		sdp_text_word(&rest, &port);
		if (!sdp_text_is(port, "0") && sdp_connection_read(doc, m, &connection) < 0)
			return fail(r, NULL, "neither this m-line nor the session has a c=");
	}
	return 0;
}

int sdp_doc_parse(struct sdp_doc **docp, const char *body, size_t len, struct sdp_error *error)
{
	static const struct sdp_line begin = { .number = 1 };
	struct reader r = { .error = error, .line = &begin };
	int err;

	if (len == 0)
		return fail(&r, NULL, "empty");
	if (len > SDP_SIZE_MAX)
		return fail(&r, NULL, "more than %d octets", SDP_SIZE_MAX);
	err = sdp_doc_new(&r.doc);
	if (err < 0)
		return err;
	r.doc->body = malloc(len);
	if (r.doc->body == NULL) {
		err = -ENOMEM;
		goto out;
	}
	r.doc->body_len = len;
	memcpy(r.doc->body, body, len);
	err = read_lines(&r);
	if (err == 0)
		err = check_whole(&r);
	if (err < 0)
		goto out;
	*docp = r.doc;
	r.doc = NULL;
out:
	sdp_doc_free(r.doc);
	return err;
}
