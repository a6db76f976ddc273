// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_case.h - one whole offer and answer through the SDP builders and the keying choice, as a call does it, but pure.
#pragma once
#include "signaling/sdp/sdp_build.h"

#define SDP_CASE_SIDES 2

struct sdp_case_side { // our policy towards one end, and what came of it
	struct keying_policy policy;
	bool mux_offer, mux_never;
	struct media_extensions extensions;
	struct media_uri uris[4];
	struct inet_addr address;
	uint16_t port; // of m-line 0; the next ones count on by 2
	struct keying_facts facts;
	struct keying_identity us;
	struct sdp_session_id session;
	struct sdp_map map;
	struct keying_local local[SDP_MEDIA_MAX]; // by m-line of this side
	struct keying_choice choice[SDP_MEDIA_MAX];
	bool accepted[SDP_MEDIA_MAX], mux[SDP_MEDIA_MAX], secured[SDP_MEDIA_MAX];
};

struct sdp_case {
	struct sdp_case_side near, far; // near: the offerer's side
	unsigned n_streams;
	bool pass_unknown;
	struct sdp_build_count count;
	struct env env;
	uint8_t random; // counts on: keys differ, and are the same in each run
	struct keying_reason reason;
};

void sdp_case_init(struct sdp_case *c);
void sdp_case_wipe(struct sdp_case *c);
struct sdp_extension_hops sdp_case_hops(struct sdp_case *c, int near, int far); // of two m-lines; -1: none
// The offer of the near end becomes ours to the far end. -ENOTSUP: every usable line was refused, reason says why.
int sdp_case_offer(struct sdp_case *c, const struct sdp_doc *offer, const struct sdp_doc *previous,
		   struct sdp_doc **ours);
// The far end's answer becomes ours to the near end.
int sdp_case_answer(struct sdp_case *c, const struct sdp_doc *offer, const struct sdp_doc *ours,
		    const struct sdp_doc *answer, struct sdp_doc **back, struct sdp_error *error);
