// SPDX-License-Identifier: GPL-3.0-or-later
// keeper.c - the thread that turns each transport's path into a next hop and keeps it true.
#include "base/clock.h"
#include "base/log.h"
#include "dataplane/worker/dp_port.h"
#include "dataplane/worker/nexthop_priv.h"
#include "dataplane/worker/relay_table.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SETTLE MONO_MS(20) // changes of routes come in swarms: one look at all paths for each swarm

// ---- what is to be resolved: the path of a transport, or a query of a worker

struct target {
	uint32_t serial; // 0: nothing (any more)
	uint32_t generation;
	uint16_t network;
	struct inet_addr from;
	struct inet_endpoint to;
};

static bool query_target(const struct nexthop_query *q, struct target *t)
{
	uint32_t before = atomic_load_explicit(&q->sequence, memory_order_acquire);

	*t = (struct target){ .serial = q->serial, .network = q->network, .from = q->from, .to = q->to };
	atomic_thread_fence(memory_order_acquire);
	return (before & 1) == 0 && atomic_load_explicit(&q->sequence, memory_order_relaxed) == before;
}

// False: it is just being written.
static bool target_of(const struct nexthops *nh, uint32_t index, struct target *t)
{
	struct dp_transport_view tp;

	if (index >= nh->map->n_transports)
		return query_target(&nh->queries[index - nh->map->n_transports], t);
	if (!dp_transport_read(&nh->map->transports[index], &tp))
		return false;
	*t = (struct target){
		.generation = tp.generation, .network = tp.network, .from = tp.local.addr, .to = tp.path.remote
	};
	if (tp.state == DP_STATE_PUBLISHED && tp.path.remote.addr.family != INET_NONE &&
	    tp.network < nh->map->config.n_networks)
		t->serial = tp.path_serial;
	return true;
}

// ---- neighbours and who uses them

static uint32_t bucket_of(const struct nexthops *nh, const struct inet_addr *addr, int ifindex)
{
	uint32_t h = 2166136261u ^ (uint32_t)ifindex;

	for (size_t i = 0; i < sizeof(addr->bytes); i++)
		h = (h ^ addr->bytes[i]) * 16777619u;
	return h % nh->n_buckets;
}

static uint32_t neighbour_find(const struct nexthops *nh, const struct inet_addr *addr, int ifindex)
{
	uint32_t i = nh->buckets[bucket_of(nh, addr, ifindex)];

	while (i != DP_NONE &&
	       (nh->neighbours[i].ifindex != ifindex || !inet_addr_equal(&nh->neighbours[i].addr, addr)))
		i = nh->neighbours[i].next_hash;
	return i;
}

static uint32_t neighbour_add(struct nexthops *nh, const struct inet_addr *addr, int ifindex)
{
	uint32_t *bucket = &nh->buckets[bucket_of(nh, addr, ifindex)];
	uint32_t i = nh->free_neighbour; // there is one: a transport holds one at most, and there are as many
	struct neighbour *n = &nh->neighbours[i];

	nh->free_neighbour = n->next_hash;
	*n = (struct neighbour){ .addr = *addr, .ifindex = ifindex, .first = DP_NONE, .next_hash = *bucket };
	*bucket = i;
	return i;
}

static void neighbour_drop(struct nexthops *nh, uint32_t index)
{
	struct neighbour *n = &nh->neighbours[index];
	uint32_t *at = &nh->buckets[bucket_of(nh, &n->addr, n->ifindex)];

	while (*at != index)
		at = &nh->neighbours[*at].next_hash;
	*at = n->next_hash;
	if (n->kept)
		rtnetlink_neighbour_keep(nh->rtnl, &n->addr, n->ifindex, false);
	n->next_hash = nh->free_neighbour;
	nh->free_neighbour = index;
}

static void unlink_transport(struct nexthops *nh, uint32_t index)
{
	struct link *l = &nh->links[index];
	struct neighbour *n;

	if (l->neighbour == DP_NONE)
		return;
	n = &nh->neighbours[l->neighbour];
	if (l->prev != DP_NONE)
		nh->links[l->prev].next = l->next;
	else
		n->first = l->next;
	if (l->next != DP_NONE)
		nh->links[l->next].prev = l->prev;
	if (n->first == DP_NONE)
		neighbour_drop(nh, l->neighbour);
	l->neighbour = DP_NONE;
}

static void link_transport(struct nexthops *nh, uint32_t index, uint32_t neighbour)
{
	struct neighbour *n = &nh->neighbours[neighbour];
	struct link *l = &nh->links[index];

	l->neighbour = neighbour;
	l->prev = DP_NONE;
	l->next = n->first;
	if (n->first != DP_NONE)
		nh->links[n->first].prev = index;
	n->first = index;
}

