// SPDX-License-Identifier: GPL-3.0-or-later
// call_streams.h - the media streams of one call: each has a line on the caller's side and one on the callee's, and becomes
// a join of two lines in the media plan. Plain values without behaviour of SIP in them.
#pragma once
#include "mediarelay/media.h"
#include "signaling/early_media.h"
#include "signaling/sdp/sdp_extmap.h"

enum call_side { SIDE_CALLER, SIDE_CALLEE, SIDES };

struct stream_side {
	struct media_seat seat;       // id 0: none yet
	bool planned;                 // the seat was in a plan: it goes back with the session
	struct keying_choice choice;  // what this side agreed to
	struct keying_local local;    // what we said, or will say, on this side
	struct inet_endpoint remote, remote_rtcp;
	bool rtcp_mux;                // offered by us, or agreed
	enum sdp_direction direction; // what the peer on this side does
	struct dp_extensions extensions;
};

struct stream {
	bool wanted; // relayed; false: port 0 on both sides
	bool agreed; // offer and answer are complete
	struct stream_side side[SIDES];
};

struct streams {
	unsigned n;
	struct stream *list;
};

int streams_copy(struct streams *to, const struct streams *from, unsigned n); // n >= from->n; new ones are zero
void streams_wipe(struct streams *streams);                                   // they hold keys
unsigned streams_wanted(const struct streams *streams);
bool streams_up(const struct streams *streams); // one at least is agreed on, and relayed

// What the two hops of a stream let pass of header extensions; of an offer that went out, or its answer.
struct sdp_extension_hops stream_hops(const struct stream *stream, enum call_side offerer,
				      const struct media_profile *const profiles[SIDES]);
// What the answer settled, for both sides' transports.
void stream_extend(struct stream *stream, enum call_side offerer, const struct sdp_extension_hops *hops,
		   const struct sdp_extensions *offered, const struct sdp_extensions *answered);

// Writes legs, lines and joins of a plan. A stream that `fresh` has not agreed on yet keeps what `stable` has of it;
// a new one has its ports only. fresh or stable may be NULL.
struct plan_parties {
	uint32_t dialog[SIDES];
	uint16_t profile[SIDES];
	struct inet_addr source[SIDES]; // of its SIP
	enum media_confirm confirm[SIDES];
	unsigned shut[MEDIA_LINES_MAX]; // EARLY_*: what each stream may not do yet
	bool provisional;               // the callee's answer is not its last word, or not the last callee's
	bool parallel;                  // then: another dialog of the caller's may take this one's place
	const struct streams *reserve;  // then: what was asked for, and may be taken yet though this answer refuses it
};
// One more answerer's streams, after plan_fill(): his leg with what he has agreed to, joined with the caller's lines of the same
// seats; and, with a dialog of the caller's that is not in the plan yet, a leg for what of that has been in a plan before.
void plan_add(struct media_plan *plan, const struct plan_parties *parties, const struct streams *streams);
void plan_fill(struct media_plan *plan, const struct plan_parties *parties, const struct streams *stable,
	       const struct streams *fresh);
