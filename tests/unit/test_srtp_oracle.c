// SPDX-License-Identifier: GPL-3.0-or-later
// Bit equality with libsrtp2 (OpenSSL): what the engine sends is what libsrtp2 sends, and over a network that loses,
// delays, repeats, forges and cuts, both take and refuse the same packets, with windows of any size, through several
// wraps. Bare; with MKIs; with MKIs and encrypted header extensions (RFC 6904): 28 cases of suite and dress.
// 100,000 packets a case with ipsec-mb, so 2.8 million; 10,000 with a crypto device or a sanitizer, all of them with
// SALLYPORT_FULL.
#include "tests/support/srtp_engines.h"
#include "tests/support/srtp_fixture.h"
#include "dataplane/worker/srtp/srtp_offload.h"
#include <setjmp.h>
#include <stdarg.h>
#include <srtp2/srtp.h>
#include <cmocka.h>

#if defined(SALLYPORT_SANITIZE_ADDRESS) || defined(SALLYPORT_TEST_DEVICE)
#define PACKETS 10000
#else
#define PACKETS 100000
#endif
#define PACKETS_FULL 100000

#define STREAMS 4
#define BURST 64
#define ROOM 1700

enum dress { BARE, MKI, EXTENSIONS };

static int extension_ids[] = { 1, 3, 4, 9, 14, 200 };
#define N_EXTENSION_IDS (sizeof(extension_ids) / sizeof(extension_ids[0]))

static unsigned packets_a_case;
static struct {
	unsigned long sent, repeated, result[SRTP_RESULT_COUNT];
} total;

struct pair { // the same end of a leg, twice
	srtp_t theirs;
	struct srtp_key key;
	struct srtp_stream streams[STREAMS];
};

struct oracle {
	struct srtp_engine *engine;
	struct fixture_random random;
	enum dress dress;
	unsigned window, gap;
	struct srtp_mki mki;
	uint8_t encrypted[32];
	struct pair tx, rx;
	uint64_t next[STREAMS]; // index of the packet to send
	uint8_t ours[BURST][ROOM], theirs[BURST][ROOM];
	int their_len[BURST];
	srtp_err_status_t their_result[BURST];
	struct srtp_op ops[BURST];
	unsigned sent, repeated, count[SRTP_RESULT_COUNT];
};

static void policy_of(srtp_crypto_policy_t *policy, enum srtp_suite suite)
{
	switch (suite) {
	case SRTP_AES_CM_128_HMAC_SHA1_80:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(policy);
		break;
	case SRTP_AES_CM_128_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(policy);
		break;
	case SRTP_AES_256_CM_HMAC_SHA1_80:
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(policy);
		break;
	case SRTP_AES_256_CM_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(policy);
		break;
	case SRTP_AES_192_CM_HMAC_SHA1_80:
		srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80(policy);
		break;
	case SRTP_AES_192_CM_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_192_hmac_sha1_32(policy);
		break;
	case SRTP_NULL_HMAC_SHA1_80:
		srtp_crypto_policy_set_null_cipher_hmac_sha1_80(policy);
		break;
	case SRTP_NULL_HMAC_SHA1_32:
		srtp_crypto_policy_set_null_cipher_hmac_sha1_80(policy);
		policy->auth_tag_len = 4;
		break;
	case SRTP_AEAD_AES_128_GCM:
		srtp_crypto_policy_set_aes_gcm_128_16_auth(policy);
		break;
	default:
		srtp_crypto_policy_set_aes_gcm_256_16_auth(policy);
	}
}

static void pair_open(struct oracle *o, struct pair *pair, const struct srtp_master *master, srtp_ssrc_type_t type)
{
	const struct srtp_suite_info *info = srtp_suite_info(master->suite);
	uint8_t bytes[SRTP_KEY_MAX + SRTP_SALT_MAX];
	srtp_policy_t policy = { .ssrc.type = type, .key = bytes, .window_size = o->window };

	srtp_master_key_t their_key = { .key = bytes, .mki_id = o->mki.bytes, .mki_size = o->mki.len };
	srtp_master_key_t *their_keys[] = { &their_key };

	memcpy(bytes, master->key, info->key_len);
	memcpy(bytes + info->key_len, master->salt, info->salt_len);
	policy_of(&policy.rtp, master->suite);
	policy_of(&policy.rtcp, master->suite);
	if (o->dress != BARE) {
		policy.key = NULL;
		policy.keys = their_keys;
		policy.num_master_keys = 1;
	}
	if (o->dress == EXTENSIONS) {
		policy.enc_xtn_hdr = extension_ids;
		policy.enc_xtn_hdr_count = N_EXTENSION_IDS;
	}
	assert_int_equal(srtp_create(&pair->theirs, &policy), srtp_err_status_ok);
	assert_int_equal(srtp_key_derive(o->engine, &pair->key, master, &o->mki, 0), 0);
	for (unsigned s = 0; s < STREAMS; s++)
		srtp_stream_init(&pair->streams[s], 0x1000 + s, 0, o->window);
}

