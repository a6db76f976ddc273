// SPDX-License-Identifier: GPL-3.0-or-later
// relay.h - the relay's own objects: what all its threads share, and what each worker has for itself.
#pragma once
#include "dataplane/dp_record.h"
#include "dataplane/worker/dp_port.h"
#include "dataplane/worker/index_stack.h"
#include "dataplane/worker/memory.h"
#include "dataplane/worker/nexthop.h"
#include "dataplane/worker/record_pool.h"
#include "dataplane/worker/relay_table.h"
#include "dataplane/worker/srtp/srtp_engine.h"
#include <pthread.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#define RELAY_BURST 32
#define RELAY_FAN (RELAY_BURST * 2) // packets out of one round of edges; a wider fan-out takes another round
#define RELAY_HAIRPIN 256
#define RELAY_SCRATCH (RELAY_BURST * DP_RX_EPOCHS)
#define RELAY_HELD 512
#define RELAY_OWED(n_transports) (2 * (n_transports) + 1)
#define RELAY_BUDGET 20000  // ns of commands a round at most: packets wait no longer for them
#define RELAY_HOPS 4                // times a packet may enter by a media address of ours
#define RELAY_INSIDE 0x8000u        // with the network: mbuf port of a packet that came from inside

// A datagram on its way. Lives in its worker's arrays for one burst.
struct packet {
	alignas(DP_LINE) struct rte_mbuf *m;
	struct dp_transport *tp; // where it came in; from the edges on: where it goes out
	uint8_t *bytes;          // UDP payload
	struct dp_stream *stream; // once it is accepted
	uint64_t rtp_index;      // extended sequence number
	union {
		const uint8_t *source;   // in: address in the frame, valid until the headers are rewritten
		struct {
			uint32_t from;   // out: index of the transport that it came in by
			uint32_t ssrc;   // out: as it came in
		};
	};
	uint32_t index;          // of tp
	uint16_t len;
	uint16_t hdr_len;        // of RTP, with CSRCs and extension
	uint16_t payload_len;    // of RTP, padding included
	uint16_t source_port;
	uint8_t family;
	bool proven;             // from the path's remote
};

static_assert(sizeof(struct packet) == DP_LINE, "copied to each way that it leaves by");

struct relay_tx { // frames for one port, sent once a burst
	struct dp_queue *queue; // our own, or one of w->lent[]
	uint16_t n;
	struct rte_mbuf *pkts[RELAY_FAN * 2];
};

struct relay_lent { // another worker's queue, as one that has none of the port sends by it
	struct dp_queue queue; // first
	struct relay_worker *borrower;
};

struct scratch_stream { // an SSRC not bound yet: its state until the tag of one of its packets was good
	struct dp_transport *tp;
	unsigned epoch;
	struct dp_stream *bound;
	struct srtp_stream state;
};

struct relay_handout { // frames for another worker, given once a burst
	uint16_t n;
	struct rte_mbuf *pkts[RELAY_BURST];
};

struct relay_move { // of the command that is next
	unsigned stage;
	uint64_t tokens[DP_WORKERS_MAX]; // of the others when it began; 0: has passed
	uint32_t inbox_until;            // what is to be taken of the inbox first
	uint32_t sent_until[DP_PORTS_MAX]; // and of an outbox that we send by
	uint32_t first, last;            // transports that were given up
};

#define RELAY_WAITING 64
#define RELAY_DATAGRAM 2048

struct relay_waiting { // a datagram of control's whose next hop is being asked for
	mono_ns until;
	uint32_t index, generation;
	struct inet_endpoint to;
	uint16_t len; // 0: free
	uint8_t bytes[RELAY_DATAGRAM];
};

struct relay;

