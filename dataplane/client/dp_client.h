// SPDX-License-Identifier: GPL-3.0-or-later
// dp_client.h - control's side of the packet path. One dp_client, used by one media thread (the only caller).
//
// Verbs never block and never fail for room: what does not fit the command ring waits in order inside the client and is
// sent when the relay has read on. Objects are named by index and generation; a late reply to an old generation is
// ignored. The records that the relay keeps (dataplane/dp_record.h) are the state; after a restart of control they tell
// what is there (dp_client_walk()). After a restart of the relay nothing has to be sent again.
#pragma once
#include "base/clock.h"
#include "base/inet.h"
#include "dataplane/drops.h"
#include "dataplane/srtp_suite.h"
#include <stdbool.h>

struct dp_client;

struct dp_ref { // names a transport; generation 0 names nothing
	uint32_t index;
	uint32_t generation;
};

// What one local media port is. Immutable while published. Several transports of one session may have the same port, each
// with a peer of its own: a datagram is for the one whose path's remote it comes from, else for the newest.
// RTP: RFC 7983 demultiplexing, payload types 64 to 95 are RTCP (RFC 5761) and punted, whether RTCP is expected there
// or not. RTCP: all but STUN and DTLS is RTCP.
enum dp_mode { DP_MODE_RTP = 1, DP_MODE_RTCP };
enum dp_security { DP_PLAIN = 1, DP_SRTP };         // SRTP: nothing plain enters or leaves, keyed or not

struct dp_transport_conf {
	uint16_t network;           // index of dp_config.networks[]
	uint16_t worker;            // all transports of a session name the same one
	struct inet_endpoint local; // a media address of that network, and the port
	enum dp_mode mode;
	uint32_t session;           // for reading back: media session number
	uint32_t owner_tag;         // free for the caller; read back by dp_client_walk()
};

// Where a transport sends, and from where it expects. remote.family none: nowhere yet. Here and below, truths that workers read
// from shared memory are octets: the compiler may take for granted that a bool is 0 or 1, and a damaged record's is not.
struct dp_path {
	struct inet_endpoint remote;
	uint16_t mtu; // IP packet size; 0 = the interface's
	uint8_t dscp; // 0..63
	uint8_t learn; // 0 or 1: report other sources (DP_EVENT_SOURCE); what the media thread does about it is its affair
	uint32_t learn_from; // of those, only an address with this inet_addr_hash(); 0: any. A flood hides nobody then
};

enum dp_direction { DP_RX, DP_TX };

struct dp_keys {
	enum dp_direction direction;
	uint32_t epoch;            // grows with every new key of this transport and direction; same epoch again: no-op
	struct srtp_master master; // wiped by the caller after the call
	uint32_t roc;              // initial roll-over counter
	uint64_t lifetime;         // packets; 0 = the suite's limit
	struct srtp_mki mki;       // TX: sent in each packet; RX: each packet carries it, and the key is chosen by it
	uint8_t apart;             // TX: 1: another transport has the key, too. Nothing leaves here under an SSRC that came in
};

// RTP header extensions (RFC 8285) of one transport. All zero, as at the start: everything passes as it is.
enum dp_extension_mode { DP_EXTENSION_PASS = 0, DP_EXTENSION_STRIP, DP_EXTENSION_FILTER };

struct dp_extensions {
	enum dp_extension_mode mode; // of what comes in here and goes on
	uint8_t allowed[32];         // FILTER: bitmap of ids, id n is bit n % 8 of octet n / 8; others become padding
	uint8_t encrypted[32];       // RFC 6904: bitmap of ids that are encrypted on this leg, in both directions
	uint8_t cryptex;             // RFC 9335 was negotiated: sent so, and accepted so
};

// Copies of what a transport receives and sends. HEADERS: of RTP no more than its header; of what is none of RTP, RTCP, DTLS and STUN
// nothing of the payload.
enum dp_trace { DP_TRACE_NONE = 0, DP_TRACE_HEADERS, DP_TRACE_ALL };