static struct oracle *oracle_open(enum srtp_suite suite, enum srtp_arch arch, enum dress dress)
{
	struct oracle *o = aligned_alloc(64, (sizeof(*o) + 63) / 64 * 64);
	struct srtp_master master;

	assert_non_null(o);
	memset(o, 0, sizeof(*o));
	o->random.state = 20261121 + 16 * dress + suite;
	o->dress = dress;
	o->gap = 150000000 / packets_a_case; // wraps as often, however few packets there are
	o->window = 32 * (2 + fixture_below(&o->random, 31)); // libsrtp2 counts in words
	if (dress != BARE)
		o->mki.len = (uint8_t)(1 + fixture_below(&o->random, SRTP_MKI_MAX));
	fixture_fill(&o->random, o->mki.bytes, o->mki.len);
	for (unsigned i = 0; i < N_EXTENSION_IDS; i++)
		o->encrypted[extension_ids[i] / 8] |= (uint8_t)(1 << extension_ids[i] % 8);
	assert_int_equal(test_engine_open(&o->engine, arch), 0);
	fixture_master(&o->random, &master, suite);
	pair_open(o, &o->tx, &master, ssrc_any_outbound);
	pair_open(o, &o->rx, &master, ssrc_any_inbound);
	for (unsigned s = 0; s < STREAMS; s++)
		o->next[s] = fixture_below(&o->random, 32768);
	return o;
}

static void oracle_close(struct oracle *o)
{
	total.sent += o->sent;
	total.repeated += o->repeated;
	for (unsigned r = 0; r < SRTP_RESULT_COUNT; r++)
		total.result[r] += o->count[r];
	srtp_dealloc(o->tx.theirs);
	srtp_dealloc(o->rx.theirs);
	test_engine_close(o->engine);
	free(o);
}

// Mostly the next one, or one after a gap; sometimes one of the last ones once more, or one left out before.
static uint64_t oracle_index(struct oracle *o, unsigned s)
{
	unsigned back;

	switch (fixture_below(&o->random, 40)) {
	case 0:
		back = 1 + fixture_below(&o->random, 200);
		return o->next[s] > back ? o->next[s] - back : o->next[s]++;
	case 1:
		o->next[s] += fixture_below(&o->random, o->gap);
		break;
	default:
		break;
	}
	return o->next[s]++;
}

static unsigned oracle_payload(struct oracle *o)
{
	switch (fixture_below(&o->random, 8)) {
	case 0:
		return fixture_below(&o->random, 33);
	case 1:
		return fixture_below(&o->random, 1400);
	default:
		return 20 + fixture_below(&o->random, 160);
	}
}

// Elements in one of the two forms. Padding comes last: in the midst of them, libsrtp2 leaves it out of the key stream
// (test_srtp_header.c has the RFC's way).
static void oracle_elements(struct oracle *o, uint8_t *body, unsigned octets)
{
	bool two = fixture_below(&o->random, 2) == 0;
	unsigned head = two ? 2 : 1, i = 0, len;

	body[-4] = two ? 0x10 : 0xbe;
	body[-3] = two ? (uint8_t)fixture_below(&o->random, 16) : 0xde;
	memset(body, 0, octets);
	for (;; i += head + len) {
		len = two ? fixture_below(&o->random, 30) : 1 + fixture_below(&o->random, 16);
		if (i + head + len > octets)
			return;
		body[i] = (uint8_t)(two ? 1 + fixture_below(&o->random, 16)
					: (1 + fixture_below(&o->random, 14)) << 4 | (len - 1));
		if (two && fixture_below(&o->random, 4) == 0)
			body[i] = 200;
		if (two)
			body[i + 1] = (uint8_t)len;
		fixture_fill(&o->random, body + i + head, len);
	}
}

