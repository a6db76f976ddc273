// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_hello_merge.c - a ClientHello put together from its fragments, in front of the TLS library.
#include "dtls/dtls_hello.h"
#include "dtls/dtls_record.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS (DTLS_RECORD_HEADER + DTLS_HANDSHAKE_HEADER)

static void write24(uint8_t *p, uint32_t n)
{
	p[0] = (uint8_t)(n >> 16);
	p[1] = (uint8_t)(n >> 8);
	p[2] = (uint8_t)n;
}

static uint8_t *merge_bits(struct dtls_hello_merge *m)
{
	return m->bytes + HEADERS + m->length;
}

void dtls_hello_merge_clear(struct dtls_hello_merge *m)
{
	free(m->bytes);
	m->bytes = NULL;
	m->length = m->have = 0;
}

static int merge_begin(struct dtls_hello_merge *m, const struct dtls_fragment *f)
{
	uint32_t limit = m->limit != 0 && m->limit < DTLS_HELLO_MAX ? m->limit : DTLS_HELLO_MAX;

	dtls_hello_merge_clear(m);
	if (f->length > limit)
		return -EMSGSIZE;
	m->bytes = calloc(1, HEADERS + f->length + (f->length + 7) / 8);
	if (m->bytes == NULL)
		return -ENOMEM;
	m->length = f->length;
	m->msg_seq = f->msg_seq;
	return 0;
}

// Overlap is legal (a retransmission may be cut elsewhere), but then the bytes are the same.
static bool merge_contradicts(struct dtls_hello_merge *m, const struct dtls_fragment *f)
{
	const uint8_t *bits = merge_bits(m);

	for (uint32_t i = 0; i < f->len; i++) {
		uint32_t at = f->offset + i;

		if ((bits[at / 8] >> at % 8 & 1) != 0 && m->bytes[HEADERS + at] != f->bytes[i])
			return true;
	}
	return false;
}

static void merge_copy(struct dtls_hello_merge *m, const struct dtls_fragment *f)
{
	uint8_t *bits = merge_bits(m);

	for (uint32_t i = 0; i < f->len; i++) {
		uint32_t at = f->offset + i;

		m->have += (bits[at / 8] >> at % 8 & 1) == 0;
		bits[at / 8] |= (uint8_t)(1u << at % 8);
		m->bytes[HEADERS + at] = f->bytes[i];
	}
}

static int merge_add(struct dtls_hello_merge *m, const struct dtls_fragment *f)
{
	int err = 0;

	if (m->bytes == NULL || m->msg_seq != f->msg_seq) { // another hello: the client's second, or a new start
		err = merge_begin(m, f);
	} else if (m->length != f->length || merge_contradicts(m, f)) {
		m->restarts++;
		err = merge_begin(m, f);
	}
	if (err == 0)
		merge_copy(m, f);
	return err;
}

// One record with one whole message. The sequence number is that of the record that completed it: a number not yet
// used.
static size_t merge_finish(struct dtls_hello_merge *m, const uint8_t *record)
{
	uint8_t *p = m->bytes;

	memcpy(p, record, DTLS_RECORD_HEADER - 2);
	p[11] = (uint8_t)((m->length + DTLS_HANDSHAKE_HEADER) >> 8);
	p[12] = (uint8_t)(m->length + DTLS_HANDSHAKE_HEADER);
	p[13] = DTLS_CLIENT_HELLO;
	write24(p + 14, m->length);
	p[17] = (uint8_t)(m->msg_seq >> 8);
	p[18] = (uint8_t)m->msg_seq;
	write24(p + 19, 0);
	write24(p + 22, m->length);
	return HEADERS + m->length;
}

struct scan {
	bool hello; // the datagram opens with a ClientHello
	bool whole; // all of it in one piece, alone in its record
	const uint8_t *body;
	size_t body_len;
};

// Is there a ClientHello in plain text at the head of this datagram? Only its first record decides: a client says
// nothing before its hello, and nothing but its hello beside it.
static int scan_datagram(struct scan *s, const uint8_t *datagram, size_t len)
{
	struct dtls_record r;
	struct dtls_fragment f;
	int n;

	*s = (struct scan){ 0 };
	if (dtls_record_read(&r, datagram, len) <= 0 || r.epoch != 0 || r.type != DTLS_HANDSHAKE)
		return 0;
	n = dtls_fragment_read(&f, r.body, r.len);
	if (r.len < 1 || r.body[0] != DTLS_CLIENT_HELLO)
		return 0;
	s->hello = true;
	if (n < 0)
		return n;
	s->whole = f.len == f.length && (size_t)n == r.len && DTLS_RECORD_HEADER + r.len == len;
	s->body = f.bytes;
	s->body_len = f.len;
	return 0;
}

// Takes the fragments of one record. Messages of other types beside a ClientHello have no place in the protocol.
static void merge_record(struct dtls_hello_merge *m, const struct dtls_record *r, struct dtls_hello_result *result)
{
	const uint8_t *p = r->body;
	size_t left = r->len;

	while (left > 0 && result->pass == NULL) {
		struct dtls_fragment f;
		int n = dtls_fragment_read(&f, p, left);

		if (n < 0 || f.type != DTLS_CLIENT_HELLO || f.length == 0 || merge_add(m, &f) < 0) {
			result->dropped = true;
			return;
		}
		if (m->have == m->length) {
			result->pass_len = merge_finish(m, r->head);
			result->pass = m->bytes;
			result->hello = m->bytes + HEADERS;
			result->hello_len = m->length;
		}
		p += n;
		left -= (size_t)n;
	}
}

int dtls_hello_filter(struct dtls_hello_merge *m, const uint8_t *datagram, size_t len, struct dtls_hello_result *result)
{
	struct dtls_record r;
	struct scan s;
	int n;

	*result = (struct dtls_hello_result){ 0 };
	if (m->bytes != NULL && m->have == m->length)
		dtls_hello_merge_clear(m); // was handed out by the last call
	if (scan_datagram(&s, datagram, len) < 0) {
		result->dropped = true;
		return -EBADMSG;
	}
	if (!s.hello || s.whole) {
		result->pass = datagram;
		result->pass_len = len;
		result->hello = s.body;
		result->hello_len = s.body_len;
		return 0;
	}
	while (result->pass == NULL && (n = dtls_record_read(&r, datagram, len)) > 0) {
		if (r.type == DTLS_HANDSHAKE && r.epoch == 0)
			merge_record(m, &r, result);
		else
			result->dropped = true;
		datagram += n;
		len -= (size_t)n;
	}
	result->kept = result->pass == NULL && m->bytes != NULL;
	return 0;
}
