// SPDX-License-Identifier: GPL-3.0-or-later
// relay_table.h - table[network][local address][port]: which transport a datagram is for. Made once from the
// configuration; entries are written by the workers that own the transports, read by all.
#pragma once
#include "dataplane/dp_config.h"
#include <stdatomic.h>
#include <string.h>

#define RELAY_BUCKETS 64 // a power of two
#define RELAY_NO_ADDRESS UINT8_MAX
#define RELAY_UNUSUAL UINT64_MAX

struct relay_address {
	struct inet_addr addr;
	uint16_t vlan, network;
	uint8_t port;
	uint8_t next; // of the same bucket
	uint16_t first, last;
	_Atomic uint32_t *transports; // [port - first]: index + 1; 0: nobody
	uint64_t usual; // of IPv4: relay_usual(); else RELAY_UNUSUAL
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

// By the last four octets of the address, which are those that differ.
static inline unsigned relay_bucket(const uint8_t end[4])
{
	uint32_t word;

	memcpy(&word, end, sizeof(word));
	return word * UINT32_C(0x9e3779b1) / (UINT32_MAX / RELAY_BUCKETS + 1);
}

// Where an IPv4 address is heard: in one word.
static inline uint64_t relay_usual(const uint8_t addr[4], uint16_t port, uint16_t vlan)
{
	uint32_t word;

	memcpy(&word, addr, sizeof(word));
	return (uint64_t)vlan << 48 | (uint64_t)port << 32 | word;
}

// relay_table_find() for what nearly all packets are: IPv4, and the first address of its bucket. NULL: ask that.
static inline _Atomic uint32_t *relay_table_usual(const struct relay_table *t, uint16_t port, uint16_t vlan,
						  const uint8_t *addr, uint16_t udp_port)
{
	unsigned i = t->buckets[relay_bucket(addr)];
	const struct relay_address *r = &t->addresses[i];

	if (i == RELAY_NO_ADDRESS || r->usual != relay_usual(addr, port, vlan) || udp_port < r->first ||
	    udp_port > r->last)
		return NULL;
	return &r->transports[udp_port - r->first];
}

// The slot of a destination as seen on a port, or from inside (RELAY_INSIDE | network). NULL: no address and port of
// ours there. What comes from inside finds its own network first, then others if both are untagged: VLANs are worlds of
// their own, whose addresses may be the same.
_Atomic uint32_t *relay_table_find(const struct relay_table *t, uint16_t port, uint16_t vlan, uint8_t family,
				   const uint8_t *addr, uint16_t udp_port);
_Atomic uint32_t *relay_table_slot(const struct relay_table *t, uint16_t network, const struct inet_endpoint *local);
bool relay_table_holds(const struct relay_table *t, uint16_t network,
		       const struct inet_endpoint *ep); // as seen from inside
