// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_local.c - ends on the gateway's own host: a PBX behind lo, with loopback and with the host's addresses,
// and a leg that leads to another media address of ours.
#include "tests/dataplane/relay_bed.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define ACC 0
#define LO 2

static struct bed bed;
static int a;
static struct inet_endpoint peer_a;
static struct dp_ref leg_a;

static void address_add(unsigned network, const char *text)
{
	struct dp_address *at = &bed.config.addresses[bed.config.n_addresses++];

	*at = (struct dp_address){ .network = (uint8_t)network, .first_port = 16384, .last_port = 17383 };
	assert_int_equal(inet_addr_parse(&at->addr, text), 0);
}

static int setup(void **state)
{
	bed_networks(&bed);
	bed_config(&bed.config);
	snprintf(bed.config.ports[2].name, sizeof(bed.config.ports[2].name), "lo");
	bed.config.ports[2].driver = DP_DRIVER_AF_XDP;
	bed.config.networks[LO].port = 2;
	bed.config.n_ports = bed.config.n_networks = 3;
	address_add(LO, "127.0.0.1");
	address_add(LO, "::1");
	bed_start(&bed);
	a = bed_socket(&bed, BED_A, "10.77.1.2", 4000);
	peer_a = bed_endpoint("10.77.1.2", 4000);
	leg_a = bed_transport(&bed, ACC, "10.77.1.1", 16384, DP_MODE_RTP, DP_PLAIN, &peer_a);
	return 0;
}

static int teardown(void **state)
{
	close(a);
	bed_stop(&bed);
	return 0;
}

static void expect(int fd, const uint8_t *sent, size_t len, const char *address, uint16_t port)
{
	const struct inet_endpoint want = bed_endpoint(address, port);
	struct inet_endpoint from;
	uint8_t got[2048];

	assert_int_equal(bed_receive(fd, got, sizeof(got), 2000, &from), len);
	assert_memory_equal(got, sent, len);
	assert_true(inet_endpoint_equal(&from, &want));
}

// Media both ways between peer A and a socket on the gateway's host.
static void exchange(unsigned network, const char *ours, uint16_t port, const char *pbx)
{
	int fd = bed_socket(&bed, BED_GW, pbx, 5000);
	const struct inet_endpoint pbx_ep = bed_endpoint(pbx, 5000), gw_pbx = bed_endpoint(ours, port);
	const struct inet_endpoint gw_a = bed_endpoint("10.77.1.1", 16384);
	struct dp_ref leg = bed_transport(&bed, network, ours, port, DP_MODE_RTP, DP_PLAIN, &pbx_ep);
	uint8_t pkt[512];

	bed_join(&bed, leg_a, leg);
	bed_pump(&bed, 100);
	for (unsigned i = 0; i < 20; i++) {
		size_t len = bed_rtp(pkt, 0x1111, (uint16_t)i, 160 + i);

		bed_send(a, &gw_a, pkt, len);
		expect(fd, pkt, len, ours, port);
		bed_send(fd, &gw_pbx, pkt, len);
		expect(a, pkt, len, "10.77.1.1", 16384);
	}
	dp_transport_remove(bed.dp, leg);
	assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, NULL));
	close(fd);
}

static void a_pbx_on_loopback(void **state)
{
	exchange(LO, "127.0.0.1", 16384, "127.0.0.1");
}

static void a_pbx_on_loopback_by_ipv6(void **state)
{
	exchange(LO, "::1", 16384, "::1");
}

static void a_pbx_on_the_hosts_own_address(void **state)
{
	exchange(ACC, "10.77.1.1", 16390, "10.77.1.1");
}

static void a_pbx_on_another_address_of_the_host(void **state)
{
	exchange(ACC, "10.77.1.1", 16392, "10.77.2.1");
}