// ---- publishing

static bool tell(struct nexthops *nh, uint32_t index, enum dp_event_kind kind, int cause)
{
	struct dp_event event = {
		.kind = kind,
		.transport = { .index = index, .generation = nh->links[index].generation },
		.cause = cause,
	};

	if (byte_ring_push2(&nh->events, &event, sizeof(event), NULL, 0) < 0)
		return false;
	if (byte_ring_take_sleeping(&nh->events))
		eventfd_write(nh->control_event, 1);
	return true;
}

static void publish(struct nexthops *nh, uint32_t index, const uint8_t mac[6])
{
	struct link *l = &nh->links[index];
	struct nexthop hop = l->hop;

	if (mac != NULL)
		memcpy(hop.mac, mac, sizeof(hop.mac));
	if (!nexthop_set(nh, index, l->path_serial, &hop)) { // a command is under way: again when it is done
		l->path_serial = 0;
		nexthop_dirty(nh, index);
		nexthop_wake(nh);
		return;
	}
	if (l->told != 0 && tell(nh, index, DP_EVENT_REACHABLE, 0))
		l->told = 0;
}

static void unpublish(struct nexthops *nh, uint32_t index)
{
	nexthop_set(nh, index, 0, &(struct nexthop){ .kind = NEXTHOP_NONE });
}

static void unreachable(struct nexthops *nh, uint32_t index, int cause)
{
	struct link *l = &nh->links[index];

	unpublish(nh, index);
	if ((l->told == cause && l->told_path == l->path_serial) || index >= nh->map->n_transports)
		return;
	if (!tell(nh, index, DP_EVENT_UNREACHABLE, cause))
		return; // again with the next change
	l->told = cause;
	l->told_path = l->path_serial;
}

static void neighbour_keep(struct nexthops *nh, struct neighbour *n)
{
	n->kept = true;
	rtnetlink_neighbour_keep(nh->rtnl, &n->addr, n->ifindex, true);
}

