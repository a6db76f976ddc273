// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_chromium.c - ClientHellos recorded from Chromium: merged whatever happens to them on the way, and answered.
#include "dtls/dtls_hello.h"
#include "dtls/dtls_listener.h"
#include "tests/support/dtls_link.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define DATA "tests/scenario/data/chromium156_"
#define HEADS 25 // of record and handshake message

static const char *const names[] = { "hello1", "again1", "again2", "cookie13", "cookie12" };
#define NAMES (sizeof(names) / sizeof(names[0]))

struct recording {
	struct link_datagram part[2];
	uint8_t body[4096]; // put together by hand
	size_t len;
};

static void load(struct recording *r, const char *name)
{
	*r = (struct recording){ 0 };
	for (int i = 0; i < 2; i++) {
		struct link_datagram *d = &r->part[i];
		char path[128];
		FILE *f;

		snprintf(path, sizeof(path), DATA "%s_%c.bin", name, 'a' + i);
		f = fopen(path, "rb");
		assert_non_null(f);
		d->len = fread(d->bytes, 1, sizeof(d->bytes), f);
		fclose(f);
		assert_in_range(d->len, HEADS + 1, 1200);
		memcpy(r->body + r->len, d->bytes + HEADS, d->len - HEADS);
		r->len += d->len - HEADS;
	}
	assert_in_range(r->len, 1413, 1600);
}

static void put24(uint8_t *p, size_t n)
{
	p[0] = (uint8_t)(n >> 16);
	p[1] = (uint8_t)(n >> 8);
	p[2] = (uint8_t)n;
}

// Cuts the recorded message anew, as a retransmission behind another path may.
static struct link_datagram cut(const struct recording *r, size_t offset, size_t len)
{
	struct link_datagram d = { HEADS + len, { 0 } };

	memcpy(d.bytes, r->part[0].bytes, HEADS);
	d.bytes[11] = (uint8_t)((len + 12) >> 8);
	d.bytes[12] = (uint8_t)(len + 12);
	put24(d.bytes + 19, offset);
	put24(d.bytes + 22, len);
	memcpy(d.bytes + HEADS, r->body + offset, len);
	return d;
}

static bool feed(struct dtls_hello_merge *m, const struct recording *r, const struct link_datagram *d)
{
	struct dtls_hello_result result;

	dtls_hello_filter(m, d->bytes, d->len, &result);
	if (result.hello == NULL)
		return false;
	assert_int_equal(result.hello_len, r->len);
	assert_memory_equal(result.hello, r->body, r->len); // byte for byte
	return true;
}

static void test_any_order_and_repetition(void **state)
{
	static const char orders[][8] = { "ab", "ba", "aab", "bba", "aaab", "bbbba" };

	for (size_t n = 0; n < NAMES; n++) {
		struct recording r;

		load(&r, names[n]);
		for (size_t o = 0; o < sizeof(orders) / sizeof(orders[0]); o++) {
			struct dtls_hello_merge m = { 0 };
			const char *p = orders[o];

			for (; p[1] != 0; p++)
				assert_false(feed(&m, &r, &r.part[*p - 'a']));
			assert_true(feed(&m, &r, &r.part[*p - 'a']));
			dtls_hello_merge_clear(&m);
		}
	}
}

static void test_cut_anew_with_overlap(void **state)
{
	struct recording r;

	load(&r, "hello1");
	for (size_t size = 100; size <= 700; size += 120) {
		struct dtls_hello_merge m = { 0 };
		struct link_datagram d;
		size_t at = 0;

		assert_false(feed(&m, &r, &r.part[1])); // the tail as it first came
		for (; at + size < r.len - 300; at += size - 40) {
			d = cut(&r, at, size);
			assert_false(feed(&m, &r, &d));
		}
		d = cut(&r, at, r.len - at);
		assert_true(feed(&m, &r, &d));
		dtls_hello_merge_clear(&m);
	}
}

static void test_a_retransmission_completes_it(void **state)
{
	struct recording first, again;
	struct dtls_hello_merge m = { 0 };

	load(&first, "again1");
	load(&again, "again2");
	assert_memory_equal(first.body, again.body, first.len);
	assert_false(feed(&m, &first, &first.part[0]));
	assert_true(feed(&m, &first, &again.part[1]));
	dtls_hello_merge_clear(&m);
}

