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

const uint32_t dp_clock_hz[8] = { 0, 8000, 16000, 24000, 32000, 44100, 48000, 90000 };

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

static size_t round_up(size_t size, size_t to)
{
	return (size + to - 1) / to * to;
}

// Takes `size` bytes at the next multiple of `align`; base NULL only measures.
static void *take(uint8_t *base, size_t *used, size_t size, size_t align)
{
	size_t at = round_up(*used, align);

	*used = at + size;
	return base == NULL ? NULL : base + at;
}

static unsigned window_of(const struct dp_config *c)
{
	unsigned window = c->replay_window < SRTP_WINDOW_MIN ? SRTP_WINDOW_MIN : c->replay_window;

	return window > SRTP_WINDOW_MAX ? SRTP_WINDOW_MAX : window;
}

static size_t layout(struct dp_map *map, uint8_t *base, const struct dp_config *c)
{
	size_t used = 0;

	uint32_t spare = c->max_transports / 8 + 16 * c->n_workers;

	map->n_transports = c->max_transports;
	// For each transport a key to receive and one to send; the spare is for changes of keys, as they overlap, and for
	// SSRCs beyond the first: few transports have any at a time.
	map->n_keys_cm = c->max_transports * 2 + spare;
	map->n_keys = map->n_keys_cm * 2;
	map->n_rx_more = map->n_tx_more = spare;
	map->n_streams = c->max_transports * 4 + 64 * c->n_workers;
	map->stream_size = round_up(offsetof(struct dp_stream, srtp) + srtp_stream_size(window_of(c)), DP_LINE);
	map->header = take(base, &used, sizeof(*map->header), PAGE);
	map->workers = take(base, &used, sizeof(*map->workers) * c->n_workers, PAGE);
	map->ports = take(base, &used, sizeof(*map->ports) * DP_PORTS_MAX, PAGE);
	for (unsigned w = 0; w < c->n_workers; w++) {
		map->commands[w] = take(base, &used, byte_ring_footprint(DP_COMMAND_RING), PAGE);
		for (unsigned k = 0; k < DP_CLASSES; k++)
			map->punts[w][k] = take(base, &used, byte_ring_footprint(dp_punt_ring[k]), PAGE);
		map->traces[w] = take(base, &used, byte_ring_footprint(DP_TRACE_RING), PAGE);
	}
	for (unsigned w = 0; w <= c->n_workers; w++)
		map->events[w] = take(base, &used, byte_ring_footprint(DP_EVENT_RING), PAGE);
	map->transports = take(base, &used, sizeof(*map->transports) * map->n_transports, PAGE);
	map->rare = take(base, &used, sizeof(*map->rare) * map->n_transports, PAGE);
	map->rx_more = take(base, &used, sizeof(*map->rx_more) * map->n_rx_more, PAGE);
	map->tx_more = take(base, &used, sizeof(*map->tx_more) * map->n_tx_more, PAGE);
	map->keys_cm = take(base, &used, SRTP_KEY_CM_SIZE * (size_t)map->n_keys_cm, PAGE);
	map->keys_gcm = take(base, &used, sizeof(struct srtp_key) * (size_t)(map->n_keys - map->n_keys_cm), PAGE);
	map->streams = take(base, &used, map->stream_size * map->n_streams, PAGE);
	// Whatever stands in a record: what is written by its word lies in the region.
	take(base, &used, sizeof(struct srtp_key) + sizeof(struct dp_stream), DP_LINE);
	return used;
}

#define MIX(h, what) ((h) = ((h) ^ (uint32_t)(what)) * 16777619u)

