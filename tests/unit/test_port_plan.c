// SPDX-License-Identifier: GPL-3.0-or-later
// test_port_plan.c - which packet pools there are on which NUMA nodes, and which rules lead media out of a NIC that Linux
// keeps.
#include "dataplane/worker/flow_rules.h"
#include "dataplane/worker/memory.h"
#include <errno.h>
#include <rte_ethdev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

// ---- pools

static void one_node_has_one_pool(void **state)
{
	const struct dp_config c = { .n_ports = 2, .n_workers = 1 };
	const struct memory_topology t = { .port_node = { -1, -1 }, .port_queues = { 1, 1 }, .worker_node = { -1 } };
	struct memory_plan plan;

	assert_int_equal(memory_plan_make(&plan, &c, &t), 0);
	assert_int_equal(plan.n_pools, 1);
	assert_int_equal(plan.pools[0].node, -1);
	assert_int_equal(plan.pools[0].packets, 2 * 8192 + 4096);
	assert_int_equal(plan.port[0] + plan.port[1] + plan.worker[0], 0);
}

static void each_node_with_something_on_it_has_a_pool(void **state)
{
	const struct dp_config c = { .n_ports = 3, .n_workers = 3 };
	const struct memory_topology t = {
		.port_node = { 1, 0, -1 }, .port_queues = { 4, 2, 1 }, .worker_node = { 0, 1, 3 } // the TAP has no node
	};
	struct memory_plan plan;

	assert_int_equal(memory_plan_make(&plan, &c, &t), 0);
	assert_int_equal(plan.n_pools, 3);
	assert_int_equal(plan.pools[plan.port[0]].node, 1);
	assert_int_equal(plan.pools[plan.port[1]].node, 0);
	assert_int_equal(plan.port[2], plan.port[0]); // where the first port is
	assert_int_equal(plan.pools[plan.worker[0]].node, 0);
	assert_int_equal(plan.pools[plan.worker[1]].node, 1);
	assert_int_equal(plan.pools[plan.worker[2]].node, 3);
	assert_int_equal(plan.pools[plan.port[0]].packets, 5 * 8192 + 4096);
	assert_int_equal(plan.pools[plan.port[1]].packets, 2 * 8192 + 4096);
	assert_int_equal(plan.pools[plan.worker[2]].packets, 4096);
}

static void workers_say_where_ports_without_a_place_are(void **state)
{
	const struct dp_config c = { .n_ports = 1, .n_workers = 2 };
	const struct memory_topology t = { .port_node = { -1 }, .port_queues = { 2 }, .worker_node = { -1, 1 } };
	struct memory_plan plan;

	assert_int_equal(memory_plan_make(&plan, &c, &t), 0);
	assert_int_equal(plan.n_pools, 1);
	assert_int_equal(plan.pools[0].node, -1); // one pool: it may be anywhere
	assert_int_equal(plan.pools[0].packets, 2 * 8192 + 2 * 4096);
}

static void too_many_nodes_are_refused(void **state)
{
	struct dp_config c = { .n_ports = MEMORY_NODES, .n_workers = 1 };
	struct memory_topology t = { .worker_node = { 0 } };
	struct memory_plan plan;

	for (int i = 0; i < MEMORY_NODES; i++) {
		t.port_node[i] = i;
		t.port_queues[i] = 1;
	}
	assert_int_equal(memory_plan_make(&plan, &c, &t), 0);
	t.worker_node[0] = MEMORY_NODES;
	assert_int_equal(memory_plan_make(&plan, &c, &t), -E2BIG);
}

// ---- blocks of ports

// Every port of the range is in exactly one block, none outside is in any, and no fewer blocks would do.
static void blocks_check(uint16_t first, uint16_t last)
{
	struct flow_block blocks[FLOW_BLOCKS_MAX];
	unsigned n = flow_blocks(blocks, first, last);
	static uint8_t times[65536];

	assert_in_range(n, 1, FLOW_BLOCKS_MAX);
	memset(times, 0, sizeof(times));
	for (unsigned b = 0; b < n; b++) {
		assert_int_equal(blocks[b].first & (uint16_t)~blocks[b].mask, 0);
		for (unsigned p = blocks[b].first; p <= (blocks[b].first | (uint16_t)~blocks[b].mask); p++)
			times[p]++;
	}
	for (unsigned p = 0; p < 65536; p++)
		assert_int_equal(times[p], p >= first && p <= last);
}

static void ranges_become_masks(void **state)
{
	struct flow_block blocks[FLOW_BLOCKS_MAX];

	assert_int_equal(flow_blocks(blocks, 16384, 32767), 1);
	assert_int_equal(blocks[0].first, 16384);
	assert_int_equal(blocks[0].mask, 0xc000);
	assert_int_equal(flow_blocks(blocks, 0, 65535), 1);
	assert_int_equal(blocks[0].mask, 0);
	assert_int_equal(flow_blocks(blocks, 1, 65534), FLOW_BLOCKS_MAX); // the worst
	blocks_check(1, 65534);
	blocks_check(20000, 20999);
	blocks_check(65535, 65535);
	blocks_check(0, 0);
	srandom(7);
	for (unsigned i = 0; i < 200; i++) {
		uint16_t a = (uint16_t)random(), b = (uint16_t)random();

		blocks_check(a < b ? a : b, a < b ? b : a);
	}
}

