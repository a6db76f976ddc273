// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_hello.c - ClientHellos merged from fragments: any order, cut and repetition; contradictions, bounds,
// parsing.
#include "dtls/dtls_hello.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BODY 1400

static uint8_t body[BODY];

static void put16(uint8_t *p, size_t n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
}

static void put24(uint8_t *p, size_t n)
{
	p[0] = (uint8_t)(n >> 16);
	put16(p + 1, n);
}

// Writes one handshake fragment; returns its size.
static size_t fragment(uint8_t *p, uint8_t type, uint16_t seq, size_t length, size_t offset, size_t len)
{
	p[0] = type;
	put24(p + 1, length);
	put16(p + 4, seq);
	put24(p + 6, offset);
	put24(p + 9, len);
	for (size_t i = 0; i < len; i++)
		p[12 + i] = offset + i < BODY ? body[offset + i] : 0;
	return 12 + len;
}

// Writes a record around what is already at p + 13.
static size_t record(uint8_t *p, uint8_t number, size_t len)
{
	static const uint8_t head[] = { 22, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 0 };

	memcpy(p, head, sizeof(head));
	p[10] = number;
	put16(p + 11, len);
	return 13 + len;
}

static size_t piece(uint8_t *p, uint8_t number, uint16_t seq, size_t length, size_t offset, size_t len)
{
	return record(p, number, fragment(p + 13, 1, seq, length, offset, len));
}

