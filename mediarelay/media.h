// SPDX-License-Identifier: GPL-3.0-or-later
// media.h - the media side of calls as the sip thread sees it. Runs one media thread of its own (libevent).
//
// A session holds legs (one for each SIP dialog), a leg holds lines (one for each m-line that carries media), and joins say
// which line is relayed to which. The sip thread says what should be, as a whole plan; the media thread makes it so by
// comparing with what is. A newer plan replaces one that was not yet taken up, so a session never owes more than one
// message and nothing about an existing session is ever lost. Several answerers of one offer have legs of their own, whose
// lines name the same seat. Offer and answer map to plans:
//   prepare  a plan in which a line has a seat but `agreed` is false: its port is live, a DTLS handshake may run and is
//            parked, nothing flows;
//   commit   `agreed` is true and remote and keying are set;
//   rollback the earlier plan once more.
#pragma once
#include "base/clock.h"
#include "base/env.h"
#include "dataplane/client/dp_client.h"
#include "mediarelay/keying/keying.h"
#include "mediarelay/media_config.h"
#include "mediarelay/media_notice.h"
#include "mediarelay/media_stats.h"
#include "mediarelay/media_trace.h"
#include <stdbool.h>

struct media; // the thread and all it owns
struct media_report; // media_report.h

const char *media_library_version(void); // "libsrtp2 2.5.0"

#define MEDIA_LEGS_MAX 16 // of eight forks: one towards each, and one towards the caller for each
#define MEDIA_LINES_MAX 8
#define MEDIA_CALL_ID_MAX 128

// What SDP must say of one m-line of ours. Leased in advance, so no SDP waits; used by one line, then given back by the
// end of the session, or unused by media_seat_return().
struct media_seat {
	uint32_t id; // 0: none
	uint16_t realm;
	uint16_t identity;                 // which certificate of ours its line has; media_seat_fingerprint()
	struct inet_endpoint rtp, rtcp;    // as bound; rtcp port = rtp + 1, not used on the wire with rtcp-mux
	struct inet_addr advertise;        // what SDP says
	char tls_id[33];                   // RFC 8842: 20..255 token characters
};

enum media_confirm {           // whether the peer has our last answer
	MEDIA_CONFIRMED = 0,
	MEDIA_CONFIRM_SOON,    // it is under way, and nothing will say that it has arrived
	MEDIA_CONFIRM_AWAITED, // a later plan says so
};

struct media_line {
	struct media_seat seat;
	bool agreed;             // offer and answer are complete for this line
	bool changing;           // agreed, and an offer that may change it is open: a new handshake may run and is parked
	bool provisional;        // agreed, and another peer may still take this one's place: handshakes may run and are parked,
				 // and one that fails or does not come ends nothing
	enum media_confirm confirm; // SDES: a new key of ours waits until the peer is known to have it
	bool rtcp_mux;           // agreed (or offered, while not agreed: then both ports are live)
	bool send, receive;      // our side of the line's direction: hold is receive without send, and so on
	bool shut_send, shut_receive; // its SDP would have it, and policy has closed it until the answer
	bool silent_allowed;     // media timeout does not count (hold)
	uint16_t profile;        // index of sip_config.profiles; timeouts and policy
	struct inet_endpoint remote, remote_rtcp; // as signalled; none before it is known
	struct inet_addr sip_source; // where the leg's SIP comes from; none: not known
	struct keying_choice keying;              // mechanism none/pending until chosen; keys of SDES; role and fingerprints of DTLS
	struct dp_extensions extensions;          // of RTP headers: which come in, which are encrypted on this leg
};

struct media_leg {
	uint32_t dialog; // the sip thread's number, for events and logs
	uint8_t n_lines;
	struct media_line lines[MEDIA_LINES_MAX];
};

struct media_join { // both directions; the lines' send and receive close the gates
	uint8_t leg_a, line_a, leg_b, line_b;
};

struct media_plan {
	uint32_t session; // as media_session_open() gave it
	char call_id_a[MEDIA_CALL_ID_MAX], call_id_b[MEDIA_CALL_ID_MAX]; // for the log
	uint8_t n_legs, n_joins;
	struct media_join joins[MEDIA_LEGS_MAX * MEDIA_LINES_MAX];
	struct media_leg legs[MEDIA_LEGS_MAX]; // last: those that are not used take most of it
};

// So much of it says something: copies and wipes concern no more.
static inline size_t media_plan_size(const struct media_plan *plan)
{
	return offsetof(struct media_plan, legs) + plan->n_legs * sizeof(plan->legs[0]);
}

enum media_event_kind {
	MEDIA_EVENT_SECURED = 1, // every agreed line of the leg has its keys (plain lines count as secured)
	MEDIA_EVENT_FAILED,      // keying failed or timed out, or the remote is unreachable: the call should end
	MEDIA_EVENT_SILENT,      // media timeout: the call should end
};

struct media_event {
	enum media_event_kind kind;
	uint32_t session, dialog;
	char cause[96]; // a word and its details, fit for a Reason header's text and the log
};

// Called on the media thread; hands over to the sip thread's mailbox.
typedef void media_event_fn(void *ctx, const struct media_event *event);

struct media_start {
	const struct media_config *config;
	const struct media_profile *profiles;
	size_t n_profiles;
	const struct env *env;
	int dp_region_fd, relay_eventfd, our_eventfd;
	int call_region_fd; // control's own records (base/region.h), see mediarelay/call_record.h
	media_event_fn *event;
	// On the media thread, once for each session that media_session_close() ends: malloc'ed, the callee's. NULL: none wanted
	void (*report)(void *ctx, struct media_report *report);
	void (*traced)(void *trace_ctx, const struct media_traced *packet); // on the media thread; NULL: nobody traces
	void *trace_ctx;
	media_notice_fn *notice; // NULL: nobody watches
	void *ctx;
};

int media_open(struct media **mediap, const struct media_start *start); // starts the thread
void media_close(struct media *media);                                  // ends it; sessions' transports stay in the relay

// From any thread but the media thread, which it asks and waits for: another configuration from now on. max_sessions, realms and
// their addresses are the same, and each profile that a plan may name keeps its index (config_follow()).
void media_configure(struct media *media, const struct media_config *config, const struct media_profile *profiles,
		     size_t n_profiles);

// Everything below is for the sip thread, and none of it waits.
const char *media_fingerprint(const struct media *media); // "sha-256 AB:CD..." of the certificate that new seats get
const char *media_seat_fingerprint(const struct media *media, const struct media_seat *seat); // of this one's
int media_seat_take(struct media *media, uint16_t realm, enum inet_family family, struct media_seat *seat); // -ENOSPC: no ports, -EADDRNOTAVAIL: no address now
void media_seat_return(struct media *media, const struct media_seat *seat); // not used in any plan
int media_session_open(struct media *media, uint32_t *session); // -ENOSPC: at the limit
void media_session_name(struct media *media, uint32_t session, uint32_t call); // the caller's number for it, for notices
// Takes a copy of the plan.
int media_session_apply(struct media *media, const struct media_plan *plan);
void media_session_close(struct media *media, uint32_t session); // logs the summary; seats come back after their rest
int media_session_adopt(struct media *media, uint32_t session);  // after a restart: what the records hold goes on
void media_adopted(struct media *media); // all that goes on has been named: what else the records and the relay hold ends
unsigned media_session_count(const struct media *media);

// From any thread, while the struct media lives.
const struct media_stats *media_stats(const struct media *media);
// For those verbs of dp_client.h that any thread may call.
const struct dp_client *media_packet_path(const struct media *media);
