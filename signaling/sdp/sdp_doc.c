// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_doc.c - holding, editing and printing a document. Reading one is sdp_parse.c.
#include "base/secret.h"
#include "signaling/sdp/sdp_doc_priv.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sdp_line_split(struct sdp_line *line)
{
	const char *s = line->text.s, *colon;
	size_t len = line->text.len;

	line->type = len >= 2 && s[1] == '=' ? s[0] : 0;
	line->name = (struct sdp_text){ s, 0 };
	line->value = line->type != 0 ? (struct sdp_text){ s + 2, len - 2 } : (struct sdp_text){ s, 0 };
	if (line->type != 'a')
		return;
	line->name = line->value;
	line->value = (struct sdp_text){ s + len, 0 };
	colon = memchr(line->name.s, ':', line->name.len);
	if (colon == NULL)
		return;
	line->value = (struct sdp_text){ colon + 1, (size_t)(s + len - colon) - 1 };
	line->name.len = (size_t)(colon - line->name.s);
}

int sdp_section_put(struct sdp_section *section, size_t i, const struct sdp_stored_line *line)
{
	if (section->n == section->room) {
		size_t room = section->room == 0 ? 16 : 2 * section->room;
		struct sdp_stored_line *lines = reallocarray(section->lines, room, sizeof(*lines));

		if (lines == NULL)
			return -ENOMEM;
		section->lines = lines;
		section->room = room;
	}
	memmove(&section->lines[i + 1], &section->lines[i], (section->n - i) * sizeof(*section->lines));
	section->lines[i] = *line;
	section->n++;
	return 0;
}

int sdp_doc_new(struct sdp_doc **docp)
{
	struct sdp_doc *doc = calloc(1, sizeof(*doc));

	if (doc == NULL)
		return -ENOMEM;
	doc->n_sections = 1;
	*docp = doc;
	return 0;
}

static void stored_line_free(struct sdp_stored_line *line)
{
	if (line->owned == NULL)
		return;
	secret_wipe(line->owned, line->line.text.len);
	free(line->owned);
}

void sdp_doc_free(struct sdp_doc *doc)
{
	if (doc == NULL)
		return;
	for (size_t s = 0; s < doc->n_sections; s++) {
		for (size_t i = 0; i < doc->sections[s].n; i++)
			stored_line_free(&doc->sections[s].lines[i]);
		free(doc->sections[s].lines);
	}
	secret_wipe(doc->body, doc->body_len);
	free(doc->body);
	free(doc);
}

// A line of ours: the text and `ending` behind it, in a string of its own.
static int stored_line_make(struct sdp_stored_line *line, const char *text, size_t len, const char *ending,
			    size_t ending_len)
{
	char *owned = malloc(len + ending_len + 1);

	if (owned == NULL)
		return -ENOMEM;
	memcpy(owned, text, len);
	memcpy(owned + len, ending, ending_len);
	owned[len + ending_len] = '\0';
	*line = (struct sdp_stored_line){ .owned = owned, .ending_len = (uint8_t)ending_len };
	line->line.text = (struct sdp_text){ owned, len };
	sdp_line_split(&line->line);
	return 0;
}

static int section_copy(struct sdp_section *to, const struct sdp_section *from)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct sdp_text *text = &from->lines[i].line.text;
		struct sdp_stored_line line;
		int err;

		err = stored_line_make(&line, text->s, text->len, text->s + text->len, from->lines[i].ending_len);
		if (err < 0)
			return err;
		line.line.number = from->lines[i].line.number;
		err = sdp_section_put(to, i, &line);
		if (err < 0) {
			stored_line_free(&line);
			return err;
		}
	}
	return 0;
}

int sdp_doc_copy(struct sdp_doc **docp, const struct sdp_doc *from)
{
	struct sdp_doc *doc;
	int err = sdp_doc_new(&doc);

	if (err < 0)
		return err;
	doc->n_sections = from->n_sections;
	doc->n_lines = from->n_lines;
	for (size_t s = 0; s < from->n_sections; s++) {
		err = section_copy(&doc->sections[s], &from->sections[s]);
		if (err < 0)
			goto out;
	}
	*docp = doc;
	doc = NULL;
out:
	sdp_doc_free(doc);
	return err;
}

char *sdp_doc_print(const struct sdp_doc *doc, size_t *len)
{
	size_t total = 0;
	char *body, *to;

	for (size_t s = 0; s < doc->n_sections; s++) {
		for (size_t i = 0; i < doc->sections[s].n; i++)
			total += doc->sections[s].lines[i].line.text.len + doc->sections[s].lines[i].ending_len;
	}
	body = malloc(total + 1);
	if (body == NULL)
		return NULL;
	to = body;
	for (size_t s = 0; s < doc->n_sections; s++) {
		for (size_t i = 0; i < doc->sections[s].n; i++) {
			const struct sdp_stored_line *line = &doc->sections[s].lines[i];

			to = mempcpy(to, line->line.text.s, line->line.text.len + line->ending_len);
		}
	}
	*to = '\0';
	if (len != NULL)
		*len = total;
	return body;
}

void sdp_body_free(char *body, size_t len)
{
	if (body == NULL)
		return;
	secret_wipe(body, len);
	free(body);
}

size_t sdp_doc_media_count(const struct sdp_doc *doc)
{
	return doc->n_sections - 1;
}

