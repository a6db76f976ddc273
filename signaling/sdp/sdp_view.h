// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_view.h - reading the lines of a document: texts as words and numbers, attributes by name.
#pragma once
#include "base/inet.h"
#include "signaling/sdp/sdp_doc.h"
#include <stdint.h>

#define SDP_TEXT(literal) ((struct sdp_text){ (literal), sizeof(literal) - 1 })

bool sdp_text_is(struct sdp_text text, const char *word);        // exactly
bool sdp_text_is_nocase(struct sdp_text text, const char *word); // ASCII letters in either case
bool sdp_text_equal(struct sdp_text a, struct sdp_text b);
// Cuts the next word off `rest` (words are parted by spaces); false at the end.
bool sdp_text_word(struct sdp_text *rest, struct sdp_text *word);
int sdp_text_number(struct sdp_text text, uint64_t max, uint64_t *number); // decimal digits only; -EINVAL, -ERANGE

// The next attribute of that name in a section, from line *i on, which is moved behind it; NULL: no more. Names are
// compared with their case (RFC 8866 section 6). Begin with *i = 0.
const struct sdp_line *sdp_attribute_next(const struct sdp_doc *doc, int section, const char *name, size_t *i);
const struct sdp_line *sdp_attribute(const struct sdp_doc *doc, int section, const char *name); // the first, or NULL
const struct sdp_line *sdp_line_of_type(const struct sdp_doc *doc, int section, char type);     // the first, or NULL

struct sdp_origin {
	struct sdp_text user, id, version, address;
};
int sdp_origin_read(const struct sdp_doc *doc, struct sdp_origin *origin); // -ENOENT: a document of ours without o= yet

struct sdp_connection {
	enum inet_family family; // as the line says: IP4 or IP6; NONE: another kind of network
	struct sdp_text host;    // without TTL and count
	struct inet_addr addr;   // family NONE: the host is a name, or of another network
	bool multicast;
};
// The c= line of a section, or what it inherits from the session. -ENOENT.
int sdp_connection_read(const struct sdp_doc *doc, int section, struct sdp_connection *connection);
