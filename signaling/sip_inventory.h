// SPDX-License-Identifier: GPL-3.0-or-later
// sip_inventory.h - what each peer and each route has to do now: figures of the sip thread by the configuration that it has.
#pragma once
#include "signaling/sip_config.h"
#include <stddef.h>
#include <stdint.h>

struct sip;

struct sip_peer_figures { // calls that are up or being set up, and subscriptions
	uint32_t calling, called, subscriptions;
};

struct sip_route_figures {
	struct sip_route route;
	uint64_t calls; // that it took since this process began, or since it is in the configuration
};

struct sip_inventory {
	size_t n_peers, n_routes;
	struct sip_peer_figures *peers; // by index of sip_config.peers; later ones have done nothing yet
	struct sip_route_figures *routes;
};

// -ENOSPC: too many questions. Else `answer` is called once, on the sip thread or on the one that closes sip; what it gets is its
// own. NULL: no memory, or the end.
int sip_inventory(struct sip *sip, void (*answer)(void *ctx, struct sip_inventory *inventory), void *ctx);
void sip_inventory_free(struct sip_inventory *inventory); // NULL is fine