static void oracle_plain(struct oracle *o, unsigned i)
{
	unsigned s = fixture_below(&o->random, STREAMS);
	unsigned cc = fixture_below(&o->random, 5) == 0 ? fixture_below(&o->random, 16) : 0;
	unsigned rare = o->dress == EXTENSIONS ? 2 : 5;
	int words = fixture_below(&o->random, rare) == 0 ? (int)fixture_below(&o->random, 20) : -1;
	struct srtp_op *op = &o->ops[i];

	*op = (struct srtp_op){ .packet = o->ours[i], .room = ROOM, .key = &o->tx.key,
				.stream = &o->tx.streams[s] };
	op->hdr_len = fixture_header(o->ours[i], cc, words, (uint16_t)oracle_index(o, s), 0x1000 + s);
	if (o->dress == EXTENSIONS) {
		op->encrypted = o->encrypted;
		if (words >= 0)
			oracle_elements(o, o->ours[i] + op->hdr_len - 4 * words, 4 * (unsigned)words);
	}
	op->len = (uint16_t)(op->hdr_len + oracle_payload(o));
	fixture_fill(&o->random, o->ours[i] + op->hdr_len, op->len - op->hdr_len);
	memcpy(o->theirs[i], o->ours[i], op->len);
	o->their_len[i] = op->len;
}

// Both send the burst. Returns how many packets there are to receive, in ours[] and theirs[].
static unsigned oracle_send(struct oracle *o, unsigned n)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++)
		oracle_plain(o, i);
	srtp_protect_burst(o->engine, o->ops, n);
	for (unsigned i = 0; i < n; i++) {
		srtp_err_status_t status =
			srtp_protect_mki(o->tx.theirs, o->theirs[i], &o->their_len[i], o->dress != BARE, 0);

		if (o->ops[i].result == SRTP_TX_REPEAT) {
			assert_true(status == srtp_err_status_replay_fail || status == srtp_err_status_replay_old);
			o->repeated++;
			continue;
		}
		assert_int_equal(o->ops[i].result, SRTP_OK);
		assert_int_equal(status, srtp_err_status_ok);
		assert_int_equal(o->ops[i].len, o->their_len[i]);
		assert_memory_equal(o->ours[i], o->theirs[i], o->ops[i].len);
		o->sent++;
		memmove(o->ours[good], o->ours[i], o->ops[i].len);
		o->ops[good] = o->ops[i];
		o->ops[good].packet = o->ours[good];
		good++;
	}
	return good;
}

static void oracle_swap(struct oracle *o, unsigned i, unsigned j, bool keep)
{
	struct srtp_op op = o->ops[i];
	uint8_t packet[ROOM];

	memcpy(packet, o->ours[i], ROOM);
	memcpy(o->ours[i], o->ours[j], ROOM);
	o->ops[i] = o->ops[j];
	o->ops[i].packet = o->ours[i];
	if (!keep)
		return; // what was at i is lost, j comes twice
	memcpy(o->ours[j], packet, ROOM);
	o->ops[j] = op;
	o->ops[j].packet = o->ours[j];
}

// Loses, exchanges, repeats, forges and cuts. Returns how many packets come out.
static unsigned oracle_network(struct oracle *o, unsigned n)
{
	unsigned left = n;

	for (unsigned i = 0; i < left; i++) {
		switch (fixture_below(&o->random, 30)) {
		case 0:
			oracle_swap(o, i, --left, true);
			break;
		case 1:
		case 2:
			oracle_swap(o, i, fixture_below(&o->random, left), true);
			break;
		case 3:
			oracle_swap(o, i, fixture_below(&o->random, left), false);
			break;
		case 4: // not in the first octets: what is no RTP any more is another test's affair
			o->ours[i][o->ops[i].hdr_len +
				   fixture_below(&o->random, o->ops[i].len - o->ops[i].hdr_len)] ^= 0x20;
			break;
		case 5:
			if (fixture_below(&o->random, 5) == 0)
				o->ops[i].len -= (uint16_t)fixture_below(&o->random, o->ops[i].len - o->ops[i].hdr_len);
			break;
		default:
			break;
		}
	}
	return left;
}

static enum srtp_result result_of(srtp_err_status_t status)
{
	switch (status) {
	case srtp_err_status_ok:
		return SRTP_OK;
	case srtp_err_status_auth_fail:
		return SRTP_AUTH;
	case srtp_err_status_replay_fail:
		return SRTP_REPLAY;
	case srtp_err_status_replay_old:
		return SRTP_OLD;
	default:
		return SRTP_RESULT_COUNT;
	}
}