static struct sdp_section *doc_section(const struct sdp_doc *doc, int section)
{
	if (section < SDP_SESSION || (size_t)section + 1 >= doc->n_sections)
		return NULL;
	return (struct sdp_section *)&doc->sections[section + 1];
}

size_t sdp_doc_line_count(const struct sdp_doc *doc, int section)
{
	const struct sdp_section *sec = doc_section(doc, section);

	return sec != NULL ? sec->n : 0;
}

const struct sdp_line *sdp_doc_line(const struct sdp_doc *doc, int section, size_t i)
{
	const struct sdp_section *sec = doc_section(doc, section);

	return sec != NULL && i < sec->n ? &sec->lines[i].line : NULL;
}

static bool text_is_line(const char *text, size_t len)
{
	return len >= 2 && len <= SDP_LINE_MAX && text[1] == '=' && memchr(text, '\n', len) == NULL &&
	       memchr(text, '\r', len) == NULL && memchr(text, '\0', len) == NULL;
}

// Lines of a section before the blank ones that may end a body.
static size_t section_end(const struct sdp_section *sec)
{
	size_t n = sec->n;

	while (n > 0 && sec->lines[n - 1].line.type == 0)
		n--;
	return n;
}

// The last line of a body may have come without an ending; nothing can follow it so.
static int section_end_line(struct sdp_section *sec, size_t i)
{
	struct sdp_stored_line *line = &sec->lines[i], ended;
	int err;

	if (line->ending_len != 0)
		return 0;
	err = stored_line_make(&ended, line->line.text.s, line->line.text.len, "\r\n", 2);
	if (err < 0)
		return err;
	ended.line.number = line->line.number;
	stored_line_free(line);
	*line = ended;
	return 0;
}

int sdp_doc_insert(struct sdp_doc *doc, int section, size_t i, const char *text, size_t len)
{
	struct sdp_section *sec = doc_section(doc, section);
	struct sdp_stored_line line;
	int err;

	if (sec == NULL || i > section_end(sec) || (section != SDP_SESSION && i == 0) || !text_is_line(text, len) ||
	    text[0] == 'm')
		return -EINVAL;
	if (doc->n_lines >= SDP_LINES_MAX)
		return -ENOSPC;
	if (i > 0) {
		err = section_end_line(sec, i - 1);
		if (err < 0)
			return err;
	}
	err = stored_line_make(&line, text, len, "\r\n", 2);
	if (err < 0)
		return err;
	err = sdp_section_put(sec, i, &line);
	if (err < 0) {
		stored_line_free(&line);
		return err;
	}
	doc->n_lines++;
	return 0;
}

int sdp_doc_replace(struct sdp_doc *doc, int section, size_t i, const char *text, size_t len)
{
	struct sdp_section *sec = doc_section(doc, section);
	struct sdp_stored_line line;
	int err;

	if (sec == NULL || i >= section_end(sec) || !text_is_line(text, len) ||
	    (text[0] == 'm') != (section != SDP_SESSION && i == 0))
		return -EINVAL;
	err = stored_line_make(&line, text, len, "\r\n", 2);
	if (err < 0)
		return err;
	stored_line_free(&sec->lines[i]);
	sec->lines[i] = line;
	return 0;
}

int sdp_doc_remove(struct sdp_doc *doc, int section, size_t i)
{
	struct sdp_section *sec = doc_section(doc, section);

	if (sec == NULL || i >= sec->n || (section != SDP_SESSION && i == 0))
		return -EINVAL;
	stored_line_free(&sec->lines[i]);
	sec->n--;
	memmove(&sec->lines[i], &sec->lines[i + 1], (sec->n - i) * sizeof(*sec->lines));
	doc->n_lines--;
	return 0;
}

int sdp_doc_add_media(struct sdp_doc *doc, const char *text, size_t len)
{
	struct sdp_section *last = &doc->sections[doc->n_sections - 1], *sec;
	struct sdp_stored_line line;
	int err;

	if (!text_is_line(text, len) || text[0] != 'm')
		return -EINVAL;
	if (doc->n_sections == 1 + SDP_MEDIA_MAX || doc->n_lines >= SDP_LINES_MAX)
		return -ENOSPC;
	while (last->n > section_end(last)) { // what ended the body would now part it
		stored_line_free(&last->lines[--last->n]);
		doc->n_lines--;
	}
	if (last->n > 0) {
		err = section_end_line(last, last->n - 1);
		if (err < 0)
			return err;
	}
	err = stored_line_make(&line, text, len, "\r\n", 2);
	if (err < 0)
		return err;
	sec = &doc->sections[doc->n_sections];
	err = sdp_section_put(sec, 0, &line);
	if (err < 0) {
		stored_line_free(&line);
		return err;
	}
	doc->n_sections++;
	doc->n_lines++;
	return 0;
}

int sdp_doc_append(struct sdp_doc *doc, int section, const char *format, ...)
{
	const struct sdp_section *sec = doc_section(doc, section);
	char text[SDP_LINE_MAX + 1];
	va_list args;
	int len, err;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (sec == NULL || len < 0 || (size_t)len >= sizeof(text))
		return -EINVAL;
	err = sdp_doc_insert(doc, section, section_end(sec), text, (size_t)len);
	secret_wipe(text, (size_t)len);
	return err;
}
