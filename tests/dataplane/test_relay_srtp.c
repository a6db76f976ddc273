// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_srtp.c - a secured leg with libsrtp2 as its peer: every suite both ways, what is not keyed, forged,
// replayed or too new, key changes, and the relay killed in mid stream.
#include "tests/dataplane/relay_bed.h"
#include "base/secret.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <srtp2/srtp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define SSRC_A 0xaaaa0001
#define SSRC_B 0xbbbb0001

static struct bed bed;
static int a, b;
static struct inet_endpoint peer_a, peer_b, gw_a, gw_b;
static struct dp_ref leg_a, leg_b;
static uint32_t epoch;

struct oracle { // the peer's SRTP
	srtp_t out, in;
	struct dp_keys rx, tx; // what the relay is given
};

static void policy_of(srtp_policy_t *policy, enum srtp_suite suite, srtp_ssrc_type_t type, uint8_t *key)
{
	memset(policy, 0, sizeof(*policy));
	switch (suite) {
	case SRTP_AES_CM_128_HMAC_SHA1_80: srtp_crypto_policy_set_rtp_default(&policy->rtp); break;
	case SRTP_AES_CM_128_HMAC_SHA1_32: srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy->rtp); break;
	case SRTP_AES_192_CM_HMAC_SHA1_80: srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80(&policy->rtp); break;
	case SRTP_AES_192_CM_HMAC_SHA1_32: srtp_crypto_policy_set_aes_cm_192_hmac_sha1_32(&policy->rtp); break;
	case SRTP_AES_256_CM_HMAC_SHA1_80: srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&policy->rtp); break;
	case SRTP_AES_256_CM_HMAC_SHA1_32: srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(&policy->rtp); break;
	case SRTP_NULL_HMAC_SHA1_80:
	case SRTP_NULL_HMAC_SHA1_32:
		srtp_crypto_policy_set_null_cipher_hmac_sha1_80(&policy->rtp);
		policy->rtp.auth_tag_len = srtp_suite_info(suite)->tag_len;
		break;
	case SRTP_AEAD_AES_128_GCM: srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp); break;
	default: srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtp); break;
	}
	policy->rtcp = policy->rtp;
	policy->ssrc.type = type;
	policy->key = key;
	policy->window_size = 128;
	policy->allow_repeat_tx = 0;
}

static void keys_make(struct dp_keys *keys, srtp_t *srtp, enum srtp_suite suite, enum dp_direction direction)
{
	const struct srtp_suite_info *info = srtp_suite_info(suite);
	uint8_t material[64];
	srtp_policy_t policy;

	assert_int_equal(secret_random(material, sizeof(material)), 0);
	policy_of(&policy, suite, direction == DP_RX ? ssrc_any_outbound : ssrc_any_inbound, material);
	assert_int_equal(srtp_create(srtp, &policy), srtp_err_status_ok);
	*keys = (struct dp_keys){ .direction = direction, .epoch = epoch };
	assert_int_equal(srtp_master_set(&keys->master, suite, material, info->key_len + info->salt_len), 0);
}

static void oracle_open(struct oracle *o, enum srtp_suite suite)
{
	epoch++;
	keys_make(&o->rx, &o->out, suite, DP_RX);
	keys_make(&o->tx, &o->in, suite, DP_TX);
}

static void oracle_give(const struct oracle *o)
{
	dp_transport_keys(bed.dp, leg_a, &o->rx);
	dp_transport_keys(bed.dp, leg_a, &o->tx);
	bed_pump(&bed, 20);
}

static void oracle_close(struct oracle *o)
{
	srtp_dealloc(o->out);
	srtp_dealloc(o->in);
}

static size_t secured(struct oracle *o, uint8_t *pkt, uint32_t ssrc, uint16_t seq)
{
	int len = (int)bed_rtp(pkt, ssrc, seq, 160);

	assert_int_equal(srtp_protect(o->out, pkt, &len), srtp_err_status_ok);
	return (size_t)len;
}

static void expect_plain(uint32_t ssrc, uint16_t seq)
{
	uint8_t want[512], got[2048];
	size_t len = bed_rtp(want, ssrc, seq, 160);

	assert_int_equal(bed_receive(b, got, sizeof(got), 2000, NULL), len);
	assert_memory_equal(got, want, len);
}

