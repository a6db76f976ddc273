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
	}
	for (int section = SDP_SESSION; section < (int)sdp_doc_media_count(doc); section++) {
		for (size_t i = 0; (line = sdp_doc_line(doc, section, i)) != NULL; i++)
			leak_add_line(leak, line);
	}
}

// Whether what stands there is not the middle of a longer address or word.
static bool ends_alone(struct sdp_text text, size_t end)
{
	if (end == text.len)
		return true;
	if (isalnum((unsigned char)text.s[end]))
		return false;
	return text.s[end] != '.' || end + 1 == text.len || !isalnum((unsigned char)text.s[end + 1]);
}

static bool begins_alone(struct sdp_text text, size_t at, bool v6)
{
	return at == 0 || !(isalnum((unsigned char)text.s[at - 1]) || text.s[at - 1] == (v6 ? ':' : '.'));
}

static bool stands_at(struct sdp_text text, size_t at, struct sdp_text address)
{
	if (address.len > text.len - at || strncasecmp(text.s + at, address.s, address.len) != 0)
		return false;
	return begins_alone(text, at, memchr(address.s, ':', address.len) != NULL) &&
	       ends_alone(text, at + address.len);
}

bool sdp_leak_in(const struct sdp_leak *leak, struct sdp_text text)
{
	for (size_t at = 0; at < text.len; at++) {
		if (at > 0 && isalnum((unsigned char)text.s[at - 1]))
			continue; // within a word
		for (size_t i = 0; i < leak->n; i++) {
			if (tolower((unsigned char)leak->address[i].s[0]) == tolower((unsigned char)text.s[at]) &&
			    stands_at(text, at, leak->address[i]))
				return true;
		}
	}
	return false;
}
