// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_leak.c - finding one side's addresses in lines that would pass to the other.
#include "signaling/sdp/sdp_leak.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

static void leak_add(struct sdp_leak *leak, struct sdp_text text)
{
	// A word without dot or colon is no address, and as a host name too common to be looked for.
	if (memchr(text.s, '.', text.len) == NULL && memchr(text.s, ':', text.len) == NULL)
		return;
	if (sdp_text_is(text, "0.0.0.0") || sdp_text_is(text, "::") || leak->n == SDP_LEAK_MAX)
		return;
	for (size_t i = 0; i < leak->n; i++) {
		if (sdp_text_equal(leak->address[i], text))
			return;
	}
	leak->address[leak->n++] = text;
}

static void leak_add_word(struct sdp_leak *leak, struct sdp_text value, int index)
{
	struct sdp_text word;

	while (sdp_text_word(&value, &word)) {
		if (index-- == 0)
			leak_add(leak, word);
	}
}

static void leak_add_line(struct sdp_leak *leak, const struct sdp_line *line)
{
	if (line->type == 'a' && sdp_text_is(line->name, "rtcp"))
		leak_add_word(leak, line->value, 3);
	if (line->type != 'a' || !sdp_text_is(line->name, "candidate"))
		return;
	leak_add_word(leak, line->value, 4); // RFC 8839 section 5.1
	leak_add_word(leak, line->value, 9); // raddr
}

void sdp_leak_collect(struct sdp_leak *leak, const struct sdp_doc *doc)
{
	struct sdp_connection connection;
	struct sdp_origin origin;
	const struct sdp_line *line;

	leak->n = 0;
	if (sdp_origin_read(doc, &origin) == 0)
		leak_add(leak, origin.address);
	for (int section = SDP_SESSION; section < (int)sdp_doc_media_count(doc); section++) {
		if (sdp_connection_read(doc, section, &connection) == 0)
			leak_add(leak, connection.host);
		for (size_t i = 0; (line = sdp_doc_line(doc, section, i)) != NULL; i++)
			leak_add_line(leak, line);
	}
}

// Whether what stands at s is not the middle of a longer address or word.
static bool stands_alone(struct sdp_text text, size_t at, size_t len)
{
	bool v6 = memchr(text.s + at, ':', len) != NULL;

	if (at > 0) {
		char before = text.s[at - 1];

		if (isalnum((unsigned char)before) || (v6 && before == ':') || (!v6 && before == '.'))
			return false;
	}
	if (at + len < text.len) {
		char after = text.s[at + len];

		if (isalnum((unsigned char)after))
			return false;
		if (after == '.' && at + len + 1 < text.len && isalnum((unsigned char)text.s[at + len + 1]))
			return false;
	}
	return true;
}

bool sdp_leak_in(const struct sdp_leak *leak, struct sdp_text text)
{
	for (size_t i = 0; i < leak->n; i++) {
		const struct sdp_text *address = &leak->address[i];

		for (size_t at = 0; at + address->len <= text.len; at++) {
			if (strncasecmp(text.s + at, address->s, address->len) == 0 && stands_alone(text, at, address->len))
				return true;
		}
	}
	return false;
}
