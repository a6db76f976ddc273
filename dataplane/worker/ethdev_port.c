// SPDX-License-Identifier: GPL-3.0-or-later
// ethdev_port.c - ports driven by DPDK's own drivers: null, memif, af_packet, a NIC that is all ours (with a TAP for
// Linux), a NIC that Linux keeps (with rte_flow for us).
#include "dataplane/worker/dp_port.h"
#include "dataplane/worker/exception.h"
#include "dataplane/worker/flow_rules.h"
#include <errno.h>
#include <libgen.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DESCRIPTORS 1024
#define RSS_WANTED (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP)
#define RX_WANTED (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)

struct ethdev_queue {
	struct dp_queue queue;
	uint16_t device;
};

struct ethdev_port {
	struct dp_port port;
	struct ethdev_queue queues[DP_QUEUES_MAX];
	const struct dp_port_config *pc;
	char device_name[64];
	uint16_t device;
	struct rte_eth_dev_info info;
	uint64_t rss; // what it spreads by; 0: nothing
	bool vdev, probed, started;
};

// ---- a queue's day

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

// ---- which device it is

static bool is_virtual(const char *device)
{
	return strncmp(device, "net_", 4) == 0;
}

bool ethdev_device(const struct dp_port_config *pc, char device[64])
{
	char path[64], target[256];
	ssize_t n;

	if ((pc->driver != DP_DRIVER_PCI && pc->driver != DP_DRIVER_BIFURCATED) || is_virtual(pc->device))
		return false;
	snprintf(device, 64, "%s", pc->device);
	if (pc->device[0] != '\0')
		return true;
	snprintf(path, sizeof(path), "/sys/class/net/%s/device", pc->name);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	snprintf(device, 64, "%s", basename(target));
	return n > 0;
}

static void vdev_arguments(const struct ethdev_port *p, char args[256], unsigned n_queues)
{
	const struct dp_port_config *pc = p->pc;
	const char *comma = pc->devargs[0] != '\0' ? "," : "";

	if (pc->driver != DP_DRIVER_AF_PACKET)
		snprintf(args, 256, "%s", pc->devargs);
	else if (strstr(pc->devargs, "qpairs=") != NULL)
		snprintf(args, 256, "iface=%s,qdisc_bypass=1%s%s", pc->name, comma, pc->devargs);
	else
		snprintf(args, 256, "iface=%s,qdisc_bypass=1,qpairs=%u%s%s", pc->name, n_queues, comma, pc->devargs);
}

static int device_make(struct ethdev_port *p, unsigned n_queues)
{
	static const char *const driver[] = {
		[DP_DRIVER_AF_PACKET] = "net_af_packet",
		[DP_DRIVER_NULL] = "net_null",
		[DP_DRIVER_MEMIF] = "net_memif",
	};
	const struct dp_port_config *pc = p->pc;
	char args[256];
	int err;

	if (ethdev_device(pc, p->device_name)) {
		err = rte_dev_probe(p->device_name);
		return err == -EEXIST ? 0 : err; // EAL found it at its start
	}
	if (pc->driver == DP_DRIVER_PCI || pc->driver == DP_DRIVER_BIFURCATED)
		snprintf(p->device_name, sizeof(p->device_name), "%s", pc->device);
	else
		snprintf(p->device_name, sizeof(p->device_name), "%s%u", driver[pc->driver], p->port.index);
	vdev_arguments(p, args, n_queues);
	err = rte_vdev_init(p->device_name, args);
	p->vdev = err == 0;
	return err;
}

static int device_probe(struct ethdev_port *p, unsigned n_queues, char why[256])
{
	int err = device_make(p, n_queues);

	if (err == 0)
		err = rte_eth_dev_get_port_by_name(p->device_name, &p->device);
	if (err == 0)
		err = rte_eth_dev_info_get(p->device, &p->info);
	p->probed = err == 0;
	if (err < 0)
		snprintf(why, 256, "port %s: device \"%s\" cannot be opened: %s%s", p->pc->name, p->device_name,
			 strerror(-err),
			 p->pc->driver == DP_DRIVER_PCI && !is_virtual(p->device_name) ?
				 "; it must be bound to vfio-pci: dpdk-devbind.py -b vfio-pci ADDRESS" : "");
	return err;
}

// ---- what it can do

static void words(char dst[DP_PORT_WORDS], const char *text)
{
	snprintf(dst, DP_PORT_WORDS, "%s", text);
}