static void mac_print(char dst[18], const uint8_t mac[6])
{
	snprintf(dst, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void neighbour_moved(struct nexthops *nh, struct neighbour *n, const uint8_t mac[6])
{
	char address[INET_ADDR_STRLEN], from[18], to[18];
	bool had = n->has_mac && memcmp(n->mac, mac, sizeof(n->mac)) != 0;
	unsigned paths = 0;

	mac_print(from, n->mac);
	n->resolved = n->has_mac = true;
	memcpy(n->mac, mac, sizeof(n->mac));
	for (uint32_t i = n->first; i != DP_NONE; i = nh->links[i].next) {
		publish(nh, i, n->mac);
		paths++;
	}
	if (!had)
		return;
	mac_print(to, mac);
	log_info("relay", "neighbour moved", LOG_STR("address", inet_addr_print(address, &n->addr)),
		 LOG_STR("from", from), LOG_STR("to", to), LOG_UINT("paths", paths));
}

static void neighbour_news(void *ctx, const struct rt_neighbour *news)
{
	struct nexthops *nh = ctx;
	uint32_t index = neighbour_find(nh, &news->addr, news->ifindex);
	struct neighbour *n;

	if (index == DP_NONE)
		return;
	n = &nh->neighbours[index];
	if (news->valid) {
		if (n->resolved && memcmp(n->mac, news->mac, sizeof(n->mac)) == 0)
			return;
		neighbour_moved(nh, n, news->mac);
	} else if (news->failed) {
		n->resolved = false;
		for (uint32_t i = n->first; i != DP_NONE; i = nh->links[i].next)
			unreachable(nh, i, -EHOSTUNREACH);
		neighbour_keep(nh, n); // it may come back
	}                              // else: being asked for; what is known stays good
}

// ---- resolving a path

static const struct dp_port *port_of(const struct nexthops *nh, int ifindex)
{
	for (unsigned i = 0; i < nh->map->config.n_ports; i++) {
		if (nh->ports[i] != NULL && nh->ports[i]->ifindex == ifindex && ifindex != 0)
			return nh->ports[i];
	}
	return NULL;
}

static const struct dp_port *loopback_port(const struct nexthops *nh)
{
	for (unsigned i = 0; i < nh->map->config.n_ports; i++) {
		if (nh->ports[i] != NULL && nh->ports[i]->loopback)
			return nh->ports[i];
	}
	return NULL;
}

// The kernel's interface of a network: the port's own, or the VLAN interface above it.
static int network_ifindex(const struct nexthops *nh, const struct dp_network *net)
{
	const struct dp_port *port = nh->ports[net->port];

	if (port->ifindex == 0)
		return -ENODEV;
	return net->vlan == 0 ? port->ifindex : rtnetlink_vlan_of(nh->rtnl, port->ifindex, net->vlan);
}

static int route_of(struct nexthops *nh, const struct target *t, int ifindex, struct rt_route *route)
{
	const struct inet_addr any = { .family = INET_NONE };
	const struct inet_addr *to = &t->to.addr;
	int err = rtnetlink_route(nh->rtnl, to, &t->from, ifindex, route);

	if (err < 0 && loopback_port(nh) != NULL) { // by no way out of this interface: this host itself, perhaps
		if (rtnetlink_route(nh->rtnl, to, &any, 0, route) == 0 && route->local)
			return 0;
	}
	return err;
}

static uint16_t mtu_of(const struct nexthops *nh, const struct dp_port *port)
{
	uint16_t now = nh->port_mtu[port->index];

	return now != 0 && now < port->mtu ? now : port->mtu; // packet memory was made for what it was
}

static void resolve_neighbour(struct nexthops *nh, uint32_t index, const struct inet_addr *addr, int ifindex)
{
	uint32_t neighbour = neighbour_find(nh, addr, ifindex);
	struct rt_neighbour now;

	if (neighbour == DP_NONE) {
		neighbour = neighbour_add(nh, addr, ifindex);
		link_transport(nh, index, neighbour);
		if (rtnetlink_neighbour_get(nh->rtnl, addr, ifindex, &now) < 0)
			now = (struct rt_neighbour){ 0 };
		if (!now.fixed) // what the administrator wrote is neither asked for nor managed
			neighbour_keep(nh, &nh->neighbours[neighbour]);
		if (now.valid)
			neighbour_news(nh, &now);
	} else {
		link_transport(nh, index, neighbour);
		if (nh->neighbours[neighbour].resolved)
			publish(nh, index, nh->neighbours[neighbour].mac);
	}
	if (!nh->neighbours[neighbour].resolved)
		unpublish(nh, index); // where it went before is not where it should go now
}

// Where packets of this transport go; -errno: nowhere.
static int resolve(struct nexthops *nh, uint32_t index, const struct target *t)
{
	const struct dp_network *net = &nh->map->config.networks[t->network];
	struct link *l = &nh->links[index];
	const struct dp_port *port = nh->ports[net->port];
	struct rt_route route;
	int ifindex, err;

	if (!host_has(nh, t->network, &t->from))
		return -EADDRNOTAVAIL;
	if (relay_table_holds(nh->table, t->network, &t->to)) {
		l->hop = (struct nexthop){ .kind = NEXTHOP_HAIRPIN, .port = net->port, .mtu = port->mtu };
		publish(nh, index, NULL);
		return 0;
	}
	ifindex = network_ifindex(nh, net);
	if (ifindex < 0)
		return ifindex;
	err = route_of(nh, t, ifindex, &route);
	if (err < 0)
		return err;
	l->hop = (struct nexthop){
		.kind = NEXTHOP_ETHER, .port = net->port, .mtu = mtu_of(nh, port), .vlan = net->vlan
	};
	if (route.local) { // ends on this host: by lo, which has no neighbours
		port = loopback_port(nh);
		if (port == NULL)
			return -EHOSTUNREACH;
		l->hop = (struct nexthop){ .kind = NEXTHOP_ETHER, .port = port->index, .mtu = port->mtu };
		publish(nh, index, port->mac);
		return 0;
	}
	if (route.ifindex != ifindex) { // a rule of the host leads elsewhere: only over a port of ours
		port = port_of(nh, route.ifindex);
		if (port == NULL)
			return -ENETUNREACH;
		l->hop = (struct nexthop){ .kind = NEXTHOP_ETHER, .port = port->index, .mtu = mtu_of(nh, port) };
	}
	if (route.mtu != 0 && route.mtu < l->hop.mtu)
		l->hop.mtu = route.mtu;
	resolve_neighbour(nh, index, route.gateway.family != INET_NONE ? &route.gateway : &t->to.addr, route.ifindex);
	return 0;
}

static void look_at(struct nexthops *nh, uint32_t index, bool again)
{
	struct link *l = &nh->links[index];
	struct target t;
	int err;

	if (!target_of(nh, index, &t)) {
		nexthop_dirty(nh, index);
		nexthop_wake(nh);
		return;
	}
	if (t.serial == 0) {
		unpublish(nh, index);
		unlink_transport(nh, index);
		l->path_serial = 0;
		return;
	}
	if (l->path_serial == t.serial && !again)
		return;
	if (l->generation != t.generation)
		l->told = 0;
	l->path_serial = t.serial;
	l->generation = t.generation;
	unlink_transport(nh, index);
	err = resolve(nh, index, &t);
	if (err < 0)
		unreachable(nh, index, err);
}

// ---- the thread

static void routes_news(void *ctx)
{
	struct nexthops *nh = ctx;

	if (nh->resolve_all_at == MONO_NEVER)
		nh->resolve_all_at = clock_now() + SETTLE;
}

static void lost_news(void *ctx)
{
	struct nexthops *nh = ctx;
	struct rt_neighbour now;

	for (uint32_t i = 0; i < nh->n_slots; i++) {
		const struct neighbour *n = &nh->neighbours[i];

		if (n->first != DP_NONE && rtnetlink_neighbour_get(nh->rtnl, &n->addr, n->ifindex, &now) == 0)
			neighbour_news(nh, &now);
	}
	routes_news(nh);
}

static void dirty_serve(struct nexthops *nh)
{
	for (uint32_t w = 0; w < nh->n_words; w++) {
		uint64_t bits = atomic_exchange(&nh->dirty[w], 0);

		while (bits != 0) {
			look_at(nh, w * 64 + (uint32_t)__builtin_ctzll(bits), false);
			bits &= bits - 1;
		}
	}
}

// Of a NIC that is all ours the driver tells; its TAP's carrier is of our own making.
static void link_look(struct nexthops *nh, struct dp_port *port)
{
	struct rt_link link;
	int err = rtnetlink_link(nh->rtnl, port->ifindex, &link);

	if (err < 0 && err != -ENODEV)
		return;
	nh->port_mtu[port->index] = link.mtu;
	if (port->exception == NULL)
		dp_port_link(port, &nh->map->ports[port->index], link.up);
	if (err == -ENODEV && !nh->port_gone[port->index])
		log_error("relay", "port gone", LOG_STR("port", port->name),
			  LOG_STR("cause", "Linux has removed the interface; restart the gateway when it is back"));
	nh->port_gone[port->index] = err == -ENODEV;
}

static void host_look(struct nexthops *nh)
{
	host_addresses_look(nh);
	for (unsigned i = 0; i < nh->map->config.n_ports; i++) {
		if (nh->ports[i] != NULL && nh->ports[i]->ifindex != 0)
			link_look(nh, nh->ports[i]);
	}
}

// Which way a path takes: what an operator would see change.
struct way {
	struct nexthop hop;
	struct inet_addr neighbour;
};

static struct way way_of(const struct nexthops *nh, uint32_t index)
{
	const struct link *l = &nh->links[index];
	struct way way = { .hop = l->hop };

	if (l->neighbour != DP_NONE)
		way.neighbour = nh->neighbours[l->neighbour].addr;
	return way;
}

static bool way_same(const struct way *a, const struct way *b)
{
	return a->hop.kind == b->hop.kind && a->hop.port == b->hop.port && a->hop.mtu == b->hop.mtu &&
	       inet_addr_equal(&a->neighbour, &b->neighbour);
}

static void all_serve(struct nexthops *nh)
{
	unsigned paths = 0, moved = 0;

	nh->resolve_all_at = MONO_NEVER;
	host_look(nh);
	for (uint32_t i = 0; i < nh->n_slots; i++) {
		struct way before, after;

		if (nh->links[i].path_serial == 0)
			continue;
		before = way_of(nh, i);
		look_at(nh, i, true);
		after = way_of(nh, i);
		paths++;
		moved += !way_same(&before, &after);
	}
	if (moved > 0)
		log_info("relay", "routes changed", LOG_UINT("paths", paths), LOG_UINT("moved", moved));
}

static int timeout_ms(const struct nexthops *nh)
{
	mono_ns now = clock_now();

	if (nh->resolve_all_at == MONO_NEVER)
		return 1000;
	return nh->resolve_all_at <= now ? 0 : (int)((nh->resolve_all_at - now) / 1000000) + 1;
}

void *keeper_run(void *arg)
{
	struct nexthops *nh = arg;
	const struct rt_news news = {
		.neighbour = neighbour_news, .routes = routes_news, .lost = lost_news, .ctx = nh
	};
	uint64_t ticks;

	host_look(nh);
	while (!atomic_load(&nh->stop)) {
		struct pollfd fds[] = {
			{ .fd = nh->wake, .events = POLLIN },
			{ .fd = rtnetlink_fd(nh->rtnl), .events = POLLIN },
		};

		poll(fds, 2, timeout_ms(nh));
		(void)!read(nh->wake, &ticks, sizeof(ticks));
		dirty_serve(nh);
		rtnetlink_news(nh->rtnl, &news);
		if (clock_now() >= nh->resolve_all_at)
			all_serve(nh);
	}
	return NULL;
}
