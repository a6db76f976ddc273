// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_doc_priv.h - how a document is held: the received body once, and one string for each line of ours.
#pragma once
#include "signaling/sdp/sdp_doc.h"
#include <stdint.h>

struct sdp_stored_line {
	struct sdp_line line;
	char *owned;        // NULL: the text lies in the received body
	uint8_t ending_len; // 0 (last line, unended), 1 (LF) or 2 (CRLF); its octets follow the text
};

struct sdp_section {
	struct sdp_stored_line *lines;
	size_t n, room;
};

struct sdp_doc {
	char *body; // as received
	size_t body_len;
	size_t n_sections; // at least 1: the session
	size_t n_lines;
	struct sdp_section sections[1 + SDP_MEDIA_MAX];
};

int sdp_section_put(struct sdp_section *section, size_t i, const struct sdp_stored_line *line);
// Sets type, name and value from the text.
void sdp_line_split(struct sdp_line *line);