static void expect_secured(struct oracle *o, uint32_t ssrc, uint16_t seq)
{
	uint8_t want[512], got[2048];
	size_t len = bed_rtp(want, ssrc, seq, 160);
	int n = (int)bed_receive(a, got, sizeof(got), 2000, NULL);

	assert_true(n > (int)len);
	assert_int_equal(memcmp(got + 12, want + 12, 160) != 0, srtp_suite_info(o->tx.master.suite)->encrypts);
	assert_int_equal(srtp_unprotect(o->in, got, &n), srtp_err_status_ok);
	assert_int_equal(n, len);
	assert_memory_equal(got, want, len);
}

static void expect_silence(int fd)
{
	uint8_t got[2048];

	assert_int_equal(bed_receive(fd, got, sizeof(got), 80, NULL), -EAGAIN);
}

static int setup(void **state)
{
	srtp_init();
	bed_networks(&bed);
	bed_config(&bed.config);
	bed_start(&bed);
	a = bed_socket(&bed, BED_A, "10.77.1.2", 4000);
	b = bed_socket(&bed, BED_B, "10.77.2.2", 5000);
	peer_a = bed_endpoint("10.77.1.2", 4000);
	peer_b = bed_endpoint("10.77.2.2", 5000);
	gw_a = bed_endpoint("10.77.1.1", 16384);
	gw_b = bed_endpoint("10.77.2.1", 16386);
	return 0;
}

static int teardown(void **state)
{
	close(a);
	close(b);
	bed_stop(&bed);
	srtp_shutdown();
	return 0;
}

static int legs_make(void **state)
{
	leg_a = bed_transport(&bed, 0, "10.77.1.1", 16384, DP_MODE_RTP, DP_SRTP, &peer_a);
	leg_b = bed_transport(&bed, 1, "10.77.2.1", 16386, DP_MODE_RTP, DP_PLAIN, &peer_b);
	bed_join(&bed, leg_a, leg_b);
	bed_pump(&bed, 100);
	epoch = 0;
	return 0;
}

static int legs_remove(void **state)
{
	dp_transport_remove(bed.dp, leg_a);
	dp_transport_remove(bed.dp, leg_b);
	assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, NULL));
	assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, NULL));
	bed.n_events = 0;
	while (bed_receive(a, (uint8_t[2048]){ 0 }, 2048, 0, NULL) >= 0 ||
	       bed_receive(b, (uint8_t[2048]){ 0 }, 2048, 0, NULL) >= 0)
		continue;
	return 0;
}

static void every_suite_both_ways(void **state)
{
	for (enum srtp_suite suite = SRTP_AES_CM_128_HMAC_SHA1_80; suite < SRTP_SUITE_COUNT; suite++) {
		struct oracle o;
		uint8_t pkt[512];

		oracle_open(&o, suite);
		oracle_give(&o);
		for (unsigned i = 0; i < 100; i++) { // over the wrap of the sequence number
			uint16_t seq = (uint16_t)(65490 + i);
			size_t len = secured(&o, pkt, SSRC_A, seq);

			bed_send(a, &gw_a, pkt, len);
			expect_plain(SSRC_A, seq);
			len = bed_rtp(pkt, SSRC_B, seq, 160);
			bed_send(b, &gw_b, pkt, len);
			expect_secured(&o, SSRC_B, seq);
		}
		oracle_close(&o);
	}
}

static void nothing_passes_without_keys(void **state)
{
	struct oracle o;
	uint8_t pkt[512];
	size_t len = bed_rtp(pkt, SSRC_A, 1, 160);

	bed_send(a, &gw_a, pkt, len);
	expect_silence(b);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_NOT_KEYED), 1);
	bed_send(b, &gw_b, pkt, len);
	expect_silence(a);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_TX_NOT_KEYED), 1);

	oracle_open(&o, SRTP_AEAD_AES_128_GCM);
	oracle_give(&o);
	bed_send(a, &gw_a, pkt, len); // plain, on a secured and keyed leg, from the right source
	expect_silence(b);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_AUTH), 1);
	dp_transport_secure(bed.dp, leg_a, DP_PLAIN); // security never falls
	bed_pump(&bed, 20);
	bed_send(a, &gw_a, pkt, len);
	expect_silence(b);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_AUTH), 2);
	oracle_close(&o);
}

