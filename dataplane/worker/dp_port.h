// SPDX-License-Identifier: GPL-3.0-or-later
// dp_port.h - an interface that carries media, whatever drives it. Opened by the relay's main thread; each queue then
// belongs to one worker.
#pragma once
#include "dataplane/dp_config.h"
#include <stdatomic.h>

struct rte_mbuf;
struct rte_mempool;
struct dp_queue;

struct dp_queue_ops {
	// Neither blocks. rx: whole frames, contiguous, port and hops set, `n` at most. tx: takes what fits and says
	// how many; the rest stays the caller's.
	uint16_t (*rx)(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n);
	uint16_t (*tx)(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n);
	bool (*settle)(struct dp_queue *q); // before rest; false: frames still wait for the device, come back soon
};

struct dp_queue {
	const struct dp_queue_ops *ops;
	struct dp_port *port;
	uint16_t id;
	int fd; // readable when there may be packets; -1: must be polled
};

#define DP_QUEUES_MAX 64

// Who makes the UDP checksum of what we send (the IPv4 header's is always made in software: 20 octets).
enum dp_checksum {
	DP_CHECKSUM_SOFTWARE = 0,
	DP_CHECKSUM_OFFLOAD, // the device: whoever writes the frame puts the pseudo header's sum into the UDP header
			     // and sets TX_UDP_CKSUM, TX_IPV4 or TX_IPV6, l2_len and l3_len
	DP_CHECKSUM_ZERO,    // none with IPv4 (RFC 768); IPv6 must have one (RFC 8200 8.1): in software
};

struct dp_port {
	char name[DP_NAME_MAX];
	uint8_t index;
	uint8_t mac[6];
	uint16_t mtu;
	int ifindex; // 0: no kernel interface
	bool loopback;
	uint8_t tx_checksum; // enum dp_checksum
	uint16_t n_queues;
	struct dp_queue *queues[DP_QUEUES_MAX];
	void (*close)(struct dp_port *port);
};

// `map_fd`: the port's XSKMAP, AF_XDP only. `copy`: no zero-copy; ports that share packet memory must all agree, so
// one that cannot do it takes it from all. `why` (256 bytes) gets a sentence for the operator on error.
int dp_port_open(struct dp_port **portp, const struct dp_config *config, unsigned index, int map_fd,
		 bool copy, struct rte_mempool *pool, char why[256]);
void dp_port_close(struct dp_port *port); // NULL is fine

int xsk_port_open(struct dp_port **portp, const struct dp_port_config *pc, unsigned index, int map_fd,
		  bool copy, struct rte_mempool *pool, char why[256]);
int ethdev_port_open(struct dp_port **portp, const struct dp_port_config *pc, unsigned index, unsigned n_queues,
		     struct rte_mempool *pool, char why[256]);
int interface_look(struct dp_port *port, const char *name); // ifindex, MAC, MTU of a kernel interface