// ---- a rule, as rte_flow gets it

static void a_rule_for_ipv4(void **state)
{
	struct flow_match m = { .mac = { 2, 3, 4, 5, 6, 7 }, .ports = { 16384, 0xc000 } };
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 }, none[6] = { 0 };
	const struct rte_flow_item_ipv4 *ip, *ip_mask;
	const struct rte_flow_item_udp *udp, *udp_mask;
	const struct rte_flow_item_eth *eth, *eth_mask;
	struct flow_rule r;

	assert_int_equal(inet_addr_parse(&m.to, "192.0.2.9"), 0);
	flow_rule_make(&r, &m, 1, 0);
	assert_true(r.attr.ingress == 1 && r.attr.egress == 0 && r.attr.transfer == 0 && r.attr.group == 0);
	assert_int_equal(r.pattern[0].type, RTE_FLOW_ITEM_TYPE_ETH);
	assert_int_equal(r.pattern[1].type, RTE_FLOW_ITEM_TYPE_IPV4);
	assert_int_equal(r.pattern[2].type, RTE_FLOW_ITEM_TYPE_UDP);
	assert_int_equal(r.pattern[3].type, RTE_FLOW_ITEM_TYPE_END);
	eth = r.pattern[0].spec;
	eth_mask = r.pattern[0].mask;
	assert_memory_equal(eth->dst.addr_bytes, m.mac, 6);
	assert_memory_equal(eth_mask->dst.addr_bytes, all, 6);
	assert_memory_equal(eth_mask->src.addr_bytes, none, 6); // from anybody
	assert_int_equal(eth_mask->type, 0);
	ip = r.pattern[1].spec;
	ip_mask = r.pattern[1].mask;
	assert_memory_equal(&ip->hdr.dst_addr, m.to.bytes, 4);
	assert_int_equal(ip_mask->hdr.dst_addr, 0xffffffff);
	assert_int_equal(ip_mask->hdr.src_addr, 0);
	udp = r.pattern[2].spec;
	udp_mask = r.pattern[2].mask;
	assert_int_equal(udp->hdr.dst_port, RTE_BE16(16384));
	assert_int_equal(udp_mask->hdr.dst_port, RTE_BE16(0xc000));
	assert_int_equal(udp_mask->hdr.src_port, 0);
	assert_int_equal(r.actions[0].type, RTE_FLOW_ACTION_TYPE_QUEUE);
	assert_int_equal(((const struct rte_flow_action_queue *)r.actions[0].conf)->index, 0);
	assert_int_equal(r.actions[1].type, RTE_FLOW_ACTION_TYPE_END);
}

static void a_rule_for_ipv6_in_a_vlan_with_rss(void **state)
{
	struct flow_match m = { .vlan = 100, .ports = { 20000, 0xffe0 } };
	const struct rte_flow_item_vlan *vlan, *vlan_mask;
	const struct rte_flow_item_ipv6 *ip, *ip_mask;
	const struct rte_flow_action_rss *rss;
	struct flow_rule r;

	assert_int_equal(inet_addr_parse(&m.to, "2001:db8::9"), 0);
	flow_rule_make(&r, &m, 4, RTE_ETH_RSS_UDP);
	assert_int_equal(r.pattern[1].type, RTE_FLOW_ITEM_TYPE_VLAN);
	assert_int_equal(r.pattern[2].type, RTE_FLOW_ITEM_TYPE_IPV6);
	assert_int_equal(r.pattern[3].type, RTE_FLOW_ITEM_TYPE_UDP);
	assert_int_equal(r.pattern[4].type, RTE_FLOW_ITEM_TYPE_END);
	vlan = r.pattern[1].spec;
	vlan_mask = r.pattern[1].mask;
	assert_int_equal(vlan->tci, RTE_BE16(100));
	assert_int_equal(vlan_mask->tci, RTE_BE16(0x0fff)); // of any priority
	ip = r.pattern[2].spec;
	ip_mask = r.pattern[2].mask;
	assert_memory_equal(ip->hdr.dst_addr, m.to.bytes, 16);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(ip_mask->hdr.dst_addr[i], 0xff);
	assert_int_equal(r.actions[0].type, RTE_FLOW_ACTION_TYPE_RSS);
	rss = r.actions[0].conf;
	assert_int_equal(rss->queue_num, 4);
	assert_int_equal(rss->types, RTE_ETH_RSS_UDP);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rss->queue[i], i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_node_has_one_pool),
		cmocka_unit_test(each_node_with_something_on_it_has_a_pool),
		cmocka_unit_test(workers_say_where_ports_without_a_place_are),
		cmocka_unit_test(too_many_nodes_are_refused),
		cmocka_unit_test(ranges_become_masks),
		cmocka_unit_test(a_rule_for_ipv4),
		cmocka_unit_test(a_rule_for_ipv6_in_a_vlan_with_rss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
