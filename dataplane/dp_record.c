// SPDX-License-Identifier: GPL-3.0-or-later
// dp_record.c - where things are in the media region. Both sides compute the same layout from the configuration.
#include "dataplane/dp_record.h"
#include <errno.h>
#include <string.h>

#define PAGE 4096u

const size_t dp_punt_ring[DP_CLASSES] = {
	[DP_CLASS_RTCP] = 256u << 10,
	[DP_CLASS_PROVEN] = 512u << 10,
	[DP_CLASS_UNPROVEN] = 128u << 10,
};

static bool config_fits(const struct dp_config *c)
{
	if (c->n_ports > DP_PORTS_MAX || c->n_networks > DP_NETWORKS_MAX || c->n_addresses > DP_ADDRESSES_MAX)
		return false;
	if (c->n_workers < 1 || c->n_workers > DP_WORKERS_MAX || c->max_transports < 1 ||
	    c->max_transports > (1u << 20))
		return false;
	for (unsigned i = 0; i < c->n_networks; i++) {
		if (c->networks[i].port >= c->n_ports || c->networks[i].vlan > 4094)
			return false;
	}
	for (unsigned i = 0; i < c->n_addresses; i++) {
		const struct dp_address *a = &c->addresses[i];

		if (a->network >= c->n_networks || a->first_port == 0 || a->first_port > a->last_port)
			return false;
	}
	return true;
}

// Takes `size` bytes at the next multiple of `align`; base NULL only measures.
static void *take(uint8_t *base, size_t *used, size_t size, size_t align)
{
	size_t at = (*used + align - 1) / align * align;

	*used = at + size;
	return base == NULL ? NULL : base + at;
}

static size_t layout(struct dp_map *map, uint8_t *base, const struct dp_config *c)
{
	size_t used = 0;

	map->n_transports = c->max_transports;
	// A transport holds at most two receive keys and one send key; each worker has one more in hand.
	map->n_keys = (c->max_transports * (DP_RX_EPOCHS + 1) + 1) * c->n_workers;
	map->n_streams = c->max_transports * 4 + 64 * c->n_workers;
	map->header = take(base, &used, sizeof(*map->header), PAGE);
	map->workers = take(base, &used, sizeof(*map->workers) * c->n_workers, PAGE);
	map->ports = take(base, &used, sizeof(*map->ports) * DP_PORTS_MAX, PAGE);
	for (unsigned w = 0; w < c->n_workers; w++) {
		map->commands[w] = take(base, &used, byte_ring_footprint(DP_COMMAND_RING), PAGE);
		for (unsigned k = 0; k < DP_CLASSES; k++)
			map->punts[w][k] = take(base, &used, byte_ring_footprint(dp_punt_ring[k]), PAGE);
	}
	for (unsigned w = 0; w <= c->n_workers; w++)
		map->events[w] = take(base, &used, byte_ring_footprint(DP_EVENT_RING), PAGE);
	map->transports = take(base, &used, sizeof(*map->transports) * map->n_transports, PAGE);
	map->rare = take(base, &used, sizeof(*map->rare) * map->n_transports, PAGE);
	map->keys = take(base, &used, sizeof(*map->keys) * map->n_keys, PAGE);
	map->streams = take(base, &used, sizeof(*map->streams) * map->n_streams, PAGE);
	return used;
}

size_t dp_region_size(const struct dp_config *config)
{
	struct dp_map map;

	return config_fits(config) ? layout(&map, NULL, config) : 0;
}

static int rings_format(const struct dp_map *map, const struct dp_config *c)
{
	int err = 0;

	for (unsigned w = 0; w < c->n_workers && err == 0; w++) {
		err = byte_ring_format(map->commands[w], DP_COMMAND_RING);
		for (unsigned k = 0; k < DP_CLASSES && err == 0; k++)
			err = byte_ring_format(map->punts[w][k], dp_punt_ring[k]);
	}
	for (unsigned w = 0; w <= c->n_workers && err == 0; w++)
		err = byte_ring_format(map->events[w], DP_EVENT_RING);
	return err;
}