static int setup(void **state)
{
	for (size_t i = 0; i < BODY; i++)
		body[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static void feed(struct dtls_hello_merge *m, struct dtls_hello_result *r, uint8_t number, uint16_t seq, size_t length,
		 size_t offset, size_t len)
{
	static uint8_t datagram[20000];

	dtls_hello_filter(m, datagram, piece(datagram, number, seq, length, offset, len), r);
}

static void assert_whole(const struct dtls_hello_result *r, uint8_t number, uint16_t seq)
{
	uint8_t expected[13 + 12 + BODY];

	piece(expected, number, seq, BODY, 0, BODY);
	assert_non_null(r->pass);
	assert_int_equal(r->pass_len, sizeof(expected));
	assert_memory_equal(r->pass, expected, sizeof(expected));
	assert_int_equal(r->hello_len, BODY);
	assert_memory_equal(r->hello, body, BODY);
}

static void test_other_datagrams_pass(void **state)
{
	struct dtls_hello_merge m = { 0 };
	struct dtls_hello_result r;
	uint8_t bytes[2][100] = { { 22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, 87, 1 }, { 0x2F, 0x12 } };

	for (int i = 0; i < 2; i++) { // encrypted records, whatever they look like
		dtls_hello_filter(&m, bytes[i], 100, &r);
		assert_ptr_equal(r.pass, bytes[i]);
		assert_int_equal(r.pass_len, 100);
		assert_null(r.hello);
	}
	assert_null(m.bytes);
}

static void test_whole_hello_passes_untouched(void **state)
{
	struct dtls_hello_merge m = { 0 };
	struct dtls_hello_result r;
	uint8_t datagram[2000];
	size_t len = piece(datagram, 0, 0, BODY, 0, BODY);

	dtls_hello_filter(&m, datagram, len, &r);
	assert_ptr_equal(r.pass, datagram);
	assert_int_equal(r.pass_len, len);
	assert_ptr_equal(r.hello, datagram + 25);
	assert_null(m.bytes);
}

static void test_two_fragments_any_order(void **state)
{
	struct dtls_hello_merge m = { 0 };
	struct dtls_hello_result r;

	feed(&m, &r, 0, 0, BODY, 0, 1175);
	assert_null(r.pass);
	assert_true(r.kept);
	feed(&m, &r, 1, 0, BODY, 1175, BODY - 1175);
	assert_whole(&r, 1, 0);
	feed(&m, &r, 5, 1, BODY, 1175, BODY - 1175);
	assert_null(r.pass);
	feed(&m, &r, 4, 1, BODY, 0, 1175);
	assert_whole(&r, 4, 1);
	dtls_hello_merge_clear(&m);
}

static void test_duplicates_and_overlap(void **state)
{
	struct dtls_hello_merge m = { 0 };
	struct dtls_hello_result r;

	for (int i = 0; i < 3; i++)
		feed(&m, &r, 0, 0, BODY, 0, 1000);
	feed(&m, &r, 3, 0, BODY, 500, 600);
	assert_null(r.pass);
	feed(&m, &r, 4, 0, BODY, 900, 500);
	assert_whole(&r, 4, 0);
	assert_int_equal(m.restarts, 0);
	feed(&m, &r, 5, 0, BODY, 0, 0); // after it was handed out, a new one begins
	assert_null(r.pass);
	dtls_hello_merge_clear(&m);
}

static void test_byte_by_byte_backwards(void **state)
{
	struct dtls_hello_merge m = { 0 };
	struct dtls_hello_result r = { 0 };

	for (size_t at = BODY; at-- > 0;) {
		assert_null(r.pass);
		feed(&m, &r, (uint8_t)at, 7, BODY, at, 1);
	}
	assert_whole(&r, 0, 7);
	dtls_hello_merge_clear(&m);
}

static void test_contradictions_restart(void **state)
{
	struct dtls_hello_merge m = { 0 };
	struct dtls_hello_result r;

	feed(&m, &r, 0, 0, BODY, 0, 1000);
	feed(&m, &r, 1, 0, BODY + 1, 1000, 401); // another length
	assert_null(r.pass);
	assert_int_equal(m.restarts, 1);
	feed(&m, &r, 2, 0, BODY, 1000, 400); // the first half is gone
	assert_null(r.pass);
	assert_int_equal(m.restarts, 2);
	feed(&m, &r, 3, 0, BODY, 0, 1000);
	assert_whole(&r, 3, 0);
	dtls_hello_merge_clear(&m);
}

static void test_same_place_other_bytes(void **state)
{
	struct dtls_hello_merge m = { 0 };
	struct dtls_hello_result r;

	body[5] ^= 1;
	feed(&m, &r, 0, 0, BODY, 0, 1000);
	body[5] ^= 1;
	feed(&m, &r, 1, 0, BODY, 0, 900); // other bytes: the whole kept message is not to be trusted
	assert_int_equal(m.restarts, 1);
	feed(&m, &r, 2, 0, BODY, 1000, 400);
	assert_null(r.pass);
	feed(&m, &r, 3, 0, BODY, 900, 100);
	assert_whole(&r, 3, 0);
	dtls_hello_merge_clear(&m);
}

static void test_second_hello_replaces_the_first(void **state)
{
	struct dtls_hello_merge m = { 0 };
	struct dtls_hello_result r;

	feed(&m, &r, 0, 0, BODY, 0, 1000);
	feed(&m, &r, 1, 1, BODY, 1000, 400);
	assert_null(r.pass);
	feed(&m, &r, 2, 1, BODY, 0, 1000);
	assert_whole(&r, 2, 1);
	dtls_hello_merge_clear(&m);
}

static void test_several_in_one_record_and_datagram(void **state)
{
	struct dtls_hello_merge m = { 0 };
	struct dtls_hello_result r;
	uint8_t datagram[2000];
	size_t n = fragment(datagram + 13, 1, 0, BODY, 700, 700);

	n += fragment(datagram + 13 + n, 1, 0, BODY, 0, 700); // two messages in one record
	dtls_hello_filter(&m, datagram, record(datagram, 9, n), &r);
	assert_whole(&r, 9, 0);
	n = piece(datagram, 3, 0, BODY, 0, 700);
	n += piece(datagram + n, 4, 0, BODY, 700, 700); // two records in one datagram
	dtls_hello_filter(&m, datagram, n, &r);
	assert_whole(&r, 4, 0);
	n = fragment(datagram + 13, 1, 0, BODY, 0, 700);
	n += fragment(datagram + 13 + n, 11, 1, 100, 0, 100); // a Certificate beside a ClientHello
	dtls_hello_filter(&m, datagram, record(datagram, 5, n), &r);
	assert_null(r.pass);
	assert_true(r.dropped);
	dtls_hello_merge_clear(&m);
}

static void test_malformed_is_dropped(void **state)
{
	static const struct {
		size_t length, offset, len, cut;
	} rows[] = {
		{ BODY, 1000, 401, 0 },            // runs beyond the end
		{ BODY, BODY + 1, 0, 0 },          // begins beyond it
		{ 0, 0, 0, 0 },                    // empty message: passes as a hello of no bytes, which is none
		{ 0xFFFFFF, 0, 100, 0 },           // too long
		{ DTLS_HELLO_MAX + 1, 0, 100, 0 }, //
		{ BODY, 0, 100, 1 },               // datagram cut: no record any more
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dtls_hello_merge m = { 0 };
		struct dtls_hello_result r;
		uint8_t datagram[2000];
		size_t n = piece(datagram, 0, 0, rows[i].length, rows[i].offset, rows[i].len);

		dtls_hello_filter(&m, datagram, n - rows[i].cut, &r);
		if (rows[i].cut == 0 && rows[i].length != 0)
			assert_true(r.dropped);
		assert_int_equal(r.hello_len, 0);
		assert_null(m.bytes);
		dtls_hello_merge_clear(&m);
	}
}

static void test_longest_and_limit(void **state)
{
	struct dtls_hello_merge m = { 0 };
	struct dtls_hello_result r;

	for (size_t at = 0; at < DTLS_HELLO_MAX; at += 1024)
		feed(&m, &r, (uint8_t)(at / 1024), 0, DTLS_HELLO_MAX, at, 1024);
	assert_int_equal(r.hello_len, DTLS_HELLO_MAX);
	dtls_hello_merge_clear(&m);
	m.limit = 2000;
	feed(&m, &r, 0, 0, 2001, 0, 1000);
	assert_true(r.dropped);
	assert_false(r.kept);
	feed(&m, &r, 0, 0, 2000, 0, 1000);
	assert_true(r.kept);
	dtls_hello_merge_clear(&m);
}

// A minimal hello: version, random, empty session id and cookie, one suite, null compression, extensions as given.
static size_t hello(uint8_t *p, const char *extensions, size_t len)
{
	static const uint8_t head[] = { 0xFE, 0xFD };
	static const uint8_t mid[] = { 0, 0, 0, 2, 0xC0, 0x2B, 1, 0 };

	memcpy(p, head, 2);
	memset(p + 2, 0x55, 32);
	memcpy(p + 34, mid, 8);
	put16(p + 42, len);
	memcpy(p + 44, extensions, len);
	return 44 + len;
}

#define PARSE(h, ext) dtls_hello_parse(h, bytes, hello(bytes, ext, sizeof(ext) - 1))

static void test_parse(void **state)
{
	struct dtls_hello h;
	uint8_t bytes[256];

	assert_int_equal(PARSE(&h, ""), 0);
	assert_true(h.dtls12 && !h.dtls13 && !h.has_srtp && !h.has_cookie);
	assert_int_equal(h.n_ciphers, 1);
	assert_int_equal(dtls_hello_parse(&h, bytes, 42), 0); // no extensions at all
	assert_int_equal(PARSE(&h, "\0\x0e\0\x09\0\x06\0\x01\0\x08\0\x07\0"), 0);
	assert_int_equal(h.n_profiles, 3);
	assert_int_equal(h.profiles[0], 1);
	assert_int_equal(h.profiles[2], 7);
	assert_int_equal(PARSE(&h, "\0\x2b\0\x05\x04\xfe\xfc\xfe\xfd\0\x2c\0\x04\0\x02zz"), 0);
	assert_true(h.dtls12 && h.dtls13 && h.has_cookie);
	assert_int_equal(PARSE(&h, "\0\x2b\0\x03\x02\xfe\xfc"), 0);
	assert_true(!h.dtls12 && h.dtls13);
	memcpy(bytes + 38, "\0\0", 2); // TLS_NULL_WITH_NULL_NULL alone
	assert_int_equal(dtls_hello_parse(&h, bytes, 51), 0);
	assert_int_equal(h.n_ciphers, 0);
	hello(bytes, "", 0);
	bytes[1] = 0xFF; // DTLS 1.0
	assert_int_equal(dtls_hello_parse(&h, bytes, 44), 0);
	assert_true(!h.dtls12 && !h.dtls13);
}

static void test_parse_refuses(void **state)
{
	struct dtls_hello h;
	uint8_t bytes[256];
	size_t len;

	assert_int_equal(PARSE(&h, "\0\x0e\0\x08\0\x05\0\x01\0\x08\0\x07"), -EBADMSG);                 // odd list
	assert_int_equal(PARSE(&h, "\0\x0e\0\x05\0\x02\0\x01\x05"), -EBADMSG);                         // MKI beyond
	assert_int_equal(PARSE(&h, "\0\x0e\0\x03\0\0\0"), -EBADMSG);                                   // empty list
	assert_int_equal(PARSE(&h, "\0\x0e\0\x05\0\x02\0\x01\0\0\x0e\0\x05\0\x02\0\x01\0"), -EBADMSG); // twice
	assert_int_equal(PARSE(&h, "\0\x0e\0\xff\0"), -EBADMSG); // extension beyond
	assert_int_equal(PARSE(&h, "\0"), -EBADMSG);
	assert_int_equal(PARSE(&h, "\0\x2b\0\x01\0"), -EBADMSG);
	len = hello(bytes, "\0\x0e\0\x05\0\x02\0\x01\0", 9);
	for (size_t cut = 1; cut <= len; cut++)
		if (len - cut != 42) // ends right before the extensions: legal
			assert_int_equal(dtls_hello_parse(&h, bytes, len - cut), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_datagrams_pass),
		cmocka_unit_test(test_whole_hello_passes_untouched),
		cmocka_unit_test(test_two_fragments_any_order),
		cmocka_unit_test(test_duplicates_and_overlap),
		cmocka_unit_test(test_byte_by_byte_backwards),
		cmocka_unit_test(test_contradictions_restart),
		cmocka_unit_test(test_same_place_other_bytes),
		cmocka_unit_test(test_second_hello_replaces_the_first),
		cmocka_unit_test(test_several_in_one_record_and_datagram),
		cmocka_unit_test(test_malformed_is_dropped),
		cmocka_unit_test(test_longest_and_limit),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
