// SPDX-License-Identifier: GPL-3.0-or-later
// call_streams.c - streams as values, and the media plan that they make; see call_streams.h.
#include "signaling/call_streams.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int streams_copy(struct streams *to, const struct streams *from, unsigned n)
{
	struct stream *list = calloc(n > 0 ? n : 1, sizeof(*list));

	if (list == NULL)
		return -ENOMEM;
	if (from->n > 0)
		memcpy(list, from->list, from->n * sizeof(*list));
	streams_wipe(to);
	*to = (struct streams){ .n = n, .list = list };
	return 0;
}

void streams_wipe(struct streams *streams)
{
	if (streams->list != NULL)
		secret_wipe(streams->list, streams->n * sizeof(*streams->list));
	free(streams->list);
	*streams = (struct streams){ 0 };
}

unsigned streams_wanted(const struct streams *streams)
{
	unsigned wanted = 0;

	for (unsigned i = 0; i < streams->n; i++)
		wanted += streams->list[i].wanted;
	return wanted;
}

bool streams_up(const struct streams *streams)
{
	for (unsigned i = 0; i < streams->n; i++) {
		if (streams->list[i].wanted && streams->list[i].agreed)
			return true;
	}
	return false;
}

struct sdp_extension_hops stream_hops(const struct stream *stream, enum call_side offerer,
				      const struct media_profile *const profiles[SIDES])
{
	const struct stream_side *theirs = &stream->side[offerer], *ours = &stream->side[!offerer];

	return (struct sdp_extension_hops){
		.offerer = { &profiles[offerer]->extensions, theirs->choice.mechanism > KEYING_PLAIN },
		// As we offered it; no answer may take less.
		.answerer = { &profiles[!offerer]->extensions, ours->local.mechanisms[0] > KEYING_PLAIN },
	};
}

static void bit_set(uint8_t bitmap[32], uint16_t id)
{
	if (id <= UINT8_MAX)
		bitmap[id / 8] |= (uint8_t)(1u << id % 8);
}

// `sends`: what in the answer's direction says that this side's peer sends.
static void extensions_fill(struct dp_extensions *to, const struct sdp_extensions *agreed, bool filter,
			    enum sdp_direction sends)
{
	bool any = false;

	*to = (struct dp_extensions){ .cryptex = agreed->cryptex };
	for (size_t i = 0; i < agreed->n; i++) {
		const struct sdp_extension *e = &agreed->list[i];

		if (e->encrypted)
			bit_set(to->encrypted, e->id);
		if (e->direction & sends && e->id <= UINT8_MAX) {
			bit_set(to->allowed, e->id);
			any = true;
		}
	}
	if (filter)
		to->mode = any ? DP_EXTENSION_FILTER : DP_EXTENSION_STRIP;
}

void stream_extend(struct stream *stream, enum call_side offerer, const struct sdp_extension_hops *hops,
		   const struct sdp_extensions *offered, const struct sdp_extensions *answered)
{
	bool filter = hops->offerer.policy->filter || hops->answerer.policy->filter;
	struct sdp_extensions theirs, ours;

	sdp_extensions_answer(offered, answered, hops, &ours, &theirs);
	extensions_fill(&stream->side[offerer].extensions, &theirs, filter, SDP_RECVONLY);
	extensions_fill(&stream->side[!offerer].extensions, &ours, filter, SDP_SENDONLY);
}

// RFC 3264 section 6.1: a stream flows in a direction when one end sends and the other receives.
static enum sdp_direction effective(const struct stream *stream, enum call_side side)
{
	const struct stream_side *here = &stream->side[side], *there = &stream->side[!side];

	return here->direction & sdp_direction_reverse(there->direction);
}

// What a peer on this side may send and hear.
static enum sdp_direction open_to(enum call_side side, unsigned shut)
{
	unsigned sends = side == SIDE_CALLER ? EARLY_FORWARD : EARLY_BACKWARD, hears = EARLY_BOTH & ~sends;

	return (shut & sends ? 0 : SDP_SENDONLY) | (shut & hears ? 0 : SDP_RECVONLY);
}

static void line_fill(struct media_line *line, const struct stream *stream, enum call_side side,
		      const struct plan_parties *parties, unsigned shut)
{
	const struct stream_side *s = &stream->side[side];
	enum sdp_direction wanted = stream->agreed ? effective(stream, side) : SDP_SENDRECV;
	enum sdp_direction direction = wanted & open_to(side, shut), closed = wanted & ~direction;

	*line = (struct media_line){
		.seat = s->seat,
		.agreed = stream->agreed,
		.rtcp_mux = s->rtcp_mux,
		.send = direction & SDP_RECVONLY,
		.receive = direction & SDP_SENDONLY,
		.shut_send = closed & SDP_RECVONLY,
		.shut_receive = closed & SDP_SENDONLY,
		.silent_allowed = direction != SDP_SENDRECV,
		.profile = parties->profile[side],
		.remote = s->remote,
		.remote_rtcp = s->remote_rtcp,
		.sip_source = parties->source[side],
	};
	if (!stream->agreed)
		return;
	line->keying = s->choice;
	line->extensions = s->extensions;
}

