// SPDX-License-Identifier: GPL-3.0-or-later
// A crypto device that hangs, is full, fails or lies: what it does not do is dropped by name, nothing that was late is
// written into a packet or lost, sessions come and go with their keys, and what it cannot do is done all the same.
// Between the queue and the device stands a tap (rte_crypto_fp_ops).
#include "dataplane/worker/cryptodev/crypto_device_priv.h"
#include "tests/support/srtp_engines.h"
#include "tests/support/srtp_fixture.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define BURST 32
#define ROOM 256
#define KEYS 16 // transports of the configuration; sessions are for 64 keys more
#define SSRC 0xcafe

static struct crypto_device *device;
static struct srtp_engine *engine;
static const struct crypto_counters *counters;
static struct crypto_queue *queue;

// ---- the tap

static struct {
	bool hold, full;
	int status; // that the device claims of every job; -1: its own
	struct rte_crypto_fp_ops real;
	unsigned enqueued;
} tap;

static uint16_t tap_enqueue(void *qp, struct rte_crypto_op **ops, uint16_t n)
{
	if (tap.full)
		return 0;
	n = tap.real.enqueue_burst(qp, ops, n);
	tap.enqueued += n;
	return n;
}

static uint16_t tap_dequeue(void *qp, struct rte_crypto_op **ops, uint16_t n)
{
	if (tap.hold)
		return 0;
	n = tap.real.dequeue_burst(qp, ops, n);
	for (uint16_t i = 0; i < n && tap.status >= 0; i++)
		ops[i]->status = (uint8_t)tap.status;
	return n;
}

static int open_device(void **state)
{
	struct dp_config config = { .n_workers = 1, .max_transports = KEYS, .crypto = {
		.engine = DP_ENGINE_CRYPTODEV, .device = "crypto_aesni_mb" } };
	char why[256] = "";

	test_eal_open();
	assert_int_equal(crypto_device_open(&device, &config, why), 0);
	queue = queue_of(crypto_device_queue(device, 0));
	counters = crypto_device_counters(device, 0);
	assert_int_equal(srtp_engine_open_with(&engine, SRTP_ARCH_AUTO, &queue->offload), 0);
	assert_int_equal(counters->keys, 0); // the self-test's are gone
	assert_int_equal(counters->sessions, 0);
	memset(&tap, 0, sizeof(tap));
	tap.status = -1;
	tap.real = rte_crypto_fp_ops[queue->device];
	rte_crypto_fp_ops[queue->device].enqueue_burst = tap_enqueue;
	rte_crypto_fp_ops[queue->device].dequeue_burst = tap_dequeue;
	return 0;
}

static int close_device(void **state)
{
	assert_int_equal(queue->n_unused, CRYPTO_SLOTS); // nothing was lost
	srtp_engine_close(engine);
	crypto_device_close(device);
	return 0;
}

// ---- packets

struct traffic {
	struct srtp_key key;
	struct srtp_stream tx, rx;
	struct srtp_op ops[BURST];
	uint8_t packets[BURST][ROOM];
	uint16_t seq;
};

static void traffic_open(struct traffic *t, enum srtp_suite suite)
{
	struct fixture_random random = { 20261121 + suite };
	struct srtp_master master;

	memset(t, 0, sizeof(*t));
	fixture_master(&random, &master, suite);
	assert_int_equal(srtp_key_derive(engine, &t->key, &master, NULL, 0), 0);
	srtp_stream_init(&t->tx, SSRC, 0, 128);
	srtp_stream_init(&t->rx, SSRC, 0, 128);
}

static void plain(struct traffic *t, int ext_words)
{
	for (unsigned i = 0; i < BURST; i++) {
		struct srtp_op *op = &t->ops[i];

		memset(t->packets[i], (int)i, ROOM);
		*op = (struct srtp_op){ .packet = t->packets[i], .room = ROOM, .key = &t->key, .stream = &t->tx };
		op->hdr_len = fixture_header(op->packet, 0, ext_words, t->seq++, SSRC);
		op->len = (uint16_t)(op->hdr_len + 100);
	}
}