int dp_region_format(void *base, size_t size, const struct dp_config *config)
{
	struct dp_map map;
	int err;

	if (base == NULL || !config_fits(config) || size < dp_region_size(config))
		return -EINVAL;
	size = layout(&map, base, config);
	memset(map.header, 0, sizeof(*map.header));
	memset(map.workers, 0, sizeof(*map.workers) * config->n_workers);
	memset(map.ports, 0, sizeof(*map.ports) * DP_PORTS_MAX);
	memset(map.transports, 0, sizeof(*map.transports) * map.n_transports);
	memset(map.rare, 0, sizeof(*map.rare) * map.n_transports);
	memset(map.keys, 0, sizeof(*map.keys) * map.n_keys);
	memset(map.streams, 0, sizeof(*map.streams) * map.n_streams);
	for (uint32_t i = 0; i < map.n_streams; i++)
		map.streams[i].owner = DP_NONE;
	err = rings_format(&map, config);
	if (err < 0)
		return err;
	map.header->version = DP_REGION_VERSION;
	map.header->header_size = sizeof(*map.header);
	map.header->size = size;
	map.header->config = *config;
	map.header->magic = DP_REGION_MAGIC; // last: a region that is not whole has none
	return 0;
}

int dp_map_open(struct dp_map *map, int region_fd)
{
	struct dp_region_header *header;
	struct region region;
	struct dp_config config;
	int err;

	err = region_map(&region, region_fd);
	if (err < 0)
		return err;
	header = region.base;
	err = -EPROTO;
	if (region.size < sizeof(*header) || header->magic != DP_REGION_MAGIC ||
	    header->version != DP_REGION_VERSION || header->header_size != sizeof(*header))
		goto out;
	config = header->config; // checked as a copy: the other side could still write there
	if (!config_fits(&config) || dp_region_size(&config) > region.size)
		goto out;
	memset(map, 0, sizeof(*map));
	layout(map, region.base, &config);
	map->config = config;
	map->region = region;
	return 0;
out:
	region_unmap(&region);
	return err;
}

void dp_map_close(struct dp_map *map)
{
	region_unmap(&map->region);
	map->header = NULL;
}

// Reads what the relay may just be writing, and throws it away then: a race that the thread sanitizer must not report.
__attribute__((no_sanitize_thread)) static void view_copy(struct dp_transport_view *v, const struct dp_transport *tp)
{
	const struct dp_key_slot *rx = &tp->rx_keys[tp->rx_newest % DP_RX_EPOCHS];

	*v = (struct dp_transport_view){
		.generation = tp->generation,
		.state = tp->state,
		.mode = tp->mode,
		.security = tp->security,
		.n_edges = tp->n_edges <= DP_EDGES_MAX ? tp->n_edges : DP_EDGES_MAX,
		.worker = tp->worker & (uint16_t)~DP_COMING,
		.network = tp->network,
		.path = tp->path,
		.path_serial = tp->path_serial,
		.local = tp->local,
		.session = tp->session,
		.owner_tag = tp->owner_tag,
		.rx_epoch = rx->key == DP_NONE ? 0 : rx->epoch,
		.tx_epoch = tp->tx_key.key == DP_NONE ? 0 : tp->tx_key.epoch,
		.rx_heard = rx->key != DP_NONE && !(tp->work & DP_WORK_EPOCH),
	};
	for (unsigned i = 0; i < DP_EDGES_MAX; i++)
		v->edges[i] = tp->edges[i];
}

bool dp_transport_read(const struct dp_transport *tp, struct dp_transport_view *view)
{
	for (unsigned tries = 0; tries < 1000; tries++) {
		uint32_t before = atomic_load_explicit(&tp->sequence, memory_order_acquire);

		if (before & 1)
			continue;
		view_copy(view, tp);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&tp->sequence, memory_order_relaxed) == before)
			return true;
	}
	return false;
}
