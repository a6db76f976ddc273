// SPDX-License-Identifier: GPL-3.0-or-later
// calls_text.h - as much SIP as bench_calls needs: the parts of a message, found in place, and messages written from them.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define TEXT_MAX 4096 // octets of one message
#define LINES_MAX 8   // of Via, of Record-Route

struct piece { // of a message; not terminated
	const char *at;
	size_t len;
};

struct sip_text {
	int status;           // 0: a request
	struct piece method;  // of a response: its CSeq's
	struct piece uri;     // of a request
	struct piece from, to, call_id, cseq, contact; // values
	struct piece via[LINES_MAX], route[LINES_MAX]; // whole lines, with their ends; route: Record-Route
	unsigned n_via, n_route;
	struct piece body;
};

struct text_out {
	char bytes[TEXT_MAX];
	size_t len;
};

// One whole message. false: it is none.
bool text_read(struct sip_text *m, const char *bytes, size_t len);
// How many octets the message at the front of a stream has; 0: not all of it is here yet.
size_t text_framed(const char *bytes, size_t len);
bool piece_is(struct piece p, const char *text);
// What stands behind `mark` in the text, up to one of `ends` or its end.
struct piece piece_after(struct piece in, const char *mark, const char *ends);

void text_add(struct text_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_piece(struct text_out *out, struct piece p);
void text_add_body(struct text_out *out, const char *type, struct piece body); // type NULL: none; ends the message