static unsigned results(const struct traffic *t, enum srtp_result result)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BURST; i++)
		n += t->ops[i].result == result;
	return n;
}

static void secure(struct traffic *t, int ext_words, enum srtp_result expected)
{
	plain(t, ext_words);
	srtp_protect_burst(engine, t->ops, BURST);
	assert_int_equal(results(t, expected), BURST);
}

static void unsecure(struct traffic *t, enum srtp_result expected)
{
	for (unsigned i = 0; i < BURST; i++)
		t->ops[i].stream = &t->rx;
	srtp_unprotect_burst(engine, t->ops, BURST);
	assert_int_equal(results(t, expected), BURST);
}

static void there_and_back(struct traffic *t)
{
	secure(t, -1, SRTP_OK);
	unsecure(t, SRTP_OK);
	for (unsigned i = 0; i < BURST; i++) {
		assert_int_equal(t->ops[i].len, 112);
		assert_int_equal(t->packets[i][12], i);
		assert_memory_equal(t->packets[i] + 12, t->packets[i] + 13, 99);
	}
}

static const enum srtp_suite one_of_each[] = { SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_AEAD_AES_128_GCM };

// ---- it hangs

static void what_hangs_is_dropped_and_comes_back(void **state)
{
	for (unsigned s = 0; s < 2; s++) {
		uint64_t late = counters->late;
		uint8_t others[BURST][ROOM];
		struct traffic t;

		traffic_open(&t, one_of_each[s]);
		there_and_back(&t);
		tap.hold = true;
		for (unsigned held = 0; held < CRYPTO_SLOTS; held += BURST * (s == 0 ? 2 : 1)) // hash and cipher, or one
			secure(&t, -1, SRTP_DEVICE);
		assert_int_equal(queue->n_unused, 0);
		tap.enqueued = 0;
		secure(&t, -1, SRTP_DEVICE); // and at once: there is nothing to wait for
		assert_int_equal(tap.enqueued, 0);
		memset(t.packets, 0x55, sizeof(t.packets)); // they are another's now
		memset(others, 0x55, sizeof(others));
		tap.hold = false;
		for (unsigned i = 0; queue->n_unused < CRYPTO_SLOTS && i < 100; i++) {
			struct traffic *other = malloc(sizeof(*other));

			traffic_open(other, one_of_each[s]);
			plain(other, -1);
			srtp_protect_burst(engine, other->ops, BURST); // takes back what was late on its way
			srtp_key_wipe(engine, &other->key);
			free(other);
		}
		assert_memory_equal(t.packets, others, sizeof(others));
		assert_int_equal(counters->late - late, CRYPTO_SLOTS);
		there_and_back(&t);
		srtp_key_wipe(engine, &t.key);
		assert_int_equal(counters->sessions, 0);
	}
}

static void what_was_received_can_be_received_again(void **state)
{
	for (unsigned s = 0; s < 2; s++) {
		uint8_t before[BURST][ROOM];
		struct srtp_stream rx;
		struct traffic t;

		traffic_open(&t, one_of_each[s]);
		secure(&t, -1, SRTP_OK);
		memcpy(before, t.packets, sizeof(before));
		rx = t.rx;
		tap.hold = true;
		unsecure(&t, SRTP_DEVICE);
		tap.hold = false;
		assert_memory_equal(before, t.packets, sizeof(before));
		assert_memory_equal(&rx, &t.rx, sizeof(rx));
		assert_int_equal(t.key.remaining, SRTP_INDEX_LIMIT - BURST);
		unsecure(&t, SRTP_OK);
		srtp_key_wipe(engine, &t.key);
	}
}

// The device may still read a session whose key is gone.
static void key_goes_while_it_is_late(void **state)
{
	struct traffic t, next;

	traffic_open(&t, SRTP_AEAD_AES_256_GCM);
	tap.hold = true;
	secure(&t, -1, SRTP_DEVICE);
	srtp_key_wipe(engine, &t.key);
	assert_int_equal(counters->keys, 1);
	assert_int_equal(counters->sessions, 2);
	traffic_open(&next, SRTP_AES_CM_128_HMAC_SHA1_80);
	tap.hold = false;
	there_and_back(&next);
	assert_int_equal(counters->keys, 1);
	assert_int_equal(counters->sessions, 2);
	srtp_key_wipe(engine, &next.key);
	assert_int_equal(counters->keys, 0);
}

