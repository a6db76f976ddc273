// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_record.h - inside dtls/: the record layer's outer shape, as far as we look at it before the library does.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTLS_RECORD_HEADER 13
#define DTLS_HANDSHAKE_HEADER 12

enum dtls_content { DTLS_CHANGE_CIPHER_SPEC = 20, DTLS_ALERT = 21, DTLS_HANDSHAKE = 22, DTLS_APPLICATION = 23 };
enum { DTLS_CLIENT_HELLO = 1 };

struct dtls_record {
	uint8_t type;   // enum dtls_content; 0 for DTLS 1.3 records, which hide it
	uint16_t epoch; // of a DTLS 1.3 record only the two low bits
	const uint8_t *head, *body;
	size_t len; // of body
};

// Reads the record at p. Its size with header; 0 at the end; negative if it cannot be one.
static inline int dtls_record_read(struct dtls_record *r, const uint8_t *p, size_t len)
{
	if (len == 0)
		return 0;
	*r = (struct dtls_record){ .head = p };
	if ((p[0] & 0xE0) == 0x20) { // RFC 9147 section 4: unified header, 001CSLEE; we never negotiate a connection id
		size_t head = 1 + (p[0] & 8 ? 2 : 1) + (p[0] & 4 ? 2 : 0);

		if ((p[0] & 0x10) != 0 || len < head)
			return -1;
		r->epoch = p[0] & 3;
		r->len = p[0] & 4 ? (size_t)(p[head - 2] << 8 | p[head - 1]) : len - head;
		r->body = p + head;
		return r->len <= len - head ? (int)(head + r->len) : -1;
	}
	if (len < DTLS_RECORD_HEADER || p[0] < DTLS_CHANGE_CIPHER_SPEC || p[0] > 26)
		return -1;
	r->type = p[0];
	r->epoch = (uint16_t)(p[3] << 8 | p[4]);
	r->len = (size_t)(p[11] << 8 | p[12]);
	r->body = p + DTLS_RECORD_HEADER;
	return r->len <= len - DTLS_RECORD_HEADER ? (int)(DTLS_RECORD_HEADER + r->len) : -1;
}

// DTLS 1.0 is written by first hellos (RFC 6347 section 4.2.1), 1.2 by all else.
static inline bool dtls_record_is_dtls(const struct dtls_record *r)
{
	return r->head[1] == 0xFE && (r->head[2] == 0xFD || r->head[2] == 0xFF);
}

// A handshake message, or a piece of one (RFC 6347 section 4.2.2).
struct dtls_fragment {
	uint8_t type;
	uint16_t msg_seq;
	uint32_t length, offset, len; // of the message, where in it, how much
	const uint8_t *bytes;
};

static inline uint32_t dtls_read24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

// Reads the piece at p in a record's body. Its size with header, or negative.
static inline int dtls_fragment_read(struct dtls_fragment *f, const uint8_t *p, size_t len)
{
	if (len < DTLS_HANDSHAKE_HEADER)
		return -1;
	f->type = p[0];
	f->length = dtls_read24(p + 1);
	f->msg_seq = (uint16_t)(p[4] << 8 | p[5]);
	f->offset = dtls_read24(p + 6);
	f->len = dtls_read24(p + 9);
	f->bytes = p + DTLS_HANDSHAKE_HEADER;
	if (f->len > len - DTLS_HANDSHAKE_HEADER || f->offset > f->length || f->len > f->length - f->offset)
		return -1;
	return (int)(DTLS_HANDSHAKE_HEADER + f->len);
}
