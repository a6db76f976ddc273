// SPDX-License-Identifier: GPL-3.0-or-later
// media_priv.h - what the files of the media thread share. A session has lines, a line has one or two leg transports
// (RTP, and RTCP without rtcp-mux), a transport has DTLS candidates and SRTCP contexts. One writer: the media thread,
// but for the slots' atomics.
#pragma once
#include "base/log_limit.h"
#include "dtls/dtls_endpoint.h"
#include "dtls/dtls_identity.h"
#include "dtls/dtls_listener.h"
#include "mediarelay/call_record.h"
#include "mediarelay/keying_state.h"
#include "mediarelay/leg_drops.h"
#include "mediarelay/media.h"
#include "mediarelay/media_identity.h"
#include "mediarelay/media_notice.h"
#include "mediarelay/media_quality.h"
#include "mediarelay/media_seat.h"
#include "mediarelay/rtcp_drops.h"
#include "mediarelay/srtcp.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>

#define LEG_DTLS_CANDIDATES 8      // handshakes on one port at once, parked ones among them
#define LEG_DTLS_PARKED MONO_S(10) // how long a parked one waits for its fingerprint
#define LEG_MOVE_PACKETS 2         // packets from a new source before the path follows
#define LEG_MOVE_REST MONO_S(2)    // between two moves
#define LEG_LEARN_WINDOW MONO_S(5) // a plain leg may find its peer's real address this long after offer and answer
#define LEG_LEARN_SETTLE MONO_S(1) // so long an address that nothing vouches for is heard before media goes there
#define LEG_LEARN_WINDOW_RTCP MONO_S(15) // RTCP is rare; it finds only the port, at the address that RTP has
#define LEG_KEYS_SOON MONO_MS(100)   // our last word on new keys has reached the peer by then
#define LEG_KEYS_ADOPTED MONO_S(1)   // or had it, when a control before us said it
#define LEG_OVERLAP MONO_S(2)        // the old receive key is good this long after the first packet under the new one
#define LEG_OVERLAP_MAX MONO_S(10)   // or after the new key, if none comes
#define MEDIA_TICK_MS 1000

enum leg_component { LEG_RTP, LEG_RTCP, LEG_COMPONENTS };

struct leg_line;
struct leg_transport;

// One association with one peer address; see leg_dtls.h.
struct dtls_candidate {
	struct leg_transport *transport;
	struct dtls_endpoint *endpoint;
	struct inet_endpoint peer;
	struct event *timer;
	enum dtls_role role;
	mono_ns parked_since; // 0: is not parked
	uint32_t serial;      // of opening, to find the oldest
	mono_ns began;        // 0: its time has been counted
};

// Our sending key, until the peer is known to have it; suite NONE: nothing is held.
struct leg_next_key {
	struct srtp_master tx;
	struct srtp_mki mki;
	struct srtcp *rtcp;
	struct inet_endpoint remote; // where media goes with it; family none: where it went
};

// Where a new source stands that may become the path's remote.
struct leg_move {
	struct inet_endpoint source;
	unsigned packets;
	mono_ns since; // its first packet
	mono_ns last;  // of the last move
};

struct leg_transport { // one local port; LIVE while ref.generation is not 0
	struct leg_line *line;
	enum leg_component component;
	struct dp_ref ref;
	struct inet_endpoint local, remote; // remote: as the path has it now
	struct inet_endpoint signalled;     // as the last answer or offer said
	enum keying_state keying;
	struct dtls_candidate candidates[LEG_DTLS_CANDIDATES];
	struct dtls_candidate *chosen; // whose keys are in force
	uint32_t next_serial;
	uint32_t epoch;    // of the newest keys; 0: none
	uint32_t tx_epoch; // of the key that we send with: behind while the next one is held
	struct srtp_master rx_master, tx_master; // in force: for SRTCP and for the record
	struct srtp_mki rx_mki, tx_mki;
	uint64_t rx_lifetime, rx_counted_from; // packets; 0: the suite's limit
	bool rx_warned, rx_expired;            // said in the log
	struct srtcp *rx_rtcp, *tx_rtcp;
	struct srtp_master rx_master_before; // the key before, during an overlap
	struct srtcp *rx_rtcp_before;
	mono_ns overlap_end;          // of the old receive key; 0: there is none
	struct leg_next_key next;
	struct event *confirm_timer;
	mono_ns adopted; // with a key held: since when the peer's packets say that it lacks it; 0: not from a record
	struct leg_move move;
	mono_ns lost_since; // there is no way to the remote; 0: there is one, as far as we know
	int lost_cause;
	mono_ns learn_since, learn_until; // plain legs; until 0: window closed
	uint32_t mismatches; // certificates that were nobody's
	uint64_t drops[LEG_DROP_COUNT]; // without those of endpoints that live
	mono_ns failure_told;           // when the log last said that a handshake failed
	uint32_t failures_untold;
};

// Why the keys of a line change.
#define LEG_CHANGES(X)                                                                       \
	X(NONE, "none")                                                                      \
	X(FIRST, "first")             /* no keys yet, or plain until now */                  \
	X(MECHANISM, "mechanism")                                                            \
	X(KEY, "key")                 /* SDES, either side's */                              \
	X(FINGERPRINT, "fingerprint") /* the others are a new association: RFC 8842 4.1 */   \
	X(TLS_ID, "tls-id")                                                                  \
	X(ROLE, "role")                                                                      \
	X(PORT, "port")               /* RFC 5763 6.6: of a peer that has no tls-id */

#define X(name, word) LEG_CHANGE_##name,
enum leg_change { LEG_CHANGES(X) LEG_CHANGE_COUNT };
#undef X