struct relay_worker {
	struct relay *relay;
	unsigned id;
	pthread_t thread;
	int wake; // eventfd, ours
	mono_ns now;
	struct dp_worker_record *record;
	struct srtp_engine *engine;
	struct rte_mempool *pool; // of its NUMA node: for copies and datagrams of control's
	struct byte_ring commands, punts[DP_CLASSES], events, traces;
	bool tracing; // some transport is traced, perhaps another worker's
	bool events_full; // found so in this burst: not each packet that has something to say tries again
	bool control_wants_wake;
	bool keeper_wants_wake;
	uint32_t wake_others; // workers that got packets from us, a bit each
	// Grows with every round; 0: rests, and holds nothing of what it has read. Others wait for it to change.
	alignas(DP_LINE) _Atomic uint64_t token;
	alignas(DP_LINE) uint64_t rounds;
	struct dp_queue *rx[DP_PORTS_MAX * 4]; // queues that this worker polls
	unsigned n_rx;
	struct relay_tx tx[DP_PORTS_MAX];
	struct relay_lent lent[DP_PORTS_MAX];
	bool taps_want_wake; // frames for Linux were handed over
	struct rte_ring *inbox; // from other workers: what they received and we own
	struct relay_handout handout[DP_WORKERS_MAX];
	uint32_t handing; // of these: a bit each that holds something
	struct rte_mbuf *held[RELAY_HELD]; // of transports that are on their way to us
	unsigned n_held;
	struct relay_move move;
	struct index_stack arrivals; // transports that are ours now
	bool worked, had_packets; // in the round before
	int64_t budget;           // ns for commands, below 0 if one took longer than there was
	uint64_t commands_took;   // ns, of this round
	struct packet in[RELAY_BURST];
	struct packet out[RELAY_FAN];
	struct srtp_op ops[RELAY_FAN];
	uint16_t who[RELAY_BURST + 1]; // of in[]: whose ops these are, while packets come in
	unsigned n_ops;
	struct scratch_stream scratch[RELAY_SCRATCH];
	unsigned n_scratch;
	struct rte_mbuf *hairpin[RELAY_HAIRPIN];
	unsigned n_hairpin;
	struct relay_waiting waiting[RELAY_WAITING];
	unsigned n_waiting;
	mono_ns waiting_next; // when to try them again
	mono_ns packets_seen; // the last round that had any
	uint32_t *owed; // transports that have to be removed, or of which DP_EVENT_MOVED is owed: a ring
	uint32_t owed_head, owed_tail;
};

struct relay {
	struct dp_map map;
	struct record_pool records[DP_POOLS]; // of the region's records; opened by the first worker, closed by the last
	unsigned n_record_users;
	_Atomic uint32_t n_overlaps; // receive keys beyond each transport's newest
	struct relay_table *table;
	struct nexthops *hops;
	struct rte_mempool *pool; // the first of pools[]
	struct rte_mempool *pools[MEMORY_NODES];
	struct memory_plan plan; // which of them is whose
	struct dp_port *ports[DP_PORTS_MAX];
	struct crypto_device *crypto;  // NULL: ipsec-mb computes SRTP
	struct exceptions *exceptions; // NULL: no port needs a way to Linux
	struct relay_worker *workers[DP_WORKERS_MAX];
	int control_event;
	_Atomic bool stop;
};

// relay_worker.c
int relay_worker_open(struct relay_worker **wp, struct relay *relay, unsigned id);
void relay_worker_close(struct relay_worker *w);
int relay_worker_start(struct relay_worker *w); // its thread
void relay_worker_join(struct relay_worker *w);
unsigned relay_worker_round(struct relay_worker *w); // one turn of the loop; how much there was to do
void relay_worker_wake(struct relay_worker *w);      // from any thread

// relay_queue.c
int relay_outboxes_open(struct relay *relay); // once the ports are open, before the workers
void relay_outboxes_close(struct relay *relay);
int relay_queues_take(struct relay_worker *w); // -E2BIG: more than one worker can poll
unsigned relay_outboxes_send(struct relay_worker *w);
bool relay_outboxes_wait(const struct relay_worker *w);
// A frame that is not media of ours (ARP, ICMP, SIP, SSH): Linux's affair, if the port has a way there. Takes it.
void relay_not_ours(struct relay_worker *w, struct rte_mbuf *m);
bool relay_goes_up(const struct relay_worker *w, const struct rte_mbuf *m); // Linux sees it by us alone

// Records lie in memory that control could write, too: what is an index there is checked where it is used.
static inline struct srtp_key *key_at(const struct relay *relay, const uint32_t *slot)
{
	uint32_t key = __atomic_load_n(slot, __ATOMIC_RELAXED);

	return key < relay->map.n_keys ? dp_key_at(&relay->map, key) : NULL; // DP_NONE: none
}

