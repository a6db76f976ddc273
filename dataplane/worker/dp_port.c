// SPDX-License-Identifier: GPL-3.0-or-later
// dp_port.c - which implementation a port has, and what Linux says of an interface.
#include "dataplane/worker/dp_port.h"
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int dp_port_open(struct dp_port **portp, const struct dp_config *config, unsigned index, int map_fd,
		 bool copy, struct rte_mempool *pool, char why[256])
{
	const struct dp_port_config *pc = &config->ports[index];

	if (pc->driver == DP_DRIVER_AF_XDP)
		return xsk_port_open(portp, pc, index, map_fd, copy, pool, why);
	return ethdev_port_open(portp, pc, index, config->n_workers, pool, why);
}

void dp_port_close(struct dp_port *port)
{
	if (port != NULL)
		port->close(port);
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