struct dp_traced { // a packet of a traced transport; bytes valid during the callback
	struct dp_ref transport;
	mono_ns time;
	bool out;          // it was sent; else it came, and is as it came
	const uint8_t *bytes; // from the IP header on, perhaps cut
	size_t len, original;
};

#define DP_EDGES_MAX 8
struct dp_edge { // RTP that enters a transport leaves by `to`
	struct dp_ref to;
	uint8_t open; // gate: 0, closed, drops GATE, counted
};

enum dp_punt_kind { DP_PUNT_STUN = 1, DP_PUNT_DTLS, DP_PUNT_RTCP };

struct dp_return { // the way by which a datagram came in, on its transport's own network
	uint8_t known; // 0: from this host itself, or by another interface
	uint8_t mac[6];
};

struct dp_punt { // a datagram that is not the workers' business; payload valid during the callback
	struct dp_ref transport;
	enum dp_punt_kind kind;
	bool proven; // its source is the path's remote
	uint16_t mtu; // DTLS: of the way back, in octets of IP, as far as this host knows; 0: not known
	struct inet_endpoint source;
	struct dp_return back;
	const uint8_t *payload;
	size_t len;
};

enum dp_event_kind {
	DP_EVENT_SOURCE = 1, // a packet from a source that is not the path's remote: authenticated and newest (SRTP) or
			     // learn (plain); once in 50 ms for a transport
	DP_EVENT_REMOVED,     // the grace period is over; the index may be used again
	DP_EVENT_UNREACHABLE, // no route or neighbour for the path's remote, -EADDRNOTAVAIL: our own address is not on this host;
			      // cause is a negative errno. Once for each path and cause
	DP_EVENT_REACHABLE,   // there is a way again, for a transport that was told of as unreachable
	DP_EVENT_RELAY_BACK,  // the relay was started anew and has taken up the records; gap since it was last alive
	DP_EVENT_EPOCH,       // the first packet under the newest receive epoch was authenticated: once an epoch
	DP_EVENT_KEY_REFUSED, // that epoch's key was in use here before, and another since: not taken
	DP_EVENT_MOVED,       // the transport is that worker's now (dp_session_move())
};

struct dp_event {
	enum dp_event_kind kind;
	struct dp_ref transport;
	struct inet_endpoint source; // SOURCE
	uint32_t ssrc;               // SOURCE
	uint64_t srtp_index;         // SOURCE, authenticated: the newest so far
	bool authenticated;          // SOURCE
	int cause;                   // UNREACHABLE
	uint32_t epoch;              // EPOCH, KEY_REFUSED
	enum dp_direction direction; // KEY_REFUSED
	mono_ns gap;                 // RELAY_BACK
	uint16_t worker;             // MOVED
};

struct dp_callbacks {
	void (*punt)(void *ctx, const struct dp_punt *punt);
	void (*event)(void *ctx, const struct dp_event *event);
	void (*traced)(void *ctx, const struct dp_traced *packet); // from dp_client_traces(); NULL: nothing is traced
	void *ctx;
};

struct dp_stats { // of one transport; since it was published
	uint64_t rx_packets, rx_octets; // accepted RTP (after the tag); octets of payload
	uint64_t tx_packets, tx_octets; // sent RTP
	uint64_t lost;                  // RFC 3550 A.3, over the transport's streams, never below 0
	uint32_t jitter_us;             // RFC 3550 A.8 of the newest stream, with the clock rate assumed from its pace
	uint32_t clock_hz;              // of the newest stream, as assumed for its jitter; 0: not known
	uint32_t rx_ssrc, tx_ssrc;      // newest
	mono_ns last_rx, last_tx;       // 0: never
	uint64_t drops[RELAY_DROP_COUNT];
};

