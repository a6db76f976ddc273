// SPDX-License-Identifier: GPL-3.0-or-later
// What is encrypted of an RTP header: the vectors of RFC 6904 and RFC 9335, random packets against an
// implementation that is as plain as the RFCs, and what is malformed. On each CPU level that this machine has.
#include "dataplane/worker/srtp/rtp_extension.h"
#include "tests/support/srtp_engines.h"
#include "tests/support/srtp_fixture.h"
#include "tests/support/srtp_reference.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

#ifdef SALLYPORT_SANITIZE_ADDRESS
#define PACKETS 2000
#else
#define PACKETS 12500 // of each of the eight suites that encrypt
#endif

#define ROOM 1600
#define BURST 24

static struct srtp_engine *engine;
static enum srtp_arch arch; // of the run

static int open_engine(void **state)
{
	return test_engine_open(&engine, arch);
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
				 .hdr_len = rtp_header_len(packet, len),
				 .key = key,
				 .stream = stream };
}

static void key_of(struct srtp_key *key, enum srtp_suite suite, const char *master_hex, const struct srtp_mki *mki)
{
	uint8_t bytes[64];
	struct srtp_master master;

	assert_int_equal(srtp_master_set(&master, suite, bytes, fixture_hex(bytes, master_hex)), 0);
	assert_int_equal(srtp_key_derive(engine, key, &master, mki, 0), 0);
}

// ---- elements

static void elements_of(const char *hex, const char *want)
{
	uint8_t packet[128];
	size_t len = fixture_hex(packet, hex);
	char got[256] = "";
	struct rtp_elements walk;
	struct rtp_element element;
	enum rtp_walk found;

	assert_int_equal(rtp_header_len(packet, len), len);
	if (!rtp_elements_open(&walk, packet, (uint16_t)len)) {
		assert_string_equal("none", want);
		return;
	}
	while ((found = rtp_elements_next(&walk, &element)) == RTP_WALK_ELEMENT)
		sprintf(got + strlen(got), "%u:%u@%u ", element.id, element.len, element.at);
	sprintf(got + strlen(got), "%s", found == RTP_WALK_BROKEN ? "broken" : "end");
	assert_string_equal(got, want);
}

#define FIXED "900f1234 decafbad cafebabe "
#define WITH_CSRC "910f1234 decafbad cafebabe 01020304 "

static void elements_one_after_the_other(void **state)
{
	elements_of("800f1234 decafbad cafebabe", "none");
	elements_of(FIXED "00000001 11111111", "none"); // another profile's
	elements_of(FIXED "bede0000", "end");
	elements_of(FIXED "bede0002 10aa 00 22bbcccc 00", "1:1@17 2:3@20 end");
	elements_of(FIXED "bede0001 e2aabbcc", "14:3@17 end");
	elements_of(FIXED "bede0001 f0aa10bb", "end");      // 15: nothing behind it
	elements_of(FIXED "bede0001 10aa03bb", "1:1@17 end"); // 0 with a length
	elements_of(FIXED "bede0001 10aa11bb", "1:1@17 broken");
	elements_of(FIXED "bede0001 000000e0", "broken");
	elements_of(FIXED "10000002 0100 0000 ff02aaaa", "1:0@18 255:2@22 end");
	elements_of(FIXED "100f0001 0502aabb", "5:2@18 end");
	elements_of(FIXED "10100001 0502aabb", "none");
	elements_of(FIXED "10000001 0503aabb", "broken");
	elements_of(FIXED "10000001 00000001", "broken");
	elements_of(WITH_CSRC "bede0001 10aa0000", "1:1@21 end");
}

// ---- RFC 6904

static const uint8_t ids_1_3_4[32] = { 1 << 1 | 1 << 3 | 1 << 4 };

#define MASTER_128 "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6"

