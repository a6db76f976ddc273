// SPDX-License-Identifier: GPL-3.0-or-later
// call_media_priv.h - what a call holds of its descriptions, and the steps for one m-line of it (call_line.c).
#pragma once
#include "signaling/call_media.h"
#include "signaling/call_streams.h"
#include "signaling/sdp/sdp_build.h"

struct side_media { // one dialog's descriptions
	struct sdp_map map, map_pending;
	struct sdp_session_id id;        // of our o= lines; never goes back
	struct sdp_doc *ours;            // our last stable description
	struct sdp_doc *theirs;          // the peer's
	unsigned renewed;                // how often it has said something else than at first
	struct sdp_doc *ours_pending;    // our open offer, or the answer that a preview carried
};

struct call_media {
	struct side_media side[SIDES];
	struct streams stable, pending;
	struct streams asked;        // pending as our offer left it: each answer (of a fork) starts from here
	unsigned n_streams, n_streams_pending;
	enum media_confirm confirm[SIDES]; // whether the peer there has our last answer
	bool offered;                // pending is in use
	bool kept;                   // then: the offer is ours, and the offerer's part of it is not read nor answered
	enum call_side offerer;      // then
	bool held, differs;          // then: the offerer has its answer, of another fork; this one says something else
	const struct sip_dialog *left;   // a transfer is open: whose place another dialog has taken,
	struct side_media left_media;    // what was his, for the case that he gets it back
	enum media_confirm left_confirm;
	bool provisional;            // the last plan was of an answer that need not be the last one
	struct sdp_session_id id_before; // then: of the side that is offered to
	struct sdp_doc *offer;       // theirs, then
	struct sdp_doc *answer;      // theirs, if a preview brought one
	char *body;                  // what was written last
	size_t body_len;
	char why[160];               // text of the last refusal
};

static inline enum call_side side_of(const struct sip_dialog *d)
{
	return d->side == 0 ? SIDE_CALLER : SIDE_CALLEE;
}

static inline const struct media_profile *profile_of(const struct sip_dialog *d)
{
	return &d->call->sip->config->profiles[d->profile];
}

enum plan_of { PLAN_STABLE, PLAN_PREPARED, PLAN_ANSWERED };

int call_media_plan(struct sip_call *call, enum plan_of of);
void call_media_drop_pending(struct sip_call *call);
void call_media_discard(struct sip_call *call, struct call_media *m); // seats that no plan has go back
void call_media_settle(struct sip_call *call); // what is pending is stable now
// received: map of the document that it is made from. A body for `to`; it is to->ours_pending then.
int call_media_write(struct sip_dialog *to, const struct sdp_doc *received, const struct sdp_map *received_map, bool answer,
		     struct call_body *out);

int call_refuse_text(struct call_media *m, struct call_refusal *why, int status, int warning, const char *text);

// Reads one m-line of the offerer and decides how it would be answered. A line that cannot be is not wanted.
int call_line_offered(struct sip_dialog *from, const struct sdp_doc *doc, size_t index, struct stream *stream,
		      struct call_refusal *why);
// A port of ours, if s has none yet.
int call_line_seat(struct sip_dialog *d, struct stream_side *s, enum inet_family family, struct call_refusal *why);
// What we offer for it on the other side. in_force: the line is up, and our offer repeats its keys.
int call_line_onward(struct sip_dialog *to, struct stream *stream, bool in_force, bool feedback,
		     struct call_refusal *why);
int call_line_answered(struct sip_dialog *from, const struct sdp_doc *doc, size_t index, struct stream *stream,
		       struct call_refusal *why);
// What the two hops let pass of header extensions, in the offer that is open.
struct sdp_extension_hops call_line_hops(const struct sip_dialog *here, const struct stream *stream);
