// SPDX-License-Identifier: GPL-3.0-or-later
// dp_record.h - the media region: what the relay and control share, and all that the relay needs to go on after a
// crash.
//
// The supervisor makes and formats it (dp_region_size(), dp_region_format()); relay and control map it (dp_map_open()).
// No pointers inside: references are index and generation. Who writes what:
//   header        supervisor at format; `relay_*` fields the relay, `control_boot` control
//   command rings control -> one worker each. The relay acts, then moves on: a command that a crash interrupts is
//                 applied again, so all of them are idempotent.
//   punt rings    one worker -> control, three classes each; event rings: workers and the keeper -> control;
//   trace rings: copies of packets, one worker -> control
//   transports, keys, streams, chunks: the relay alone. Each belongs to one worker; control reads without locks
#pragma once
#include "base/byte_ring.h"
#include "base/region.h"
#include "dataplane/client/dp_client.h"
#include "dataplane/dp_config.h"
#include "dataplane/worker/srtp/srtp_record.h"
#include <stdalign.h>
#include <stdatomic.h>

#define DP_REGION_MAGIC UINT64_C(0x53414c4c59504f52)
#define DP_REGION_VERSION 8
#define DP_LINE 64

#define DP_RX_EPOCHS 2 // the newest, and the one before it during the overlap of a key change
#define DP_RX_SSRCS 16 // the first in the transport, further ones in a chunk
#define DP_TX_SSRCS 32
#define DP_TX_CARRIED 24 // of these: sent as they came. Under a live key none is forgotten: its indices were used
#define DP_KEYS_LEFT 16  // of each direction: what a transport remembers of keys that it had before
#define DP_NONE UINT32_MAX
#define DP_COMING 0x8000 // with a transport's worker: the one before has given it up, this one has not taken it yet
#define DP_USED (UINT32_MAX - 1) // instead of a stream: the SSRC was used under this key and is used no more

enum dp_punt_class { DP_CLASS_RTCP, DP_CLASS_PROVEN, DP_CLASS_UNPROVEN, DP_CLASSES };

// Which part of a datagram's way a transport is in. REMOVING: nothing is left but the event that says so.
enum dp_transport_state { DP_STATE_FREE = 0, DP_STATE_PUBLISHED, DP_STATE_REMOVING };

// Of one transport, what is in none of its streams. Drops by reason; the rest is of streams that were forgotten.
struct dp_counters { // worker: wo (relaxed), control: ro
	uint64_t packets_before, octets_before, lost_before;
	mono_ns last_before;
	uint32_t ssrc_before;
	uint32_t zero;
	uint64_t drops[RELAY_DROP_COUNT];
};

struct dp_epoch { // of a key
	uint32_t epoch;
	uint32_t roc; // streams of this key begin with it
};

struct dp_ssrc_slot {
	uint32_t ssrc;
	uint32_t stream; // index of streams[], DP_NONE: empty
};

// Of a source that is sent: who it is, and under which SSRC. `out` of a source that began anew, or has an SSRC that
// another uses, is one of the relay's own (map_base); its slot may be given to another, since such an SSRC never comes
// back. `out` of any other is `ssrc`, and the slot remembers it as long as the key lives.
struct dp_tx_slot {
	uint32_t ssrc;   // as it came in
	uint32_t stream; // index of streams[], DP_NONE: empty, DP_USED: nobody's any more
	uint32_t from;   // index of the transport that it comes in by
	uint32_t out;
};

// Sequence numbers that were sent before, one after the other: a source that began anew (RFC 3550 A.1)?
struct dp_restart {
	uint32_t stream;  // DP_NONE: none
	uint16_t seq;     // newest of them
	uint16_t run;     // how many
	uint64_t highest; // of the stream: one that goes on meanwhile has not begun anew
	mono_ns since;
};
#define DP_RESTARTS 4 // sources at once

// What few transports need done with their packets: one octet that tells of the usual that there is nothing.
#define DP_WORK_CHOOSE 1  // not all header extensions that come in go on
#define DP_WORK_ENCRYPT 2 // RFC 6904
#define DP_WORK_CRYPTEX 4
#define DP_WORK_HEADER (DP_WORK_ENCRYPT | DP_WORK_CRYPTEX)
#define DP_WORK_EPOCH 8 // DP_EVENT_EPOCH is owed for the newest receive key
#define DP_WORK_TRACE 16 // copies go to the trace ring
#define DP_WORK_TRACE_ALL 32 // whole, not the header of RTP alone

// A receive key and the SSRC that it was heard of first.
struct dp_rx {
	uint32_t key; // index of a key, DP_NONE: none
	struct dp_ssrc_slot first;
};

