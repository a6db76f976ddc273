// SPDX-License-Identifier: GPL-3.0-or-later
// relay_alone.h - one worker of the relay without threads or devices: the test hands it frames and looks at what
// leaves; or some workers, whose rounds the test has in hand. Two ports and networks; addresses 192.0.N.1 and
// 2001:db8:N::1, ports 16384 to 16400. One in a process: DPDK's memory.
#pragma once
#include "dataplane/worker/relay.h"

#define ALONE_FRAMES 512
#define ALONE_WORKERS 3
#define ALONE_QUEUED 2048
#define ALONE_LONGEST 4400 // octets of a frame

struct alone_to { // of a frame to be made: from 198.51.100.source_last to the media address of a network
	unsigned network;
	uint16_t source_port, port, vlan;
	uint8_t source_last;
};

struct alone_frame {
	unsigned port, queue;
	uint16_t len;
	uint8_t bytes[ALONE_LONGEST];
};

struct alone_queue {
	struct dp_queue queue; // first
	struct rte_mbuf *frames[ALONE_QUEUED]; // that wait to be received: a ring
	unsigned head, n;
};

struct relay_alone {
	struct relay relay;
	struct relay_worker *worker; // the first
	unsigned n_workers;
	struct dp_client *client;
	struct dp_port ports[2];
	struct alone_queue queues[2][ALONE_WORKERS]; // of each port
	struct alone_frame sent[ALONE_FRAMES]; // the newest ones
	unsigned n_sent, n_punts, n_events;
	struct dp_punt last_punt; // payload is not kept
	void (*punted)(const struct dp_punt *punt); // NULL: nothing is done about them
	void (*traced)(const struct dp_traced *packet); // of dp_client_traces()
	struct dp_event last_event;
	unsigned events[16]; // of each kind
};

struct relay_alone *relay_alone_open(uint16_t vlan_of_second); // network 1 is this VLAN of port 1; 0: untagged
struct relay_alone *relay_alone_open_workers(unsigned n_workers);
struct relay_alone *relay_alone_open_long(uint16_t vlan_of_second, uint16_t mtu); // of both ports
void relay_alone_close(struct relay_alone *ra);
void relay_alone_commands(struct relay_alone *ra); // carries out what the client said
// Published, with security and path, its next hop known.
struct dp_ref relay_alone_leg(struct relay_alone *ra, unsigned network, const char *local, uint16_t port,
			      const char *remote, enum dp_security security, enum dp_mode mode);
void relay_alone_frame(struct relay_alone *ra, unsigned port, const void *bytes, size_t len);
size_t relay_alone_frame_make(uint8_t *frame, const struct alone_to *to, const void *payload, size_t len);
void relay_alone_datagram(struct relay_alone *ra, const struct alone_to *to, const void *payload, size_t len);
void relay_alone_put(struct relay_alone *ra, unsigned port, unsigned queue, const void *bytes, size_t len); // to come
void relay_alone_round(struct relay_alone *ra, unsigned worker);
void relay_alone_reopen(struct relay_alone *ra); // other workers take up what the records say
uint32_t relay_alone_free_streams(const struct relay_alone *ra);
uint64_t relay_alone_ended(const struct relay_alone *ra); // packets that were sent, dropped, punted or ignored so far
