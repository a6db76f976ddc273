// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_plain.c - plain legs through a real relay over AF_XDP: both ways, who may speak, what is punted, what
// control sends, removal, and a far end that has never sent.
#include "tests/dataplane/bed_call.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

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

static void expect_packet(int fd, const uint8_t *sent, size_t len, const struct inet_endpoint *from)
{
	struct inet_endpoint source;
	uint8_t got[2048];

	assert_int_equal(bed_receive(fd, got, sizeof(got), 2000, &source), len);
	assert_memory_equal(got, sent, len);
	assert_true(inet_endpoint_equal(&source, from));
}

// Nobody has sent before: the keeper must find B's MAC by itself.
static void relays_to_an_end_that_never_sent(void **state)
{
	uint8_t pkt[512];
	size_t len;

	bed_pump(&bed, 200); // ARP
	for (unsigned i = 0; i < 100; i++) {
		len = bed_rtp(pkt, 0x1111, (uint16_t)(65500 + i), 160);
		bed_send(call.a, &call.gw_a, pkt, len);
		expect_packet(call.b, pkt, len, &call.gw_b);
	}
}

static void relays_both_ways_and_counts(void **state)
{
	struct dp_stats stats;
	uint8_t pkt[512];

	for (unsigned i = 0; i < 50; i++) {
		size_t len = bed_rtp(pkt, 0x2222, (uint16_t)(i * 2), 160); // every second one is missing

		bed_send(call.b, &call.gw_b, pkt, len);
		expect_packet(call.a, pkt, len, &call.gw_a);
	}
	assert_int_equal(dp_transport_stats(bed.dp, call.leg_b, &stats), 0);
	assert_int_equal(stats.rx_packets, 50);
	assert_int_equal(stats.rx_octets, 50 * 160);
	assert_int_equal(stats.lost, 49);
	assert_int_equal(stats.rx_ssrc, 0x2222);
	assert_int_equal(dp_transport_stats(bed.dp, call.leg_a, &stats), 0);
	assert_int_equal(stats.tx_packets, 50);
	assert_int_equal(stats.tx_octets, 50 * 160);
	assert_int_equal(stats.tx_ssrc, 0x2222);
	assert_int_equal(stats.lost, 0);
	assert_true(stats.last_tx > 0 && stats.last_tx <= clock_now());
}

static void drops_strangers_and_says_so(void **state)
{
	int stranger = bed_socket(&bed, BED_A, "10.77.1.2", 4002);
	uint64_t before = bed_drops(&bed, call.leg_a, RELAY_DROP_WRONG_SOURCE);
	struct dp_event event;
	uint8_t pkt[512];
	size_t len = bed_rtp(pkt, 0x3333, 1, 160);

	bed_send(stranger, &call.gw_a, pkt, len);
	assert_int_equal(bed_receive(call.b, pkt, sizeof(pkt), 100, NULL), -EAGAIN);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_WRONG_SOURCE), before + 1);
	assert_false(bed_event(&bed, DP_EVENT_SOURCE, 50, NULL));

	dp_transport_path(bed.dp, call.leg_a, &(struct dp_path){ .remote = call.peer_a, .learn = true });
	bed_pump(&bed, 50);
	len = bed_rtp(pkt, 0x3333, 2, 160);
	bed_send(stranger, &call.gw_a, pkt, len);
	assert_true(bed_event(&bed, DP_EVENT_SOURCE, 500, &event));
	assert_int_equal(event.source.port, 4002);
	assert_int_equal(event.ssrc, 0x3333);
	assert_false(event.authenticated);
	assert_int_equal(bed_receive(call.b, pkt, sizeof(pkt), 50, NULL), -EAGAIN);

	// From one address alone: nothing is said of others, and the one is heard among them.
	for (int ours = 0; ours < 2; ours++) {
		uint32_t from = inet_addr_hash(&event.source.addr) ^ !ours;

		dp_transport_path(bed.dp, call.leg_a,
				  &(struct dp_path){ .remote = call.peer_a, .learn = true, .learn_from = from });
		bed_pump(&bed, 50);
		len = bed_rtp(pkt, 0x3333, (uint16_t)(3 + ours), 160);
		bed_send(stranger, &call.gw_a, pkt, len);
		assert_int_equal(bed_event(&bed, DP_EVENT_SOURCE, ours ? 500 : 100, NULL), ours);
	}
	dp_transport_path(bed.dp, call.leg_a, &(struct dp_path){ .remote = call.peer_a });
	close(stranger);
}