static void checksums_choose(struct ethdev_port *p, struct rte_eth_conf *conf)
{
	bool can = (p->info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0;
	struct dp_port_way *way = &p->port.way;

	words(way->tx_checksum_why, "settings");
	if (p->pc->tx_checksum == DP_TX_CHECKSUM_ZERO) {
		p->port.tx_checksum = DP_CHECKSUM_ZERO;
	} else if (p->pc->tx_checksum == DP_TX_CHECKSUM_AUTO) {
		p->port.tx_checksum = can ? DP_CHECKSUM_OFFLOAD : DP_CHECKSUM_SOFTWARE;
		words(way->tx_checksum_why, can ? "the device can" : "the device cannot");
		conf->txmode.offloads |= can ? RTE_ETH_TX_OFFLOAD_UDP_CKSUM : 0;
	}
	conf->rxmode.offloads |= p->info.rx_offload_capa & RX_WANTED;
	words(way->rx_checksum, (conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) != 0 ? "verified by the device" :
									   "none: the device cannot");
}

static const char *rss_words(uint64_t rss)
{
	return (rss & RTE_ETH_RSS_UDP) != 0 ? "addresses and ports" : rss != 0 ? "addresses" : "the device cannot";
}

static void rss_choose(struct ethdev_port *p, unsigned n_queues, struct rte_eth_conf *conf)
{
	p->rss = n_queues > 1 ? p->info.flow_type_rss_offloads & RSS_WANTED : 0;
	words(p->port.way.rss, n_queues > 1 ? rss_words(p->rss) : "none: one queue");
	if (p->rss == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = p->rss;
}

static unsigned queues_choose(struct ethdev_port *p, unsigned wanted)
{
	unsigned n = wanted;

	if (p->info.max_rx_queues != 0 && n > p->info.max_rx_queues)
		n = p->info.max_rx_queues;
	if (p->info.max_tx_queues != 0 && n > p->info.max_tx_queues)
		n = p->info.max_tx_queues;
	snprintf(p->port.way.rings, sizeof(p->port.way.rings), "%s",
		 n < wanted ? "device" : p->pc->queues != 0 ? "settings" : "workers");
	return n;
}

// ---- its start

static int queues_setup(struct ethdev_port *p, unsigned n_queues)
{
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	int err = rte_eth_dev_adjust_nb_rx_tx_desc(p->device, &rx, &tx);
	int node = rte_eth_dev_socket_id(p->device);

	for (unsigned i = 0; i < n_queues && err == 0; i++) {
		err = rte_eth_rx_queue_setup(p->device, (uint16_t)i, rx, (unsigned)node, NULL, p->port.pool);
		if (err == 0)
			err = rte_eth_tx_queue_setup(p->device, (uint16_t)i, tx, (unsigned)node, NULL);
	}
	return err;
}

// -ENOTSUP: the device has no such setting, and carries what fits into our buffers (memif).
static int mtu_choose(struct ethdev_port *p)
{
	uint16_t mtu = p->pc->mtu;
	int err = mtu != 0 ? rte_eth_dev_set_mtu(p->device, mtu) : 0;

	if (mtu != 0)
		p->port.mtu = mtu;
	if (err == -ENOTSUP)
		return 0;
	if (err == 0 && rte_eth_dev_get_mtu(p->device, &mtu) == 0 && mtu < p->port.mtu)
		p->port.mtu = mtu;
	return err;
}

static int device_start(struct ethdev_port *p, unsigned n_queues)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_ether_addr mac;
	int err;

	checksums_choose(p, &conf);
	rss_choose(p, n_queues, &conf);
	err = rte_eth_dev_configure(p->device, (uint16_t)n_queues, (uint16_t)n_queues, &conf);
	if (err == 0)
		err = mtu_choose(p);
	if (err == 0)
		err = queues_setup(p, n_queues);
	if (err == 0)
		err = rte_eth_dev_start(p->device);
	if (err < 0)
		return err;
	p->started = true;
	if (p->pc->driver == DP_DRIVER_PCI)
		(void)rte_eth_allmulticast_enable(p->device); // neighbour discovery; what knows no groups takes all
	err = rte_eth_macaddr_get(p->device, &mac);
	if (err == 0 && (p->port.ifindex == 0 || p->pc->driver == DP_DRIVER_PCI))
		memcpy(p->port.mac, mac.addr_bytes, sizeof(p->port.mac));
	return err;
}

// What Linux gets, and by which way.
static int linux_join(struct ethdev_port *p, const struct dp_config *config, char why[256])
{
	struct dp_port_way *way = &p->port.way;
	int n;

	switch (p->pc->driver) {
	case DP_DRIVER_PCI:
		snprintf(way->linux_by, sizeof(way->linux_by), "TAP %s", p->port.name);
		return exception_open(&p->port.exception, &p->port, why);
	case DP_DRIVER_BIFURCATED:
		n = flow_rules_install(p->device, config, p->port.index, p->port.mac, p->port.n_queues, p->rss,
				       p->info.driver_name, why);
		snprintf(way->linux_by, sizeof(way->linux_by), "the NIC: %d rules of rte_flow are ours", n);
		return n < 0 ? n : 0;
	case DP_DRIVER_AF_PACKET:
		words(way->linux_by, "Linux sees every frame as well");
		return 0;
	default:
		words(way->linux_by, "nothing");
		return 0;
	}
}

// ---- the port

static void ethdev_port_sample(struct dp_port *port, struct dp_port_record *record)
{
	struct ethdev_port *p = (struct ethdev_port *)port;
	struct rte_eth_link link = { 0 };
	struct rte_eth_stats stats;

	if (rte_eth_stats_get(p->device, &stats) == 0) {
		dp_record_set(&record->missed, stats.imissed);
		dp_record_set(&record->pool_empty, stats.rx_nombuf);
	}
	if (p->pc->driver == DP_DRIVER_BIFURCATED || p->pc->driver == DP_DRIVER_AF_PACKET)
		return; // Linux tells of these
	if (rte_eth_link_get_nowait(p->device, &link) == 0)
		dp_port_link(port, record, link.link_status == RTE_ETH_LINK_UP);
}

static void ethdev_port_close(struct dp_port *port)
{
	struct ethdev_port *p = (struct ethdev_port *)port;

	exception_close(port->exception);
	if (p->started)
		rte_eth_dev_stop(p->device);
	if (p->vdev)
		rte_vdev_uninit(p->device_name);
	else if (p->probed)
		rte_eth_dev_close(p->device);
	free(p);
}

static void queues_fill(struct ethdev_port *p, unsigned n_queues)
{
	for (unsigned i = 0; i < n_queues; i++) {
		p->queues[i] = (struct ethdev_queue){
			.queue = { .ops = &ethdev_ops, .port = &p->port, .id = (uint16_t)i, .fd = -1 },
			.device = p->device,
		};
		p->port.queues[p->port.n_queues++] = &p->queues[i].queue;
	}
}

int ethdev_port_open(struct dp_port **portp, const struct dp_config *config, unsigned index,
		     struct rte_mempool *pool, char why[256])
{
	const struct dp_port_config *pc = &config->ports[index];
	struct ethdev_port *p = calloc(1, sizeof(*p));
	unsigned n_queues;
	int err;

	if (p == NULL)
		return -ENOMEM;
	p->pc = pc;
	p->port.close = ethdev_port_close;
	p->port.sample = ethdev_port_sample;
	p->port.index = (uint8_t)index;
	p->port.pool = pool;
	p->port.mtu = 1500;
	snprintf(p->port.name, sizeof(p->port.name), "%s", pc->name);
	(void)interface_look(&p->port, pc->name); // null and memif have no kernel interface
	err = device_probe(p, dp_port_queues(config, index), why);
	if (err < 0)
		goto out;
	snprintf(p->port.way.driver, sizeof(p->port.way.driver), "%s", p->info.driver_name);
	n_queues = queues_choose(p, dp_port_queues(config, index));
	if (pc->driver == DP_DRIVER_BIFURCATED)
		err = flow_isolate(p->device, pc->name, p->info.driver_name, why);
	if (err < 0)
		goto out;
	err = device_start(p, n_queues);
	if (err < 0) {
		snprintf(why, 256, "port %s: %u queues cannot be started: %s", pc->name, n_queues, strerror(-err));
		goto out;
	}
	queues_fill(p, n_queues);
	err = linux_join(p, config, why);
	if (err < 0)
		goto out;
	*portp = &p->port;
	p = NULL;
out:
	if (p != NULL)
		ethdev_port_close(&p->port);
	return err;
}