// Whether the record is of the length that its suite needs.
static inline bool key_fits(const struct relay *relay, uint32_t key)
{
	return (key < relay->map.n_keys_cm) ==
	       (srtp_key_size(dp_key_at(&relay->map, key)->suite) == SRTP_KEY_CM_SIZE);
}

static inline struct dp_stream *stream_at(const struct relay *relay, uint32_t stream)
{
	return stream < relay->map.n_streams ? dp_stream_at(&relay->map, stream) : NULL;
}

static inline uint32_t stream_index(const struct relay *relay, const struct dp_stream *st)
{
	return dp_stream_index(&relay->map, st);
}

static inline struct dp_rare *rare_of(const struct relay *relay, const struct dp_transport *tp)
{
	return &relay->map.rare[tp - relay->map.transports];
}

// Others may be giving it to us, or us to others, right now.
static inline uint16_t transport_worker(const struct dp_transport *tp)
{
	return __atomic_load_n(&tp->worker, __ATOMIC_ACQUIRE);
}

static inline struct dp_transport *transport_named(const struct relay *relay, struct dp_ref ref)
{
	struct dp_transport *tp = &relay->map.transports[ref.index];

	return ref.index < relay->map.n_transports && tp->generation == ref.generation ? tp : NULL;
}

void transport_derive(struct dp_transport *tp); // relay_transport.c: what stands twice in it, for the packets' sake