static void names_what_is_malformed(void **state)
{
	static const uint8_t zrtp[20] = { 0x10 }, turn[20] = { 0x40 }, short_rtp[9] = { 0x80 };
	uint64_t kinds = bed_drops(&bed, call.leg_a, RELAY_DROP_UNKNOWN_KIND);
	uint64_t malformed = bed_drops(&bed, call.leg_a, RELAY_DROP_MALFORMED);

	bed_send(call.a, &call.gw_a, zrtp, sizeof(zrtp));
	bed_send(call.a, &call.gw_a, turn, sizeof(turn));
	bed_send(call.a, &call.gw_a, turn, 0);
	bed_send(call.a, &call.gw_a, short_rtp, sizeof(short_rtp));
	bed_pump(&bed, 100);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_UNKNOWN_KIND), kinds + 3);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_MALFORMED), malformed + 1);
}

static void punts_and_sends(void **state)
{
	static const uint8_t stun[20] = { 0x00, 0x01 }, dtls[30] = { 22, 254, 253 }, rtcp[28] = { 0x80, 200, 0, 6 };
	int stranger = bed_socket(&bed, BED_A, "10.77.1.2", 4004);
	const struct bed_punt *p;

	bed_send(call.a, &call.gw_a, stun, sizeof(stun));
	p = bed_punt(&bed, 1000);
	assert_non_null(p);
	assert_int_equal(p->punt.kind, DP_PUNT_STUN);
	assert_true(p->punt.proven);
	assert_int_equal(p->punt.len, sizeof(stun));
	assert_int_equal(p->punt.transport.index, call.leg_a.index);
	assert_true(inet_endpoint_equal(&p->punt.source, &call.peer_a));

	bed_send(stranger, &call.gw_a, dtls, sizeof(dtls));
	p = bed_punt(&bed, 1000);
	assert_non_null(p);
	assert_int_equal(p->punt.kind, DP_PUNT_DTLS);
	assert_false(p->punt.proven);
	assert_memory_equal(p->bytes, dtls, sizeof(dtls));

	bed_send(call.a, &call.gw_a, rtcp, sizeof(rtcp));
	p = bed_punt(&bed, 1000);
	assert_non_null(p);
	assert_int_equal(p->punt.kind, DP_PUNT_RTCP);

	bed_send(stranger, &call.gw_a, rtcp, sizeof(rtcp)); // plain leg: a stranger's RTCP is nobody's business
	assert_null(bed_punt(&bed, 100));

	dp_transport_send(bed.dp, call.leg_a, &call.peer_a, dtls, sizeof(dtls));
	expect_packet(call.a, dtls, sizeof(dtls), &call.gw_a);
	// To an address that no path names: resolved on the way.
	dp_transport_send(bed.dp, call.leg_a, &(struct inet_endpoint){ .addr = call.peer_a.addr, .port = 4004 }, stun,
			  sizeof(stun));
	expect_packet(stranger, stun, sizeof(stun), &call.gw_a);
	close(stranger);
}