static void rfc6904_appendix_a(void **state)
{
	uint8_t bytes[64], packet[ROOM], plain[ROOM];
	struct srtp_stream stream;
	struct srtp_key key;
	struct srtp_op op;
	size_t len;

	key_of(&key, SRTP_AES_CM_128_HMAC_SHA1_80, MASTER_128, NULL);
	fixture_hex(bytes, "549752054d6fb708622c4a2e596a1b93");
	assert_memory_equal(key.extension_key, bytes, 16); // A.1
	fixture_hex(bytes, "ab01818174c40d39a3781f7c2d27");
	assert_memory_equal(key.extension_salt, bytes, 14);
	len = fixture_hex(packet, "900f1234 decafbad cafebabe bede0006 17414273a475262748220000c8308e4655996386b395fb00"
				  "abababab abababab abababab abababab");
	memcpy(plain, packet, len);
	srtp_stream_init(&stream, 0xcafebabe, 0, 128);
	op = op_of(packet, len, &key, &stream);
	op.encrypted = ids_1_3_4;
	srtp_protect_burst(engine, &op, 1);
	assert_int_equal(op.result, SRTP_OK);
	fixture_hex(bytes, "17588a9270f4e15e1c220000c8309546a994f0bc54789700"); // A.2
	assert_memory_equal(packet + 16, bytes, 24);
	srtp_stream_init(&stream, 0xcafebabe, 0, 128);
	srtp_unprotect_burst(engine, &op, 1);
	assert_int_equal(op.result, SRTP_OK);
	assert_int_equal(op.len, len);
	assert_memory_equal(packet, plain, len);
}

// ---- RFC 9335 appendix A

#define PAYLOAD_AB " abababab abababab abababab abababab"
#define CSRCS " 0001e240 0000b26e"

static const struct {
	const char *plain, *cm, *gcm;
} cryptex_vectors[] = {
	{ "900f1235 decafbad cafebabe bede0001 51000200" PAYLOAD_AB,
	  "900f1235 decafbad cafebabe c0de0001 eb923652 51c3e036 f8de27e9 c27ee3e0 b4651d9f bc4218a7 0244522f 34a5",
	  "900f1235 decafbad cafebabe c0de0001 39972dc9 572c4d99 e8fc355d e743fb2e 94f9d8ff 54e72f41 93bbc5c7 4ffab0fa"
	  " 9fa0fbeb" },
	{ "900f1236 decafbad cafebabe 10000001 05020002" PAYLOAD_AB,
	  "900f1236 decafbad cafebabe c2de0001 4ed9cc4e 6a712b30 96c5ca77 339d4204 ce0d7739 6cab6958 5fbce381 94a5",
	  "900f1236 decafbad cafebabe c2de0001 bb75a4c5 45cd1f41 3bdb7daa 2b1e3263 de313667 c9632490 81b35a65 f5cb6c88"
	  " b394235f" },
	{ "920f1238 decafbad cafebabe" CSRCS " bede0001 51000200" PAYLOAD_AB,
	  "920f1238 decafbad cafebabe 8bb6e12b 5cff16dd c0de0001 92838c8c 09e58393 e1de3a9a 74734d67 45671338 c3acf11d"
	  " a2df8423 bee0",
	  "920f1238 decafbad cafebabe 63bbccc4 a7f695c4 c0de0001 8ad7c71f ac70a80c 92866b4c 6ba98546 ef913586 e95ffaaf"
	  " fe956885 bb0647a8 bc094ac8" },
	{ "920f1239 decafbad cafebabe" CSRCS " 10000001 05020002" PAYLOAD_AB,
	  "920f1239 decafbad cafebabe f70e513e b90b9b25 c2de0001 bbed4848 faa64466 5f3d7f34 125914e9 f4d0ae92 3c6f479b"
	  " 95a0f7b5 3133",
	  "920f1239 decafbad cafebabe 3680524f 8d312b00 c2de0001 c78d1200 38422bc1 11a7187a 18246f98 0c059cc6 bc9df8b6"
	  " 26394eca 344e4b05 d80fea83" },
	{ "920f123a decafbad cafebabe" CSRCS " bede0000" PAYLOAD_AB,
	  "920f123a decafbad cafebabe 7130b6ab fe2ab0e3 c0de0000 e3d9f64b 25c9e74c b4cf8e43 fb92e378 1c2c0cea b6b3a499"
	  " a14c",
	  "920f123a decafbad cafebabe 15b6bb43 37906fff c0de0000 b7b96453 7a2b03ab 7ba5389c e9331712 6b5d974d f30c6884"
	  " dcb651c5 e120c1da" },
	{ "920f123b decafbad cafebabe" CSRCS " 10000000" PAYLOAD_AB,
	  "920f123b decafbad cafebabe cbf24c12 4330e1c8 c2de0000 599dd45b c9d687b6 03e8b59d 771fd38e 88b170e0 cd31e125"
	  " eabe",
	  "920f123b decafbad cafebabe dcb38c9e 48bf95f4 c2de0000 61ee432c f9203170 76613258 d3ce4236 c06ac429 681ad084"
	  " 13512dc9 8b5207d8" },
};

