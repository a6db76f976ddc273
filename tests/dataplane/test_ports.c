// SPDX-License-Identifier: GPL-3.0-or-later
// test_ports.c - ports alone, without workers: packet memory that is out, rings that are full, two pools, the ring to
// Linux, rules of rte_flow on the one virtual device that looks at them.
#include "dataplane/worker/exception.h"
#include "dataplane/worker/flow_rules.h"
#include "dataplane/worker/memory.h"
#include "tests/dataplane/relay_bed.h"
#include <errno.h>
#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define POOL 8191

static struct bed bed;
static struct rte_mempool *pools[MEMORY_NODES];
static struct dp_port *ports[2];
static int peer[2];

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static int setup(void **state)
{
	struct memory_plan plan = { .n_pools = 2, .pools = { { -1, POOL }, { -1, POOL } } };
	char why[256] = "";

	bed_networks(&bed);
	bed_config(&bed.config);
	if (steering_open(&bed.steering, &bed.config, why) < 0 ||
	    memory_pools_open(&bed.config, &plan, pools, why) < 0) {
		fprintf(stderr, "%s\n", why);
		return -1;
	}
	peer[0] = bed_socket(&bed, BED_A, "10.77.1.2", 4000);
	peer[1] = bed_socket(&bed, BED_B, "10.77.2.2", 5000);
	return 0;
}

static int teardown(void **state)
{
	close(peer[0]);
	close(peer[1]);
	memory_pools_close(pools);
	steering_close(bed.steering);
	return 0; // the bed takes its networks down as the process ends
}

static int ports_open(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		char why[256] = "";

		if (dp_port_open(&ports[i], &bed.config, i, steering_map_fd(bed.steering, i), pools[i], why) < 0) {
			fprintf(stderr, "%s\n", why);
			return -1;
		}
	}
	return 0;
}

static int ports_close(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		dp_port_close(ports[i]);
		ports[i] = NULL;
	}
	return 0; // what lies in the kernel's rings goes with the pools
}

static struct dp_queue *queue(unsigned port)
{
	return ports[port]->queues[0];
}

static void media_send(unsigned n)
{
	struct inet_endpoint to = bed_endpoint("10.77.1.1", 16384);
	uint8_t pkt[172];

	for (unsigned i = 0; i < n; i++) {
		bed_rtp(pkt, 7, (uint16_t)i, 160);
		bed_send(peer[0], &to, pkt, sizeof(pkt));
	}
}

static unsigned receive(struct rte_mbuf **pkts, unsigned n, unsigned ms)
{
	mono_ns end = clock_now() + MONO_MS(ms);
	unsigned got = 0;

	while (got < n && clock_now() < end)
		got += queue(0)->ops->rx(queue(0), pkts + got, (uint16_t)(n - got < 32 ? n - got : 32));
	return got;
}

// All packets are held elsewhere: what comes is lost and counted, nothing breaks, and it mends itself.
static void memory_that_is_out_is_counted(void **state)
{
	static struct rte_mbuf *held[POOL], *got[4096];
	struct dp_port_record before = { 0 }, after = { 0 };
	unsigned n_held = 0, n_got = 0;

	while (rte_pktmbuf_alloc_bulk(pools[0], &held[n_held], 1) == 0)
		n_held++;
	dp_port_sample(ports[0], &before);
	assert_int_equal(before.pool_empty, 0);
	assert_int_equal(before.pool_free, 0);
	for (unsigned i = 0; i < 30; i++) { // more than the fill ring had
		media_send(100);
		n_got += receive(got + n_got, 100, 50);
	}
	dp_port_sample(ports[0], &after);
	assert_true(after.pool_empty >= 1);
	assert_true(after.missed >= 1500);
	assert_in_range(n_got, 900, 1024);
	rte_pktmbuf_free_bulk(got, n_got);
	rte_pktmbuf_free_bulk(held, n_held);
	assert_int_equal(receive(got, 1, 50), 0); // looking fills the ring again
	media_send(64);
	n_got = receive(got, 64, 2000);
	assert_int_equal(n_got, 64);
	rte_pktmbuf_free_bulk(got, n_got);
	dp_port_sample(ports[0], &before);
	assert_int_equal(before.missed, after.missed);
	assert_int_equal(before.pool_empty, after.pool_empty);
}

