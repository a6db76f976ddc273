// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_same.c - comparing descriptions of ours; see sdp_same.h.
#include "signaling/sdp/sdp_same.h"
#include "signaling/sdp/sdp_attr.h"
#include "signaling/sdp/sdp_media.h"

// Lines that are written anew for each reader, and tell it nothing of the other end.
static bool tells(const struct sdp_line *line)
{
	if (line->type == 'a' && (sdp_text_is(line->name, "mid") || sdp_text_is(line->name, "group")))
		return false; // an answer has the offer's
	if (line->type == 'a' && sdp_text_is(line->name, "extmap"))
		return true;
	switch (sdp_line_class(line)) {
	case SDP_CLASS_END_TO_END:
	case SDP_CLASS_UNKNOWN:
		return true;
	default:
		return false;
	}
}

static const struct sdp_line *next_telling(const struct sdp_doc *doc, int section, size_t *i)
{
	const struct sdp_line *line;

	while ((line = sdp_doc_line(doc, section, (*i)++)) != NULL) {
		if (tells(line))
			return line;
	}
	return NULL;
}

static bool section_same(const struct sdp_doc *a, const struct sdp_doc *b, int section)
{
	size_t i = 0, j = 0;

	for (;;) {
		const struct sdp_line *left = next_telling(a, section, &i), *right = next_telling(b, section, &j);

		if (left == NULL || right == NULL)
			return left == right;
		if (!sdp_text_equal(left->text, right->text))
			return false;
	}
}

static bool media_same(const struct sdp_doc *a, const struct sdp_doc *b, size_t index)
{
	struct sdp_media left, right;

	sdp_media_read(a, index, &left);
	sdp_media_read(b, index, &right);
	if (!sdp_text_equal(left.kind, right.kind) || (left.port == 0) != (right.port == 0))
		return false;
	return left.port == 0 || (sdp_text_equal(left.formats, right.formats) && left.direction == right.direction &&
				  section_same(a, b, (int)index));
}

bool sdp_same(const struct sdp_doc *a, const struct sdp_doc *b)
{
	size_t n = sdp_doc_media_count(a);

	if (n != sdp_doc_media_count(b) || !section_same(a, b, SDP_SESSION))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!media_same(a, b, i))
			return false;
	}
	return true;
}

static struct sdp_text next_format(struct sdp_text *rest)
{
	struct sdp_text word;

	while (rest->len > 0 && rest->s[0] == ' ') {
		rest->s++;
		rest->len--;
	}
	word = (struct sdp_text){ rest->s, 0 };
	while (rest->len > 0 && rest->s[0] != ' ') {
		word.len++;
		rest->s++;
		rest->len--;
	}
	return word;
}

static bool has_format(struct sdp_text formats, struct sdp_text wanted)
{
	struct sdp_text word;

	while ((word = next_format(&formats)).len > 0) {
		if (sdp_text_equal(word, wanted))
			return true;
	}
	return false;
}

static bool media_covers(const struct sdp_media *answer, const struct sdp_media *other)
{
	struct sdp_text rest = other->formats, word;

	if (answer->port == 0 || other->port == 0)
		return answer->port == other->port || other->port == 0;
	if (other->direction & SDP_SENDONLY && !(answer->direction & SDP_RECVONLY))
		return false;
	while ((word = next_format(&rest)).len > 0) {
		if (!has_format(answer->formats, word))
			return false;
	}
	return true;
}

bool sdp_covers(const struct sdp_doc *answer, const struct sdp_doc *other)
{
	size_t n = sdp_doc_media_count(other);

	if (sdp_doc_media_count(answer) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct sdp_media left, right;

		sdp_media_read(answer, i, &left);
		sdp_media_read(other, i, &right);
		if (!media_covers(&left, &right))
			return false;
	}
	return true;
}