static void a_leg_that_leads_to_our_own_port(void **state)
{
	const struct inet_endpoint x_ep = bed_endpoint("10.77.1.1", 16500), y_ep = bed_endpoint("10.77.2.1", 16502);
	const struct inet_endpoint gw_a = bed_endpoint("10.77.1.1", 16384), peer_b = bed_endpoint("10.77.2.2", 5000);
	int b = bed_socket(&bed, BED_B, "10.77.2.2", 5000);
	struct dp_ref x = bed_transport(&bed, 0, "10.77.1.1", 16500, DP_MODE_RTP, DP_PLAIN, &y_ep);
	struct dp_ref y = bed_transport(&bed, 1, "10.77.2.1", 16502, DP_MODE_RTP, DP_PLAIN, &x_ep);
	struct dp_ref leg_b = bed_transport(&bed, 1, "10.77.2.1", 16504, DP_MODE_RTP, DP_PLAIN, &peer_b);
	uint8_t pkt[512];
	size_t len = bed_rtp(pkt, 0x2222, 1, 160);

	bed_join(&bed, leg_a, x); // A -> leg_a => x -> (inside) -> y => leg_b -> B
	bed_join(&bed, y, leg_b);
	bed_pump(&bed, 300);
	bed_send(a, &gw_a, pkt, len);
	expect(b, pkt, len, "10.77.2.1", 16504);

	// x and y joined crosswise with themselves: round and round, but not for ever.
	dp_transport_edges(bed.dp, x, &(struct dp_edge){ .to = x, .open = true }, 1);
	dp_transport_edges(bed.dp, y, &(struct dp_edge){ .to = y, .open = true }, 1);
	bed_pump(&bed, 50);
	bed_send(a, &gw_a, pkt, len);
	bed_pump(&bed, 50);
	assert_int_equal(bed_drops(&bed, x, RELAY_DROP_LOOP) + bed_drops(&bed, y, RELAY_DROP_LOOP), 1);
	close(b);
}

static void key_give(struct dp_ref ref, enum dp_direction direction, uint8_t octet)
{
	struct dp_keys keys = { .direction = direction, .epoch = 1, .master.suite = SRTP_AEAD_AES_128_GCM };

	memset(keys.master.key, octet, 16);
	dp_transport_keys(bed.dp, ref, &keys);
}

// A call that comes back to the gateway as another call: out by a secured leg, inside to another one of ours, and on.
static void a_call_that_passes_twice(void **state)
{
	const struct inet_endpoint x_ep = bed_endpoint("10.77.1.1", 16510), y_ep = bed_endpoint("10.77.2.1", 16512);
	const struct inet_endpoint gw_a = bed_endpoint("10.77.1.1", 16384), gw_b = bed_endpoint("10.77.2.1", 16514);
	const struct inet_endpoint peer_b = bed_endpoint("10.77.2.2", 5000);
	int b = bed_socket(&bed, BED_B, "10.77.2.2", 5000);
	struct dp_ref x = bed_transport(&bed, 0, "10.77.1.1", 16510, DP_MODE_RTP, DP_SRTP, &y_ep);
	struct dp_ref y = bed_transport(&bed, 1, "10.77.2.1", 16512, DP_MODE_RTP, DP_SRTP, &x_ep);
	struct dp_ref leg_b = bed_transport(&bed, 1, "10.77.2.1", 16514, DP_MODE_RTP, DP_PLAIN, &peer_b);
	struct dp_stats stats;
	uint8_t pkt[512];

	key_give(x, DP_TX, 1);
	key_give(y, DP_RX, 1);
	key_give(y, DP_TX, 2);
	key_give(x, DP_RX, 2);
	bed_join(&bed, leg_a, x);
	bed_join(&bed, y, leg_b);
	bed_pump(&bed, 300);
	for (unsigned i = 0; i < 100; i++) {
		size_t len = bed_rtp(pkt, 0x2222, (uint16_t)(65500 + i), 100 + i);

		bed_send(a, &gw_a, pkt, len);
		expect(b, pkt, len, "10.77.2.1", 16514);
		len = bed_rtp(pkt, 0x3333, (uint16_t)(65500 + i), 100 + i);
		bed_send(b, &gw_b, pkt, len);
		expect(a, pkt, len, "10.77.1.1", 16384);
	}
	assert_int_equal(dp_transport_stats(bed.dp, y, &stats), 0);
	assert_int_equal(stats.rx_packets, 100);
	assert_int_equal(bed_drops(&bed, x, RELAY_DROP_LOOP) + bed_drops(&bed, y, RELAY_DROP_LOOP), 0);
	dp_transport_remove(bed.dp, x);
	dp_transport_remove(bed.dp, y);
	dp_transport_remove(bed.dp, leg_b);
	close(b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pbx_on_loopback),
		cmocka_unit_test(a_pbx_on_loopback_by_ipv6),
		cmocka_unit_test(a_pbx_on_the_hosts_own_address),
		cmocka_unit_test(a_pbx_on_another_address_of_the_host),
		cmocka_unit_test(a_call_that_passes_twice),
		cmocka_unit_test(a_leg_that_leads_to_our_own_port),
	};

	if (argc > 1)
		bed_relay_path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
