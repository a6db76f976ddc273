// SPDX-License-Identifier: GPL-3.0-or-later
// nexthop_priv.h - the keeper's own: links of transports to neighbours. Its thread alone, but for slots and dirty bits.
#pragma once
#include "dataplane/worker/nexthop.h"
#include "dataplane/worker/rtnetlink.h"
#include <pthread.h>

// Of a way: what it is, and for a transport's also the headers of its frames (frame.h), the last octets first. All that
// a frame with IPv4 needs is in one line.
struct nexthop_slot { // keeper: wo, workers: ro
	alignas(128) _Atomic uint64_t head; // path serial << 32 | NEXTHOP_HEAD_* | port << 16 | mtu; 0 while it changes
	_Atomic uint64_t tail;              // vlan << 48 | mac
	_Atomic uint64_t last[6];           // the headers' last 48 octets
	_Atomic uint64_t before[4];         // the 32 before those: IPv6
	uint64_t zero[4];
};

#define NEXTHOP_HEAD_KIND 24 // 2 bits
#define NEXTHOP_HEAD_VLAN (UINT64_C(1) << 26)
#define NEXTHOP_HEAD_V6 (UINT64_C(1) << 27)
#define NEXTHOP_HEAD_TURN 28 // 4 bits, others with each change: what comes back the same is seen to have changed

static_assert(sizeof(struct nexthop_slot) == 128, "a line, and one for IPv6");

#define NEXTHOP_QUERIES 64 // a worker

// Where a datagram is to go that does not go to its transport's remote. Has a slot behind those of the transports.
struct nexthop_query { // one worker: wo, keeper: ro
	_Atomic uint32_t sequence; // odd while it changes
	uint32_t serial;           // 0: unused
	uint16_t network;
	struct inet_addr from;
	struct inet_endpoint to;
};

struct link { // of a transport or query
	uint32_t path_serial; // resolved for this path; 0: not linked
	uint32_t generation;  // of the transport whose path it is
	uint32_t next, prev;  // transports of the same neighbour; DP_NONE ends
	uint32_t neighbour;   // DP_NONE: none
	struct nexthop hop;   // all but the MAC
	int told;             // cause of the last DP_EVENT_UNREACHABLE, nothing better came since; 0: none
	uint32_t told_path;   // the path that it was about
};

struct neighbour {
	struct inet_addr addr;
	int ifindex;
	bool resolved, has_mac; // the latter: had one once
	bool kept; // we asked the kernel to keep it fresh
	uint8_t mac[6];
	uint32_t first;      // transport; DP_NONE: entry is free
	uint32_t next_hash;  // in its bucket, or of the free list
};

struct nexthops {
	const struct dp_map *map;
	const struct relay_table *table;
	struct dp_port *const *ports;
	struct nexthop_slot *slots;
	_Atomic uint64_t *dirty; // a bit a transport
	uint32_t n_slots, n_words;
	struct nexthop_query *queries;
	uint8_t next_query[DP_WORKERS_MAX];
	uint8_t turn;
	int wake; // eventfd: dirty bits, or the end
	int control_event;
	_Atomic bool stop;
	pthread_t thread;
	bool running;
	struct byte_ring events;
	struct rtnetlink *rtnl;
	struct link *links;
	struct neighbour *neighbours;
	uint32_t *buckets;
	uint32_t n_buckets, free_neighbour;
	mono_ns resolve_all_at; // MONO_NEVER: not due
	uint16_t port_mtu[DP_PORTS_MAX]; // as the kernel has it now
	bool port_gone[DP_PORTS_MAX];    // it has none any more
	uint64_t absent;        // bit n: config.addresses[n] is not on this host
};

// keeper.c
void *keeper_run(void *arg);

// host_addresses.c
void host_addresses_look(struct nexthops *nh); // which of ours the host has; tells of what changed
bool host_has(const struct nexthops *nh, uint16_t network, const struct inet_addr *addr);
