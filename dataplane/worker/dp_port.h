// SPDX-License-Identifier: GPL-3.0-or-later
// dp_port.h - an interface that carries media, whatever drives it. Opened by the relay's main thread; each queue then
// belongs to one worker.
#pragma once
#include "dataplane/dp_config.h"
#include "dataplane/dp_record.h"
#include <stdatomic.h>

struct dp_exception;
struct dp_queue;
struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

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
	struct rte_ring *outbox; // frames of others that its worker sends by it; NULL: there are no others
};

#define DP_QUEUES_MAX 64

// Who makes the UDP checksum of what we send (the IPv4 header's is always made in software: 20 octets).
enum dp_checksum {
	DP_CHECKSUM_SOFTWARE = 0,
	DP_CHECKSUM_OFFLOAD, // the device: whoever writes the frame puts the pseudo header's sum into the UDP header
			     // and sets TX_UDP_CKSUM, TX_IPV4 or TX_IPV6, l2_len and l3_len
	DP_CHECKSUM_ZERO,    // none with IPv4 (RFC 768); IPv6 must have one (RFC 8200 8.1): in software
};

#define DP_PORT_WORDS 96

struct dp_port_way { // which of the possible ways is used, and why: for the line that each port gets at the start
	char driver[32];
	char xdp[16];       // native, generic; "": not AF_XDP
	bool zero_copy;
	char zero_copy_why[DP_PORT_WORDS];
	char rings[16];     // "interface" or "settings": who says how many queues there are
	uint16_t busy_poll; // packets a poll; 0: off
	char busy_poll_why[DP_PORT_WORDS];
	char tx_checksum_why[DP_PORT_WORDS];
	char rx_checksum[DP_PORT_WORDS]; // what the device verifies
	char rss[DP_PORT_WORDS];
	char linux_by[DP_PORT_WORDS];    // how Linux gets what is not ours
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
	struct rte_mempool *pool;       // what it receives to
	struct dp_exception *exception; // of a NIC that Linux does not have; NULL: none
	struct dp_port_way way;
	bool link_known, link; // as it was told last
	void (*sample)(struct dp_port *port, struct dp_port_record *record); // main thread, about once a second
	void (*close)(struct dp_port *port);
};

// `map_fd`: the port's XSKMAP, AF_XDP only. `why` (256 bytes) gets a sentence for the operator on error.
int dp_port_open(struct dp_port **portp, const struct dp_config *config, unsigned index, int map_fd,
		 struct rte_mempool *pool, char why[256]);
void dp_port_close(struct dp_port *port); // NULL is fine
unsigned dp_port_queues(const struct dp_config *config, unsigned index); // that it will have, at most
void dp_port_say(const struct dp_port *port); // the line at the start
// The thread that knows: a change is logged and counted, and the TAP gets the carrier that the NIC has.
void dp_port_link(struct dp_port *port, struct dp_port_record *record, bool up);
void dp_port_sample(struct dp_port *port, struct dp_port_record *record);

int xsk_port_open(struct dp_port **portp, const struct dp_port_config *pc, unsigned index, int map_fd,
		  struct rte_mempool *pool, char why[256]);
unsigned xsk_rx_queues(const char *name); // that the interface receives by
int ethdev_port_open(struct dp_port **portp, const struct dp_config *config, unsigned index,
		     struct rte_mempool *pool, char why[256]);
// Whether the port is a device on the PCI bus, and its address there; of a bifurcated one Linux knows it by the
// interface.
bool ethdev_device(const struct dp_port_config *pc, char device[64]);
int interface_look(struct dp_port *port, const char *name); // ifindex, MAC, MTU of a kernel interface