// ---- it is full, fails, lies

static void what_finds_no_room_is_dropped(void **state)
{
	uint64_t stalled = counters->stalled, late = counters->late;
	struct traffic t;

	traffic_open(&t, SRTP_AEAD_AES_128_GCM);
	tap.full = true;
	secure(&t, -1, SRTP_DEVICE);
	assert_int_equal(counters->stalled - stalled, BURST);
	assert_int_equal(queue->n_unused, CRYPTO_SLOTS); // the device never had them
	tap.full = false;
	there_and_back(&t);
	assert_int_equal(counters->late, late);
	srtp_key_wipe(engine, &t.key);
}

static void an_error_is_no_forgery(void **state)
{
	static const int errors[] = { RTE_CRYPTO_OP_STATUS_ERROR, RTE_CRYPTO_OP_STATUS_INVALID_ARGS,
				      RTE_CRYPTO_OP_STATUS_NOT_PROCESSED, RTE_CRYPTO_OP_STATUS_INVALID_SESSION };

	for (unsigned s = 0; s < 2; s++) {
		for (unsigned e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
			uint64_t failed = counters->failed;
			uint8_t before[BURST][ROOM];
			struct traffic t;

			traffic_open(&t, one_of_each[s]);
			secure(&t, -1, SRTP_OK);
			memcpy(before, t.packets, sizeof(before));
			tap.status = errors[e];
			unsecure(&t, SRTP_DEVICE);
			assert_int_equal(counters->failed - failed, BURST);
			assert_memory_equal(before, t.packets, sizeof(before));
			assert_int_equal(t.rx.started, 0);
			secure(&t, -1, SRTP_DEVICE);
			tap.status = -1;
			there_and_back(&t);
			srtp_key_wipe(engine, &t.key);
		}
	}
}

// Of AES-CM no device is asked whether a tag is good, so none can say that it is not.
static void only_aead_is_forged_by_its_word(void **state)
{
	struct traffic t;

	for (unsigned s = 0; s < 2; s++) {
		traffic_open(&t, one_of_each[s]);
		secure(&t, -1, SRTP_OK);
		tap.status = RTE_CRYPTO_OP_STATUS_AUTH_FAILED;
		unsecure(&t, s == 0 ? SRTP_DEVICE : SRTP_AUTH);
		tap.status = -1;
		unsecure(&t, SRTP_OK);
		srtp_key_wipe(engine, &t.key);
	}
}

// Its word that all is well does not make a forged packet of AES-CM good.
static void its_word_is_no_tag(void **state)
{
	struct traffic t;

	traffic_open(&t, SRTP_AES_CM_128_HMAC_SHA1_80);
	secure(&t, -1, SRTP_OK);
	for (unsigned i = 0; i < BURST; i++)
		t.packets[i][50] ^= 1;
	tap.status = RTE_CRYPTO_OP_STATUS_SUCCESS;
	unsecure(&t, SRTP_AUTH);
	tap.status = -1;
	srtp_key_wipe(engine, &t.key);
}

// ---- keys and sessions

