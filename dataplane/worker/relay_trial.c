// SPDX-License-Identifier: GPL-3.0-or-later
// relay_trial.c - a relay without its process: what the supervisor and relay_main.c would open, in their order.
#include "dataplane/worker/relay_trial.h"
#include "base/secret.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

// What a part gave; the first that fails is named.
static int part(int err, const char *name, char why[256])
{
	if (err == -ENOTSUP)
		snprintf(why, 256, "%s: this CPU has no AES-NI or PCLMULQDQ", name);
	else if (err < 0)
		snprintf(why, 256, "%s: %s", name, strerror(-err));
	return err;
}

static int region_open(struct relay *relay, struct region *region, const struct dp_config *config)
{
	size_t size = dp_region_size(config);
	int err = size > 0 ? region_create(region, "trial", size, config->hugepages != DP_HUGEPAGES_OFF) : -EINVAL;

	if (err == 0)
		err = dp_region_format(region->base, region->size, config);
	if (err == 0)
		err = dp_map_open(&relay->map, dup(region->fd));
	return err;
}

int relay_trial_open(struct relay *relay, struct region *region, const struct dp_config *config, unsigned packets,
		     char why[256])
{
	int err = part(region_open(relay, region, config), "media region", why);

	relay->control_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (err == 0 && relay->control_event < 0)
		err = part(-errno, "eventfd", why);
	if (err == 0)
		err = memory_open(config, packets, &relay->pool, why);
	for (unsigned i = 0; i < config->n_ports && err == 0; i++)
		err = dp_port_open(&relay->ports[i], config, i, -1, relay->pool, why);
	if (err == 0)
		err = part(relay_table_open(&relay->table, config), "table of ports", why);
	if (err == 0)
		err = part(nexthops_open(&relay->hops, &relay->map, relay->table, relay->ports, relay->control_event),
			   "next hops", why);
	for (unsigned w = 0; w < config->n_workers && err == 0; w++)
		err = part(relay_worker_open(&relay->workers[w], relay, w), "worker", why);
	return err;
}

void relay_trial_close(struct relay *relay, struct region *region)
{
	nexthops_close(relay->hops);
	for (unsigned w = 0; w < DP_WORKERS_MAX; w++)
		relay_worker_close(relay->workers[w]);
	for (unsigned i = 0; i < DP_PORTS_MAX; i++)
		dp_port_close(relay->ports[i]);
	relay_table_close(relay->table);
	if (relay->pool != NULL)
		memory_close(relay->pool);
	if (relay->map.header != NULL)
		dp_map_close(&relay->map);
	if (relay->control_event >= 0)
		close(relay->control_event);
	secret_wipe(region->base, region->size);
	region_unmap(region);
}
