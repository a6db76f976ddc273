// SPDX-License-Identifier: GPL-3.0-or-later
// relay_table.c - one array a media address.
#include "dataplane/worker/relay_table.h"
#include "dataplane/worker/memory.h"
#include "dataplane/worker/relay.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static inline unsigned bucket_of(uint8_t family, const uint8_t *addr)
{
	return relay_bucket(addr + (family == INET_V4 ? 0 : 12));
}

// Those of a bucket in the order of the configuration.
static void buckets_fill(struct relay_table *t)
{
	for (unsigned i = 0; i < RELAY_BUCKETS; i++)
		t->buckets[i] = RELAY_NO_ADDRESS;
	for (unsigned i = t->n; i-- > 0;) {
		struct relay_address *r = &t->addresses[i];
		uint8_t *bucket = &t->buckets[bucket_of(r->addr.family, r->addr.bytes)];

		r->next = *bucket;
		*bucket = (uint8_t)i;
	}
}

int relay_table_open(struct relay_table **tablep, const struct dp_config *config)
{
	struct relay_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < config->n_addresses; i++) {
		const struct dp_address *a = &config->addresses[i];
		struct relay_address *r = &t->addresses[i];

		*r = (struct relay_address){
			.addr = a->addr,
			.network = a->network,
			.vlan = config->networks[a->network].vlan,
			.port = config->networks[a->network].port,
			.first = a->first_port,
			.last = a->last_port,
		};
		r->transports = memory_table(((size_t)(r->last - r->first) + 1) * sizeof(*r->transports));
		if (r->transports == NULL) {
			relay_table_close(t);
			return -ENOMEM;
		}
		t->n++;
	}
	buckets_fill(t);
	for (unsigned i = 0; i < config->n_networks; i++)
		t->vlans[i] = config->networks[i].vlan;
	for (unsigned i = 0; i < config->n_ports; i++)
		t->everywhere[i] = strcmp(config->ports[i].name, "lo") == 0;
	for (unsigned i = 0; i < t->n; i++) {
		struct relay_address *r = &t->addresses[i];

		r->usual = r->addr.family == INET_V4 && !t->everywhere[r->port] ?
				   relay_usual(r->addr.bytes, r->port, r->vlan) :
				   RELAY_UNUSUAL;
	}
	*tablep = t;
	return 0;
}

void relay_table_close(struct relay_table *t)
{
	if (t == NULL)
		return;
	for (unsigned i = 0; i < t->n; i++)
		memory_table_free(t->addresses[i].transports);
	free(t);
}

struct seen_from {
	uint16_t port, vlan;
};

enum nearness { NEAR_NOT, NEAR_ELSEWHERE, NEAR_HERE };

static enum nearness nearness_of(const struct relay_table *t, const struct relay_address *r,
				 const struct seen_from *from)
{
	unsigned network = from->port & ~RELAY_INSIDE;

	if ((from->port & RELAY_INSIDE) == 0) {
		if (t->everywhere[from->port])
			return r->vlan == 0 ? NEAR_HERE : NEAR_NOT;
		return r->port == from->port && r->vlan == from->vlan ? NEAR_HERE : NEAR_NOT;
	}
	if (r->network == network)
		return NEAR_HERE;
	return r->vlan == 0 && t->vlans[network] == 0 ? NEAR_ELSEWHERE : NEAR_NOT;
}

_Atomic uint32_t *relay_table_find(const struct relay_table *t, uint16_t port, uint16_t vlan, uint8_t family,
				   const uint8_t *addr, uint16_t udp_port)
{
	const struct seen_from from = { port, vlan };
	_Atomic uint32_t *other = NULL;

	for (unsigned i = t->buckets[bucket_of(family, addr)]; i != RELAY_NO_ADDRESS; i = t->addresses[i].next) {
		const struct relay_address *r = &t->addresses[i];
		enum nearness near;

		if (r->addr.family != family || udp_port < r->first || udp_port > r->last ||
		    memcmp(r->addr.bytes, addr, 4) != 0 || (family != INET_V4 && memcmp(r->addr.bytes, addr, 16) != 0))
			continue;
		near = nearness_of(t, r, &from);
		if (near == NEAR_HERE)
			return &r->transports[udp_port - r->first];
		if (near == NEAR_ELSEWHERE && other == NULL)
			other = &r->transports[udp_port - r->first];
	}
	return other;
}

_Atomic uint32_t *relay_table_slot(const struct relay_table *t, uint16_t network, const struct inet_endpoint *local)
{
	for (unsigned i = 0; i < t->n; i++) {
		const struct relay_address *r = &t->addresses[i];

		if (r->network == network && inet_addr_equal(&r->addr, &local->addr) && local->port >= r->first &&
		    local->port <= r->last)
			return &r->transports[local->port - r->first];
	}
	return NULL;
}

bool relay_table_holds(const struct relay_table *t, uint16_t network, const struct inet_endpoint *ep)
{
	return relay_table_find(t, (uint16_t)(RELAY_INSIDE | network), 0, ep->addr.family, ep->addr.bytes, ep->port) !=
	       NULL;
}