#define N_CRYPTEX (sizeof(cryptex_vectors) / sizeof(cryptex_vectors[0]))

static void cryptex_there_and_back(struct srtp_key *key, const char *from, const char *to, const char *back)
{
	uint8_t packet[ROOM], want[ROOM];
	struct srtp_stream stream;
	struct srtp_op op;

	srtp_stream_init(&stream, 0xcafebabe, 0, 128);
	op = op_of(packet, fixture_hex(packet, from), key, &stream);
	op.cryptex = true;
	srtp_protect_burst(engine, &op, 1);
	assert_int_equal(op.result, SRTP_OK);
	assert_int_equal(op.len, fixture_hex(want, to));
	assert_memory_equal(packet, want, op.len);
	assert_int_equal(op.hdr_len, rtp_header_len(packet, op.len));
	srtp_stream_init(&stream, 0xcafebabe, 0, 128);
	srtp_unprotect_burst(engine, &op, 1);
	assert_int_equal(op.result, SRTP_OK);
	assert_int_equal(op.len, fixture_hex(want, back));
	assert_memory_equal(packet, want, op.len);
	assert_int_equal(op.hdr_len, rtp_header_len(packet, op.len));
}

static void rfc9335_appendix_a(void **state)
{
	struct srtp_key cm, gcm;

	key_of(&cm, SRTP_AES_CM_128_HMAC_SHA1_80, MASTER_128, NULL);
	key_of(&gcm, SRTP_AEAD_AES_128_GCM, "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab", NULL);
	for (unsigned i = 0; i < N_CRYPTEX; i++) {
		cryptex_there_and_back(&cm, cryptex_vectors[i].plain, cryptex_vectors[i].cm, cryptex_vectors[i].plain);
		cryptex_there_and_back(&gcm, cryptex_vectors[i].plain, cryptex_vectors[i].gcm,
				       cryptex_vectors[i].plain);
	}
	// 5.1: CSRCs without an extension are sent with an empty one.
	cryptex_there_and_back(&cm, "820f123a decafbad cafebabe" CSRCS PAYLOAD_AB, cryptex_vectors[4].cm,
			       cryptex_vectors[4].plain);
	cryptex_there_and_back(&gcm, "820f123a decafbad cafebabe" CSRCS PAYLOAD_AB, cryptex_vectors[4].gcm,
			       cryptex_vectors[4].plain);
}

