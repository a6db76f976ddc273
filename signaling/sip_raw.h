// SPDX-License-Identifier: GPL-3.0-or-later
// sip_raw.h - a SIP message as octets on the wire: where it ends, and what a header says, without a parser's opinion of the rest.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sip_text { // not a string
	const char *at;
	size_t len;
};

struct sip_raw_line { // a header, folded lines included
	struct sip_text name, value;
};

// Octets of start line and headers, the empty line included; all there are, if there is none.
size_t sip_raw_head(const char *text, size_t len);
// The header behind *at, which moves on; begin with 0, the start line is left out.
bool sip_raw_line_next(const char *head, size_t len, size_t *at, struct sip_raw_line *line);
bool sip_raw_is(const struct sip_raw_line *line, const char *name, char compact); // compact 0: it has none
// The first of that name.
bool sip_raw_header(const char *head, size_t len, const char *name, char compact, struct sip_text *value);
// The user part of the URI in a From or To value, or in a start line's; empty: it has none.
struct sip_text sip_raw_user(struct sip_text value);
bool sip_text_is(struct sip_text text, const char *word);
// Of a stream: octets of the message that begins here; 0: it is not whole yet; -EINVAL: none begins here.
ssize_t sip_raw_message(const char *text, size_t len);
