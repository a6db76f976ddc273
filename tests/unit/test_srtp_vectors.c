// SPDX-License-Identifier: GPL-3.0-or-later
// The published vectors of RFC 3711, 6188 and 7714, with the crypto code of every CPU level that this machine has.
#include "tests/support/srtp_engines.h"
#include "tests/support/srtp_fixture.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct srtp_engine *engines[SRTP_ARCH_AVX512 + 1];
static unsigned n_engines;

static int open_engines(void **state)
{
	for (unsigned arch = SRTP_ARCH_AUTO; arch <= SRTP_ARCH_AVX512; arch++) {
		int err = test_engine_open(&engines[n_engines], (enum srtp_arch)arch);

		if (err == 0)
			n_engines++;
		else if (err != -ENOTSUP || arch == SRTP_ARCH_AUTO)
			return -1;
	}
	return n_engines >= 2 ? 0 : -1;
}

static int close_engines(void **state)
{
	for (unsigned e = 0; e < n_engines; e++)
		test_engine_close(engines[e]);
	test_engine_close(NULL);
	return 0;
}

static void engine_names_its_level(void **state)
{
	struct srtp_engine *engine = NULL;

	assert_true(strlen(srtp_engine_arch(engines[0])) >= 3);
	assert_int_equal(srtp_engine_open(NULL, SRTP_ARCH_AUTO), -EINVAL);
	assert_int_equal(srtp_engine_open(&engine, (enum srtp_arch)99), -ENOTSUP);
	assert_null(engine);
}

struct derivation {
	enum srtp_suite suite;
	const char *master, *cipher, *salt, *auth;
};

static void derive_and_compare(struct srtp_engine *engine, const struct derivation *want)
{
	const struct srtp_suite_info *info = srtp_suite_info(want->suite);
	uint8_t bytes[64];
	struct srtp_master master;
	struct srtp_key key;

	assert_int_equal(srtp_master_set(&master, want->suite, bytes, fixture_hex(bytes, want->master)), 0);
	assert_int_equal(srtp_key_derive(engine, &key, &master, NULL, 0), 0);
	assert_int_equal(fixture_hex(bytes, want->cipher), info->key_len);
	assert_memory_equal(key.cipher_key, bytes, info->key_len);
	assert_int_equal(fixture_hex(bytes, want->salt), info->salt_len);
	assert_memory_equal(key.salt, bytes, info->salt_len);
	if (want->auth != NULL) {
		assert_int_equal(fixture_hex(bytes, want->auth), 20);
		assert_memory_equal(key.auth_key, bytes, 20);
	}
}

static void key_derivation(void **state)
{
	static const struct derivation row[] = {
		// RFC 3711 B.3
		{ SRTP_AES_CM_128_HMAC_SHA1_80,
		  "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6",
		  "C61E7A93744F39EE10734AFE3FF7A087", "30CBBC08863D8C85D49DB34A9AE1",
		  "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4" },
		{ SRTP_AES_CM_128_HMAC_SHA1_32,
		  "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6",
		  "C61E7A93744F39EE10734AFE3FF7A087", "30CBBC08863D8C85D49DB34A9AE1",
		  "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4" },
		// RFC 6188 7.4
		{ SRTP_AES_192_CM_HMAC_SHA1_80,
		  "73edc66c4fa15776fb57f9505c171365 50ffda71f3e8e5f1"
		  " c8522f3acd4ce86d5add78edbb11",
		  "31874736a8f1143870c26e4857d8a5b2 c4a354407faadabb", "2372b82d639b6d8503a47adc0a6c",
		  "355b10973cd95b9eacf4061c7e1a7151e7cfbfcb" },
		// RFC 6188 7.2
		{ SRTP_AES_256_CM_HMAC_SHA1_80,
		  "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6"
		  " 3b04803de51ee7c96423ab5b78d2",
		  "5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4",
		  "fa31791685ca444a9e07c6c64e93", "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05" },
	};

	for (unsigned e = 0; e < n_engines; e++) {
		for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++)
			derive_and_compare(engines[e], &row[i]);
	}
}

static void no_key_of_no_suite(void **state)
{
	struct srtp_master master = { .suite = SRTP_SUITE_NONE };
	struct srtp_key key = { .suite = 0 };

	assert_int_equal(srtp_key_derive(engines[0], &key, &master, NULL, 0), -EINVAL);
	assert_int_equal(srtp_key_adopt(engines[0], &key), -EINVAL);
	srtp_key_wipe(NULL, NULL);
}

// A vector gives session keys; _adopt expands a record that has them.
static void session_key(struct srtp_engine *engine, struct srtp_key *key, enum srtp_suite suite, const char *cipher,
			const char *salt)
{
	*key = (struct srtp_key){ .suite = (uint8_t)suite, .remaining = 100 };
	key->tag_len = srtp_suite_info(suite)->tag_len;
	fixture_hex(key->cipher_key, cipher);
	fixture_hex(key->salt, salt);
	assert_int_equal(srtp_key_adopt(engine, key), 0);
}

