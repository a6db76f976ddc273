// SPDX-License-Identifier: GPL-3.0-or-later
// call_media_fork.c - the descriptions of several forks of one INVITE; see call_media.h.
#include "signaling/call_media_priv.h"
#include "signaling/sdp/sdp_same.h"
#include <errno.h>
#include <stdlib.h>

static int copy_doc(struct sdp_doc **to, const struct sdp_doc *from)
{
	return from != NULL ? sdp_doc_copy(to, from) : 0;
}

static int copy_side(struct side_media *to, const struct side_media *from)
{
	int err;

	to->map = from->map;
	to->map_pending = from->map_pending;
	to->id = from->id;
	to->renewed = from->renewed;
	err = copy_doc(&to->ours, from->ours);
	if (err == 0)
		err = copy_doc(&to->theirs, from->theirs);
	return err;
}

// As it was with the offer out: what an answer has brought since is another fork's.
static int copy_asked(struct call_media *to, const struct call_media *from)
{
	int err = 0;

	to->n_streams = from->n_streams;
	to->n_streams_pending = from->n_streams_pending;
	to->offered = from->offered;
	to->kept = from->kept;
	to->offerer = from->offerer;
	to->id_before = from->id_before;
	for (int side = 0; side < SIDES && err == 0; side++)
		err = copy_side(&to->side[side], &from->side[side]);
	if (err == 0)
		err = streams_copy(&to->stable, &from->stable, from->stable.n);
	if (err < 0 || !from->offered)
		return err;
	err = streams_copy(&to->pending, &from->asked, from->asked.n);
	if (err == 0)
		err = streams_copy(&to->asked, &from->asked, from->asked.n);
	if (err == 0)
		err = copy_doc(&to->offer, from->offer);
	if (err == 0)
		err = copy_doc(&to->side[!from->offerer].ours_pending, from->side[!from->offerer].ours_pending);
	return err;
}

struct call_media *call_media_fork(struct sip_call *call)
{
	const struct call_media *from = call->asked != NULL ? call->asked : call->media;
	struct call_media *m = from != NULL ? calloc(1, sizeof(*m)) : NULL;

	if (m != NULL && copy_asked(m, from) < 0)
		call_media_forget(call, &m);
	return m;
}

struct call_media *call_media_fork_offering(struct sip_call *call)
{
	struct call_media *m = call->media != NULL && !call->media->offered ? calloc(1, sizeof(*m)) : NULL;

	if (m != NULL && copy_asked(m, call->media) < 0)
		call_media_forget(call, &m);
	for (unsigned i = 0; m != NULL && i < m->stable.n; i++) // the other one's ports
		m->stable.list[i].side[SIDE_CALLEE] = (struct stream_side){ .planned = false };
	return m;
}

int call_media_keep_asked(struct sip_call *call)
{
	if (call->asked == NULL)
		call->asked = call_media_fork(call);
	return call->asked != NULL ? 0 : -ENOMEM;
}

int call_media_accept_again(struct sip_dialog *a)
{
	struct call_media *m = a->call->media;
	const struct sdp_map *map = &m->side[side_of(a)].map_pending;
	struct call_refusal why;

	for (unsigned i = 0; i < map->n_lines; i++) {
		struct stream *stream = &m->pending.list[map->stream[i]];
		bool wanted = stream->wanted;

		stream->side[side_of(a)] = (struct stream_side){ .planned = false };
		stream->agreed = false;
		if (wanted && (call_line_offered(a, m->offer, i, stream, &why) < 0 || !stream->wanted))
			return -EPROTO;
	}
	return streams_copy(&m->asked, &m->pending, m->pending.n);
}

bool call_media_described(const struct sip_call *call)
{
	return call->media->answer != NULL || call->media->side[SIDE_CALLEE].theirs != NULL;
}

static void take_streams(struct streams *to, const struct streams *from)
{
	for (unsigned i = 0; i < to->n && i < from->n; i++) {
		if (from->list[i].wanted)
			to->list[i].side[SIDE_CALLER] = from->list[i].side[SIDE_CALLER];
	}
}

// Where the caller has been heard, and with which keys, by UPDATE or PRACK since the INVITE, holds for whoever answers. Formats
// that this one was not asked for do not: its answer is to the first offer, and the caller is told by one of ours.
static void take_said(struct call_media *m, const struct call_media *before)
{
	const struct sdp_doc *last = before->offered ? before->offer : before->side[SIDE_CALLER].theirs;
	const struct streams *streams = before->offered ? &before->asked : &before->stable;
	struct side_media *side = &m->side[SIDE_CALLER];
	struct sdp_doc **said = m->offered ? &m->offer : &side->theirs, *copy;

	if (side->renewed == before->side[SIDE_CALLER].renewed || last == NULL || *said == NULL)
		return;
	take_streams(&m->stable, streams);
	take_streams(&m->pending, streams);
	take_streams(&m->asked, streams);
	side->renewed = before->side[SIDE_CALLER].renewed;
	if (!sdp_same(*said, last) || sdp_doc_copy(&copy, last) < 0)
		return;
	sdp_doc_free(*said);
	*said = copy;
}

void call_media_follow(struct sip_call *call, const struct call_media *before)
{
	struct call_media *m = call->media;
	const struct side_media *told = &before->side[SIDE_CALLER];
	const struct sdp_doc *doc = told->ours_pending != NULL ? told->ours_pending : told->ours;
	struct side_media *side = &m->side[SIDE_CALLER];

	take_said(m, before);
	side->id = told->id;
	m->confirm[SIDE_CALLER] = before->confirm[SIDE_CALLER];
	if (!m->offered || m->kept || doc == NULL)
		return;
	sdp_doc_free(side->ours_pending);
	side->ours_pending = NULL;
	m->held = sdp_doc_copy(&side->ours_pending, doc) == 0;
}

bool call_media_differs(const struct sip_call *call)
{
	return call->media->differs;
}

static int write_anew(struct sip_dialog *to, struct call_refusal *why)
{
	struct call_media *m = to->call->media;
	const struct sdp_map *map = &m->side[side_of(to)].map_pending;

	for (unsigned i = 0; i < map->n_lines; i++) {
		struct stream *stream = &m->pending.list[map->stream[i]];
		bool feedback = stream->side[!side_of(to)].local.proto.feedback;

		stream->side[side_of(to)] = (struct stream_side){ .planned = false };
		if (stream->wanted && call_line_onward(to, stream, false, feedback, why) < 0)
			return -EPROTO;
	}
	return 0;
}

int call_media_redirect(struct sip_dialog *to, struct call_body *out, struct call_refusal *why)
{
	struct call_media *m = to->call->media;
	struct side_media *side = &m->side[side_of(to)];

	*out = (struct call_body){ NULL, 0 };
	if (!m->offered)
		return 0;
	sdp_doc_free(side->ours_pending); // to somebody else
	side->ours_pending = NULL;
	side->id = m->id_before;
	if (write_anew(to, why) < 0)
		return -EPROTO;
	if (call_media_write(to, m->offer, &m->side[!side_of(to)].map_pending, false, out) < 0)
		return call_refuse(why, 500, 0, "cannot write the offer");
	if (call_media_plan(to->call, PLAN_PREPARED) < 0 || streams_copy(&m->asked, &m->pending, m->pending.n) < 0)
		return call_refuse(why, 500, 0, "media");
	return 0;
}

void call_media_forget(struct sip_call *call, struct call_media **mp)
{
	if (*mp != NULL)
		call_media_discard(call, *mp);
	*mp = NULL;
}