// Each bit of each vector forged: refused, and not a bit moved, since another key may be tried on it.
static void forged_keeps_its_bytes(void **state)
{
	struct srtp_key keys[2];

	key_of(&keys[0], SRTP_AES_CM_128_HMAC_SHA1_80, MASTER_128, NULL);
	key_of(&keys[1], SRTP_AEAD_AES_128_GCM, "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab", NULL);
	for (unsigned v = 0; v < 2 * N_CRYPTEX; v++) {
		const char *hex = v % 2 ? cryptex_vectors[v / 2].gcm : cryptex_vectors[v / 2].cm;
		uint8_t packet[ROOM], want[ROOM];
		size_t len = fixture_hex(want, hex);
		struct srtp_stream stream;

		srtp_stream_init(&stream, 0xcafebabe, 0, 128);
		for (unsigned bit = 8; bit < 8 * len; bit++) {
			struct srtp_op op;

			want[bit / 8] ^= (uint8_t)(1 << bit % 8);
			memcpy(packet, want, len);
			op = op_of(packet, len, &keys[v % 2], &stream);
			op.cryptex = true;
			op.encrypted = ids_1_3_4;
			if (op.hdr_len != 0 && rtp_ssrc(packet) == 0xcafebabe) {
				srtp_unprotect_burst(engine, &op, 1);
				assert_true(op.result == SRTP_AUTH || op.result == SRTP_SHORT);
				assert_memory_equal(packet, want, len);
				assert_int_equal(op.len, len);
			}
			want[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(stream.started, 0);
	}
}

// ---- random packets

struct line {
	struct srtp_key tx_key, rx_key;
	struct srtp_reference reference;
	struct srtp_stream tx, rx;
	uint8_t encrypted[32];
	uint64_t next;
	struct srtp_op ops[BURST];
	uint8_t plain[BURST][ROOM], packets[BURST][ROOM];
	uint16_t lens[BURST];
};

static void line_open(struct line *line, struct fixture_random *random, enum srtp_suite suite)
{
	struct srtp_master master;
	struct srtp_mki mki = { .len = (uint8_t)fixture_below(random, SRTP_MKI_MAX + 1) };

	fixture_master(random, &master, suite);
	fixture_fill(random, mki.bytes, mki.len);
	assert_int_equal(srtp_key_derive(engine, &line->tx_key, &master, &mki, 0), 0);
	line->rx_key = line->tx_key;
	srtp_reference_open(&line->reference, &master, &mki);
	line->next = fixture_below(random, 65536);
	srtp_stream_init(&line->tx, 0x5a11b007, 7, 128);
	srtp_stream_init(&line->rx, 0x5a11b007, 7, 128);
	fixture_fill(random, line->encrypted, sizeof(line->encrypted));
}

// Elements of one form, with padding among them, until `octets` are full.
static void random_elements(struct fixture_random *random, uint8_t *to, unsigned octets, bool two)
{
	memset(to, 0, octets);
	for (unsigned i = fixture_below(random, 3); i < octets;) {
		unsigned head = two ? 2 : 1, len = two ? fixture_below(random, 40) : 1 + fixture_below(random, 16);

		if (i + head + len > octets)
			break;
		to[i] = (uint8_t)(two ? 1 + fixture_below(random, 255) : (1 + fixture_below(random, 14)) << 4 | (len - 1));
		if (two)
			to[i + 1] = (uint8_t)len;
		fixture_fill(random, to + i + head, len);
		i += head + len + (fixture_below(random, 3) == 0 ? fixture_below(random, 5) : 0);
	}
}

static unsigned random_header(struct fixture_random *random, uint8_t *packet, uint16_t seq)
{
	static const uint16_t forms[] = { 0xbede, 0xbede, 0x1000, 0x1000, 0x0000 };
	unsigned cc = fixture_below(random, 3) == 0 ? fixture_below(random, 16) : 0, words, form, len;
	bool has_extension = fixture_below(random, 4) != 0;

	words = fixture_below(random, 5) == 0 ? fixture_below(random, 200) : fixture_below(random, 12);
	len = fixture_header(packet, cc, has_extension ? (int)words : -1, seq, 0x5a11b007);
	if (!has_extension)
		return len;
	form = forms[fixture_below(random, 5)];
	rtp_extension_form_set(packet, (uint16_t)form);
	random_elements(random, packet + len - 4 * words, 4 * words, form == 0x1000);
	return len;
}

static void line_burst(struct line *line, struct fixture_random *random, bool cryptex)
{
	unsigned n = 1 + fixture_below(random, BURST);

	for (unsigned i = 0; i < n; i++) {
		unsigned header = random_header(random, line->plain[i], (uint16_t)line->next);

		line->lens[i] = (uint16_t)(header + fixture_below(random, 200));
		fixture_fill(random, line->plain[i] + header, line->lens[i] - header);
		memcpy(line->packets[i], line->plain[i], line->lens[i]);
		line->ops[i] = op_of(line->packets[i], line->lens[i], &line->tx_key, &line->tx);
		line->ops[i].encrypted = fixture_below(random, 5) != 0 ? line->encrypted : NULL;
		line->ops[i].cryptex = cryptex && fixture_below(random, 5) != 0;
		line->next++;
	}
	srtp_protect_burst(engine, line->ops, n);
	for (unsigned i = 0; i < n; i++) {
		struct srtp_op *op = &line->ops[i];
		uint8_t want[ROOM];
		size_t len;

		assert_int_equal(op->result, SRTP_OK);
		len = srtp_reference_protect(&line->reference, want, line->plain[i], line->lens[i], op->index,
					     op->encrypted, op->cryptex);
		assert_int_equal(op->len, len);
		assert_memory_equal(op->packet, want, len);
		assert_int_equal(op->hdr_len, rtp_header_len(want, len));
		op->key = &line->rx_key;
		op->stream = &line->rx;
	}
	srtp_unprotect_burst(engine, line->ops, n);
	for (unsigned i = 0; i < n; i++) {
		const struct srtp_op *op = &line->ops[i];
		uint16_t csrcs = rtp_extension_at(line->plain[i]), added = (uint16_t)(op->len - line->lens[i]);

		assert_int_equal(op->result, SRTP_OK);
		if (added == 0) {
			assert_memory_equal(op->packet, line->plain[i], op->len);
			continue;
		}
		assert_int_equal(added, 4); // an empty extension that cryptex needed
		assert_true(op->cryptex && !(line->plain[i][0] & 0x10));
		assert_int_equal(op->packet[0], line->plain[i][0] | 0x10);
		assert_memory_equal(op->packet + 1, line->plain[i] + 1, csrcs - 1u);
		assert_memory_equal(op->packet + csrcs, "\xbe\xde\0\0", 4);
		assert_memory_equal(op->packet + csrcs + 4, line->plain[i] + csrcs, line->lens[i] - csrcs);
	}
}

static void random_lines(bool cryptex)
{
	struct line *line = aligned_alloc(64, (sizeof(*line) + 63) / 64 * 64);
	struct fixture_random random = { 20261121 };

	assert_non_null(line);
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		uint64_t begin;

		memset(line, 0, sizeof(*line));
		for (unsigned key = 0; key < 5; key++) { // each with another MKI and other ids
			line_open(line, &random, (enum srtp_suite)suite);
			begin = line->next;
			while (line->next - begin < PACKETS / 5)
				line_burst(line, &random, cryptex);
		}
	}
	free(line);
}

static void elements_equal_the_reference(void **state)
{
	random_lines(false);
}

static void cryptex_equals_the_reference(void **state)
{
	random_lines(true);
}

// ---- what is refused

struct guarded { // packet that ends at a page which may not be touched
	uint8_t *end;
};

static struct guarded guarded_open(void)
{
	uint8_t *place = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(place != MAP_FAILED);
	assert_int_equal(mprotect(place + 4096, 4096, PROT_NONE), 0);
	return (struct guarded){ place + 4096 };
}

static void guarded_close(struct guarded *g)
{
	munmap(g->end - 4096, 8192);
}

static const uint8_t all_ids[32] = { [0 ... 31] = 0xff };

// An authentic packet (made by the reference, which encrypts no header here) and a sender's one: both are named, keep
// their bytes and move nothing.
static void extension_refused(struct srtp_key *key, const struct srtp_reference *reference, const char *hex)
{
	struct guarded g = guarded_open();
	uint8_t plain[ROOM], secured[ROOM], *packet;
	struct srtp_stream stream, before;
	struct srtp_op op;
	size_t len = fixture_hex(plain, hex), secured_len;
	uint64_t remaining = key->remaining;

	secured_len = srtp_reference_protect(reference, secured, plain, len, 0x1234, NULL, false);
	srtp_stream_init(&stream, 0xcafebabe, 0, 128);
	before = stream;
	packet = g.end - secured_len;
	memcpy(packet, secured, secured_len);
	op = op_of(packet, secured_len, key, &stream);
	op.encrypted = all_ids;
	srtp_unprotect_burst(engine, &op, 1);
	assert_int_equal(op.result, SRTP_EXTENSION);
	assert_memory_equal(packet, secured, secured_len);
	packet[4] ^= 1; // a forged one is forged, whatever its extension looks like
	srtp_unprotect_burst(engine, &op, 1);
	assert_int_equal(op.result, SRTP_AUTH);
	memcpy(packet, plain, len);
	op.len = (uint16_t)len;
	op.room = (uint16_t)secured_len;
	srtp_protect_burst(engine, &op, 1);
	assert_int_equal(op.result, SRTP_EXTENSION);
	assert_memory_equal(packet, plain, len);
	assert_memory_equal(&stream, &before, sizeof(stream));
	assert_int_equal(key->remaining, remaining);
	guarded_close(&g);
}

static void broken_elements_are_named(void **state)
{
	static const char *const broken[] = {
		FIXED "bede0001 11aabb1f" PAYLOAD_AB, // last element without its data
		FIXED "bede0001 1faabbcc" PAYLOAD_AB,
		FIXED "bede0001 000000e0",            // at the packet's end
		FIXED "10000001 00000001" PAYLOAD_AB, // an id without a length
		FIXED "10000001 0103aabb",
		FIXED "10000001 01ffaabb" PAYLOAD_AB,
		WITH_CSRC "bede0001 11aabb1f" PAYLOAD_AB,
	};
	static const enum srtp_suite suites[] = { SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_AES_256_CM_HMAC_SHA1_32,
						  SRTP_AEAD_AES_128_GCM };
	struct fixture_random random = { 5 };

	for (unsigned s = 0; s < 3; s++) {
		struct srtp_mki mki = { .len = (uint8_t)s, .bytes = { 1, 2 } };
		struct srtp_reference reference;
		struct srtp_master master;
		struct srtp_key key;

		fixture_master(&random, &master, suites[s]);
		assert_int_equal(srtp_key_derive(engine, &key, &master, &mki, 0), 0);
		srtp_reference_open(&reference, &master, &mki);
		for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
			extension_refused(&key, &reference, broken[i]);
	}
}

// On a leg with cryptex, a clear extension must not look like an encrypted one.
static void forged_cryptex_is_not_sent(void **state)
{
	uint8_t packet[ROOM];
	struct srtp_stream stream;
	struct srtp_key key;
	struct srtp_op op;

	key_of(&key, SRTP_AES_CM_128_HMAC_SHA1_80, MASTER_128, NULL);
	srtp_stream_init(&stream, 0xcafebabe, 0, 128);
	for (unsigned two = 0; two < 2; two++) {
		op = op_of(packet, fixture_hex(packet, two ? FIXED "c2de0001 0102aabb" : FIXED "c0de0001 11aabb00"), &key,
			   &stream);
		op.cryptex = true;
		srtp_protect_burst(engine, &op, 1);
		assert_int_equal(op.result, SRTP_EXTENSION);
		op.cryptex = false; // without it the value is nobody's
		srtp_protect_burst(engine, &op, 1);
		assert_int_equal(op.result, two ? SRTP_TX_REPEAT : SRTP_OK);
	}
}

// Header and trailer of every length around the end of the packet: nothing is touched outside, whatever was negotiated.
static void every_short_length_with_everything(void **state)
{
	struct guarded g = guarded_open();
	struct fixture_random random = { 11 };
	struct srtp_mki mki = { .len = 3, .bytes = { 9, 8, 7 } };

	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		struct srtp_stream stream;
		struct srtp_master master;
		struct srtp_key key;

		fixture_master(&random, &master, (enum srtp_suite)suite);
		assert_int_equal(srtp_key_derive(engine, &key, &master, &mki, 0), 0);
		for (unsigned len = 12; len < 80; len++) {
			for (unsigned cc = 0; cc < 4; cc++) {
				uint8_t *packet = g.end - len;
				struct srtp_op op;

				memset(packet, 0, len);
				packet[0] = (uint8_t)(0x90 | cc);
				if (len >= 16 + 4 * cc) {
					rtp_extension_form_set(packet, cc % 2 ? 0xbede : 0xc0de);
					packet[15 + 4 * cc] = (uint8_t)fixture_below(&random, 6);
				}
				srtp_stream_init(&stream, 0, 0, 128);
				op = op_of(packet, len, &key, &stream);
				op.cryptex = true;
				op.encrypted = all_ids;
				if (op.hdr_len == 0)
					continue;
				srtp_unprotect_burst(engine, &op, 1);
				assert_true(op.result == SRTP_SHORT || op.result == SRTP_MKI);
				if (len < op.hdr_len + 3u + key.tag_len) {
					assert_int_equal(op.result, SRTP_SHORT);
					continue;
				}
				memcpy(packet + len - 3 - (key.tag_len == 16 ? 0 : key.tag_len), mki.bytes, 3);
				srtp_unprotect_burst(engine, &op, 1);
				assert_int_equal(op.result, SRTP_AUTH);
			}
		}
	}
	guarded_close(&g);
}

