// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_chaos.c - the relay killed again and again while control publishes, keys and removes; routes and
// neighbours that change under way. What was asked for must be there, what was removed must be gone, and nothing may be
// lost on the way.
#include "tests/dataplane/bed_call.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define ROUNDS 12
#define LEGS 60

static struct bed bed;
static struct bed_call call;

static int setup(void **state)
{
	bed_networks(&bed);
	bed_config(&bed.config);
	bed_start(&bed);
	bed_call_sockets(&call, &bed);
	bed_call_legs(&call, DP_PLAIN);
	return 0;
}

static int teardown(void **state)
{
	bed_call_close(&call);
	bed_stop(&bed);
	return 0;
}

static ssize_t pass(uint16_t seq, unsigned ms)
{
	uint8_t pkt[512], got[2048];

	bed_send(call.a, &call.gw_a, pkt, bed_rtp(pkt, 0x1111, seq, 160));
	return bed_receive(call.b, got, sizeof(got), ms, NULL);
}

static bool passes_within(unsigned ms)
{
	mono_ns end = clock_now() + MONO_MS(ms);

	while (clock_now() < end) {
		bed_pump(&bed, 1);
		if (pass(1, 50) > 0)
			return true;
	}
	return false;
}

// ---- kills

static void keys_give(struct dp_ref ref, uint32_t epoch)
{
	struct dp_keys keys = { .epoch = epoch, .master.suite = SRTP_AES_CM_128_HMAC_SHA1_80 };

	keys.master.key[0] = (uint8_t)epoch;
	keys.master.key[1] = (uint8_t)ref.index;
	for (unsigned d = DP_RX; d <= DP_TX; d++) {
		keys.direction = d;
		dp_transport_keys(bed.dp, ref, &keys);
	}
}

static void count_keyed(void *ctx, const struct dp_found *f)
{
	unsigned *n = ctx;

	*n += f->security == DP_SRTP && f->rx_epoch == 3 && f->tx_epoch == 3 && f->n_edges == 1;
}

static void records_are_as_at_the_start(void)
{
	const uint8_t *bytes;
	unsigned used = 0, owned = 0;
	struct dp_map map;
	size_t left = 0;

	assert_int_equal(dp_map_open(&map, dup(bed.region.fd)), 0);
	for (bytes = map.keys_cm; bytes < map.streams; bytes++) // of both kinds
		left += *bytes;
	for (uint32_t i = 0; i < map.n_transports; i++) {
		used += map.transports[i].state != DP_STATE_FREE;
		assert_int_equal(map.transports[i].sequence & 1, 0);
	}
	for (uint32_t i = 0; i < map.n_streams; i++)
		owned += dp_stream_at(&map, i)->owner != DP_NONE;
	dp_map_close(&map);
	assert_int_equal(left, 0);
	assert_int_equal(used, 2);
	assert_true(owned <= 2);
}

static void kills_lose_no_command(void **state)
{
	struct dp_ref refs[LEGS];
	unsigned keyed;

	srand(7);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < LEGS; i++) {
			refs[i] = bed_transport(&bed, 0, "10.77.1.1", (uint16_t)(16500 + i), DP_MODE_RTP, DP_SRTP,
						&call.peer_a);
			dp_transport_edges(bed.dp, refs[i], &(struct dp_edge){ .to = call.leg_b, .open = true }, 1);
			for (uint32_t epoch = 1; epoch <= 3; epoch++)
				keys_give(refs[i], epoch);
		}
		usleep((useconds_t)(rand() % 1500)); // some of it is done, one command perhaps in the middle
		bed_relay_kill(&bed, SIGKILL);
		if (round % 2)
			bed_pump(&bed, 5); // more is waiting in the client
		bed_relay_start(&bed);
		assert_true(bed_event(&bed, DP_EVENT_RELAY_BACK, 10000, NULL));
		bed_pump(&bed, 30);
		keyed = 0;
		dp_client_walk(bed.dp, count_keyed, &keyed);
		assert_int_equal(keyed, LEGS);
		for (unsigned i = 0; i < LEGS; i++)
			dp_transport_remove(bed.dp, refs[i]);
		if (round % 3 == 0) { // killed while removing
			usleep((useconds_t)(rand() % 300));
			bed_relay_kill(&bed, SIGKILL);
			bed_relay_start(&bed);
		}
		for (unsigned i = 0; i < LEGS; i++)
			assert_true(bed_event(&bed, DP_EVENT_REMOVED, 10000, NULL));
		bed.n_events = 0;
	}
	records_are_as_at_the_start();
	assert_true(passes_within(2000));
}

