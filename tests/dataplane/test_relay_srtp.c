// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_srtp.c - a secured leg with libsrtp2 as its peer: every suite both ways, what is not keyed, forged,
// replayed or too new, key changes, and the relay killed in mid stream.
#include "tests/dataplane/bed_call.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define SSRC_A 0xaaaa0001
#define SSRC_B 0xbbbb0001

static struct bed bed;
static struct bed_call call;
static uint32_t epoch;

static void oracle_open(struct bed_srtp *o, enum srtp_suite suite)
{
	bed_srtp_open(o, suite, ++epoch);
}

static void oracle_give(const struct bed_srtp *o)
{
	bed_srtp_give(o, &bed, call.leg_a);
}

static void expect_plain(uint32_t ssrc, uint16_t seq)
{
	uint8_t want[512], got[2048];
	size_t len = bed_rtp(want, ssrc, seq, 160);

	assert_int_equal(bed_receive(call.b, got, sizeof(got), 2000, NULL), len);
	assert_memory_equal(got, want, len);
}

static void expect_secured(struct bed_srtp *o, uint32_t ssrc, uint16_t seq)
{
	uint8_t want[512], got[2048];
	size_t len = bed_rtp(want, ssrc, seq, 160);
	int n = (int)bed_receive(call.a, got, sizeof(got), 2000, NULL);

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
	bed_call_sockets(&call, &bed);
	return 0;
}

// A device that is configured has had its part, and none was lost in it.
static bool crypto_device_worked(void)
{
	const struct dp_worker_record *r = &bed.map.workers[0];

	if (bed.config.crypto.engine == DP_ENGINE_IPSEC_MB)
		return dp_counter(&r->crypto_jobs) == 0;
	return dp_counter(&r->crypto_jobs) > 100 && dp_counter(&r->crypto_failed) == 0 &&
	       dp_counter(&r->crypto_stalled) == 0;
}

static int teardown(void **state)
{
	bool worked = crypto_device_worked();

	bed_call_close(&call);
	bed_stop(&bed);
	srtp_shutdown();
	return worked ? 0 : -1;
}

static int legs_make(void **state)
{
	bed_call_legs(&call, DP_SRTP);
	bed_pump(&bed, 100);
	epoch = 0;
	return 0;
}

static int legs_remove(void **state)
{
	bed_call_remove(&call);
	return 0;
}

static void every_suite_both_ways(void **state)
{
	for (enum srtp_suite suite = SRTP_AES_CM_128_HMAC_SHA1_80; suite < SRTP_SUITE_COUNT; suite++) {
		struct bed_srtp o;
		uint8_t pkt[512];

		oracle_open(&o, suite);
		oracle_give(&o);
		for (unsigned i = 0; i < 100; i++) { // over the wrap of the sequence number
			uint16_t seq = (uint16_t)(65490 + i);
			size_t len = bed_srtp_make(&o, pkt, SSRC_A, seq);

			bed_send(call.a, &call.gw_a, pkt, len);
			expect_plain(SSRC_A, seq);
			len = bed_rtp(pkt, SSRC_B, seq, 160);
			bed_send(call.b, &call.gw_b, pkt, len);
			expect_secured(&o, SSRC_B, seq);
		}
		bed_srtp_close(&o);
	}
}

static void nothing_passes_without_keys(void **state)
{
	struct bed_srtp o;
	uint8_t pkt[512];
	size_t len = bed_rtp(pkt, SSRC_A, 1, 160);

	bed_send(call.a, &call.gw_a, pkt, len);
	expect_silence(call.b);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_NOT_KEYED), 1);
	bed_send(call.b, &call.gw_b, pkt, len);
	expect_silence(call.a);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_TX_NOT_KEYED), 1);

	oracle_open(&o, SRTP_AEAD_AES_128_GCM);
	oracle_give(&o);
	bed_send(call.a, &call.gw_a, pkt, len); // plain, on a secured and keyed leg, from the right source
	expect_silence(call.b);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_AUTH), 1);
	dp_transport_secure(bed.dp, call.leg_a, DP_PLAIN); // security never falls
	bed_pump(&bed, 20);
	bed_send(call.a, &call.gw_a, pkt, len);
	expect_silence(call.b);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_AUTH), 2);
	bed_srtp_close(&o);
}