struct leg_rekey { // a change of keys that is under way
	enum leg_change change;  // NONE: there is none
	bool certificate_gone;   // the certificate behind the old keys is signalled no more
	mono_ns since;
	uint32_t mismatches_before; // of certificates, on the RTP port
};

struct line_counted { // of dp_stats, as media_count.c has seen it
	uint64_t rx_packets, rx_octets, tx_packets, tx_octets, lost;
	uint32_t drops[RELAY_DROP_COUNT]; // their low bits
	struct drop_note {
		mono_ns at;         // when one had last grown; 0: never
		enum relay_drop by; // the one that had grown most, then
	} dropped_in, dropped_out; // of what came from the peer, and of what was to go to it
};

struct line_watch { // of media_notice.c
	bool silent; // told so
	struct line_attack {
		uint64_t before;     // of the count, at `since`
		mono_ns since, told; // told 0: never
	} attacks[MEDIA_ATTACK_COUNT];
};

struct leg_line { // one m-line of one dialog
	struct media_session *session;
	struct leg_line *next;
	uint32_t dialog;
	uint8_t leg, index; // place in the newest plan
	bool marked;        // is in the newest plan
	struct media_line plan;
	struct leg_transport transports[LEG_COMPONENTS];
	struct event *keying_timer;
	mono_ns keying_since; // it runs since then, or ran; 0: never
	struct leg_rekey rekey;
	uint32_t rekeys;     // that are through
	bool failed, silent; // told so, once
	bool adopted;        // of a control that died, and no plan has come since
	mono_ns expecting_since; // media timeout counts from here or the last packet; 0: does not count
	char dtls_version[8], dtls_cipher[48], dtls_group[32], peer_fingerprint[DTLS_FINGERPRINT_STRLEN];
	const char *dtls_role; // "active", "passive"; NULL without DTLS
	uint64_t rtcp_rx, rtcp_tx, rtcp_drops[RTCP_DROP_COUNT];
	struct line_counted counted;
	struct line_watch watch;
	struct media_quality quality; // by the peer's RTCP
};

struct media_total { // of one leg: its lines, ended ones among them
	char leg[32]; // realm; empty: the call has no such leg
	uint64_t rx_packets, rx_octets, tx_packets, tx_octets, lost, drops;
	uint32_t jitter_us; // the worst line's
};

struct media_session {
	struct media *media;
	uint32_t id;
	uint16_t worker;
	char call_id_a[MEDIA_CALL_ID_MAX], call_id_b[MEDIA_CALL_ID_MAX];
	struct leg_line *lines;
	struct media_join joins[MEDIA_LEGS_MAX * MEDIA_LINES_MAX];
	uint8_t n_joins;
	struct media_total totals[2]; // of the first two legs
	struct media_report *report;  // of its lines that have ended; NULL: none yet
	uint32_t unreported;          // lines for which it had no room
	bool closing;
};

enum media_order { MEDIA_ORDER_APPLY = 1, MEDIA_ORDER_CLOSE = 2, MEDIA_ORDER_ADOPT = 4, MEDIA_ORDER_TRACE = 8 };

struct media_slot {
	_Atomic uint32_t call;                  // sip thread: wo; its number for the call
	_Atomic uint64_t trace;                 // sip thread: wo, but for its end. media_trace.c; 0: none
	_Atomic uint32_t orders;                // sip thread sets, media thread takes; in the mailbox while not 0
	_Atomic(struct media_plan *) pending;   // newest plan not taken up yet
	struct media_session *session;          // media thread
	bool found;                             // records hold a session of an earlier life, not adopted yet
};

// A port whose removal the relay has yet to confirm.
struct leg_removal {
	uint32_t generation;
	struct media_seat seat; // given back with the last of its ports; id 0: the other port does it
	uint32_t session;       // freed with its last removal
};

// What a dp_ref.index is to us. The relay gives an index back before it can be another port's: never two of the same.
struct media_port {
	struct leg_transport *live;
	struct leg_removal *removal;
};

struct media_found {
	struct dp_found flow;
	uint32_t heard_epoch; // newest whose first packet the relay has told of since
};

struct media {
	struct media_start start;
	const struct media_config *config; // media thread; see media_configure()
	uint32_t max_sessions;             // immutable
	const struct env *env;
	pthread_t thread;
	bool running;
	struct event_base *base;
	struct event *mail_event, *dp_event, *tick_event, *question_event, *trace_event;
	struct mailbox *mail, *questions;
	struct dp_client *dp;
	struct seat_stock *seats;
	struct call_records *records;
	struct media_identities identities;
	struct dtls_cookie *cookie;
	struct dtls_listener *listener;
	struct dtls_listener_info listener_told; // as the log last said
	mono_ns report_at;
	struct log_limit attacks; // notices of them
	struct line_attack strangers;
	struct media_stats *stats;
	struct media_tally *tally; // by realm
	struct media_slot *slots; // [1 .. max_sessions]
	pthread_mutex_t free_lock;
	uint32_t *free_ids; // ring of session numbers, least recently used first
	uint32_t free_head, free_count;
	struct media_port *by_index; // by dp_ref.index
	uint32_t by_index_size;
	uint32_t *removals_of; // by session: ports still to be confirmed
	struct media_found *found; // transports of an earlier life
	size_t n_found, found_room;
};

static inline bool transport_live(const struct leg_transport *tp)
{
	return tp->ref.generation != 0;
}

static inline enum dtls_version media_dtls_version(uint16_t configured)
{
	return configured == 0x0103 ? DTLS_VERSION_1_3 : DTLS_VERSION_1_2;
}

// media.c: the slot is in the mailbox at most once.
void media_session_order(struct media *media, uint32_t session, enum media_order order);