uint32_t dp_region_layout(void)
{
	static const uint32_t marks[] = {
		sizeof(struct dp_region_header), offsetof(struct dp_region_header, pools),
		sizeof(struct dp_config), sizeof(struct dp_worker_record), offsetof(struct dp_worker_record, drops),
		sizeof(struct dp_transport), offsetof(struct dp_transport, rx), offsetof(struct dp_transport, sequence),
		offsetof(struct dp_transport, local), offsetof(struct dp_transport, path),
		offsetof(struct dp_transport, rx_more), offsetof(struct dp_transport, edges),
		offsetof(struct dp_transport, counters), offsetof(struct dp_counters, drops),
		offsetof(struct dp_out, first), offsetof(struct dp_out, packets), sizeof(struct dp_rare),
		offsetof(struct dp_rare, restarts), offsetof(struct dp_rare, keys_left), sizeof(struct dp_rx_more),
		sizeof(struct dp_tx_more), offsetof(struct srtp_key, salt), offsetof(struct srtp_key, cm),
		sizeof(struct srtp_key), SRTP_KEY_CM_SIZE, offsetof(struct srtp_stream, bits), sizeof(struct dp_stream),
		offsetof(struct dp_stream, last_time), sizeof(struct dp_command), offsetof(struct dp_command, publish),
		sizeof(struct dp_event), sizeof(struct dp_punt_head), RELAY_DROP_COUNT, DP_POOLS, SRTP_SUITE_COUNT,
		DP_COMMAND_RING, DP_EVENT_RING, DP_TRACE_RING, sizeof(struct dp_trace_head), DP_REGION_VERSION,
	};
	uint32_t h = 2166136261u;

	for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		MIX(h, marks[i]);
	return h;
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
		if (err == 0)
			err = byte_ring_format(map->traces[w], DP_TRACE_RING);
	}
	for (unsigned w = 0; w <= c->n_workers && err == 0; w++)
		err = byte_ring_format(map->events[w], DP_EVENT_RING);
	return err;
}

static void pools_format(const struct dp_map *map)
{
	struct dp_pool_record *pools = map->header->pools;

	pools[DP_POOL_KEYS_CM].max = map->n_keys_cm;
	pools[DP_POOL_KEYS_GCM].max = map->n_keys - map->n_keys_cm;
	pools[DP_POOL_STREAMS].max = map->n_streams;
	pools[DP_POOL_RX_SSRCS].max = map->n_rx_more;
	pools[DP_POOL_TX_SSRCS].max = map->n_tx_more;
}

int dp_region_format(void *base, size_t size, const struct dp_config *config)
{
	struct dp_map map;
	int err;

	if (base == NULL || !config_fits(config) || size < dp_region_size(config))
		return -EINVAL;
	size = layout(&map, base, config);
	memset(base, 0, size);
	for (uint32_t i = 0; i < map.n_streams; i++)
		dp_stream_at(&map, i)->owner = DP_NONE;
	pools_format(&map);
	err = rings_format(&map, config);
	if (err < 0)
		return err;
	map.header->version = DP_REGION_VERSION;
	map.header->layout = dp_region_layout();
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
	if (region.size < sizeof(*header) || header->magic != DP_REGION_MAGIC)
		goto out;
	if (header->version != DP_REGION_VERSION || header->layout != dp_region_layout()) {
		err = -EPROTONOSUPPORT;
		goto out;
	}
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
	unsigned newest = tp->rx_newest % DP_RX_EPOCHS;
	bool keyed = tp->rx[newest].key != DP_NONE;

	*v = (struct dp_transport_view){
		.generation = tp->generation,
		.state = tp->state,
		.mode = tp->mode,
		.security = tp->security,
		.n_edges = tp->n_edges <= DP_EDGES_MAX ? tp->n_edges : DP_EDGES_MAX,
		.worker = tp->worker & (uint16_t)~DP_COMING,
		.network = tp->network,
		.path = tp->path,
		.path_serial = tp->out.path_serial,
		.local = tp->local,
		.session = tp->session,
		.owner_tag = tp->owner_tag,
		.rx_epoch = keyed ? tp->rx_epochs[newest].epoch : 0,
		.tx_epoch = tp->out.key == DP_NONE ? 0 : tp->tx_epoch.epoch,
		.rx_heard = keyed && !(tp->work & DP_WORK_EPOCH),
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