static void sessions_come_and_go(void **state)
{
	static struct srtp_key keys[KEYS + 64];
	struct fixture_random random = { 5 };
	struct srtp_master master;

	for (unsigned i = 0; i < 5000; i++) {
		unsigned k = fixture_below(&random, KEYS + 64);

		fixture_master(&random, &master, (enum srtp_suite)(1 + i % (SRTP_SUITE_COUNT - 1)));
		if (fixture_below(&random, 3) == 0)
			srtp_key_wipe(engine, &keys[k]);
		else
			assert_int_equal(srtp_key_derive(engine, &keys[k], &master, NULL, 0), 0);
	}
	assert_int_equal(counters->no_session, 0);
	for (unsigned k = 0; k < KEYS + 64; k++) {
		bool is_null = strncmp(keys[k].suite != 0 ? srtp_suite_name((enum srtp_suite)keys[k].suite) : "-",
				       "NULL", 4) == 0;

		assert_true(keys[k].suite == 0 ||
			    crypto_key_session(&queue->offload, &keys[k],
					       keys[k].tag_len == SRTP_TAG_MAX ? SRTP_TASK_SEAL : SRTP_TASK_HASH,
					       keys[k].tag_len == SRTP_TAG_MAX ? 12 : 0) != NULL);
		assert_true(!is_null || crypto_key_session(&queue->offload, &keys[k], SRTP_TASK_CIPHER, 0) == NULL);
		srtp_key_wipe(engine, &keys[k]);
	}
	assert_int_equal(counters->keys, 0);
	assert_int_equal(counters->sessions, 0);
}

static void more_keys_than_sessions(void **state)
{
	static struct traffic t[KEYS + 64 + 3];
	uint64_t jobs;

	for (unsigned i = 0; i < KEYS + 64 + 3; i++)
		traffic_open(&t[i], SRTP_AEAD_AES_128_GCM);
	assert_int_equal(counters->no_session, 3);
	jobs = counters->jobs;
	there_and_back(&t[KEYS + 64 + 2]); // by ipsec-mb
	assert_int_equal(counters->jobs, jobs);
	there_and_back(&t[0]);
	assert_true(counters->jobs > jobs);
	for (unsigned i = 0; i < KEYS + 64 + 3; i++)
		srtp_key_wipe(engine, &t[i].key);
	assert_int_equal(counters->sessions, 0);
}

struct needle {
	const uint8_t *bytes;
	unsigned found;
};

static void look_for(struct rte_mempool *pool, void *arg, void *object, unsigned index)
{
	struct needle *needle = arg;

	needle->found += memmem(object, pool->elt_size, needle->bytes, 16) != NULL;
}

static unsigned keys_in_sessions(const uint8_t key[16])
{
	struct needle needle = { .bytes = key };

	rte_mempool_obj_iter(queue->session_pool, look_for, &needle);
	return needle.found;
}

static void no_key_stays_behind(void **state)
{
	for (unsigned s = 0; s < 2; s++) {
		struct traffic t;
		uint8_t key[16];

		traffic_open(&t, one_of_each[s]);
		memcpy(key, t.key.cipher_key, sizeof(key));
		assert_true(keys_in_sessions(key) > 0); // as the first round key
		srtp_key_wipe(engine, &t.key);
		assert_int_equal(keys_in_sessions(key), 0);
	}
}

// Others may write the record: no session answers for a key that it was not made of.
static void sessions_are_of_one_key(void **state)
{
	struct traffic t, other;
	uint64_t jobs;

	traffic_open(&t, SRTP_AEAD_AES_128_GCM);
	traffic_open(&other, SRTP_AEAD_AES_256_GCM);
	t.key = other.key;
	jobs = counters->jobs;
	there_and_back(&t);
	assert_int_equal(counters->jobs, jobs);
	srtp_key_wipe(engine, &t.key);
	srtp_key_wipe(engine, &other.key);
	assert_int_equal(counters->sessions, 0);
}

static void header_lengths_are_learnt(void **state)
{
	struct traffic t;
	uint64_t jobs;

	traffic_open(&t, SRTP_AEAD_AES_128_GCM);
	for (int words = 1; words <= 3; words++) { // of two there will be sessions, of the third no more
		jobs = counters->jobs;
		secure(&t, words, SRTP_OK);
		assert_int_equal(queue->n_wishes, words < 3 ? CRYPTO_WISHES : 0);
		srtp_engine_tend(engine);
		for (unsigned i = 0; i < BURST; i++)
			t.packets[i][60] ^= 1;
		unsecure(&t, SRTP_AUTH);
		assert_int_equal(queue->n_wishes, 0); // what is forged teaches nothing
		for (unsigned i = 0; i < BURST; i++)
			t.packets[i][60] ^= 1;
		unsecure(&t, SRTP_OK);
		srtp_engine_tend(engine);
		assert_int_equal(counters->jobs, jobs);
		secure(&t, words, SRTP_OK);
		unsecure(&t, SRTP_OK);
		assert_int_equal(counters->jobs - jobs, words < 3 ? 2 * BURST : 0);
	}
	assert_int_equal(counters->sessions, CRYPTO_KEY_SESSIONS);
	srtp_key_wipe(engine, &t.key);
	assert_int_equal(counters->sessions, 0);
}

