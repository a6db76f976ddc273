// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_doc.h - a session description (RFC 8866) as a lossless document: sections of lines. What nobody edits prints byte
// for byte, line endings and odd spacing included. Pure memory; no thread of its own, no I/O.
//
// A document that sdp_doc_parse() returned is sound in what we act upon: v=, o=, c= and m= lines, a=rtcp, a=mid. Views
// (sdp_view.h, sdp_media.h) therefore do not fail on it. Texts point into the document: they live until it is edited or
// freed.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define SDP_SIZE_MAX 65536     // octets of a body
#define SDP_LINE_MAX 8192      // octets of a line
#define SDP_LINES_MAX 2048     // lines of a document
#define SDP_ATTRIBUTES_MAX 512 // a= lines of one section
#define SDP_MEDIA_MAX 32       // m-lines
#define SDP_SESSION (-1)       // names the session section where an m-line index is wanted

struct sdp_doc;

struct sdp_text { // not terminated
	const char *s;
	size_t len;
};

struct sdp_line {
	char type;             // 'v', 'a', ...; 0: a blank line at the end
	struct sdp_text text;  // the whole line without its ending
	struct sdp_text name;  // of an attribute, else empty
	struct sdp_text value; // behind "x=", or behind the attribute's colon; empty without
	unsigned number;       // in the body as received, from 1; 0: a line of ours
};

struct sdp_error {             // why a body is no session description
	unsigned line, column; // from 1
	char text[96];
};

// -EBADMSG: error says where and why. -ENOMEM.
int sdp_doc_parse(struct sdp_doc **docp, const char *body, size_t len, struct sdp_error *error);
int sdp_doc_new(struct sdp_doc **docp); // empty: no line, no m-line
int sdp_doc_copy(struct sdp_doc **docp, const struct sdp_doc *from);
void sdp_doc_free(struct sdp_doc *doc); // wipes, for it may hold keys; NULL is fine
// The body, zero-terminated, for the caller to free with sdp_body_free() (which wipes). NULL: no memory.
char *sdp_doc_print(const struct sdp_doc *doc, size_t *len);
void sdp_body_free(char *body, size_t len);

size_t sdp_doc_media_count(const struct sdp_doc *doc);
size_t sdp_doc_line_count(const struct sdp_doc *doc, int section);
// The i-th line of a section, NULL behind the last. The first line of a media section is its m=.
const struct sdp_line *sdp_doc_line(const struct sdp_doc *doc, int section, size_t i);

// Edits touch only the lines they name; new lines end in CRLF. `text` is the whole line, "a=sendrecv".
// -EINVAL: no such section or line, or a text that is not one line.
int sdp_doc_add_media(struct sdp_doc *doc, const char *text, size_t len); // appends a section, begun by this m= line
int sdp_doc_insert(struct sdp_doc *doc, int section, size_t i, const char *text, size_t len); // before line i
int sdp_doc_replace(struct sdp_doc *doc, int section, size_t i, const char *text, size_t len);
int sdp_doc_remove(struct sdp_doc *doc, int section, size_t i); // not the m= line
int sdp_doc_append(struct sdp_doc *doc, int section, const char *format, ...) __attribute__((format(printf, 3, 4)));
