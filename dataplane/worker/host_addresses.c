// SPDX-License-Identifier: GPL-3.0-or-later
// host_addresses.c - which of our media addresses this host has. A floating one comes and goes with its owner (VRRP);
// while another host has it, not a packet may leave here under it.
#include "base/log.h"
#include "dataplane/worker/dp_port.h"
#include "dataplane/worker/nexthop_priv.h"

struct look {
	const struct dp_config *config;
	uint64_t here;
};

static void address_found(void *ctx, const struct inet_addr *addr)
{
	struct look *look = ctx;

	for (unsigned i = 0; i < look->config->n_addresses; i++) {
		if (inet_addr_equal(&look->config->addresses[i].addr, addr))
			look->here |= UINT64_C(1) << i;
	}
}

static void tell(const struct dp_config *config, uint64_t changed, uint64_t absent)
{
	for (unsigned i = 0; i < config->n_addresses; i++) {
		const struct dp_address *a = &config->addresses[i];
		char text[INET_ADDR_STRLEN];

		if ((changed >> i & 1) == 0)
			continue;
		inet_addr_print(text, &a->addr);
		if ((absent >> i & 1) != 0)
			log_warning("relay", "media address gone", LOG_STR("address", text),
				    LOG_STR("realm", config->networks[a->network].realm),
				    LOG_BOOL("floating", a->floating));
		else
			log_info("relay", "media address here", LOG_STR("address", text),
				 LOG_STR("realm", config->networks[a->network].realm),
				 LOG_BOOL("floating", a->floating));
	}
}

void host_addresses_look(struct nexthops *nh)
{
	const struct dp_config *config = &nh->map->config;
	struct look look = { .config = config };
	uint64_t absent = 0;

	for (unsigned i = 0; i < config->n_addresses; i++) {
		const struct dp_port *port = nh->ports[config->networks[config->addresses[i].network].port];

		if (port == NULL || port->ifindex == 0) // no interface of the kernel's: nobody but us has the address
			look.here |= UINT64_C(1) << i;
	}
	if (rtnetlink_addresses(nh->rtnl, address_found, &look) < 0)
		return; // what was known stays
	for (unsigned i = 0; i < config->n_addresses; i++) {
		if ((look.here >> i & 1) == 0)
			absent |= UINT64_C(1) << i;
	}
	atomic_store_explicit(&nh->map->header->absent, absent, memory_order_relaxed);
	tell(config, absent ^ nh->absent, absent);
	nh->absent = absent;
}

bool host_has(const struct nexthops *nh, uint16_t network, const struct inet_addr *addr)
{
	const struct dp_config *config = &nh->map->config;

	for (unsigned i = 0; i < config->n_addresses; i++) {
		if (config->addresses[i].network == network && inet_addr_equal(&config->addresses[i].addr, addr))
			return (nh->absent >> i & 1) == 0;
	}
	return true;
}