// What each packet needs that leaves by a transport: one line.
struct dp_out {
	uint32_t generation; // derived; 0: nothing leaves here
	uint16_t worker;     // derived
	uint8_t security;    // derived
	uint8_t dscp;        // derived, of the path
	uint32_t key;        // index of a key, DP_NONE: none
	uint32_t path_serial; // grows with each path; what the keeper resolved carries it
	struct dp_tx_slot first;
	uint64_t packets, octets; // worker: wo (relaxed), control: ro
	mono_ns last;
	uint32_t ssrc; // newest
	uint16_t mtu;  // derived, of the path; 0: the way's
	uint8_t work;  // derived
	uint8_t zero;
};

// One local media port. Immutable: changed by commands only, `sequence` odd meanwhile. The rest is the worker's alone.
//
// What each packet needs that comes in lies in the first line; what one needs that goes out, in the second. Some of it
// stands further down as well, as it was said: those fields (`derived`) are made anew by each command, and by a relay
// that finds them (transport_derive()).
struct dp_transport {
	alignas(DP_LINE) uint32_t generation; // immutable
	uint8_t state;       // enum dp_transport_state
	uint8_t mode;        // enum dp_mode
	uint8_t security;    // enum dp_security; 0: not said yet, no media passes
	uint8_t n_edges;
	uint16_t worker;
	uint8_t work;          // DP_WORK_*
	uint8_t rx_newest;     // which of rx[]; one store changes over
	uint8_t first_open;    // derived, of edges[0]
	uint8_t remote_family; // derived, of path.remote, as the next two
	uint16_t remote_port;
	uint8_t remote[16];
	struct dp_ref first_edge; // derived, of edges[0]
	struct dp_rx rx[DP_RX_EPOCHS];
	alignas(DP_LINE) struct dp_out out;
	alignas(DP_LINE) _Atomic uint32_t sequence;
	uint32_t session, owner_tag;
	uint8_t network;
	struct inet_endpoint local;
	struct dp_path path;
	struct dp_epoch rx_epochs[DP_RX_EPOCHS], tx_epoch;
	uint32_t rx_more[DP_RX_EPOCHS], tx_more; // chunks of further SSRCs; DP_NONE: none
	uint32_t rx_epoch_floor, tx_epoch_floor; // epochs below were retired or replaced and do not come back
	uint32_t retries;                        // with retries_since: rate limit of second and third tag checks
	mono_ns retries_since;
	mono_ns source_reported; // rate limit of DP_EVENT_SOURCE
	uint32_t rank;   // of several with one local port: the highest is asked first, and has what comes from nobody's remote
	uint32_t beside; // derived: index + 1 of the next in rank; 0: none
	struct dp_edge edges[DP_EDGES_MAX];
	struct dp_counters counters;
};

static_assert(offsetof(struct dp_transport, out) == DP_LINE && sizeof(struct dp_out) == DP_LINE &&
		      offsetof(struct dp_transport, sequence) == 2 * DP_LINE, "one line in, one line out");

// Further SSRCs of a transport, from a bounded pool. `stream` DP_NONE: empty.
struct dp_rx_more {
	alignas(DP_LINE) struct dp_ssrc_slot slots[DP_RX_SSRCS - 1];
};

struct dp_tx_more {
	alignas(DP_LINE) struct dp_tx_slot slots[DP_TX_SSRCS - 1];
};

// The rest of a transport, which few packets need: apart, so that what each packet needs lies close. The worker's
// alone.
struct dp_rare {
	alignas(DP_LINE) struct dp_extensions extensions; // immutable
	uint32_t map_base, map_count;       // SSRCs of the relay's own under the live send key: how many there were
	uint32_t map_credit;                // with map_since: rate limit of new ones
	mono_ns map_since;
	uint32_t apart; // 1: another transport sends under the live key as well: all SSRCs are of the relay's own
	struct dp_restart restarts[DP_RESTARTS];
	uint64_t keys_left[2][DP_KEYS_LEFT]; // of each direction: marks of keys that were left, a ring
	uint32_t n_keys_left[2];             // ever
	_Atomic uint16_t heir;               // worker + 1 that it is about to move to; 0: stays
	uint8_t moved;                       // DP_EVENT_MOVED is owed
};

