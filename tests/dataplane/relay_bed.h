// SPDX-License-Identifier: GPL-3.0-or-later
// relay_bed.h - a relay of its own in namespaces, for tests that play control and both peers.
//
//   peer A (access) 10.77.1.2, fd77:1::2 --- acc [ gateway ] cor --- 10.77.2.2, fd77:2::2 peer B (core)
//
// The test's process moves into the gateway's namespace; sockets of the peers are made in theirs.
#pragma once
#include "base/clock.h"
#include "dataplane/client/dp_client.h"
#include "dataplane/dp_record.h"
#include "dataplane/steering/steering.h"
#include <sys/types.h>

#define BED_EVENTS 4096
#define BED_PUNTS 1024

struct bed_punt {
	struct dp_punt punt;
	uint8_t bytes[2048];
};

enum bed_ns { BED_A, BED_B, BED_GW, BED_NS };

struct bed {
	struct dp_config config;
	bool huge; // the region lies on hugepages, if there are some
	struct region region;
	struct steering *steering;
	struct dp_client *dp;
	struct dp_map map;
	struct byte_ring commands[DP_WORKERS_MAX];
	int relay_event, control_event, supervisor;
	pid_t relay;
	int ns[BED_NS];
	char ns_name[BED_NS][32];
	struct dp_event events[BED_EVENTS];
	unsigned n_events;
	struct bed_punt punts[BED_PUNTS];
	unsigned n_punts;
	char log[64]; // file that the relay's log goes to; "": standard error
};

extern const char *bed_relay_path; // of sallyport-relay

// The usual: both interfaces by AF_XDP, IPv4 and IPv6. The environment's SALLYPORT_CRYPTO_DEVICE: SRTP by that one.
void bed_config(struct dp_config *config);
void bed_networks(struct bed *bed);                   // namespaces and links
void bed_start(struct bed *bed);                      // region, steering, relay, client
void bed_relay_start(struct bed *bed);
bool bed_relay_try(struct bed *bed); // false: it did not start; its log says why
void bed_relay_kill(struct bed *bed, int signal);
void bed_stop(struct bed *bed);
// Dispatches for so long, and on until the relay has acted upon what it was told.
void bed_pump(struct bed *bed, unsigned ms);
bool bed_event(struct bed *bed, enum dp_event_kind kind, unsigned ms,
	       struct dp_event *event);                        // waits for one, takes it
const struct bed_punt *bed_punt(struct bed *bed, unsigned ms); // waits for the next

int bed_socket(struct bed *bed, enum bed_ns ns, const char *address, uint16_t port);
struct inet_endpoint bed_endpoint(const char *address, uint16_t port);
void bed_send(int fd, const struct inet_endpoint *to, const void *bytes, size_t len);
ssize_t bed_receive(int fd, void *bytes, size_t size, unsigned ms, struct inet_endpoint *from); // -EAGAIN: nothing came
void bed_run(const char *format, ...) __attribute__((format(printf, 1, 2))); // a command that must succeed
// Waits for a line of the relay's log that has all of the words, up to NULL; the newest such line, "" if none came.
const char *bed_log_line(struct bed *bed, unsigned ms, const char *word, ...) __attribute__((sentinel));
size_t bed_rtp(uint8_t *dst, uint32_t ssrc, uint16_t seq, size_t payload);
// Published, with security and path; remote NULL: none yet.
struct dp_ref bed_transport(struct bed *bed, unsigned network, const char *local, uint16_t port, enum dp_mode mode,
			    enum dp_security security, const struct inet_endpoint *remote);
void bed_join(struct bed *bed, struct dp_ref a, struct dp_ref b); // an open edge each way
uint64_t bed_drops(struct bed *bed, struct dp_ref ref, enum relay_drop drop);