// What control reads of a transport is written between these.
static inline void transport_write_begin(struct dp_transport *tp)
{
	atomic_store_explicit(&tp->sequence, tp->sequence | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static inline void transport_write_end(struct dp_transport *tp)
{
	transport_derive(tp);
	atomic_store_explicit(&tp->sequence, (tp->sequence | 1) + 1, memory_order_release);
}

static inline const struct dp_network *network_of(const struct relay_worker *w, const struct dp_transport *tp)
{
	const struct dp_config *config = &w->relay->map.config;

	return tp->network < config->n_networks ? &config->networks[tp->network] : NULL;
}

static inline unsigned rx_newest(const struct dp_transport *tp)
{
	return tp->rx_newest % DP_RX_EPOCHS;
}

// A stage moves what it keeps to the front.
static inline void packet_keep(struct packet *pkts, uint16_t to, uint16_t from)
{
	if (to != from)
		pkts[to] = pkts[from];
}

// Always inline: a call of what only prefetches has no effect that the compiler knows of, and may be left out.
static inline __attribute__((always_inline)) void key_prefetch(const struct srtp_key *key)
{
	for (unsigned line = 0; line < SRTP_KEY_ASKED; line++)
		__builtin_prefetch((const uint8_t *)key + SRTP_KEY_HOT + line * DP_LINE);
}

static inline __attribute__((always_inline)) void lines_prefetch(const void *at, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch((const char *)at + i * DP_LINE, 1);
}

// relay_burst.c
void relay_burst(struct relay_worker *w, struct rte_mbuf **frames, uint16_t n);

// relay_input.c: stages over in[]; each returns how many are left
uint16_t stage_parse(struct relay_worker *w, struct rte_mbuf **frames, uint16_t n);

// relay_hand.c: packets that came in at another worker than their transport's
void relay_hand(struct relay_worker *w, struct packet *p);
void relay_hand_flush(struct relay_worker *w); // once a burst
unsigned relay_hand_take(struct relay_worker *w);
void relay_held_release(struct relay_worker *w); // once they have come

// relay_move.c
bool relay_move(struct relay_worker *w, uint16_t to, const struct dp_ref *refs, uint32_t n); // false: not through yet
void relay_arrivals(struct relay_worker *w);

// relay_crypt.c
void unprotect_add(struct relay_worker *w, struct packet *p, uint16_t at); // for stage_unprotect(): it will be in[at]
uint16_t stage_unprotect(struct relay_worker *w, uint16_t n);
uint16_t stage_protect(struct relay_worker *w, uint16_t n);

// relay_extension.c
void extension_choose(struct packet *p, const struct dp_extensions *x); // what of its header extension goes on

// relay_output.c
enum relay_drop relay_no_way(const struct dp_transport *tp); // why its path is not resolved
void stage_headers(struct relay_worker *w, uint16_t n);
void relay_datagram(struct relay_worker *w, uint32_t index, const struct inet_endpoint *to, const void *bytes,
		    size_t len);
// To one whose address nothing has proven: goes back the way it came if no next hop is known, and none is asked for.
void relay_answer(struct relay_worker *w, uint32_t index, const struct inet_endpoint *to, const struct dp_return *by,
		  const void *bytes, size_t len);
void relay_waiting_retry(struct relay_worker *w);
void relay_flush(struct relay_worker *w);

// relay_command.c
unsigned relay_commands(struct relay_worker *w); // as many as fit w->budget; returns how many

// relay_transport.c
// False: another worker has not quite let go of the index.
bool transport_publish(struct relay_worker *w, struct dp_ref ref, const struct dp_transport_conf *conf);
bool transport_remove(struct relay_worker *w, struct dp_ref ref);
void transport_arrived(struct relay_worker *w, uint32_t index);
void transport_adopt(struct relay_worker *w, uint32_t index); // what the last relay left undone with it
void port_enter(struct relay_worker *w, struct dp_transport *tp, uint32_t index); // among those of its local port, by rank
bool relay_owed_settle(struct relay_worker *w); // the first of w->owed; false: the event ring is full

// relay_keys.c
void keys_install(struct relay_worker *w, struct dp_transport *tp, struct dp_ref ref, const struct dp_keys *k);
void keys_retire(struct relay_worker *w, struct dp_transport *tp, enum dp_direction direction, uint32_t below);
void keys_release(struct relay_worker *w, struct dp_transport *tp); // all of them
void keys_arrived(struct relay_worker *w, const struct dp_transport *tp); // with a transport of another worker's

// relay_punt.c
void relay_punt(struct relay_worker *w, struct packet *p, enum dp_punt_kind kind);
bool relay_source_wanted(const struct packet *p); // of a plain leg's packet that is not from the peer
void relay_source_event(struct relay_worker *w, const struct packet *p, bool authenticated);
bool relay_event(struct relay_worker *w, const struct dp_event *event);
void relay_wakes(struct relay_worker *w); // control and keeper, once a round

// relay_trace.c, while w->tracing; apart from what runs while nobody traces
__attribute__((noinline, cold)) void relay_trace_in(struct relay_worker *w, const struct packet *p); // before anything is decrypted
__attribute__((noinline, cold)) void relay_trace_out(struct relay_worker *w, uint32_t index, const struct rte_mbuf *m);

// relay_stream.c
int relay_records_open(struct relay_worker *w); // what the records use is not free
void relay_records_close(struct relay_worker *w);
// A record of its own for an SSRC, whole before anybody can find it; NULL: none is left.
struct dp_stream *stream_take(struct relay_worker *w, uint32_t owner, const struct srtp_stream *srtp);
void stream_give(struct relay_worker *w, uint32_t stream);
// An SSRC that is received: takes an empty slot, or that of the longest silent one.
struct dp_stream *stream_bind(struct relay_worker *w, uint32_t index, unsigned epoch, const struct srtp_stream *srtp);
void streams_release(struct relay_worker *w, struct dp_transport *tp, unsigned epoch); // all that a key brought
void stream_account(struct packet *p, mono_ns now);
uint32_t key_take(struct relay_worker *w, enum srtp_suite suite);
void key_release(struct relay_worker *w, uint32_t key);

// relay_source.c: who is sent by a secured transport, and under which SSRC
const struct dp_tx_slot *source_slot(struct relay_worker *w, const struct packet *p, enum relay_drop *why);
const struct dp_tx_slot *source_repeats(struct relay_worker *w, const struct packet *p, enum relay_drop *why);
void source_key_new(struct dp_rare *rare); // before the transport has it
void source_forget(struct relay_worker *w, struct dp_transport *tp);

// A packet ends here; tp NULL: it belongs to no transport.
void relay_drop(struct relay_worker *w, struct dp_transport *tp, enum relay_drop reason, struct rte_mbuf *m);
