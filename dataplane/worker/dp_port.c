// SPDX-License-Identifier: GPL-3.0-or-later
// dp_port.c - which implementation a port has, what it says of itself, and what Linux says of an interface.
#include "dataplane/worker/dp_port.h"
#include "base/log.h"
#include "dataplane/worker/exception.h"
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

unsigned dp_port_queues(const struct dp_config *config, unsigned index)
{
	const struct dp_port_config *pc = &config->ports[index];
	unsigned n = pc->queues;

	if (pc->driver == DP_DRIVER_AF_XDP)
		n = xsk_rx_queues(pc->name); // opening it refuses what the settings do not say
	else if (n == 0)
		n = config->n_workers;
	return n < DP_QUEUES_MAX ? n : DP_QUEUES_MAX;
}

int dp_port_open(struct dp_port **portp, const struct dp_config *config, unsigned index, int map_fd,
		 struct rte_mempool *pool, char why[256])
{
	if (config->ports[index].driver == DP_DRIVER_AF_XDP)
		return xsk_port_open(portp, &config->ports[index], index, map_fd, pool, why);
	return ethdev_port_open(portp, config, index, pool, why);
}

void dp_port_close(struct dp_port *port)
{
	if (port != NULL)
		port->close(port);
}

void dp_port_say(const struct dp_port *port)
{
	static const char *const checksum[] = {
		[DP_CHECKSUM_SOFTWARE] = "software",
		[DP_CHECKSUM_OFFLOAD] = "offload",
		[DP_CHECKSUM_ZERO] = "zero",
	};
	const struct dp_port_way *way = &port->way;
	bool xdp = way->xdp[0] != '\0';

	log_info("relay", "port ready", LOG_STR("port", port->name), LOG_STR("driver", way->driver),
		 LOG_STR("xdp", xdp ? way->xdp : "no"), LOG_STR("zero_copy", way->zero_copy ? "yes" : "no"),
		 LOG_STR("zero_copy_why", xdp ? way->zero_copy_why : "a driver of DPDK's"),
		 LOG_UINT("queues", port->n_queues), LOG_STR("queues_by", way->rings),
		 LOG_UINT("busy_poll", way->busy_poll),
		 LOG_STR("busy_poll_why", xdp ? way->busy_poll_why : "the driver polls"),
		 LOG_STR("tx_checksum", checksum[port->tx_checksum]),
		 LOG_STR("tx_checksum_why", way->tx_checksum_why), LOG_STR("rx_checksum", way->rx_checksum),
		 LOG_STR("rss", way->rss), LOG_STR("linux_by", way->linux_by), LOG_UINT("mtu", port->mtu),
		 LOG_INT("pool_node", port->pool->socket_id), LOG_UINT("pool", port->pool->size));
}

void dp_port_link(struct dp_port *port, struct dp_port_record *record, bool up)
{
	bool first = !port->link_known;

	if (!first && port->link == up)
		return;
	port->link_known = true;
	port->link = up;
	dp_record_set(&record->up, up);
	if (port->exception != NULL)
		exception_carrier(port->exception, up);
	if (first && up)
		return; // as it should be
	dp_count(&record->changes, 1);
	if (up)
		log_info("relay", "port up", LOG_STR("port", port->name));
	else
		log_warning("relay", "port down", LOG_STR("port", port->name));
}

void dp_port_sample(struct dp_port *port, struct dp_port_record *record)
{
	if (port->sample != NULL)
		port->sample(port, record);
	dp_record_set(&record->pool_size, port->pool->size);
	dp_record_set(&record->pool_free, rte_mempool_avail_count(port->pool));
}

int interface_look(struct dp_port *port, const char *name)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.15s", name);
	if (ioctl(fd, SIOCGIFINDEX, &ifr) < 0) {
		err = -errno;
		goto out;
	}
	port->ifindex = ifr.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0) {
		err = -errno;
		goto out;
	}
	memcpy(port->mac, ifr.ifr_hwaddr.sa_data, sizeof(port->mac));
	port->loopback = ifr.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	if (ioctl(fd, SIOCGIFMTU, &ifr) < 0) {
		err = -errno;
		goto out;
	}
	port->mtu = ifr.ifr_mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)ifr.ifr_mtu;
out:
	close(fd);
	return err;
}