static void forged_and_replayed_packets_end(void **state)
{
	uint8_t pkt[512], kept[512];
	struct oracle o;
	struct dp_stats stats;
	size_t len;

	oracle_open(&o, SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&o);
	len = secured(&o, kept, SSRC_A, 100);
	for (unsigned i = 0; i < len; i += 7) {
		memcpy(pkt, kept, len);
		pkt[i] ^= i < 2 ? 0x02 : 0x01; // still version 2 and no RTCP
		if (i == 0)
			continue; // the CSRC count: another header length
		bed_send(a, &gw_a, pkt, len);
	}
	expect_silence(b);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_AUTH), (len - 1) / 7);
	bed_send(a, &gw_a, kept, len);
	expect_plain(SSRC_A, 100);
	bed_send(a, &gw_a, kept, len);
	expect_silence(b);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_REPLAY), 1);
	for (unsigned i = 1; i <= 200; i++) {
		len = secured(&o, pkt, SSRC_A, (uint16_t)(100 + i));
		bed_send(a, &gw_a, pkt, len);
		expect_plain(SSRC_A, (uint16_t)(100 + i));
	}
	bed_send(a, &gw_a, kept, len);
	expect_silence(b);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_OLD), 1);
	assert_int_equal(dp_transport_stats(bed.dp, leg_a, &stats), 0);
	assert_int_equal(stats.rx_packets, 201);
	assert_int_equal(stats.lost, 0);
	oracle_close(&o);
}

// Forged packets with new SSRCs bind nothing; good ones are bounded.
static void ssrcs_are_bounded_and_bound_late(void **state)
{
	struct oracle o;
	uint8_t pkt[512];
	size_t len;

	oracle_open(&o, SRTP_AEAD_AES_256_GCM);
	oracle_give(&o);
	for (unsigned i = 0; i < 500; i++) {
		len = bed_rtp(pkt, 0x50000000 + i, 1, 180);
		bed_send(a, &gw_a, pkt, len);
	}
	bed_pump(&bed, 100);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_AUTH), 500);
	for (unsigned i = 0; i < DP_RX_SSRCS; i++) {
		len = secured(&o, pkt, 0x60000000 + i, 1);
		bed_send(a, &gw_a, pkt, len);
		expect_plain(0x60000000 + i, 1);
	}
	len = secured(&o, pkt, 0x60000099, 1);
	bed_send(a, &gw_a, pkt, len);
	expect_silence(b);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_SSRC_LIMIT), 1);
	oracle_close(&o);
}

static void a_moved_peer_is_reported_after_the_tag(void **state)
{
	int moved = bed_socket(&bed, BED_A, "10.77.1.2", 4010);
	struct dp_event event;
	struct oracle o;
	uint8_t pkt[512];
	size_t len;

	oracle_open(&o, SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&o);
	len = secured(&o, pkt, SSRC_A, 7);
	pkt[20] ^= 1;
	bed_send(moved, &gw_a, pkt, len);
	assert_false(bed_event(&bed, DP_EVENT_SOURCE, 80, NULL));
	len = secured(&o, pkt, SSRC_A, 8);
	bed_send(moved, &gw_a, pkt, len);
	expect_plain(SSRC_A, 8);
	assert_true(bed_event(&bed, DP_EVENT_SOURCE, 500, &event));
	assert_true(event.authenticated);
	assert_int_equal(event.source.port, 4010);
	assert_int_equal(event.srtp_index, 8);
	assert_int_equal(event.ssrc, SSRC_A);
	oracle_close(&o);
	close(moved);
}

