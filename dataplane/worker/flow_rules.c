// SPDX-License-Identifier: GPL-3.0-or-later
// flow_rules.c - ranges to masks, matches to rte_flow's arrays, and those to the device.
#include "dataplane/worker/flow_rules.h"
#include <errno.h>
#include <rte_byteorder.h>
#include <rte_errno.h>
#include <stdio.h>
#include <string.h>

#define VLAN_ID 0x0fff

unsigned flow_blocks(struct flow_block blocks[FLOW_BLOCKS_MAX], uint16_t first, uint16_t last)
{
	uint32_t at = first, end = last;
	unsigned n = 0;

	while (at <= end) {
		uint32_t size = at == 0 ? 0x10000 : at & -at; // the largest that may begin here

		while (at + size - 1 > end)
			size >>= 1;
		blocks[n++] = (struct flow_block){ .first = (uint16_t)at, .mask = (uint16_t)~(size - 1) };
		at += size;
	}
	return n;
}

static void match_ether(struct flow_rule *r, const struct flow_match *m)
{
	memcpy(r->eth.dst.addr_bytes, m->mac, sizeof(m->mac));
	memset(r->eth_mask.dst.addr_bytes, 0xff, sizeof(m->mac));
	r->vlan.tci = rte_cpu_to_be_16(m->vlan);
	r->vlan_mask.tci = RTE_BE16(VLAN_ID);
}

static void match_ip(struct flow_rule *r, const struct flow_match *m)
{
	if (m->to.family == INET_V4) {
		memcpy(&r->ipv4.hdr.dst_addr, m->to.bytes, 4);
		memset(&r->ipv4_mask.hdr.dst_addr, 0xff, 4);
	} else {
		memcpy(r->ipv6.hdr.dst_addr, m->to.bytes, 16);
		memset(r->ipv6_mask.hdr.dst_addr, 0xff, 16);
	}
}

static void pattern_make(struct flow_rule *r, const struct flow_match *m)
{
	unsigned n = 0;

	r->pattern[n++] = (struct rte_flow_item){
		.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = &r->eth, .mask = &r->eth_mask
	};
	if (m->vlan != 0)
		r->pattern[n++] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_VLAN, .spec = &r->vlan, .mask = &r->vlan_mask
		};
	if (m->to.family == INET_V4)
		r->pattern[n++] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &r->ipv4, .mask = &r->ipv4_mask
		};
	else
		r->pattern[n++] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_IPV6, .spec = &r->ipv6, .mask = &r->ipv6_mask
		};
	r->pattern[n++] = (struct rte_flow_item){
		.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &r->udp, .mask = &r->udp_mask
	};
	r->pattern[n] = (struct rte_flow_item){ .type = RTE_FLOW_ITEM_TYPE_END };
}

void flow_rule_make(struct flow_rule *r, const struct flow_match *m, unsigned n_queues, uint64_t rss_types)
{
	memset(r, 0, sizeof(*r));
	r->attr.ingress = 1;
	match_ether(r, m);
	match_ip(r, m);
	r->udp.hdr.dst_port = rte_cpu_to_be_16(m->ports.first);
	r->udp_mask.hdr.dst_port = rte_cpu_to_be_16(m->ports.mask);
	pattern_make(r, m);
	for (unsigned i = 0; i < n_queues; i++)
		r->queues[i] = (uint16_t)i;
	r->rss.types = rss_types;
	r->rss.queue_num = n_queues;
	r->rss.queue = r->queues;
	r->actions[0].type = n_queues > 1 ? RTE_FLOW_ACTION_TYPE_RSS : RTE_FLOW_ACTION_TYPE_QUEUE;
	r->actions[0].conf = n_queues > 1 ? (const void *)&r->rss : (const void *)&r->queue;
	r->actions[1].type = RTE_FLOW_ACTION_TYPE_END;
}

int flow_isolate(uint16_t device, const char *port, const char *driver, char why[256])
{
	struct rte_flow_error e = { 0 };

	if (rte_flow_isolate(device, 1, &e) == 0)
		return 0;
	snprintf(why, 256, "port %s: %s cannot leave to Linux what is not ours (rte_flow isolated mode): %s", port, driver,
		 e.message != NULL ? e.message : strerror(rte_errno));
	return -rte_errno;
}

static void complain(char why[256], const struct dp_config *config, unsigned port, const struct flow_match *m,
		     const char *driver, const struct rte_flow_error *e)
{
	char address[INET_ADDR_STRLEN];

	snprintf(why, 256, "port %s: %s does not take the rule vlan %u, UDP to %s ports %u-%u: %s (%s)",
		 config->ports[port].name, driver, m->vlan, inet_addr_print(address, &m->to), m->ports.first,
		 m->ports.first | (uint16_t)~m->ports.mask, e->message != NULL ? e->message : "it says no reason",
		 strerror(rte_errno));
}

int flow_rules_install(uint16_t device, const struct dp_config *config, unsigned port, const uint8_t mac[6],
		       unsigned n_queues, uint64_t rss_types, const char *driver, char why[256])
{
	int n = 0;

	for (unsigned i = 0; i < config->n_addresses; i++) {
		const struct dp_address *a = &config->addresses[i];
		const struct dp_network *net = &config->networks[a->network];
		struct flow_match m = { .vlan = net->vlan, .to = a->addr };
		struct flow_block blocks[FLOW_BLOCKS_MAX];
		unsigned n_blocks = flow_blocks(blocks, a->first_port, a->last_port);

		if (net->port != port)
			continue;
		memcpy(m.mac, mac, sizeof(m.mac));
		for (unsigned b = 0; b < n_blocks; b++) {
			struct rte_flow_error e = { 0 };
			struct flow_rule rule;

			m.ports = blocks[b];
			flow_rule_make(&rule, &m, n_queues, rss_types);
			if (rte_flow_create(device, &rule.attr, rule.pattern, rule.actions, &e) == NULL) {
				int err = rte_errno != 0 ? -rte_errno : -ENOTSUP;

				complain(why, config, port, &m, driver, &e);
				rte_flow_flush(device, &e);
				return err;
			}
			n++;
		}
	}
	return n;
}