// A frame to peer B's MAC: link broadcast will do.
static struct rte_mbuf *frame_make(struct rte_mempool *pool, uint8_t mark)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *at;

	assert_non_null(m);
	assert_true(rte_pktmbuf_tailroom(m) >= 100);
	at = rte_pktmbuf_mtod(m, uint8_t *);
	m->data_len = m->pkt_len = 100;
	memset(at, mark, 100);
	memset(at, 0xff, 6);
	memcpy(at + 6, ports[1]->mac, 6);
	at[12] = 0x88; // for experiments: IEEE 802
	at[13] = 0xb5;
	return m;
}

static uint64_t peer_received(void)
{
	char path[160], line[64] = "";
	FILE *in;

	snprintf(path, sizeof(path), "ip -n %s -s -j link show eth0 | grep -o '\"rx\":{[^}]*' | grep -o '\"packets\":[0-9]*' | cut -d: -f2",
		 bed.ns_name[BED_B]);
	in = popen(path, "r");
	assert_non_null(in);
	assert_non_null(fgets(line, sizeof(line), in));
	pclose(in);
	return strtoull(line, NULL, 10);
}

// The device takes nothing while its link is down: the ring fills, says so, and goes on afterwards.
static void a_ring_that_is_full_says_so(void **state)
{
	struct rte_mbuf *m;
	mono_ns end;
	unsigned sent = 0;
	uint64_t before = peer_received();

	bed_run("ip -n %s link set cor down", bed.ns_name[BED_GW]);
	for (unsigned i = 0; i < 4096; i++) {
		m = frame_make(pools[1], 1);
		if (queue(1)->ops->tx(queue(1), &m, 1) == 1)
			sent++;
		else
			rte_pktmbuf_free(m);
	}
	assert_int_equal(sent, 2048);
	assert_false(queue(1)->ops->settle(queue(1)));
	bed_run("ip -n %s link set cor up", bed.ns_name[BED_GW]);
	end = clock_now() + MONO_S(10);
	while (!queue(1)->ops->settle(queue(1)) && clock_now() < end)
		pause_ms(1);
	assert_true(queue(1)->ops->settle(queue(1)));
	m = frame_make(pools[1], 2);
	assert_int_equal(queue(1)->ops->tx(queue(1), &m, 1), 1);
	while (peer_received() < before + 100 && clock_now() < end) // a carrier comes late: the first may be lost
		pause_ms(10);
	assert_true(peer_received() >= before + 100);
	pause_ms(50);
	(void)queue(1)->ops->settle(queue(1)); // takes back what was sent
}

// What came in on one NUMA node leaves by a port of another: copied, and the original is free.
static void a_packet_of_another_node_is_copied(void **state)
{
	uint64_t before = peer_received();
	unsigned mine = rte_mempool_in_use_count(pools[0]);
	mono_ns end = clock_now() + MONO_S(10);

	for (unsigned i = 0; i < 100; i++) {
		struct rte_mbuf *m = frame_make(pools[0], (uint8_t)i);

		assert_int_equal(queue(1)->ops->tx(queue(1), &m, 1), 1);
	}
	assert_int_equal(rte_mempool_in_use_count(pools[0]), mine);
	while (peer_received() < before + 100 && clock_now() < end)
		pause_ms(10);
	assert_true(peer_received() >= before + 100);
	(void)queue(1)->ops->settle(queue(1));
}

// ---- to Linux