// ---- what it is

static int try_open(const char *name, const char *devargs, unsigned workers, const char *said)
{
	struct dp_config config = { .n_workers = (uint8_t)workers, .max_transports = KEYS,
				    .crypto.engine = DP_ENGINE_CRYPTODEV };
	struct crypto_device *other = NULL;
	char why[256] = "";
	int err;

	snprintf(config.crypto.device, sizeof(config.crypto.device), "%s", name);
	snprintf(config.crypto.devargs, sizeof(config.crypto.devargs), "%s", devargs);
	err = crypto_device_open(&other, &config, why);
	assert_true(said == NULL || strstr(why, said) != NULL);
	assert_int_equal(other != NULL, err == 0);
	crypto_device_close(other);
	return err;
}

static void what_cannot_be_is_said(void **state)
{
	for (unsigned twice = 0; twice < 2; twice++) { // nothing stays behind of one that was refused
		assert_int_equal(try_open("crypto_null", "", 1, "can do no suite of SRTP"), -ENOTSUP);
		assert_int_equal(try_open("crypto_rot13", "", 1, "no crypto device \"crypto_rot13\""), -ENODEV);
		assert_int_equal(try_open("0000:3d:01.0_qat_sym", "", 1, "vfio-pci"), -ENODEV);
		assert_int_equal(try_open("crypto_openssl", "max_nb_queue_pairs=2", 3, "max_nb_queue_pairs=3"), -ENOSPC);
		assert_int_equal(try_open("crypto_openssl", "max_nb_queue_pairs=3", 3, NULL), 0);
	}
}

static void what_it_can_is_asked(void **state)
{
	struct dp_config config = { .n_workers = 1, .max_transports = KEYS, .crypto = {
		.engine = DP_ENGINE_CRYPTODEV, .device = "crypto_aesni_gcm" } };
	struct crypto_device *other;
	char why[256], address[192];

	assert_int_equal(crypto_device_open(&other, &config, why), 0);
	for (enum srtp_suite s = SRTP_SUITE_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		assert_int_equal(crypto_device_does(other, s), srtp_suite_info(s)->aead);
		assert_true(crypto_device_does(device, s));
	}
	assert_false(crypto_device_address(&config.crypto, address));
	crypto_device_close(other);
	snprintf(config.crypto.device, sizeof(config.crypto.device), "0000:3d:01.0_qat_sym");
	assert_true(crypto_device_address(&config.crypto, address));
	assert_string_equal(address, "0000:3d:01.0");
	assert_true(crypto_device_megabytes(&config) > 0);
}

int main(void)
{
#define DEVICE(f) cmocka_unit_test_setup_teardown(f, open_device, close_device)
	const struct CMUnitTest tests[] = {
		DEVICE(what_hangs_is_dropped_and_comes_back),
		DEVICE(what_was_received_can_be_received_again),
		DEVICE(key_goes_while_it_is_late),
		DEVICE(what_finds_no_room_is_dropped),
		DEVICE(an_error_is_no_forgery),
		DEVICE(only_aead_is_forged_by_its_word),
		DEVICE(its_word_is_no_tag),
		DEVICE(sessions_come_and_go),
		DEVICE(more_keys_than_sessions),
		DEVICE(no_key_stays_behind),
		DEVICE(sessions_are_of_one_key),
		DEVICE(header_lengths_are_learnt),
		DEVICE(what_cannot_be_is_said),
		DEVICE(what_it_can_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