// One SSRC on one transport in one direction, under one key. Reception statistics: RFC 3550 A.1, A.3, A.8. The first
// line counts, the second decides (srtp); a record ends where the configured window does.
struct dp_stream {
	alignas(DP_LINE) uint32_t owner; // transport index; DP_NONE: free
	uint8_t clock;          // of the rates that are known, counted from 1: assumed from the pace; 0: not known yet
	uint8_t zero[3];
	uint64_t received;      // packets, duplicates included
	uint64_t octets;        // of payload
	uint64_t first_index;   // extended sequence number of the first
	uint64_t highest_index; // and the highest so far
	mono_ns last_time;
	uint32_t last_rtp;      // RTP timestamp
	uint32_t jitter_ns16;   // RFC 3550 A.8: 16 times the jitter, in ns
	uint32_t first_rtp;
	uint32_t first_time;    // in units of 2^16 ns: for the pace of the first hours
	struct srtp_stream srtp;
};

static_assert(offsetof(struct dp_stream, srtp) == DP_LINE, "one line counts, one decides");

extern const uint32_t dp_clock_hz[8]; // [dp_stream.clock]; [0] is 0

struct dp_worker_record { // worker: wo (relaxed)
	alignas(DP_LINE) _Atomic uint64_t heartbeat; // mono_ns
	uint64_t rx_packets[DP_PORTS_MAX], tx_packets[DP_PORTS_MAX];
	uint64_t punts[DP_CLASSES];
	uint64_t commands, sleeps, bursts;
	uint64_t crypto_jobs, crypto_failed, crypto_stalled; // of a crypto device: crypto_device.h
	uint64_t ignored; // frames for other addresses, on ports that see them
	uint64_t to_linux_full[DP_PORTS_MAX]; // such frames of a port with a TAP, when it did not keep up
	uint64_t drops[RELAY_DROP_COUNT];
	// Packets that the network card gave to another worker than their transport's: given on, taken; and of those that
	// came, how many had to wait until a transport had moved.
	uint64_t handed_out, handed_in, held;
	uint64_t moved_out, moved_in; // transports
	uint64_t busy, idle;          // ns: rounds of the loop that found something to do, and the rest
};

struct dp_port_record { // the relay's main thread: wo (relaxed), but for the second half
	alignas(DP_LINE) uint64_t up;   // the device has a link
	uint64_t changes;               // of that
	uint64_t pool_size, pool_free;  // packets of the memory that it receives to
	uint64_t pool_empty;            // times that a queue found none free
	uint64_t missed;                // frames that came and found no room: we were too slow, or memory was out
	alignas(DP_LINE) uint64_t to_linux, to_linux_lost; // the exception thread: wo. Frames to and from the TAP
	uint64_t from_linux, from_linux_lost;
};

struct dp_pool_record { // relay: wo (relaxed), control: ro
	_Atomic uint32_t used;
	uint32_t max;
	_Atomic uint64_t refused; // times that none was left
};

struct dp_region_header {
	uint64_t magic;
	uint32_t version;
	uint32_t layout;      // dp_region_layout() of who formatted it
	uint64_t size;        // of the region in use
	struct dp_config config;
	_Atomic uint64_t relay_boot;   // grows with every start of the relay
	_Atomic uint64_t relay_alive;  // mono_ns, newest heartbeat of any worker
	_Atomic uint32_t control_boot; // grows with every start of control; part of each generation
	_Atomic uint32_t traced;       // control: wo. Transports whose packets are copied
	struct dp_pool_record pools[DP_POOLS];
	_Atomic uint64_t absent;       // keeper: wo. Bit n: the host does not have config.addresses[n] now
};

// Everything above, found. Private to a process; offsets are computed from the configuration, not read from the region.
struct dp_map {
	struct region region;
	struct dp_config config; // private copy
	struct dp_region_header *header;
	void *commands[DP_WORKERS_MAX];
	void *punts[DP_WORKERS_MAX][DP_CLASSES];
	void *traces[DP_WORKERS_MAX];
	void *events[DP_WORKERS_MAX + 1]; // the last is the keeper's: events[n_workers]
	struct dp_worker_record *workers;
	struct dp_port_record *ports;
	struct dp_transport *transports;
	struct dp_rare *rare;       // of each transport
	struct dp_rx_more *rx_more; // chunks
	struct dp_tx_more *tx_more;
	uint8_t *keys_cm, *keys_gcm; // records of SRTP_KEY_CM_SIZE and of sizeof(struct srtp_key)
	uint8_t *streams;            // records of stream_size octets
	size_t stream_size;
	uint32_t n_transports, n_rx_more, n_tx_more;
	uint32_t n_keys_cm, n_keys; // indices below n_keys_cm are of keys_cm, the others of keys_gcm
	uint32_t n_streams;
};

// Where a record is. The index was checked.
static inline struct dp_stream *dp_stream_at(const struct dp_map *map, uint32_t index)
{
	return (struct dp_stream *)(map->streams + index * map->stream_size);
}

static inline uint32_t dp_stream_index(const struct dp_map *map, const struct dp_stream *st)
{
	return (uint32_t)((size_t)((const uint8_t *)st - map->streams) / map->stream_size);
}

