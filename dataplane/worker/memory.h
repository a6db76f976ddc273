// SPDX-License-Identifier: GPL-3.0-or-later
// memory.h - DPDK's environment and the one packet pool of the relay.
#pragma once
#include "dataplane/dp_config.h"

struct rte_mempool;

// Size of an mbuf's data: headroom for new headers, the kernel's XDP headroom, a full frame with two VLAN tags, the
// tag.
#define MEMORY_FRAME 2176

int memory_open(const struct dp_config *config, unsigned n_packets, struct rte_mempool **poolp, char why[256]);
void memory_close(struct rte_mempool *pool);
