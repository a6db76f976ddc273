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

// RFC 3264 section 6.1: a stream flows in a direction when one end sends and the other receives.
static enum sdp_direction effective(const struct stream *stream, enum call_side side)
{
	const struct stream_side *here = &stream->side[side], *there = &stream->side[!side];

	return here->direction & sdp_direction_reverse(there->direction);
}

static void line_fill(struct media_line *line, const struct stream *stream, enum call_side side, uint16_t profile)
{
	const struct stream_side *s = &stream->side[side];
	enum sdp_direction direction = stream->agreed ? effective(stream, side) : SDP_SENDRECV;

	*line = (struct media_line){
		.seat = s->seat,
		.agreed = stream->agreed,
		.rtcp_mux = s->rtcp_mux,
		.send = direction & SDP_RECVONLY,
		.receive = direction & SDP_SENDONLY,
		.silent_allowed = direction != SDP_SENDRECV,
		.profile = profile,
		.remote = s->remote,
		.remote_rtcp = s->remote_rtcp,
	};
	if (stream->agreed)
		line->keying = s->choice;
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

		if (take == NULL || !take->wanted)
			continue;
		for (int side = 0; side < SIDES; side++)
			line_fill(&plan->legs[side].lines[lines], take, side, parties->profile[side]);
		plan->joins[plan->n_joins++] = (struct media_join){ SIDE_CALLER, lines, SIDE_CALLEE, lines };
		lines++;
	}
	for (int side = 0; side < SIDES; side++) {
		plan->legs[side].dialog = parties->dialog[side];
		plan->legs[side].n_lines = lines;
	}
}
