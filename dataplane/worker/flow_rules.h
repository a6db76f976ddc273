// SPDX-License-Identifier: GPL-3.0-or-later
// flow_rules.h - what tells a bifurcated NIC, which Linux keeps, to lead media to us: own MAC, VLAN, media address, UDP,
// port -> our queues. All else goes to Linux (rte_flow isolated mode).
#pragma once
#include "dataplane/worker/dp_port.h"
#include <rte_flow.h>

#define FLOW_BLOCKS_MAX 30 // that a range of 16-bit numbers may take

struct flow_block { // of ports: all p with (p & mask) == first
	uint16_t first, mask;
};

// NICs compare under a mask and know no ranges: the fewest aligned blocks that are first..last together.
unsigned flow_blocks(struct flow_block blocks[FLOW_BLOCKS_MAX], uint16_t first, uint16_t last);

struct flow_match {
	uint8_t mac[6];
	uint16_t vlan; // 0: untagged
	struct inet_addr to;
	struct flow_block ports;
};

// One rule as rte_flow takes it. The arrays point into the structure: it must not move.
struct flow_rule {
	struct rte_flow_attr attr;
	struct rte_flow_item_eth eth, eth_mask;
	struct rte_flow_item_vlan vlan, vlan_mask;
	struct rte_flow_item_ipv4 ipv4, ipv4_mask;
	struct rte_flow_item_ipv6 ipv6, ipv6_mask;
	struct rte_flow_item_udp udp, udp_mask;
	struct rte_flow_action_queue queue;
	struct rte_flow_action_rss rss;
	uint16_t queues[DP_QUEUES_MAX];
	struct rte_flow_item pattern[5];
	struct rte_flow_action actions[2];
};

// `rss_types`: RTE_ETH_RSS_*, what the device spreads by; with one queue it is not asked.
void flow_rule_make(struct flow_rule *rule, const struct flow_match *match, unsigned n_queues, uint64_t rss_types);

// Before the device is configured. `why` (256 bytes): a sentence that names the port, the rule and the driver.
int flow_isolate(uint16_t device, const char *port, const char *driver, char why[256]);
// Rules of all media addresses of the port, once it is started; how many, or an error: none is left then.
int flow_rules_install(uint16_t device, const struct dp_config *config, unsigned port, const uint8_t mac[6],
		       unsigned n_queues, uint64_t rss_types, const char *driver, char why[256]);