// A packet for every room: refused with room for all but one octet, and then nothing was taken.
static void room_counts_what_is_added(void **state)
{
	struct guarded g = guarded_open();
	struct srtp_mki mki = { .len = 16 };
	struct srtp_stream stream;
	struct srtp_key key;
	uint8_t plain[ROOM];
	size_t len = fixture_hex(plain, "820f123a decafbad cafebabe" CSRCS PAYLOAD_AB), need = len + 4 + 16 + 10;

	key_of(&key, SRTP_AES_CM_128_HMAC_SHA1_80, MASTER_128, &mki);
	srtp_stream_init(&stream, 0xcafebabe, 0, 128);
	for (size_t room = len; room <= need; room++) {
		uint8_t *packet = g.end - room;
		struct srtp_op op;

		memcpy(packet, plain, len);
		op = op_of(packet, len, &key, &stream);
		op.room = (uint16_t)room;
		op.cryptex = true;
		srtp_protect_burst(engine, &op, 1);
		assert_int_equal(op.result, room < need ? SRTP_NO_ROOM : SRTP_OK);
		assert_int_equal(stream.started, room == need);
		assert_int_equal(op.len, room < need ? len : need);
	}
	guarded_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_one_after_the_other),
		cmocka_unit_test(rfc6904_appendix_a),
		cmocka_unit_test(rfc9335_appendix_a),
		cmocka_unit_test(forged_keeps_its_bytes),
		cmocka_unit_test(elements_equal_the_reference),
		cmocka_unit_test(cryptex_equals_the_reference),
		cmocka_unit_test(broken_elements_are_named),
		cmocka_unit_test(forged_cryptex_is_not_sent),
		cmocka_unit_test(every_short_length_with_everything),
		cmocka_unit_test(room_counts_what_is_added),
	};
	int failed = 0;

	for (arch = TEST_ARCH_FIRST; arch <= TEST_ARCH_LAST; arch++) {
		if (test_engine_open(&engine, arch) < 0) {
			printf("level %d is not for this machine\n", arch);
			continue;
		}
		printf("%s\n", srtp_engine_arch(engine));
		test_engine_close(engine);
		failed += cmocka_run_group_tests(tests, open_engine, close_engine);
	}
	return failed;
}