static void a_key_change_overlaps(void **state)
{
	struct oracle old, fresh;
	uint8_t pkt[512];
	size_t len;

	oracle_open(&old, SRTP_AEAD_AES_128_GCM);
	oracle_give(&old);
	for (unsigned i = 0; i < 10; i++) {
		len = secured(&old, pkt, SSRC_A, (uint16_t)(1000 + i));
		bed_send(a, &gw_a, pkt, len);
		expect_plain(SSRC_A, (uint16_t)(1000 + i));
	}
	oracle_open(&fresh, SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&fresh);
	for (unsigned i = 0; i < 20; i++) { // both are good, in any order
		struct oracle *o = i % 2 ? &old : &fresh;

		len = secured(o, pkt, SSRC_A, (uint16_t)(1010 + i));
		bed_send(a, &gw_a, pkt, len);
		expect_plain(SSRC_A, (uint16_t)(1010 + i));
	}
	len = bed_rtp(pkt, SSRC_B, 5, 160); // sent under the newest alone
	bed_send(b, &gw_b, pkt, len);
	expect_secured(&fresh, SSRC_B, 5);
	dp_transport_retire(bed.dp, leg_a, DP_RX, epoch);
	bed_pump(&bed, 20);
	len = secured(&old, pkt, SSRC_A, 1100);
	bed_send(a, &gw_a, pkt, len);
	expect_silence(b);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_AUTH), 1);
	len = secured(&fresh, pkt, SSRC_A, 1101);
	bed_send(a, &gw_a, pkt, len);
	expect_plain(SSRC_A, 1101);
	oracle_close(&old);
	oracle_close(&fresh);
}

// The same key given again, as a new epoch: the indices go on, nothing is encrypted twice under one.
static void the_same_key_again_keeps_its_index(void **state)
{
	struct oracle o;
	uint8_t pkt[512];
	size_t len;

	oracle_open(&o, SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&o);
	len = bed_rtp(pkt, SSRC_B, 50, 160);
	bed_send(b, &gw_b, pkt, len);
	expect_secured(&o, SSRC_B, 50);
	o.tx.epoch++;
	o.rx.epoch++;
	oracle_give(&o);
	bed_send(b, &gw_b, pkt, len);
	expect_silence(a);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_TX_REPEAT), 1);
	len = bed_rtp(pkt, SSRC_B, 51, 160);
	bed_send(b, &gw_b, pkt, len);
	expect_secured(&o, SSRC_B, 51);
	oracle_close(&o);
}

static void a_killed_relay_goes_on_where_it_was(void **state)
{
	struct dp_event back;
	struct oracle o;
	uint8_t pkt[512], old[512];
	size_t len, old_len = 0;

	oracle_open(&o, SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&o);
	for (unsigned i = 0; i < 200; i++) { // ROC 1 in both directions
		uint16_t seq = (uint16_t)(65400 + i);

		old_len = secured(&o, old, SSRC_A, seq);
		bed_send(a, &gw_a, old, old_len);
		expect_plain(SSRC_A, seq);
		len = bed_rtp(pkt, SSRC_B, seq, 160);
		bed_send(b, &gw_b, pkt, len);
		expect_secured(&o, SSRC_B, seq);
	}
	bed_relay_kill(&bed, SIGKILL);
	bed_relay_start(&bed);
	assert_true(bed_event(&bed, DP_EVENT_RELAY_BACK, 1000, &back));
	print_message("gap %llu ms\n", (unsigned long long)back.gap / 1000000);
	assert_true(back.gap < MONO_MS(2000));
	bed_pump(&bed, 100);
	bed_send(a, &gw_a, old, old_len); // replayed across the restart
	expect_silence(b);
	assert_int_equal(bed_drops(&bed, leg_a, RELAY_DROP_REPLAY), 1);
	for (unsigned i = 0; i < 50; i++) {
		uint16_t seq = (uint16_t)(65600 + i);

		len = secured(&o, pkt, SSRC_A, seq);
		bed_send(a, &gw_a, pkt, len);
		expect_plain(SSRC_A, seq);
		len = bed_rtp(pkt, SSRC_B, seq, 160);
		bed_send(b, &gw_b, pkt, len);
		expect_secured(&o, SSRC_B, seq);
	}
	oracle_close(&o);
}

int main(int argc, char **argv)
{
#define LEGS(f) cmocka_unit_test_setup_teardown(f, legs_make, legs_remove)
	const struct CMUnitTest tests[] = {
		LEGS(every_suite_both_ways),
		LEGS(nothing_passes_without_keys),
		LEGS(forged_and_replayed_packets_end),
		LEGS(ssrcs_are_bounded_and_bound_late),
		LEGS(a_moved_peer_is_reported_after_the_tag),
		LEGS(a_key_change_overlaps),
		LEGS(the_same_key_again_keeps_its_index),
		LEGS(a_killed_relay_goes_on_where_it_was),
	};

	if (argc > 1)
		bed_relay_path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