static void gates_edges_and_paths_are_named(void **state)
{
	uint64_t gate = bed_drops(&bed, call.leg_a, RELAY_DROP_GATE),
		 none = bed_drops(&bed, call.leg_a, RELAY_DROP_NO_EDGE);
	struct dp_ref lone = bed_transport(&bed, 1, "10.77.2.1", 16400, DP_MODE_RTP, DP_PLAIN, NULL);
	uint8_t pkt[512];
	size_t len = bed_rtp(pkt, 0x4444, 1, 160);

	dp_transport_edges(bed.dp, call.leg_a, &(struct dp_edge){ .to = call.leg_b, .open = false }, 1);
	bed_pump(&bed, 20);
	bed_send(call.a, &call.gw_a, pkt, len);
	bed_pump(&bed, 50);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_GATE), gate + 1);

	dp_transport_edges(bed.dp, call.leg_a, NULL, 0);
	bed_pump(&bed, 20);
	bed_send(call.a, &call.gw_a, pkt, len);
	bed_pump(&bed, 50);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_NO_EDGE), none + 1);

	dp_transport_edges(bed.dp, call.leg_a, &(struct dp_edge){ .to = lone, .open = true }, 1);
	bed_pump(&bed, 20);
	bed_send(call.a, &call.gw_a, pkt, len);
	bed_pump(&bed, 50);
	assert_int_equal(bed_drops(&bed, lone, RELAY_DROP_NO_PATH), 1);

	// Two edges: a copy each.
	dp_transport_path(bed.dp, lone, &(struct dp_path){ .remote = call.peer_b });
	dp_transport_edges(bed.dp, call.leg_a,
			   (struct dp_edge[]){ { .to = call.leg_b, .open = true }, { .to = lone, .open = true } }, 2);
	bed_pump(&bed, 50);
	bed_send(call.a, &call.gw_a, pkt, len);
	expect_packet(call.b, pkt, len, &call.gw_b);
	expect_packet(call.b, pkt, len, &(struct inet_endpoint){ .addr = call.gw_b.addr, .port = 16400 });
	dp_transport_remove(bed.dp, lone);
	assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, NULL));
	bed_join(&bed, call.leg_a, call.leg_b);
}

static void an_unreachable_end_is_told_of(void **state)
{
	const struct inet_endpoint nobody = bed_endpoint("10.77.2.99", 5000), nowhere = bed_endpoint("192.0.2.1", 5000);
	struct dp_ref leg = bed_transport(&bed, 1, "10.77.2.1", 16402, DP_MODE_RTP, DP_PLAIN, &nowhere);
	struct dp_event event;

	assert_true(bed_event(&bed, DP_EVENT_UNREACHABLE, 1000, &event));
	assert_int_equal(event.transport.index, leg.index);
	assert_int_equal(event.cause, -ENETUNREACH);
	dp_transport_path(bed.dp, leg, &(struct dp_path){ .remote = nobody });
	assert_true(bed_event(&bed, DP_EVENT_UNREACHABLE, 6000, &event));
	assert_int_equal(event.cause, -EHOSTUNREACH);
	dp_transport_remove(bed.dp, leg);
	assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, NULL));
}

static void a_removed_port_is_silent(void **state)
{
	struct dp_ref leg = bed_transport(&bed, 0, "10.77.1.1", 16500, DP_MODE_RTP, DP_PLAIN, &call.peer_a), again;
	const struct inet_endpoint to = bed_endpoint("10.77.1.1", 16500);
	const struct dp_worker_record *record = (const void *)((char *)bed.region.base);
	struct dp_event event;
	struct dp_stats stats;
	uint8_t pkt[64];
	struct dp_map map;
	uint64_t before;

	assert_int_equal(dp_map_open(&map, dup(bed.region.fd)), 0);
	record = map.workers;
	dp_transport_remove(bed.dp, leg);
	assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, &event));
	assert_int_equal(event.transport.index, leg.index);
	assert_int_equal(event.transport.generation, leg.generation);
	assert_int_equal(dp_transport_stats(bed.dp, leg, &stats), -ENOENT);
	before = record->drops[RELAY_DROP_NO_TRANSPORT];
	bed_send(call.a, &to, pkt, bed_rtp(pkt, 1, 1, 20));
	bed_pump(&bed, 50);
	assert_int_equal(record->drops[RELAY_DROP_NO_TRANSPORT], before + 1);
	dp_map_close(&map);
	assert_int_equal(dp_transport_alloc(bed.dp, &again), 0);
	assert_true(again.index != leg.index || again.generation != leg.generation);
	dp_transport_remove(bed.dp, again); // never published: given back all the same
	assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, NULL));
}