static void the_ring_to_linux_is_bounded(void **state)
{
	struct dp_port port = { .name = "tap0", .mac = { 2, 0, 0, 0, 0, 9 }, .pool = pools[0] };
	struct dp_exception *ex = NULL;
	unsigned used = rte_mempool_in_use_count(pools[0]), taken = 0;
	char why[256] = "";

	assert_int_equal(exception_open(&ex, &port, why), -ENODEV);
	assert_non_null(strstr(why, "ip tuntap add dev tap0 mode tap"));
	bed_run("ip -n %s tuntap add dev tap0 mode tap", bed.ns_name[BED_GW]);
	assert_int_equal(exception_open(&ex, &port, why), 0);
	bed_run("ip -n %s link show tap0 | grep -q 02:00:00:00:00:09", bed.ns_name[BED_GW]);
	for (unsigned i = 0; i < 1000; i++) { // nobody takes them
		struct rte_mbuf *m = rte_pktmbuf_alloc(pools[0]);

		if (exception_push(ex, m))
			taken++;
		else
			rte_pktmbuf_free(m);
	}
	assert_int_equal(taken, 511);
	exception_close(ex);
	assert_int_equal(rte_mempool_in_use_count(pools[0]), used);
	bed_run("ip -n %s link del tap0", bed.ns_name[BED_GW]);
}

// ---- rte_flow

static struct flow_match match_of(uint16_t first, uint16_t mask)
{
	return (struct flow_match){
		.mac = { 2, 0, 0, 0, 0, 1 }, .to = bed_endpoint("10.77.1.1", 0).addr, .ports = { first, mask }
	};
}

static int validate(uint16_t device, const struct flow_match *m, unsigned n_queues, struct rte_flow_error *e)
{
	struct flow_rule rule;

	memset(e, 0, sizeof(*e));
	flow_rule_make(&rule, m, n_queues, RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);
	return rte_flow_validate(device, &rule.attr, rule.pattern, rule.actions, e);
}

// net_tap looks at patterns and actions as a card's driver does. It makes rules of queueing disciplines that this kernel
// does not have, which shows how a refusal is told.
static void a_device_looks_at_the_rules(void **state)
{
	struct dp_config config = bed.config;
	struct rte_eth_conf conf = { 0 };
	struct rte_flow_error e;
	struct flow_rule rule;
	struct flow_match m = match_of(16384, 0xffff);
	uint16_t device;
	char why[256] = "";
	uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

	assert_int_equal(rte_vdev_init("net_tap7", "iface=flow0"), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_tap7", &device), 0);
	assert_int_equal(rte_eth_dev_configure(device, 2, 2, &conf), 0);
	for (uint16_t q = 0; q < 2; q++) {
		assert_int_equal(rte_eth_rx_queue_setup(device, q, 256, 0, NULL, pools[0]), 0);
		assert_int_equal(rte_eth_tx_queue_setup(device, q, 256, 0, NULL), 0);
	}
	assert_int_equal(rte_eth_dev_start(device), 0);
	assert_int_equal(validate(device, &m, 1, &e), 0);
	m.to = bed_endpoint("fd77:1::1", 0).addr;
	assert_int_equal(validate(device, &m, 1, &e), 0);
	m.vlan = 5;
	assert_int_equal(validate(device, &m, 1, &e), 0);
	m = match_of(16384, 0xc000);
	assert_int_equal(validate(device, &m, 1, &e), 0);
	flow_rule_make(&rule, &m, 1, 0);
	rule.pattern[2].type = RTE_FLOW_ITEM_TYPE_ESP; // it must be seen that it looks
	assert_true(rte_flow_validate(device, &rule.attr, rule.pattern, rule.actions, &e) < 0);

	assert_true(flow_rules_install(device, &config, 0, mac, 2, RTE_ETH_RSS_UDP, "net_tap", why) < 0);
	assert_non_null(strstr(why, "port acc: net_tap does not take the rule vlan 0, UDP to 10.77.1.1 ports 16384-16895"));
	assert_true(flow_isolate(device, "acc", "net_tap", why) < 0);
	assert_non_null(strstr(why, "port acc: net_tap cannot leave to Linux what is not ours"));
	rte_eth_dev_stop(device);
	assert_int_equal(rte_vdev_uninit("net_tap7"), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(memory_that_is_out_is_counted, ports_open, ports_close),
		cmocka_unit_test_setup_teardown(a_ring_that_is_full_says_so, ports_open, ports_close),
		cmocka_unit_test_setup_teardown(a_packet_of_another_node_is_copied, ports_open, ports_close),
		cmocka_unit_test(the_ring_to_linux_is_bounded),
		cmocka_unit_test(a_device_looks_at_the_rules),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