// fd numbers are inherited from the supervisor: the media region, the eventfd that wakes the relay, and ours.
int dp_client_open(struct dp_client **dpp, int region_fd, int relay_eventfd, int our_eventfd,
		   const struct dp_callbacks *callbacks);
void dp_client_close(struct dp_client *dp);
int dp_client_fd(const struct dp_client *dp);    // readable: call _dispatch()
void dp_client_dispatch(struct dp_client *dp);   // callbacks from here only; bounded work a call, unproven punts last

void dp_client_traces(struct dp_client *dp); // takes what the trace rings have: some milliseconds apart, while one is traced
unsigned dp_client_tracing(const struct dp_client *dp); // transports that are traced

int dp_transport_alloc(struct dp_client *dp, struct dp_ref *ref); // a free index, new generation; -ENOSPC
void dp_transport_publish(struct dp_client *dp, struct dp_ref ref, const struct dp_transport_conf *conf);
// Before any edge. Security only rises: a transport that was DP_SRTP never becomes DP_PLAIN; take another port for
// that.
void dp_transport_secure(struct dp_client *dp, struct dp_ref ref, enum dp_security security);
void dp_transport_path(struct dp_client *dp, struct dp_ref ref, const struct dp_path *path);
// Receiving, the newest key and the one before it are good until _retire(); sending, the newest alone. The same master
// key under a new epoch keeps its roll-over counters and windows; one that was left before does not come back
// (DP_EVENT_KEY_REFUSED).
void dp_transport_keys(struct dp_client *dp, struct dp_ref ref, const struct dp_keys *keys);
void dp_transport_retire(struct dp_client *dp, struct dp_ref ref, enum dp_direction dir, uint32_t below_epoch);
void dp_transport_edges(struct dp_client *dp, struct dp_ref ref, const struct dp_edge *edges, size_t n); // replaces all
// A secured transport's header extensions; those of a plain one are never encrypted. Replaces what was said before.
void dp_transport_extensions(struct dp_client *dp, struct dp_ref ref, const struct dp_extensions *extensions);
void dp_transport_trace(struct dp_client *dp, struct dp_ref ref, enum dp_trace trace); // until it is removed
// Keys wiped; DP_EVENT_REMOVED follows, also for one that was allocated and never published.
void dp_transport_remove(struct dp_client *dp, struct dp_ref ref);
// Sends one datagram of at most 2048 octets from the transport's local endpoint to `to` (DTLS flights, RTCP, STUN). May
// be lost. While the neighbour is asked for it waits, half a second at most.
void dp_transport_send(struct dp_client *dp, struct dp_ref ref, const struct inet_endpoint *to, const void *bytes,
		       size_t len);
// Answers the datagram that is just being punted, once, during the callback; a second answer is not sent. If no next hop is
// known for its source it goes back the way it came, and nobody is asked: a flood of hellos from addresses of nobody
// costs the host no neighbours. Addresses that are proven are dp_transport_send()'s.
void dp_transport_answer(struct dp_client *dp, const struct dp_punt *punt, const void *bytes, size_t len);
// MTU of the way to an address as this host's routes and what it has learnt have it, without a neighbour's being asked
// for; 0: not known. Some system calls.
uint16_t dp_transport_way_mtu(const struct dp_client *dp, struct dp_ref ref, const struct inet_endpoint *to);
int dp_transport_stats(const struct dp_client *dp, struct dp_ref ref, struct dp_stats *stats); // -ENOENT

// All transports of a session go to another worker, together, while media goes on: nothing is lost, doubled or overtaken.
// DP_EVENT_MOVED follows for each; what is said about one before that reaches its new worker, in order. Transports that
// are published meanwhile name the new worker. -EINVAL: not all are published and on one worker, or more than 256;
// -EBUSY: one is moving or being removed. On that worker already: 0, and nothing follows.
int dp_session_move(struct dp_client *dp, const struct dp_ref *refs, size_t n, uint16_t worker);