void plan_fill(struct media_plan *plan, const struct plan_parties *parties, const struct streams *stable,
	       const struct streams *fresh)
{
	unsigned n = fresh != NULL ? fresh->n : stable->n;
	uint8_t lines = 0;

	plan->n_legs = SIDES;
	plan->n_joins = 0;
	for (unsigned i = 0; i < n && lines < MEDIA_LINES_MAX; i++) {
		const struct stream *now = fresh != NULL ? &fresh->list[i] : NULL;
		const struct stream *old = stable != NULL && i < stable->n ? &stable->list[i] : NULL;
		const struct stream *take = now != NULL && (now->agreed || old == NULL || !old->wanted) ? now : old;

		if ((take == NULL || !take->wanted) && parties->reserve != NULL && i < parties->reserve->n)
			take = &parties->reserve->list[i];
		if (take == NULL || !take->wanted)
			continue;
		for (int side = 0; side < SIDES; side++) {
			line_fill(&plan->legs[side].lines[lines], take, side, parties,
				  parties->shut[i < MEDIA_LINES_MAX ? i : MEDIA_LINES_MAX - 1]);
			plan->legs[side].lines[lines].changing = take == old && take->agreed && now != NULL && now->wanted;
			plan->legs[side].lines[lines].confirm = parties->confirm[side];
			plan->legs[side].lines[lines].provisional = parties->provisional && (side == SIDE_CALLEE || parties->parallel);
		}
		plan->joins[plan->n_joins++] = (struct media_join){ SIDE_CALLER, lines, SIDE_CALLEE, lines };
		lines++;
	}
	for (int side = 0; side < SIDES; side++) {
		plan->legs[side].dialog = parties->dialog[side];
		plan->legs[side].n_lines = lines;
	}
}

static bool plan_has(const struct media_plan *plan, uint32_t dialog)
{
	for (unsigned i = 0; i < plan->n_legs; i++) {
		if (plan->legs[i].dialog == dialog)
			return true;
	}
	return false;
}

static void leg_add(struct media_plan *plan, const struct plan_parties *parties, const struct streams *streams,
		    enum call_side side)
{
	struct media_leg *leg = &plan->legs[plan->n_legs];
	uint8_t lines = 0;

	if (plan->n_legs == MEDIA_LEGS_MAX || plan_has(plan, parties->dialog[side]))
		return;
	for (unsigned i = 0; i < streams->n && lines < MEDIA_LINES_MAX; i++) {
		const struct stream *stream = &streams->list[i];

		if (!stream->wanted || !stream->side[side].planned || (side == SIDE_CALLEE && !stream->agreed))
			continue;
		line_fill(&leg->lines[lines], stream, side, parties, parties->shut[i < MEDIA_LINES_MAX ? i : MEDIA_LINES_MAX - 1]);
		leg->lines[lines++].provisional = true;
	}
	if (lines == 0)
		return;
	leg->dialog = parties->dialog[side];
	leg->n_lines = lines;
	plan->n_legs++;
}

static bool place_of(const struct media_plan *plan, uint32_t dialog, const struct media_seat *seat, uint8_t *leg, uint8_t *line)
{
	for (*leg = 0; *leg < plan->n_legs; (*leg)++) {
		for (*line = 0; plan->legs[*leg].dialog == dialog && *line < plan->legs[*leg].n_lines; (*line)++) {
			if (plan->legs[*leg].lines[*line].seat.id == seat->id)
				return true;
		}
	}
	return false;
}

void plan_add(struct media_plan *plan, const struct plan_parties *parties, const struct streams *streams)
{
	leg_add(plan, parties, streams, SIDE_CALLER);
	leg_add(plan, parties, streams, SIDE_CALLEE);
	for (unsigned i = 0; i < streams->n; i++) {
		const struct stream_side *side = streams->list[i].side;
		struct media_join join;

		if (streams->list[i].wanted && place_of(plan, parties->dialog[SIDE_CALLER], &side[SIDE_CALLER].seat, &join.leg_a, &join.line_a) &&
		    place_of(plan, parties->dialog[SIDE_CALLEE], &side[SIDE_CALLEE].seat, &join.leg_b, &join.line_b))
			plan->joins[plan->n_joins++] = join;
	}
}
