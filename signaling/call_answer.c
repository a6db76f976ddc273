// SPDX-License-Identifier: GPL-3.0-or-later
// call_answer.c - answers: one that a side gives, read and written on for the other; and those that we give ourselves.
#include "signaling/call_media_priv.h"
#include "signaling/sdp/sdp_same.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_answer(struct sip_dialog *from, const struct sdp_doc *doc, struct call_refusal *why)
{
	struct call_media *m = from->call->media;
	const struct sdp_map *map = &m->side[side_of(from)].map_pending;
	struct sdp_error error;

	if (sdp_answer_check(m->side[side_of(from)].ours_pending, doc, &error) < 0)
		return call_refuse_text(m, why, 488, 399, error.text);
	for (unsigned i = 0; i < map->n_lines; i++) {
		int err = call_line_answered(from, doc, i, &m->pending.list[map->stream[i]], why);

		if (err < 0)
			return err;
	}
	if (streams_wanted(&m->pending) == 0 && (m->left != NULL || !streams_up(&m->stable)))
		return call_refuse(why, 488, 305, "the far side took no m-line");
	return 0;
}

// Whether our answer to the offerer names a sending key that it does not have yet, while it has another (RFC 4568).
static bool answer_rekeys(const struct call_media *m)
{
	for (unsigned i = 0; i < m->stable.n && i < m->pending.n; i++) {
		const struct keying_choice *old = &m->stable.list[i].side[m->offerer].choice;
		const struct keying_choice *new = &m->pending.list[i].side[m->offerer].choice;

		if (m->stable.list[i].agreed && new->mechanism == KEYING_SDES && !keying_choice_same(old, new))
			return true;
	}
	return false;
}

// The offerer has had its answer, of another fork: that one holds (RFC 3261 section 13.2.1), and what this one would say is
// only compared with it.
static int hold_answer(struct sip_dialog *to, const struct sdp_doc *received, struct call_body *out, struct call_refusal *why)
{
	struct call_media *m = to->call->media;
	struct side_media *side = &m->side[side_of(to)];
	struct sdp_session_id id = side->id;
	struct sdp_doc *told = side->ours_pending;

	side->ours_pending = NULL;
	int err = call_media_write(to, received, &m->side[!side_of(to)].map_pending, true, out);

	m->differs = err == 0 && !sdp_same(told, side->ours_pending);
	sdp_doc_free(side->ours_pending);
	side->ours_pending = told;
	side->id = id;
	return err == 0 && call_media_current(to, out) == 0 ? 0 : call_refuse(why, 500, 0, "cannot write the answer");
}

// The answer for the offerer `to`, if somebody waits for one. A key of ours that it does not have yet waits for it too.
static int write_answer(struct sip_dialog *to, const struct sdp_doc *received, struct call_body *out, struct call_refusal *why)
{
	struct call_media *m = to->call->media;

	*out = (struct call_body){ NULL, 0 };
	if (m->kept)
		return 0;
	if (m->held)
		return hold_answer(to, received, out, why);
	if (m->left == NULL && answer_rekeys(m)) // in a 200 to an INVITE, which gets an ACK; or where nothing says that it has arrived
		m->confirm[m->offerer] = to->oa.by == OA_BY_INVITE ? MEDIA_CONFIRM_AWAITED : MEDIA_CONFIRM_SOON;
	if (call_media_write(to, received, &m->side[!side_of(to)].map_pending, true, out) < 0)
		return call_refuse(why, 500, 0, "cannot write the answer");
	return 0;
}

static int take_document(struct call_media *m, const char *body, size_t len, struct call_refusal *why)
{
	struct sdp_error error;

	if (body != NULL) {
		sdp_doc_free(m->answer);
		m->answer = NULL;
		if (sdp_doc_parse(&m->answer, body, len, &error) < 0)
			return call_refuse_text(m, why, 488, 399, error.text);
	}
	if (m->answer == NULL) // a 2xx may leave out what its own 1xx has said
		return call_refuse(why, 488, 399, "the far side sent no answer");
	if (streams_copy(&m->pending, &m->asked, m->asked.n) < 0)
		return call_refuse(why, 500, 0, "no memory");
	return 0;
}

// Without the other side's part nothing can flow yet, and nothing is agreed.
static void half_agreed(struct call_media *m)
{
	for (unsigned i = 0; i < m->pending.n; i++)
		m->pending.list[i].agreed &= m->pending.list[i].side[m->offerer].choice.mechanism != KEYING_UNDECIDED;
}

int call_media_answer(struct sip_dialog *from, const char *body, size_t len, bool preview, struct call_body *out,
		      struct call_refusal *why)
{
	struct sip_call *call = from->call;
	struct sip_dialog *to = from->joined;
	struct call_media *m = call->media;
	int err;

	if (m == NULL || !m->offered || m->offerer != side_of(to))
		return call_refuse(why, 500, 0, "an answer to no offer");
	err = take_document(m, body, len, why);
	if (err == 0)
		err = read_answer(from, m->answer, why);
	if (err == 0)
		err = write_answer(to, m->answer, out, why);
	if (err < 0)
		return err;
	half_agreed(m);
	if (call_media_plan(call, PLAN_ANSWERED) < 0)
		return call_refuse(why, 500, 0, "media");
	if (!preview)
		call_media_settle(call);
	return 0;
}

// The other side of a stream as it was, in the pending half. false: there is nothing to go on with.
static void take_other_back(struct call_media *m, enum call_side other)
{
	for (unsigned i = 0; i < m->pending.n; i++) {
		struct stream *stream = &m->pending.list[i];
		const struct stream *was = i < m->stable.n ? &m->stable.list[i] : NULL;

		if (was != NULL && was->wanted) {
			bool planned = stream->side[other].planned;

			stream->side[other] = was->side[other];
			stream->side[other].planned |= planned;
		}
		stream->agreed = stream->wanted && was != NULL && was->agreed;
	}
}

int call_media_answer_here(struct sip_dialog *from, struct call_body *out, struct call_refusal *why)
{
	struct sip_call *call = from->call;
	struct call_media *m = call->media;
	struct side_media *there = &m->side[!side_of(from)];
	int err;

	sdp_doc_free(there->ours_pending); // nobody is told
	there->ours_pending = NULL;
	take_other_back(m, !side_of(from));
	err = write_answer(from, there->theirs, out, why);
	if (err == 0 && call_media_plan(call, PLAN_ANSWERED) < 0)
		err = call_refuse(why, 500, 0, "media");
	if (err < 0)
		return err;
	call_media_settle(call);
	return 0;
}

int call_media_decline(struct sip_dialog *offerer, struct call_body *out)
{
	struct call_media *m = offerer->call->media;

	if (m == NULL || !m->offered || m->kept || m->offerer != side_of(offerer))
		return -ENOENT;
	for (unsigned i = 0; i < m->pending.n; i++)
		m->pending.list[i].wanted = false;
	return call_media_write(offerer, m->offer, &m->side[m->offerer].map_pending, true, out);
}

bool call_media_settles(const struct sip_dialog *d)
{
	const struct call_media *m = d->call->media;
	const struct side_media *here, *there;

	if (m == NULL)
		return true;
	here = &m->side[side_of(d)];
	there = &m->side[!side_of(d)];
	return here->theirs == NULL || there->theirs == NULL || sdp_covers(here->theirs, there->theirs);
}