// Killed between what it told and the wake for it: by the rings, control is awake, and nobody would wake it any more.
static void a_kill_before_the_wake(void **state)
{
	struct byte_ring events;
	struct dp_ref ref = bed_transport(&bed, 0, "10.77.1.1", 16500, DP_MODE_RTP, DP_PLAIN, &call.peer_a);

	bed_pump(&bed, 30);
	bed_relay_kill(&bed, SIGKILL);
	assert_int_equal(byte_ring_attach(&events, bed.map.events[0], DP_EVENT_RING, BYTE_RING_PRODUCER), 0);
	assert_int_equal(byte_ring_take_sleeping(&events), 1);
	bed_relay_start(&bed);
	assert_true(bed_event(&bed, DP_EVENT_RELAY_BACK, 5000, NULL));
	dp_transport_remove(bed.dp, ref);
	assert_true(bed_event(&bed, DP_EVENT_REMOVED, 5000, NULL));
}

// ---- changes of the network

static void a_route_that_comes_is_taken(void **state)
{
	const struct inet_endpoint far = bed_endpoint("192.0.2.1", 5000);
	int fd;

	bed_run("ip -n %s addr add 192.0.2.1/32 dev lo", bed.ns_name[BED_B]);
	fd = bed_socket(&bed, BED_B, "192.0.2.1", 5000);
	dp_transport_path(bed.dp, call.leg_b, &(struct dp_path){ .remote = far });
	assert_true(bed_event(&bed, DP_EVENT_UNREACHABLE, 1000, NULL));
	bed_run("ip -n %s route add 192.0.2.0/24 via 10.77.2.2", bed.ns_name[BED_GW]);
	bed_pump(&bed, 300);
	{
		uint8_t pkt[512];

		bed_send(call.a, &call.gw_a, pkt, bed_rtp(pkt, 0x1111, 5, 160));
		assert_int_equal(bed_receive(fd, pkt, sizeof(pkt), 1000, NULL), 172);
	}
	bed_run("ip -n %s route del 192.0.2.0/24", bed.ns_name[BED_GW]);
	assert_true(bed_event(&bed, DP_EVENT_UNREACHABLE, 1000, NULL));
	dp_transport_path(bed.dp, call.leg_b, &(struct dp_path){ .remote = call.peer_b });
	assert_true(passes_within(1000));
	close(fd);
}

// A far end that moves to another card (a failover): it announces itself, and so Linux knows.
static void a_neighbour_that_changes_is_followed(void **state)
{
	const char *ns = bed.ns_name[BED_B];

	assert_true(passes_within(1000));
	bed_run("ip -n %s link set eth0 down && ip -n %s link set eth0 address 02:00:00:00:77:77 && ip -n %s link set "
		"eth0 up",
		ns, ns, ns);
	bed_run("ip netns exec %s ping -q -c 1 -W 2 10.77.2.1 >/dev/null", ns);
	assert_true(passes_within(8000));
}

static void a_permanent_neighbour_stays_permanent(void **state)
{
	const char *gw = bed.ns_name[BED_GW];
	const struct inet_endpoint fixed = bed_endpoint("10.77.2.7", 5000);
	struct dp_ref leg;

	bed_run("ip -n %s neigh replace 10.77.2.7 lladdr 02:00:00:00:77:77 nud permanent dev cor", gw);
	leg = bed_transport(&bed, 1, "10.77.2.1", 16700, DP_MODE_RTP, DP_PLAIN, &fixed);
	bed_pump(&bed, 200);
	bed_run("ip -n %s neigh show 10.77.2.7 dev cor | grep -q PERMANENT", gw);
	dp_transport_remove(bed.dp, leg);
	assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, NULL));
	bed_pump(&bed, 100);
	bed_run("ip -n %s neigh show 10.77.2.7 dev cor | grep -q PERMANENT", gw);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_before_the_wake),
		cmocka_unit_test(kills_lose_no_command),
		cmocka_unit_test(a_route_that_comes_is_taken),
		cmocka_unit_test(a_neighbour_that_changes_is_followed),
		cmocka_unit_test(a_permanent_neighbour_stays_permanent),
	};

	if (argc > 1)
		bed_relay_path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