static void oracle_receive(struct oracle *o, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		o->ops[i].stream = &o->rx.streams[o->ops[i].stream - o->tx.streams];
		o->ops[i].key = &o->rx.key;
		o->their_len[i] = o->ops[i].len;
		memcpy(o->theirs[i], o->ours[i], o->ops[i].len);
	}
	srtp_unprotect_burst(o->engine, o->ops, n);
	for (unsigned i = 0; i < n; i++) {
		o->their_result[i] =
			srtp_unprotect_mki(o->rx.theirs, o->theirs[i], &o->their_len[i], o->dress != BARE);
		if (o->ops[i].result == SRTP_MKI || o->ops[i].result == SRTP_SHORT) // they look at the window first
			assert_int_not_equal(o->their_result[i], srtp_err_status_ok);
		else
			assert_int_equal(o->ops[i].result, result_of(o->their_result[i]));
		o->count[o->ops[i].result]++;
		if (o->ops[i].result != SRTP_OK)
			continue;
		assert_int_equal(o->ops[i].len, o->their_len[i]);
		assert_memory_equal(o->ours[i], o->theirs[i], o->ops[i].len);
	}
}

static void equal_on_level(enum srtp_suite suite, enum srtp_arch arch, enum dress dress, unsigned packets)
{
	struct oracle *o = oracle_open(suite, arch, dress);

	while (o->sent < packets) {
		unsigned n = oracle_send(o, 1 + fixture_below(&o->random, BURST));

		oracle_receive(o, oracle_network(o, n));
		srtp_engine_tend(o->engine);
	}
	assert_true(o->repeated > packets / 1000);
	assert_true(o->count[SRTP_OK] > packets / 10 * 8);
	assert_true(o->count[SRTP_AUTH] > packets / 100 && o->count[SRTP_REPLAY] > packets / 100);
	if (packets == packets_a_case)
		assert_true(o->count[SRTP_SHORT] > 0 && o->count[SRTP_OLD] > 0);
	assert_true(dress != BARE ? o->count[SRTP_MKI] > packets / 10000 : o->count[SRTP_MKI] == 0);
	for (unsigned s = 0; s < STREAMS && packets == packets_a_case; s++)
		assert_true(o->rx.streams[s].highest >> 16 >= 3);
	oracle_close(o);
}

static void bare(void **state)
{
	equal_on_level(*(enum srtp_suite *)*state, SRTP_ARCH_AUTO, BARE, packets_a_case);
}

static void with_mki(void **state)
{
	equal_on_level(*(enum srtp_suite *)*state, SRTP_ARCH_AUTO, MKI, packets_a_case);
}

static void with_mki_and_extensions(void **state)
{
	enum srtp_suite suite = *(enum srtp_suite *)*state;

	if (!srtp_suite_info(suite)->encrypts)
		return; // libsrtp2 wants elements there, too, and leaves them as they are
	equal_on_level(suite, SRTP_ARCH_AUTO, EXTENSIONS, packets_a_case);
}

// In full as the product chooses on this machine, and in short as it would on lesser ones.
static void on_lesser_levels(void **state)
{
	for (enum srtp_arch arch = TEST_ARCH_FIRST; arch <= TEST_ARCH_LAST; arch++) {
		struct srtp_engine *engine;

		if (test_engine_open(&engine, arch) < 0)
			continue;
		test_engine_close(engine);
		equal_on_level(*(enum srtp_suite *)*state, arch, BARE, 5000);
	}
}

int main(void)
{
	static enum srtp_suite suites[SRTP_SUITE_COUNT];
	struct CMUnitTest tests[] = {
		cmocka_unit_test(bare),
		cmocka_unit_test(with_mki),
		cmocka_unit_test(with_mki_and_extensions),
		cmocka_unit_test(on_lesser_levels),
	};
	int failed = 0;

	packets_a_case = getenv("SALLYPORT_FULL") != NULL ? PACKETS_FULL : PACKETS;
	if (srtp_init() != srtp_err_status_ok)
		return 1;
	for (enum srtp_suite s = SRTP_SUITE_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		suites[s] = s;
		for (unsigned t = 0; t < sizeof(tests) / sizeof(tests[0]); t++)
			tests[t].initial_state = &suites[s];
		failed += cmocka_run_group_tests_name(srtp_suite_name(s), tests, NULL, NULL);
	}
	printf("%lu packets sent and %lu indices refused to both; received: %lu good, %lu forged or cut, %lu replayed, %lu too "
	       "old, %lu too short, %lu without their MKI\n",
	       total.sent, total.repeated, total.result[SRTP_OK], total.result[SRTP_AUTH], total.result[SRTP_REPLAY],
	       total.result[SRTP_OLD], total.result[SRTP_SHORT], total.result[SRTP_MKI]);
	return failed;
}
