// SPDX-License-Identifier: GPL-3.0-or-later
// rtnetlink.h - questions to Linux about routes and neighbours, and its news. Used by one thread; knows no transports.
#pragma once
#include "base/inet.h"

struct rtnetlink;

struct rt_route {
	int ifindex;
	struct inet_addr gateway; // family none: on link
	bool local;               // ends on this host
	uint16_t mtu;             // of the route; 0: the interface's
};

struct rt_neighbour {
	int ifindex;
	struct inet_addr addr;
	bool valid;  // has a usable MAC
	bool failed; // asked for, nobody answers
	bool fixed;  // permanent, or an interface without ARP
	uint8_t mac[6];
};

struct rt_link {
	uint16_t mtu; // 0: not known
	bool up;      // set up, and has a carrier
};

struct rt_news {
	void (*neighbour)(void *ctx, const struct rt_neighbour *n);
	void (*routes)(void *ctx); // routes, rules, addresses or links changed
	void (*lost)(void *ctx);   // news were lost: look at everything
	void *ctx;
};

int rtnetlink_open(struct rtnetlink **rtp);
void rtnetlink_close(struct rtnetlink *rt); // NULL is fine
int rtnetlink_fd(const struct rtnetlink *rt);                            // readable: call _news()
void rtnetlink_news(struct rtnetlink *rt, const struct rt_news *news);

// RTM_GETROUTE with source (family none: any) and interface (0: any). -ENETUNREACH and friends: no route.
int rtnetlink_route(struct rtnetlink *rt, const struct inet_addr *to, const struct inet_addr *source, int ifindex,
		    struct rt_route *route);
// Asks for a neighbour and has the kernel keep it fresh; `keep` false lets it age again. The answer comes as news.
int rtnetlink_neighbour_keep(struct rtnetlink *rt, const struct inet_addr *addr, int ifindex, bool keep);
int rtnetlink_neighbour_get(struct rtnetlink *rt, const struct inet_addr *addr, int ifindex, struct rt_neighbour *n);
// Every address that this host can use: not one that is still being checked for duplicates.
int rtnetlink_addresses(struct rtnetlink *rt, void (*found)(void *ctx, const struct inet_addr *addr), void *ctx);
int rtnetlink_link(struct rtnetlink *rt, int ifindex, struct rt_link *link); // -ENODEV: it is gone
int rtnetlink_vlan_of(struct rtnetlink *rt, int parent, uint16_t vlan); // ifindex of the VLAN interface, -ENODEV
