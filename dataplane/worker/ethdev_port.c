// SPDX-License-Identifier: GPL-3.0-or-later
// ethdev_port.c - ports driven by DPDK's own drivers: null, memif, af_packet, and PCI devices.
#include "dataplane/worker/dp_port.h"
#include <errno.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTORS 512

struct ethdev_queue {
	struct dp_queue queue;
	uint16_t device;
};

struct ethdev_port {
	struct dp_port port;
	struct ethdev_queue queues[DP_WORKERS_MAX];
	char device_name[64];
	uint16_t device;
	bool vdev, started;
};

static uint16_t ethdev_rx(struct dp_queue *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct ethdev_queue *q = (struct ethdev_queue *)queue;
	uint16_t got = rte_eth_rx_burst(q->device, queue->id, pkts, n);

	for (uint16_t i = 0; i < got; i++) {
		pkts[i]->port = queue->port->index;
		pkts[i]->vlan_tci = 0;
	}
	return got;
}

static uint16_t ethdev_tx(struct dp_queue *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct ethdev_queue *q = (struct ethdev_queue *)queue;

	return rte_eth_tx_burst(q->device, queue->id, pkts, n);
}

static bool ethdev_settle(struct dp_queue *queue)
{
	return true;
}

static const struct dp_queue_ops ethdev_ops = { .rx = ethdev_rx, .tx = ethdev_tx, .settle = ethdev_settle };

static void ethdev_port_close(struct dp_port *port)
{
	struct ethdev_port *p = (struct ethdev_port *)port;

	if (p->started)
		rte_eth_dev_stop(p->device);
	if (p->vdev)
		rte_vdev_uninit(p->device_name);
	free(p);
}

// The device's name for DPDK, and what to make it of: "net_null" -> net_null3, "iface=eth0,..." and so on.
static int device_probe(struct ethdev_port *p, const struct dp_port_config *pc, char why[256])
{
	static const char *const driver[] = {
		[DP_DRIVER_AF_PACKET] = "net_af_packet",
		[DP_DRIVER_NULL] = "net_null",
		[DP_DRIVER_MEMIF] = "net_memif",
	};
	char args[192];
	int err;

	if (pc->driver == DP_DRIVER_PCI) {
		snprintf(p->device_name, sizeof(p->device_name), "%s", pc->name);
		err = rte_dev_probe(pc->devargs[0] != '\0' ? pc->devargs : pc->name);
	} else if (pc->driver >= sizeof(driver) / sizeof(driver[0]) || driver[pc->driver] == NULL) {
		err = -ENOTSUP;
	} else {
		snprintf(p->device_name, sizeof(p->device_name), "%s%u", driver[pc->driver], p->port.index);
		if (pc->driver == DP_DRIVER_AF_PACKET)
			snprintf(args, sizeof(args), "iface=%s,qdisc_bypass=1%s%s", pc->name, pc->devargs[0] ? "," : "",
				 pc->devargs);
		else
			snprintf(args, sizeof(args), "%s", pc->devargs);
		err = rte_vdev_init(p->device_name, args);
		p->vdev = err == 0;
	}
	if (err == 0)
		err = rte_eth_dev_get_port_by_name(p->device_name, &p->device);
	if (err < 0)
		snprintf(why, 256, "port %s: device %s cannot be opened: %s", pc->name, p->device_name, strerror(-err));
	return err;
}

static int device_start(struct ethdev_port *p, unsigned n_queues, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_ether_addr mac;
	int err;

	err = rte_eth_dev_configure(p->device, (uint16_t)n_queues, (uint16_t)n_queues, &conf);
	for (unsigned i = 0; i < n_queues && err == 0; i++) {
		err = rte_eth_rx_queue_setup(p->device, (uint16_t)i, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool);
		if (err == 0)
			err = rte_eth_tx_queue_setup(p->device, (uint16_t)i, DESCRIPTORS, SOCKET_ID_ANY, NULL);
	}
	if (err == 0)
		err = rte_eth_dev_start(p->device);
	if (err < 0)
		return err;
	p->started = true;
	err = rte_eth_macaddr_get(p->device, &mac);
	if (err == 0 && p->port.ifindex == 0)
		memcpy(p->port.mac, mac.addr_bytes, sizeof(p->port.mac));
	return err;
}

int ethdev_port_open(struct dp_port **portp, const struct dp_port_config *pc, unsigned index, unsigned n_queues,
		     struct rte_mempool *pool, char why[256])
{
	struct ethdev_port *p = calloc(1, sizeof(*p));
	int err;

	if (p == NULL)
		return -ENOMEM;
	p->port.close = ethdev_port_close;
	p->port.index = (uint8_t)index;
	p->port.mtu = 1500;
	snprintf(p->port.name, sizeof(p->port.name), "%s", pc->name);
	(void)interface_look(&p->port, pc->name); // null and memif have no kernel interface
	err = device_probe(p, pc, why);
	if (err < 0)
		goto out;
	err = device_start(p, n_queues, pool);
	if (err < 0) {
		snprintf(why, 256, "port %s: %u queues cannot be started: %s", pc->name, n_queues, strerror(-err));
		goto out;
	}
	for (unsigned i = 0; i < n_queues; i++) {
		p->queues[i] = (struct ethdev_queue){
			.queue = { .ops = &ethdev_ops, .port = &p->port, .id = (uint16_t)i, .fd = -1 },
			.device = p->device,
		};
		p->port.queues[p->port.n_queues++] = &p->queues[i].queue;
	}
	*portp = &p->port;
	p = NULL;
out:
	if (p != NULL)
		ethdev_port_close(&p->port);
	return err;
}
