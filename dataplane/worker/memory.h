// SPDX-License-Identifier: GPL-3.0-or-later
// memory.h - DPDK's environment and the packet pools: one a NUMA node that has ports or workers.
#pragma once
#include "dataplane/dp_config.h"
#include <stddef.h>

struct rte_mempool;

// Size of an mbuf's data: headroom for new headers, the kernel's XDP headroom, a full frame with two VLAN tags, the
// tag.
#define MEMORY_FRAME 2176
#define MEMORY_AROUND (MEMORY_FRAME - 1500) // of that, what is not a datagram of IP

#define MEMORY_NODES 8
#define MEMORY_PER_QUEUE 8192  // packets: what fills the rings of a queue, waits in them, and is under way
#define MEMORY_PER_WORKER 4096 // rings between workers, copies, datagrams of control's

struct memory_topology { // where things are; a node of -1: no place of its own
	int port_node[DP_PORTS_MAX];
	unsigned port_queues[DP_PORTS_MAX];
	int worker_node[DP_WORKERS_MAX];
};

struct memory_plan {
	unsigned n_pools;
	struct {
		int node; // -1: anywhere, for there is one pool only
		unsigned packets;
	} pools[MEMORY_NODES];
	uint8_t port[DP_PORTS_MAX], worker[DP_WORKERS_MAX]; // index of pools[]
};

// What has no place of its own goes where the first port, else the first worker, that has one is.
// -E2BIG: more than MEMORY_NODES nodes.
int memory_plan_make(struct memory_plan *plan, const struct dp_config *config, const struct memory_topology *t);
void memory_topology_look(struct memory_topology *t, const struct dp_config *config); // of this host

// Starts DPDK and makes the pools. `why` (256 bytes) gets a sentence for the operator on error.
int memory_pools_open(const struct dp_config *config, const struct memory_plan *plan,
		      struct rte_mempool *pools[MEMORY_NODES], char why[256]);
void memory_pools_close(struct rte_mempool *pools[MEMORY_NODES]);

// One pool of so many packets, wherever there is memory.
int memory_open(const struct dp_config *config, unsigned n_packets, struct rte_mempool **poolp, char why[256]);
void memory_close(struct rte_mempool *pool);

// Zeroed memory for a table that each packet looks into; large ones on huge pages if the kernel has any to give.
void *memory_table(size_t size);
void memory_table_free(void *table); // NULL is fine