static void forged_and_replayed_packets_end(void **state)
{
	uint8_t pkt[512], kept[512];
	struct bed_srtp o;
	struct dp_stats stats;
	size_t len;

	oracle_open(&o, SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&o);
	len = bed_srtp_make(&o, kept, SSRC_A, 100);
	for (unsigned i = 0; i < len; i += 7) {
		memcpy(pkt, kept, len);
		pkt[i] ^= i < 2 ? 0x02 : 0x01; // still version 2 and no RTCP
		if (i == 0)
			continue; // the CSRC count: another header length
		bed_send(call.a, &call.gw_a, pkt, len);
	}
	expect_silence(call.b);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_AUTH), (len - 1) / 7);
	bed_send(call.a, &call.gw_a, kept, len);
	expect_plain(SSRC_A, 100);
	bed_send(call.a, &call.gw_a, kept, len);
	expect_silence(call.b);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_REPLAY), 1);
	for (unsigned i = 1; i <= 200; i++) {
		len = bed_srtp_make(&o, pkt, SSRC_A, (uint16_t)(100 + i));
		bed_send(call.a, &call.gw_a, pkt, len);
		expect_plain(SSRC_A, (uint16_t)(100 + i));
	}
	bed_send(call.a, &call.gw_a, kept, len);
	expect_silence(call.b);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_OLD), 1);
	assert_int_equal(dp_transport_stats(bed.dp, call.leg_a, &stats), 0);
	assert_int_equal(stats.rx_packets, 201);
	assert_int_equal(stats.lost, 0);
	bed_srtp_close(&o);
}

// Forged packets with new SSRCs bind nothing; good ones are bounded.
static void ssrcs_are_bounded_and_bound_late(void **state)
{
	struct bed_srtp o;
	uint8_t pkt[512];
	size_t len;

	oracle_open(&o, SRTP_AEAD_AES_256_GCM);
	oracle_give(&o);
	for (unsigned i = 0; i < 500; i++) {
		len = bed_rtp(pkt, 0x50000000 + i, 1, 180);
		bed_send(call.a, &call.gw_a, pkt, len);
	}
	bed_pump(&bed, 100);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_AUTH), 500);
	for (unsigned i = 0; i < DP_RX_SSRCS; i++) {
		len = bed_srtp_make(&o, pkt, 0x60000000 + i, 1);
		bed_send(call.a, &call.gw_a, pkt, len);
		expect_plain(0x60000000 + i, 1);
	}
	len = bed_srtp_make(&o, pkt, 0x60000099, 1);
	bed_send(call.a, &call.gw_a, pkt, len);
	expect_silence(call.b);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_SSRC_LIMIT), 1);
	bed_srtp_close(&o);
}

static void a_moved_peer_is_reported_after_the_tag(void **state)
{
	int moved = bed_socket(&bed, BED_A, "10.77.1.2", 4010);
	struct dp_event event;
	struct bed_srtp o;
	uint8_t pkt[512];
	size_t len;

	oracle_open(&o, SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&o);
	len = bed_srtp_make(&o, pkt, SSRC_A, 7);
	pkt[20] ^= 1;
	bed_send(moved, &call.gw_a, pkt, len);
	assert_false(bed_event(&bed, DP_EVENT_SOURCE, 80, NULL));
	len = bed_srtp_make(&o, pkt, SSRC_A, 8);
	bed_send(moved, &call.gw_a, pkt, len);
	expect_plain(SSRC_A, 8);
	assert_true(bed_event(&bed, DP_EVENT_SOURCE, 500, &event));
	assert_true(event.authenticated);
	assert_int_equal(event.source.port, 4010);
	assert_int_equal(event.srtp_index, 8);
	assert_int_equal(event.ssrc, SSRC_A);
	bed_srtp_close(&o);
	close(moved);
}

static void a_key_change_overlaps(void **state)
{
	struct bed_srtp old, fresh;
	uint8_t pkt[512];
	size_t len;

	oracle_open(&old, SRTP_AEAD_AES_128_GCM);
	oracle_give(&old);
	for (unsigned i = 0; i < 10; i++) {
		len = bed_srtp_make(&old, pkt, SSRC_A, (uint16_t)(1000 + i));
		bed_send(call.a, &call.gw_a, pkt, len);
		expect_plain(SSRC_A, (uint16_t)(1000 + i));
	}
	oracle_open(&fresh, SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&fresh);
	for (unsigned i = 0; i < 20; i++) { // both are good, in any order
		struct bed_srtp *o = i % 2 ? &old : &fresh;

		len = bed_srtp_make(o, pkt, SSRC_A, (uint16_t)(1010 + i));
		bed_send(call.a, &call.gw_a, pkt, len);
		expect_plain(SSRC_A, (uint16_t)(1010 + i));
	}
	len = bed_rtp(pkt, SSRC_B, 5, 160); // sent under the newest alone
	bed_send(call.b, &call.gw_b, pkt, len);
	expect_secured(&fresh, SSRC_B, 5);
	dp_transport_retire(bed.dp, call.leg_a, DP_RX, epoch);
	bed_pump(&bed, 20);
	len = bed_srtp_make(&old, pkt, SSRC_A, 1100);
	bed_send(call.a, &call.gw_a, pkt, len);
	expect_silence(call.b);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_AUTH), 1);
	len = bed_srtp_make(&fresh, pkt, SSRC_A, 1101);
	bed_send(call.a, &call.gw_a, pkt, len);
	expect_plain(SSRC_A, 1101);
	bed_srtp_close(&old);
	bed_srtp_close(&fresh);
}

