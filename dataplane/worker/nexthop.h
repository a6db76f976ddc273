// SPDX-License-Identifier: GPL-3.0-or-later
// nexthop.h - where the frames of each transport go: egress port and MAC, as Linux's routes and neighbours say.
//
// The keeper, a thread of the relay, resolves each new path by rtnetlink, again when routes, rules, addresses or links
// change, and lets the kernel keep the neighbours fresh. Workers read one small record a transport, without locks.
#pragma once
#include "base/byte_ring.h"
#include "dataplane/dp_record.h"
#include <stdatomic.h>

struct dp_port;
struct nexthops;
struct relay_table;

enum nexthop_kind {
	NEXTHOP_NONE = 0, // not resolved yet, or no way
	NEXTHOP_ETHER,    // by a port, to a MAC
	NEXTHOP_HAIRPIN,  // to a media address of our own
};

struct nexthop {
	uint8_t kind; // enum nexthop_kind
	uint8_t port;
	uint16_t mtu;
	uint16_t vlan;
	uint8_t mac[6];
};

int nexthops_open(struct nexthops **nhp, const struct dp_map *map, const struct relay_table *table,
		  struct dp_port *const ports[DP_PORTS_MAX], int control_event);
void nexthops_close(struct nexthops *nh);
int nexthops_start(struct nexthops *nh); // the keeper's thread
void nexthops_stop(struct nexthops *nh);

struct nexthop_way { // what a frame's headers say of its way
	uint8_t kind, port;
	uint16_t mtu;
	uint8_t headers; // octets
	bool v6;
};

// Worker: whether a transport's path of this serial was resolved.
bool nexthop_ready(const struct nexthops *nh, uint32_t transport, uint32_t path_serial);
// Worker: puts the headers of a frame by that path in front of `payload`, where FRAME_HEADERS_MAX octets are free.
// False: it is not resolved (any more).
bool nexthop_headers(const struct nexthops *nh, uint32_t transport, uint32_t path_serial, uint8_t *payload,
		     struct nexthop_way *way);
// Worker: what a transport's path of this serial resolved to. False: nothing yet.
bool nexthop_get(const struct nexthops *nh, uint32_t transport, uint32_t path_serial, struct nexthop *out);
void nexthop_prefetch(const struct nexthops *nh, uint32_t transport);
// Worker: for a datagram of control's own, which may go to another address than the path's. May note that the keeper
// has something to do (*wake).
bool nexthop_get_for(struct nexthops *nh, unsigned worker, uint32_t transport, const struct inet_endpoint *to,
		     struct nexthop *out, bool *wake);
// Worker: the same, without asking for one that nobody has asked for.
bool nexthop_known(const struct nexthops *nh, unsigned worker, uint32_t transport, const struct inet_endpoint *to,
		   struct nexthop *out);
// Worker: MTU of the way to an address that was asked for before; 0: not known.
uint16_t nexthop_mtu(const struct nexthops *nh, unsigned worker, uint32_t transport, const struct inet_endpoint *to);
void nexthop_dirty(struct nexthops *nh, uint32_t transport); // its path changed; never blocks, never fails
void nexthop_wake(struct nexthops *nh);                      // after one or more _dirty()
// Keeper, tests and benches: publish. Of a transport, with the headers that its records tell of; false: they are just
// being changed.
bool nexthop_set(struct nexthops *nh, uint32_t transport, uint32_t path_serial, const struct nexthop *hop);