static void test_what_it_offers(void **state)
{
	static const uint16_t profiles[] = { 0x0001, 0x0008, 0x0007 };

	for (size_t n = 0; n < NAMES; n++) {
		struct dtls_hello hello;
		struct recording r;

		load(&r, names[n]);
		assert_int_equal(dtls_hello_parse(&hello, r.body, r.len), 0);
		assert_true(hello.dtls12 && hello.dtls13 && hello.has_srtp);
		assert_int_equal(hello.has_cookie, n >= 3);
		assert_int_equal(hello.n_profiles, 3);
		assert_memory_equal(hello.profiles, profiles, sizeof(profiles));
	}
}

// Behind ICE no cookie is asked for: the very first ClientHello draws the ServerHello, whatever its pieces' order.
static void test_endpoint_answers(void **state)
{
	static const enum dtls_version max[] = { DTLS_VERSION_1_2, DTLS_VERSION_1_3 };

	for (size_t i = 0; i < 4; i++) {
		struct dtls_link *l = link_new(DTLS_VERSION_1_2, max[i % 2]);
		struct recording r;

		load(&r, "hello1");
		link_open(l);
		dtls_endpoint_input(l->end[SERVER], r.part[i / 2].bytes, r.part[i / 2].len, &l->out[SERVER]);
		assert_int_equal(l->sent[SERVER], 0);
		dtls_endpoint_input(l->end[SERVER], r.part[!(i / 2)].bytes, r.part[!(i / 2)].len, &l->out[SERVER]);
		assert_int_equal(dtls_endpoint_status(l->end[SERVER]), DTLS_HANDSHAKING);
		assert_in_range(l->sent[SERVER], 4, 8); // ServerHello to the end of the flight
		assert_int_equal(l->to[CLIENT].d[0].bytes[0], 22);
		assert_int_equal(l->to[CLIENT].d[0].bytes[13], 2);
		// With X25519MLKEM768 the ServerHello carries a ciphertext of 1,088 bytes and more.
		assert_true(i % 2 == 0 || l->to[CLIENT].d[0].len > 1088 ||
			    l->to[CLIENT].d[1].len + l->to[CLIENT].d[0].len > 1088);
		assert_in_range(l->longest[SERVER], 1, 1200);
		link_free(l);
	}
}

static void test_listener_asks_for_a_cookie(void **state)
{
	struct dtls_link *l = link_new(DTLS_VERSION_ANY, DTLS_VERSION_ANY);
	struct dtls_listener_config config = { .identity = l->identity[SERVER], .env = &l->env };
	struct dtls_listener_info info;
	struct dtls_listener *listener;
	struct dtls_proof proof;
	struct recording r;

	assert_int_equal(dtls_cookie_open(&config.cookie, &l->env, 0), 0);
	assert_int_equal(dtls_listener_open(&listener, &config), 0);
	for (size_t n = 0; n < NAMES; n++) {
		load(&r, names[n]);
		for (int i = 0; i < 2; i++)
			assert_int_equal(dtls_listener_input(listener, n, "peer", 4, r.part[i].bytes, r.part[i].len,
							     &l->out[SERVER], &proof),
					 0);
	}
	dtls_listener_info(listener, &info);
	assert_int_equal(info.answers_out, 3);                          // a HelloRetryRequest to each of the first
	assert_int_equal(info.drops[DTLS_LISTENER_DROP_BAD_COOKIE], 2); // of the recording's secret, which is gone
	assert_true(info.bytes_out < info.bytes_in);
	assert_int_equal(l->to[CLIENT].d[0].bytes[13], 2);
	dtls_listener_close(listener);
	dtls_cookie_close(config.cookie);
	link_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order_and_repetition),
		cmocka_unit_test(test_cut_anew_with_overlap),
		cmocka_unit_test(test_a_retransmission_completes_it),
		cmocka_unit_test(test_what_it_offers),
		cmocka_unit_test(test_endpoint_answers),
		cmocka_unit_test(test_listener_asks_for_a_cookie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