// A stream that never stops while both ends change keys, ours first and then theirs: not one packet is missing.
static void a_swap_under_load_loses_nothing(void **state)
{
	struct bed_srtp s[4];
	uint16_t sent = 65000, heard = 65000; // over the wrap, so the first key is in its second round
	unsigned peers = 0, ours = 0;
	uint8_t pkt[512], got[2048], want[512];

	for (unsigned i = 0; i < 4; i++)
		oracle_open(&s[i], i % 2 ? SRTP_AEAD_AES_256_GCM : SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&s[0]);
	for (unsigned i = 0; i < 1700; i++) {
		if (i % 500 == 300)
			dp_transport_keys(bed.dp, call.leg_a, &s[++ours].rx);
		if (i % 500 == 350)
			peers = ours;
		if (i % 500 == 499)
			dp_transport_retire(bed.dp, call.leg_a, DP_RX, s[ours].rx.epoch);
		bed_send(call.a, &call.gw_a, pkt, bed_srtp_make(&s[peers], pkt, SSRC_A, sent++));
		while (i % 8 == 0 && heard != sent) { // eight are under way at a time
			assert_int_equal(bed_receive(call.b, got, sizeof(got), 5000, NULL),
					 bed_rtp(want, SSRC_A, heard, 160));
			assert_memory_equal(got, want, 172);
			heard++;
		}
	}
	for (; heard != sent; heard++) {
		assert_int_equal(bed_receive(call.b, got, sizeof(got), 5000, NULL), bed_rtp(want, SSRC_A, heard, 160));
		assert_memory_equal(got, want, 172);
	}
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_AUTH), 0);
	bed_pump(&bed, 20);
	for (unsigned i = 0; i < 4; i++) { // control was told of each
		struct dp_event event;

		assert_true(bed_event(&bed, DP_EVENT_EPOCH, 500, &event));
		assert_int_equal(event.epoch, s[i].rx.epoch);
	}
	for (unsigned i = 0; i < 4; i++)
		bed_srtp_close(&s[i]);
}

// The same key given again, as a new epoch: the indices go on, nothing is encrypted twice under one.
static void the_same_key_again_keeps_its_index(void **state)
{
	struct bed_srtp o;
	uint8_t pkt[512];
	size_t len;

	oracle_open(&o, SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&o);
	len = bed_rtp(pkt, SSRC_B, 50, 160);
	bed_send(call.b, &call.gw_b, pkt, len);
	expect_secured(&o, SSRC_B, 50);
	o.tx.epoch++;
	o.rx.epoch++;
	oracle_give(&o);
	bed_send(call.b, &call.gw_b, pkt, len);
	expect_silence(call.a);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_TX_REPEAT), 1);
	len = bed_rtp(pkt, SSRC_B, 51, 160);
	bed_send(call.b, &call.gw_b, pkt, len);
	expect_secured(&o, SSRC_B, 51);
	bed_srtp_close(&o);
}

static void a_killed_relay_goes_on_where_it_was(void **state)
{
	struct dp_event back;
	struct bed_srtp o;
	uint8_t pkt[512], old[512];
	size_t len, old_len = 0;

	oracle_open(&o, SRTP_AES_CM_128_HMAC_SHA1_80);
	oracle_give(&o);
	for (unsigned i = 0; i < 200; i++) { // ROC 1 in both directions
		uint16_t seq = (uint16_t)(65400 + i);

		old_len = bed_srtp_make(&o, old, SSRC_A, seq);
		bed_send(call.a, &call.gw_a, old, old_len);
		expect_plain(SSRC_A, seq);
		len = bed_rtp(pkt, SSRC_B, seq, 160);
		bed_send(call.b, &call.gw_b, pkt, len);
		expect_secured(&o, SSRC_B, seq);
	}
	bed_relay_kill(&bed, SIGKILL);
	bed_relay_start(&bed);
	assert_true(bed_event(&bed, DP_EVENT_RELAY_BACK, 1000, &back));
	print_message("gap %llu ms\n", (unsigned long long)back.gap / 1000000);
	assert_true(back.gap < MONO_MS(2000));
	bed_pump(&bed, 100);
	bed_send(call.a, &call.gw_a, old, old_len); // replayed across the restart
	expect_silence(call.b);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_REPLAY), 1);
	for (unsigned i = 0; i < 50; i++) {
		uint16_t seq = (uint16_t)(65600 + i);

		len = bed_srtp_make(&o, pkt, SSRC_A, seq);
		bed_send(call.a, &call.gw_a, pkt, len);
		expect_plain(SSRC_A, seq);
		len = bed_rtp(pkt, SSRC_B, seq, 160);
		bed_send(call.b, &call.gw_b, pkt, len);
		expect_secured(&o, SSRC_B, seq);
	}
	bed_srtp_close(&o);
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
		LEGS(a_swap_under_load_loses_nothing),
		LEGS(the_same_key_again_keeps_its_index),
		LEGS(a_killed_relay_goes_on_where_it_was),
	};

	if (argc > 1)
		bed_relay_path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
