// SPDX-License-Identifier: GPL-3.0-or-later
// regions.c - take the regions back from systemd if they fit the configuration, else make new ones.
#include "gateway/regions.h"
#include "base/log.h"
#include "dataplane/dp_record.h"
#include "gateway/service.h"
#include "mediarelay/call_record.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TAG "supervisor"
#define MEDIA_NAME "media-region" // as systemctl and the descriptor store show them
#define CALL_NAME "call-region"

static bool ports_equal(const struct dp_config *a, const struct dp_config *b)
{
	for (unsigned i = 0; i < a->n_ports; i++) {
		const struct dp_port_config *p = &a->ports[i], *q = &b->ports[i];

		if (strcmp(p->name, q->name) != 0 || p->driver != q->driver || p->xdp_mode != q->xdp_mode ||
		    p->zero_copy != q->zero_copy || p->tx_checksum != q->tx_checksum || p->queues != q->queues ||
		    p->busy_poll != q->busy_poll || p->busy_poll_us != q->busy_poll_us || p->mtu != q->mtu ||
		    strcmp(p->device, q->device) != 0 || strcmp(p->devargs, q->devargs) != 0)
			return false;
	}
	return true;
}

static bool addresses_equal(const struct dp_config *a, const struct dp_config *b)
{
	for (unsigned i = 0; i < a->n_networks; i++) {
		if (a->networks[i].port != b->networks[i].port || a->networks[i].vlan != b->networks[i].vlan)
			return false;
	}
	for (unsigned i = 0; i < a->n_addresses; i++) {
		const struct dp_address *p = &a->addresses[i], *q = &b->addresses[i];

		if (p->network != q->network || p->floating != q->floating || !inet_addr_equal(&p->addr, &q->addr) ||
		    p->first_port != q->first_port || p->last_port != q->last_port)
			return false;
	}
	return true;
}

static bool crypto_equal(const struct dp_crypto *a, const struct dp_crypto *b)
{
	return a->engine == b->engine && strcmp(a->device, b->device) == 0 && strcmp(a->devargs, b->devargs) == 0;
}

static bool workers_equal(const struct dp_config *a, const struct dp_config *b)
{
	for (unsigned i = 0; i < a->n_workers; i++) {
		if (a->worker_cpu[i] != b->worker_cpu[i])
			return false;
	}
	return a->poll == b->poll && a->hugepages == b->hugepages && a->max_transports == b->max_transports &&
	       a->memory_mb == b->memory_mb && a->replay_window == b->replay_window && crypto_equal(&a->crypto, &b->crypto);
}

static bool configs_equal(const struct dp_config *a, const struct dp_config *b)
{
	return a->n_ports == b->n_ports && a->n_networks == b->n_networks && a->n_addresses == b->n_addresses &&
	       a->n_workers == b->n_workers && ports_equal(a, b) && addresses_equal(a, b) && workers_equal(a, b);
}

// The records in the region were laid out for this configuration, and by this version.
static bool media_region_fits(const struct region *media, const struct dp_config *want)
{
	struct dp_map map;
	bool fits;
	int fd = fcntl(media->fd, F_DUPFD_CLOEXEC, 0), err; // dp_map_close() closes it

	if (fd < 0)
		return false;
	err = dp_map_open(&map, fd);
	if (err < 0 && err != -EPROTO && err != -EPROTONOSUPPORT) // then it is closed with the mapping
		close(fd);
	if (err < 0)
		return false;
	fits = configs_equal(&map.config, want);
	dp_map_close(&map);
	return fits;
}

static bool call_region_fits(const struct region *call, const struct config *cfg)
{
	return call->size >= call_records_footprint(cfg->media.max_sessions);
}

// Either both regions come back or none: a call without its media records is no call.
static int take_back(struct regions *r, const struct config *cfg)
{
	int media_fd = service_stored(MEDIA_NAME), call_fd = service_stored(CALL_NAME);

	if (media_fd < 0 || call_fd < 0)
		return -ENOENT;
	if (region_map(&r->media, media_fd) < 0)
		return -ENOENT;
	if (region_map(&r->call, call_fd) < 0) {
		region_unmap(&r->media);
		return -ENOENT;
	}
	if (media_region_fits(&r->media, &cfg->dataplane) && call_region_fits(&r->call, cfg)) {
		r->kept = true;
		return 0;
	}
	log_warning(TAG, "stored regions do not fit the configuration", LOG_STR("consequence", "calls are lost"));
	regions_close(r);
	return -ENOENT;
}

static int make_media(struct region *media, const struct config *cfg)
{
	size_t size = dp_region_size(&cfg->dataplane);
	int err;

	if (size == 0)
		return -EINVAL;
	err = region_create(media, "sallyport-media", size, cfg->dataplane.hugepages != DP_HUGEPAGES_OFF);
	if (err < 0)
		return err;
	if (!media->huge && cfg->dataplane.hugepages == DP_HUGEPAGES_ON) {
		log_error(TAG, "no free hugepages", LOG_UINT("wanted_mb", size >> 20),
			  LOG_STR("remedy", "sysctl vm.nr_hugepages, or dataplane.hugepages: auto"));
		region_unmap(media);
		return -ENOMEM;
	}
	err = dp_region_format(media->base, media->size, &cfg->dataplane);
	if (err < 0)
		region_unmap(media);
	return err;
}

static int make(struct regions *r, const struct config *cfg)
{
	int err = make_media(&r->media, cfg);

	if (err < 0)
		return err;
	err = region_create(&r->call, "sallyport-call", call_records_footprint(cfg->media.max_sessions), false);
	if (err < 0) {
		region_unmap(&r->media);
		return err;
	}
	service_store(MEDIA_NAME, r->media.fd);
	service_store(CALL_NAME, r->call.fd);
	return 0;
}

int regions_open(struct regions *r, const struct config *cfg)
{
	int err;

	*r = (struct regions){ .media.fd = -1, .call.fd = -1 };
	if (take_back(r, cfg) < 0) {
		service_unstore(MEDIA_NAME);
		service_unstore(CALL_NAME);
		err = make(r, cfg);
		if (err < 0)
			return err;
	}
	log_info(TAG, "regions", LOG_UINT("media_kb", r->media.size >> 10), LOG_BOOL("hugepages", r->media.huge),
		 LOG_UINT("call_kb", r->call.size >> 10), LOG_BOOL("kept", r->kept));
	return 0;
}

void regions_close(struct regions *r)
{
	region_unmap(&r->media);
	region_unmap(&r->call);
}