static void relays_ipv6(void **state)
{
	int a6 = bed_socket(&bed, BED_A, "fd77:1::2", 4000), b6 = bed_socket(&bed, BED_B, "fd77:2::2", 5000);
	const struct inet_endpoint pa = bed_endpoint("fd77:1::2", 4000), pb = bed_endpoint("fd77:2::2", 5000);
	const struct inet_endpoint ga = bed_endpoint("fd77:1::1", 16384), gb = bed_endpoint("fd77:2::1", 16384);
	struct dp_ref la = bed_transport(&bed, 0, "fd77:1::1", 16384, DP_MODE_RTP, DP_PLAIN, &pa);
	struct dp_ref lb = bed_transport(&bed, 1, "fd77:2::1", 16384, DP_MODE_RTP, DP_PLAIN, &pb);
	struct dp_ref l4 = bed_transport(&bed, 1, "10.77.2.1", 16600, DP_MODE_RTP, DP_PLAIN, &call.peer_b);
	uint8_t pkt[512];
	size_t len;

	bed_join(&bed, la, lb);
	bed_pump(&bed, 200);
	for (unsigned i = 0; i < 20; i++) {
		len = bed_rtp(pkt, 0x6666, (uint16_t)i, 150 + i); // odd lengths: checksums
		bed_send(a6, &ga, pkt, len);
		expect_packet(b6, pkt, len, &gb);
		bed_send(b6, &gb, pkt, len);
		expect_packet(a6, pkt, len, &ga);
	}
	bed_join(&bed, la, l4); // from IPv6 to IPv4
	len = bed_rtp(pkt, 0x6666, 100, 33);
	bed_send(a6, &ga, pkt, len);
	expect_packet(call.b, pkt, len, &(struct inet_endpoint){ .addr = call.gw_b.addr, .port = 16600 });
	close(a6);
	close(b6);
}

static void too_big_is_named(void **state)
{
	uint64_t before = bed_drops(&bed, call.leg_b, RELAY_DROP_TOO_BIG);
	uint8_t pkt[1500];
	size_t len = bed_rtp(pkt, 0x7777, 1, 1000);

	dp_transport_path(bed.dp, call.leg_b, &(struct dp_path){ .remote = call.peer_b, .mtu = 1000 });
	bed_pump(&bed, 50);
	bed_send(call.a, &call.gw_a, pkt, len);
	bed_pump(&bed, 50);
	assert_int_equal(bed_drops(&bed, call.leg_b, RELAY_DROP_TOO_BIG), before + 1);
	dp_transport_path(bed.dp, call.leg_b, &(struct dp_path){ .remote = call.peer_b });
	bed_pump(&bed, 50);
	bed_send(call.a, &call.gw_a, pkt, len);
	expect_packet(call.b, pkt, len, &call.gw_b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relays_to_an_end_that_never_sent),
		cmocka_unit_test(relays_both_ways_and_counts),
		cmocka_unit_test(drops_strangers_and_says_so),
		cmocka_unit_test(names_what_is_malformed),
		cmocka_unit_test(punts_and_sends),
		cmocka_unit_test(gates_edges_and_paths_are_named),
		cmocka_unit_test(an_unreachable_end_is_told_of),
		cmocka_unit_test(a_removed_port_is_silent),
		cmocka_unit_test(relays_ipv6),
		cmocka_unit_test(too_big_is_named),
	};

	if (argc > 1)
		bed_relay_path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
