// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_moves.c - a call goes to and fro between two workers while media flows both ways, and the relay is killed in
// the middle of it again and again. Without a kill not a packet is lost or out of order; with kills none under an index
// used before, and the call is where it was to be.
#include "tests/dataplane/bed_call.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define MOVES 150
#define KILLS 8

static struct bed bed;
static struct bed_call call;
static struct bed_srtp phone;
static uint16_t seq_a, seq_b; // sent
static unsigned heard_a, heard_b, repeated;
static uint16_t worker;

static int setup(void **state)
{
	assert_int_equal(srtp_init(), srtp_err_status_ok);
	bed_networks(&bed);
	bed_run("ip netns exec %s ethtool -L acc rx 2 tx 2", bed.ns_name[BED_GW]);
	bed_run("ip netns exec %s ethtool -L cor rx 2 tx 2", bed.ns_name[BED_GW]);
	bed_config(&bed.config);
	bed.config.n_workers = 2;
	bed_start(&bed);
	bed_call_sockets(&call, &bed);
	bed_call_legs(&call, DP_SRTP);
	bed_srtp_open(&phone, SRTP_AES_CM_128_HMAC_SHA1_80, 1);
	bed_srtp_give(&phone, &bed, call.leg_a);
	bed_pump(&bed, 150);
	return 0;
}

static int teardown(void **state)
{
	bed_srtp_close(&phone);
	bed_call_close(&call);
	bed_stop(&bed);
	srtp_shutdown();
	return 0;
}

// What came: in order, and on the secured side under no index that was there before. Returns whether something did.
static bool hear(unsigned ms)
{
	static uint16_t last_a, last_b;
	uint8_t got[2048];
	ssize_t n = bed_receive(call.b, got, sizeof(got), ms, NULL);
	bool any = n > 0;
	int len;

	if (n > 0) {
		assert_int_equal(n, 172);
		assert_true(heard_b == 0 || (int16_t)((uint16_t)(got[2] << 8 | got[3]) - last_b) > 0);
		last_b = (uint16_t)(got[2] << 8 | got[3]);
		heard_b++;
	}
	n = bed_receive(call.a, got, sizeof(got), any ? ms : 0, NULL);
	if (n > 0) {
		len = (int)n;
		repeated += srtp_unprotect(phone.in, got, &len) != srtp_err_status_ok;
		assert_true(heard_a == 0 || (int16_t)((uint16_t)(got[2] << 8 | got[3]) - last_a) > 0);
		last_a = (uint16_t)(got[2] << 8 | got[3]);
		heard_a++;
	}
	return any || n > 0;
}

static void speak(void)
{
	uint8_t packet[512];

	bed_send(call.a, &call.gw_a, packet, bed_srtp_make(&phone, packet, 0x1111, seq_a++));
	bed_send(call.b, &call.gw_b, packet, bed_rtp(packet, 0x2222, seq_b++, 160));
}

static int move(void)
{
	const struct dp_ref legs[2] = { call.leg_a, call.leg_b };
	int err = dp_session_move(bed.dp, legs, 2, !worker);

	if (err == 0)
		worker = !worker;
	return err;
}

static void legs_are_at(uint16_t where)
{
	assert_int_equal(bed.map.transports[call.leg_a.index].worker, where);
	assert_int_equal(bed.map.transports[call.leg_b.index].worker, where);
}

static void moves_lose_nothing(void **state)
{
	struct dp_event event;
	unsigned moved = 0;

	while (moved < MOVES) {
		assert_int_equal(move(), 0);
		for (unsigned k = 0; k < 3; k++)
			speak();
		for (unsigned k = 0; k < 2; k++) {
			assert_true(bed_event(&bed, DP_EVENT_MOVED, 2000, &event));
			assert_int_equal(event.worker, worker);
		}
		legs_are_at(worker);
		moved++;
		while (heard_a < seq_b || heard_b < seq_a)
			assert_true(hear(2000));
	}
	assert_int_equal(heard_a, 3 * MOVES);
	assert_int_equal(heard_b, 3 * MOVES);
	assert_int_equal(repeated, 0);
}

static void kills_in_the_middle(void **state)
{
	unsigned before;

	srand(11);
	for (unsigned kill = 0; kill < KILLS; kill++) {
		for (unsigned n = (unsigned)rand() % 40; n > 0; n--) {
			(void)move();
			speak();
			usleep((useconds_t)(rand() % 400));
			dp_client_dispatch(bed.dp);
			hear(0);
		}
		(void)move();
		usleep((useconds_t)(rand() % 120)); // the command may be anywhere
		bed_relay_kill(&bed, SIGKILL);
		bed_relay_start(&bed);
		assert_true(bed_event(&bed, DP_EVENT_RELAY_BACK, 2000, NULL));
		bed_pump(&bed, 150); // also the next hops
		while (hear(20))
			continue;
		legs_are_at(worker);
		bed.n_events = 0;
		heard_a = heard_b = 0;
		for (before = 0; before < 10; before++) { // and it relays, from the index where it was
			speak();
			while (heard_a <= before || heard_b <= before)
				assert_true(hear(2000));
		}
		assert_int_equal(move(), 0); // none is under way
		assert_true(bed_event(&bed, DP_EVENT_MOVED, 2000, NULL) && bed_event(&bed, DP_EVENT_MOVED, 2000, NULL));
	}
	assert_int_equal(repeated, 0);
	bed_call_remove(&call);
	for (uint32_t i = 0; i < bed.map.n_streams; i++)
		assert_int_equal(dp_stream_at(&bed.map, i)->owner, DP_NONE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_lose_nothing),
		cmocka_unit_test(kills_in_the_middle),
	};

	if (argc > 1)
		bed_relay_path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
