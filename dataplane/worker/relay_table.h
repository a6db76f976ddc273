// SPDX-License-Identifier: GPL-3.0-or-later
// relay_table.h - table[network][local address][port]: which transport a datagram is for. Made once from the
// configuration; entries are written by the workers that own the transports, read by all.
#pragma once
#include "dataplane/dp_config.h"
#include <stdatomic.h>

#define RELAY_BUCKETS 64 // a power of two
#define RELAY_NO_ADDRESS UINT8_MAX

struct relay_address {
	struct inet_addr addr;
	uint16_t vlan, network;
	uint8_t port;
	uint8_t next; // of the same bucket
	uint16_t first, last;
	_Atomic uint32_t *transports; // [port - first]: index + 1; 0: nobody
};

struct relay_table {
	struct relay_address addresses[DP_ADDRESSES_MAX];
	unsigned n;
	uint8_t buckets[RELAY_BUCKETS];
	bool everywhere[DP_PORTS_MAX]; // the port is lo: every untagged address is heard there
	uint16_t vlans[DP_NETWORKS_MAX];
};

int relay_table_open(struct relay_table **tablep, const struct dp_config *config);
void relay_table_close(struct relay_table *table);

// The slot of a destination as seen on a port, or from inside (RELAY_INSIDE | network). NULL: no address and port of
// ours there. What comes from inside finds its own network first, then others if both are untagged: VLANs are worlds of
// their own, whose addresses may be the same.
_Atomic uint32_t *relay_table_find(const struct relay_table *t, uint16_t port, uint16_t vlan, uint8_t family,
				   const uint8_t *addr, uint16_t udp_port);
_Atomic uint32_t *relay_table_slot(const struct relay_table *t, uint16_t network, const struct inet_endpoint *local);
bool relay_table_holds(const struct relay_table *t, uint16_t network,
		       const struct inet_endpoint *ep); // as seen from inside
