// SPDX-License-Identifier: GPL-3.0-or-later
// Master key identifiers in the engine: where they stand, whose key a packet asks for, and that another's costs nothing.
#include "tests/support/srtp_engines.h"
#include "tests/support/srtp_fixture.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ROOM 128
#define PLAIN "800f1234 decafbad cafebabe abababab abababab abababab abababab"

static struct srtp_engine *engine;

static int open_engine(void **state)
{
	return test_engine_open(&engine, SRTP_ARCH_AUTO);
}

static int close_engine(void **state)
{
	test_engine_close(engine);
	return 0;
}

static struct srtp_op op_of(uint8_t *packet, size_t len, struct srtp_key *key, struct srtp_stream *stream)
{
	return (struct srtp_op){ .packet = packet,
				 .len = (uint16_t)len,
				 .room = ROOM,
				 .hdr_len = 12,
				 .key = key,
				 .stream = stream };
}

static void mki_is_where_the_rfcs_say(void **state)
{
	uint8_t packet[ROOM], plain[ROOM];
	struct fixture_random random = { 3 };

	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		struct srtp_mki one = { .len = 4, .bytes = { 0, 0, 0, 1 } }, two = { .len = 4, .bytes = { 0, 0, 0, 2 } };
		struct srtp_key with_one, with_two, without;
		struct srtp_master master;
		struct srtp_stream stream, before;
		struct srtp_op op;
		size_t len, at;

		fixture_master(&random, &master, (enum srtp_suite)suite);
		assert_int_equal(srtp_key_derive(engine, &with_one, &master, &one, 0), 0);
		assert_int_equal(srtp_key_derive(engine, &with_two, &master, &two, 0), 0);
		assert_int_equal(srtp_key_derive(engine, &without, &master, NULL, 0), 0);
		len = fixture_hex(plain, PLAIN);
		memcpy(packet, plain, len);
		srtp_stream_init(&stream, 0xcafebabe, 0, 128);
		op = op_of(packet, len, &with_one, &stream);
		srtp_protect_burst(engine, &op, 1);
		assert_int_equal(op.result, SRTP_OK);
		assert_int_equal(op.len, len + 4 + with_one.tag_len);
		at = srtp_suite_info((enum srtp_suite)suite)->aead ? len + 16 : len;
		assert_memory_equal(packet + at, one.bytes, 4);

		assert_true(srtp_key_mki_is(&with_one, packet, op.len));
		assert_false(srtp_key_mki_is(&with_two, packet, op.len));
		assert_false(srtp_key_mki_is(&with_one, packet, 3));
		assert_true(srtp_key_mki_is(&without, packet, op.len));
		srtp_stream_init(&stream, 0xcafebabe, 0, 128);
		before = stream;
		op.key = &with_two;
		srtp_unprotect_burst(engine, &op, 1);
		assert_int_equal(op.result, SRTP_MKI);
		op.key = &without; // its tag would stand elsewhere
		srtp_unprotect_burst(engine, &op, 1);
		assert_int_equal(op.result, SRTP_AUTH);
		assert_memory_equal(&stream, &before, sizeof(stream));
		op.key = &with_one;
		srtp_unprotect_burst(engine, &op, 1);
		assert_int_equal(op.result, SRTP_OK);
		assert_int_equal(op.len, len);
		assert_memory_equal(packet, plain, len);
	}
}

static void mki_too_long_is_no_key(void **state)
{
	struct srtp_mki mki = { .len = SRTP_MKI_MAX + 1 };
	struct srtp_master master = { .suite = SRTP_AEAD_AES_128_GCM };
	struct srtp_key key;

	assert_int_equal(srtp_key_derive(engine, &key, &master, &mki, 0), -EINVAL);
	mki.len = SRTP_MKI_MAX;
	assert_int_equal(srtp_key_derive(engine, &key, &master, &mki, 0), 0);
	key.mki_len = SRTP_MKI_MAX + 1; // a damaged record
	assert_int_equal(srtp_key_adopt(engine, &key), -EINVAL);
}

// As the relay does in a key change: each packet of a burst goes to the key that it names, under all lengths of MKIs.
static void a_burst_under_many_keys(void **state)
{
	struct fixture_random random = { 17 };
	static struct srtp_key keys[SRTP_MKI_MAX][SRTP_SUITE_COUNT];
	static uint8_t packets[64][ROOM], plain[64][ROOM];
	struct srtp_stream tx[64], rx[64];
	struct srtp_op ops[64];

	for (unsigned len = 1; len <= SRTP_MKI_MAX; len++) {
		for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
			struct srtp_mki mki = { .len = (uint8_t)len };
			struct srtp_master master;

			fixture_master(&random, &master, (enum srtp_suite)suite);
			fixture_fill(&random, mki.bytes, len);
			mki.bytes[len - 1] = (uint8_t)suite; // all differ
			assert_int_equal(srtp_key_derive(engine, &keys[len - 1][suite], &master, &mki, 0), 0);
		}
	}
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 64; i++) {
			struct srtp_key *key = &keys[fixture_below(&random, SRTP_MKI_MAX)]
						    [1 + fixture_below(&random, SRTP_SUITE_COUNT - 1)];
			size_t len = 12 + fixture_below(&random, 60);

			fixture_header(plain[i], 0, -1, (uint16_t)round, i);
			fixture_fill(&random, plain[i] + 12, len - 12);
			memcpy(packets[i], plain[i], len);
			srtp_stream_init(&tx[i], i, 0, 64);
			rx[i] = tx[i];
			ops[i] = op_of(packets[i], len, key, &tx[i]);
		}
		srtp_protect_burst(engine, ops, 64);
		for (unsigned i = 0; i < 64; i++) {
			struct srtp_key *sent = ops[i].key, *found = NULL;

			assert_int_equal(ops[i].result, SRTP_OK);
			for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
				struct srtp_key *key = &keys[sent->mki_len - 1][suite];

				if (key->tag_len == sent->tag_len && srtp_key_mki_is(key, packets[i], ops[i].len)) {
					assert_null(found);
					found = key;
				}
			}
			assert_ptr_equal(found, sent);
			ops[i].stream = &rx[i];
			if (i % 5 == 0) // another's: SRTP_MKI, in the midst of good ones
				ops[i].key = &keys[sent->mki_len - 1][sent->suite % (SRTP_SUITE_COUNT - 1) + 1];
		}
		srtp_unprotect_burst(engine, ops, 64);
		for (unsigned i = 0; i < 64; i++) {
			assert_int_equal(ops[i].result, i % 5 == 0 ? ops[i].result == SRTP_SHORT ? SRTP_SHORT : SRTP_MKI
								   : SRTP_OK);
			if (ops[i].result == SRTP_OK)
				assert_memory_equal(packets[i], plain[i], ops[i].len);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mki_is_where_the_rfcs_say),
		cmocka_unit_test(mki_too_long_is_no_key),
		cmocka_unit_test(a_burst_under_many_keys),
	};

	return cmocka_run_group_tests(tests, open_engine, close_engine);
}