static inline struct srtp_key *dp_key_at(const struct dp_map *map, uint32_t index)
{
	if (index < map->n_keys_cm)
		return (struct srtp_key *)(map->keys_cm + index * (size_t)SRTP_KEY_CM_SIZE);
	return (struct srtp_key *)(map->keys_gcm + (index - map->n_keys_cm) * sizeof(struct srtp_key));
}

// The i-th place for an SSRC; NULL: no chunk.
static inline struct dp_ssrc_slot *dp_rx_slot(const struct dp_map *map, struct dp_transport *tp, unsigned epoch,
					      unsigned i)
{
	uint32_t more = tp->rx_more[epoch];

	if (i == 0)
		return &tp->rx[epoch].first;
	return more < map->n_rx_more ? &map->rx_more[more].slots[i - 1] : NULL;
}

static inline struct dp_tx_slot *dp_tx_slot(const struct dp_map *map, struct dp_transport *tp, unsigned i)
{
	uint32_t more = tp->tx_more;

	if (i == 0)
		return &tp->out.first;
	return more < map->n_tx_more ? &map->tx_more[more].slots[i - 1] : NULL;
}

#define DP_COMMAND_RING (256u << 10)
#define DP_EVENT_RING (64u << 10)
#define DP_TRACE_RING (1u << 20) // 20 ms of 300 traced calls
extern const size_t dp_punt_ring[DP_CLASSES]; // capacities

// A mark of how this build lays its records out: sizes, places, numbers of places.
uint32_t dp_region_layout(void);
size_t dp_region_size(const struct dp_config *config); // 0: configuration is out of bounds
int dp_region_format(void *base, size_t size, const struct dp_config *config);
int dp_map_open(struct dp_map *map, int region_fd); // -EPROTO: not a region; -EPROTONOSUPPORT: another build's layout
void dp_map_close(struct dp_map *map);

enum dp_command_kind {
	DP_COMMAND_PUBLISH = 1,
	DP_COMMAND_SECURE,
	DP_COMMAND_PATH,
	DP_COMMAND_KEYS,
	DP_COMMAND_RETIRE,
	DP_COMMAND_EDGES,
	DP_COMMAND_REMOVE,
	DP_COMMAND_SEND,
	DP_COMMAND_EXTENSIONS,
	DP_COMMAND_MOVE,
	DP_COMMAND_TRACE,
};

#define DP_MOVE_MAX 256 // transports of one command

struct dp_command { // message of a command ring; SEND: the datagram follows, MOVE: the transports (struct dp_ref)
	uint32_t kind;
	struct dp_ref transport;
	union {
		struct dp_transport_conf publish;
		uint32_t secure; // enum dp_security
		struct dp_path path;
		struct dp_keys keys;
		struct dp_extensions extensions;
		struct {
			uint32_t direction, below_epoch;
		} retire;
		struct {
			uint32_t n;
			struct dp_edge list[DP_EDGES_MAX];
		} edges;
		struct {
			struct inet_endpoint to;
			struct dp_return by; // for one whose next hop is not known
		} send;
		uint32_t move_to; // worker
		uint32_t trace; // enum dp_trace
	};
};

struct dp_punt_head { // message of a punt ring; the datagram follows
	struct dp_ref transport;
	uint32_t kind; // enum dp_punt_kind
	uint32_t proven;
	uint32_t mtu; // of the way back, 0: not known
	struct inet_endpoint source;
	struct dp_return back;
};

struct dp_trace_head { // message of a trace ring; the packet follows, from its IP header on
	struct dp_ref transport;
	mono_ns time;
	uint32_t out;
	uint32_t original; // octets that it had
};

struct dp_transport_view { // the immutable half of a transport, and its newest epochs
	uint32_t generation;
	uint8_t state, mode, security, n_edges;
	uint16_t worker, network;
	struct dp_path path;
	uint32_t path_serial;
	struct inet_endpoint local;
	struct dp_edge edges[DP_EDGES_MAX];
	uint32_t session, owner_tag;
	uint32_t rx_epoch, tx_epoch; // 0: no key
	bool rx_heard;
};

// A consistent copy; false: the relay was just writing, each time we looked.
bool dp_transport_read(const struct dp_transport *tp, struct dp_transport_view *view);

// Which one a transport belongs to, or is on its way to.
static inline uint16_t dp_worker_of(const struct dp_transport *tp)
{
	return __atomic_load_n(&tp->worker, __ATOMIC_ACQUIRE) & (uint16_t)~DP_COMING;
}

static inline void dp_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline void dp_record_set(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, n, __ATOMIC_RELAXED);
}

static inline uint64_t dp_counter(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}