// The worker for a new session: where its transports will be the smallest share of a worker's time, as far as the last
// second tells; among equals where fewest are.
uint16_t dp_worker_choose(struct dp_client *dp);

struct dp_worker_stats { // since the region was made
	uint64_t rx_packets, tx_packets, commands;
	uint64_t handed_out, handed_in; // packets that the network card gave to another worker than their transport's
	uint64_t held;                  // of those that came: waited for their transport, which was moving
	uint64_t moved_out, moved_in;   // transports
	mono_ns busy, idle;             // time with something to do, and without; rest included
	uint64_t drops[RELAY_DROP_COUNT];
};
int dp_worker_stats(const struct dp_client *dp, unsigned worker, struct dp_worker_stats *stats); // -ENOENT; from any thread

struct dp_port_stats { // of dp_config.ports[]; the relay looks about once a second
	bool up;                       // the device has a link
	uint64_t changes;              // of that
	uint64_t pool_size, pool_free; // packets of the memory that it receives to
	uint64_t pool_empty;           // times that a queue found none free
	uint64_t missed;               // frames that came and found no room
	uint64_t to_linux, from_linux; // of a NIC that is all ours, by its TAP
	uint64_t to_linux_lost, from_linux_lost; // did not fit, or the TAP was down
};
int dp_port_stats(const struct dp_client *dp, unsigned port, struct dp_port_stats *stats); // -ENOENT; from any thread

// Where a source began anew, or two have one SSRC, packets leave a secured transport under an SSRC of the relay's: no
// index under the live key is used twice. Writes those that differ, now; returns how many, at most max.
struct dp_ssrc_map {
	uint32_t in, out;
};
size_t dp_transport_ssrc_maps(const struct dp_client *dp, struct dp_ref out_transport, struct dp_ssrc_map *maps,
			      size_t max);

// How full the relay's bounded pools are, all workers together. RX_SSRCS, TX_SSRCS: room for the second and further
// SSRCs of a transport. From any thread.
enum dp_pool { DP_POOL_KEYS_CM, DP_POOL_KEYS_GCM, DP_POOL_STREAMS, DP_POOL_RX_SSRCS, DP_POOL_TX_SSRCS, DP_POOLS };

struct dp_pool_fill {
	const char *name; // "keys_cm" and so on
	uint32_t used, max;
	uint64_t refused; // times that none was left
};
struct dp_pool_fill dp_client_pool(const struct dp_client *dp, enum dp_pool pool);

// How full the rings between control and one worker are, in octets, as two processes see it now. From any thread.
enum dp_ring { DP_RING_COMMANDS, DP_RING_PUNTS_RTCP, DP_RING_PUNTS_PROVEN, DP_RING_PUNTS_UNPROVEN, DP_RING_EVENTS, DP_RING_TRACES, DP_RINGS };

struct dp_ring_fill {
	const char *name; // "commands" and so on
	uint64_t used, size;
	uint64_t refused; // messages that did not fit
};
int dp_client_ring(const struct dp_client *dp, unsigned worker, enum dp_ring ring, struct dp_ring_fill *fill); // -ENOENT

// Bit n: the host does not have dp_config.addresses[n] now. From any thread.
uint64_t dp_client_absent(const struct dp_client *dp);

// Calls back for every published transport found in the records (after a restart of control).
struct dp_found {
	struct dp_ref transport;
	struct dp_transport_conf conf;
	enum dp_security security;
	struct dp_path path;
	uint32_t rx_epoch, tx_epoch; // newest; 0 none
	bool rx_heard;               // a packet under rx_epoch was authenticated (DP_EVENT_EPOCH was said)
	struct dp_edge edges[DP_EDGES_MAX];
	uint8_t n_edges;
};
void dp_client_walk(struct dp_client *dp, void (*found)(void *ctx, const struct dp_found *f), void *ctx);