// RFC 3711 B.2, RFC 6188 7.1 and 7.3: SSRC and index 0, so a payload of zeros becomes the key stream.
static void key_stream(void **state)
{
	static const struct {
		enum srtp_suite suite;
		const char *key, *stream;
	} row[] = {
		{ SRTP_AES_CM_128_HMAC_SHA1_80, "2B7E151628AED2A6ABF7158809CF4F3C",
		  "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB"
		  " 41E95B3BB0A2E8DD477901E4FCA894C0" },
		{ SRTP_AES_192_CM_HMAC_SHA1_80, "eab234764e517b2d3d160d587d8c8621 9740f65f99b6bcf7",
		  "35096cba4610028dc1b57503804ce37c 5de986291dcce161d5165ec4568f5c9a"
		  " 474a40c77894bc17180202272a4c264d" },
		{ SRTP_AES_256_CM_HMAC_SHA1_80,
		  "57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98",
		  "92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac"
		  " 63c4868b7096d88421b563b8c94c9a31" },
	};

	for (unsigned e = 0; e < n_engines; e++) {
		for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
			uint8_t packet[12 + 48 + 10] = { 0x80 }, want[48];
			struct srtp_key key;
			struct srtp_stream stream;
			struct srtp_op op = { .packet = packet, .len = 12 + 48, .room = sizeof(packet),
					      .hdr_len = 12, .key = &key, .stream = &stream };

			session_key(engines[e], &key, row[i].suite, row[i].key, "F0F1F2F3F4F5F6F7F8F9FAFBFCFD");
			srtp_stream_init(&stream, 0, 0, 128);
			srtp_protect_burst(engines[e], &op, 1);
			assert_int_equal(op.result, SRTP_OK);
			assert_int_equal(fixture_hex(want, row[i].stream), sizeof(want));
			assert_memory_equal(packet + 12, want, sizeof(want));
		}
	}
}

// RFC 7714 16.1.1, 16.1.2, 16.2.1, 16.2.2. (17 is SRTCP, 16.1.3 and 16.1.4 are without encryption: not done here.)
static void gcm_packets(void **state)
{
	static const char plain_hex[] = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976"
					" 69736120 696e2070 61727465 73207472 6573";
	static const struct {
		enum srtp_suite suite;
		const char *key, *secured;
	} row[] = {
		{ SRTP_AEAD_AES_128_GCM, "000102030405060708090a0b0c0d0e0f",
		  "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a"
		  " 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce" },
		{ SRTP_AEAD_AES_256_GCM, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		  "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02"
		  " 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13" },
	};

	for (unsigned e = 0; e < n_engines; e++) {
		for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
			uint8_t packet[128], plain[128], want[128];
			struct srtp_key key;
			struct srtp_stream stream;
			struct srtp_op op = { .packet = packet, .room = sizeof(packet), .hdr_len = 12,
					      .key = &key, .stream = &stream };
			size_t len = fixture_hex(plain, plain_hex);

			fixture_hex(packet, plain_hex);
			session_key(engines[e], &key, row[i].suite, row[i].key, "517569642070726f2071756f");
			srtp_stream_init(&stream, 0x5501a0b2, 0, 128);
			op.len = (uint16_t)len;
			srtp_protect_burst(engines[e], &op, 1);
			assert_int_equal(op.result, SRTP_OK);
			assert_int_equal(op.len, fixture_hex(want, row[i].secured));
			assert_memory_equal(packet, want, op.len);
			srtp_stream_init(&stream, 0x5501a0b2, 0, 128);
			srtp_unprotect_burst(engines[e], &op, 1);
			assert_int_equal(op.result, SRTP_OK);
			assert_int_equal(op.len, len);
			assert_memory_equal(packet, plain, len);
		}
	}
}

// A record expanded by one level of the code serves another only after adoption, and then as if derived there.
static void adoption(void **state)
{
	struct fixture_random random = { 7 };

	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		for (unsigned from = 1; from < n_engines; from++) {
			struct srtp_engine *to = engines[from + 1 < n_engines ? from + 1 : 1];
			struct srtp_stream stream;
			struct srtp_master master;
			struct srtp_key key, fresh;
			uint8_t packet[64];
			struct srtp_op op = { .packet = packet, .room = sizeof(packet), .key = &key,
					      .stream = &stream, .len = 40 };

			fixture_master(&random, &master, (enum srtp_suite)suite);
			assert_int_equal(srtp_key_derive(engines[from], &key, &master, NULL, 1000), 0);
			assert_int_equal(srtp_key_derive(to, &fresh, &master, NULL, 1000), 0);
			srtp_stream_init(&stream, 5, 0, 128);
			op.hdr_len = fixture_header(packet, 0, -1, 1, 5);
			if (n_engines > 2) {
				srtp_protect_burst(to, &op, 1);
				assert_int_equal(op.result, SRTP_NO_KEY);
				assert_int_equal(stream.started, 0);
			}
			assert_int_equal(srtp_key_adopt(to, &key), 0);
			srtp_protect_burst(to, &op, 1);
			assert_int_equal(op.result, SRTP_OK);
			assert_int_equal(key.remaining, 999);
			key.remaining = fresh.remaining;
			if (srtp_suite_info((enum srtp_suite)suite)->aead) // a part of the room may be left as it was
				assert_memory_equal(key.gcm.data, fresh.gcm.data, 15 * 16);
			else
				assert_memory_equal(&key, &fresh, SRTP_KEY_CM_SIZE);
			// A kill within the expansion leaves no stamp.
			key.stamp = 0;
			memset(key.cm.rounds, 0xee, sizeof(key.cm.rounds));
			srtp_protect_burst(to, &op, 1);
			assert_int_equal(op.result, SRTP_NO_KEY);
			assert_int_equal(srtp_key_adopt(to, &key), 0);
			assert_memory_equal(key.cm.rounds, fresh.cm.rounds, 10 * 16); // of GCM: rounds, too
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_names_its_level),
		cmocka_unit_test(key_derivation),
		cmocka_unit_test(no_key_of_no_suite),
		cmocka_unit_test(key_stream),
		cmocka_unit_test(gcm_packets),
		cmocka_unit_test(adoption),
	};

	return cmocka_run_group_tests(tests, open_engines, close_engines);
}
