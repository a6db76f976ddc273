// SPDX-License-Identifier: GPL-3.0-or-later
// sip_inventory.c - calls by peer, counted when somebody asks; calls by route, counted when they come.
#include "signaling/sip_inventory.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_question.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sip_route_take(struct sip *sip, uint16_t realm, int peer, const char *user)
{
	int route = sip_route_find(sip->config, realm, peer, user);

	if (route < 0)
		return route;
	sip->routed[route]++;
	return sip->config->routes[route].to_peer;
}

// By name: a peer that has changed has another place in the table.
static bool same_peer(const struct sip_config *old, int32_t a, const struct sip_config *next, int32_t b)
{
	return a < 0 || b < 0 ? a == b : strcmp(old->peers[a].name, next->peers[b].name) == 0;
}

static bool same_route(const struct sip_config *old, const struct sip_route *a, const struct sip_config *next, const struct sip_route *b)
{
	return a->from_realm == b->from_realm && strcmp(a->user, b->user) == 0 && same_peer(old, a->from_peer, next, b->from_peer) &&
	       same_peer(old, a->to_peer, next, b->to_peer);
}

// A route that stays keeps its count, wherever in the list it is now.
int sip_routed_follow(struct sip *sip, const struct sip_config *next)
{
	const struct sip_config *old = sip->config;
	uint64_t *routed = calloc(next->n_routes + 1, sizeof(*routed));

	if (routed == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < next->n_routes; i++) {
		for (size_t j = 0; j < old->n_routes; j++)
			routed[i] += same_route(old, &old->routes[j], next, &next->routes[i]) ? sip->routed[j] : 0;
	}
	free(sip->routed);
	sip->routed = routed;
	return 0;
}

static void count_dialog(struct sip_inventory *inventory, const struct sip_dialog *d)
{
	if (d == NULL || d->peer >= inventory->n_peers)
		return;
	if (d->outgoing)
		inventory->peers[d->peer].called++;
	else
		inventory->peers[d->peer].calling++;
}

// Of several that ring for one call, the one that is followed counts.
static void count_calls(struct sip_inventory *inventory, const struct sip *sip)
{
	for (const struct sip_call *call = sip->calls; call != NULL; call = call->next) {
		count_dialog(inventory, call->dialogs);
		count_dialog(inventory, call->dialogs != NULL ? call->dialogs->joined : NULL);
	}
}

struct sip_inventory *sip_inventory_of(const struct sip *sip)
{
	const struct sip_config *config = sip->config;
	struct sip_inventory *inventory = calloc(1, sizeof(*inventory));

	if (inventory == NULL)
		return NULL;
	inventory->peers = calloc(config->n_peers + 1, sizeof(*inventory->peers));
	inventory->routes = calloc(config->n_routes + 1, sizeof(*inventory->routes));
	if (inventory->peers == NULL || inventory->routes == NULL) {
		sip_inventory_free(inventory);
		return NULL;
	}
	inventory->n_peers = config->n_peers;
	inventory->n_routes = config->n_routes;
	for (size_t i = 0; i < config->n_peers; i++)
		inventory->peers[i].subscriptions = sip->subscribed[i];
	for (size_t i = 0; i < config->n_routes; i++)
		inventory->routes[i] = (struct sip_route_figures){ config->routes[i], sip->routed[i] };
	count_calls(inventory, sip);
	return inventory;
}

void sip_inventory_free(struct sip_inventory *inventory)
{
	if (inventory == NULL)
		return;
	free(inventory->peers);
	free(inventory->routes);
	free(inventory);
}
