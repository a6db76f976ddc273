// SPDX-License-Identifier: GPL-3.0-or-later
// call_offer.c - offers: one that a side makes, read and written on for the other; and those that we make ourselves.
#include "signaling/call_media_priv.h"
#include "signaling/sdp/sdp_same.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_kind(const struct sdp_doc *doc, size_t index, struct sdp_text kind)
{
	struct sdp_media line;

	return sdp_media_read(doc, index, &line) == 0 && line.kind.len == kind.len && memcmp(line.kind.s, kind.s, kind.len) == 0;
}

// Somebody new offers to a side that is up: each of his lines takes up the stream of the same kind that is next, so that the
// other side's line stays as it is. What finds none is a new stream.
static void match_kinds(const struct call_media *m, struct sdp_map *here, const struct side_media *there)
{
	size_t n = sdp_doc_media_count(m->offer);
	bool taken[SDP_MEDIA_MAX] = { false };

	here->n_lines = 0;
	for (size_t i = 0; i < n && there->ours != NULL; i++) {
		struct sdp_media line;
		unsigned j = 0;

		if (sdp_media_read(m->offer, i, &line) < 0)
			return;
		while (j < there->map.n_lines && (taken[j] || !is_kind(there->ours, j, line.kind)))
			j++;
		if (j == there->map.n_lines)
			return; // it and what comes after it are new
		taken[j] = true;
		here->stream[here->n_lines++] = there->map.stream[j];
	}
}

// Everything that an offer changes, in the pending half only.
static int prepare(struct sip_dialog *from, size_t n_lines, struct call_refusal *why)
{
	struct call_media *m = from->call->media;
	struct side_media *here = &m->side[side_of(from)], *there = &m->side[!side_of(from)];
	int err;

	for (int side = 0; side < SIDES; side++)
		m->side[side].map_pending = m->side[side].map;
	m->n_streams_pending = m->n_streams;
	if (n_lines == 0)
		return call_refuse(why, 488, 304, "no m-line");
	if (m->left != NULL)
		match_kinds(m, &here->map_pending, there);
	err = sdp_map_offer(&here->map_pending, &there->map_pending, &m->n_streams_pending, n_lines);
	if (err < 0)
		return call_refuse(why, 488, 304, err == -EBADMSG ? "fewer m-lines than before" : "too many m-lines");
	if (streams_copy(&m->pending, &m->stable, m->n_streams_pending) < 0)
		return call_refuse(why, 500, 0, "no memory");
	for (unsigned i = 0; m->left != NULL && i < m->pending.n; i++) {
		m->pending.list[i].side[side_of(from)] = (struct stream_side){ .direction = 0 };
		m->pending.list[i].wanted &= sdp_map_line(&here->map_pending, i) >= 0;
	}
	return 0;
}

static int read_offer(struct sip_dialog *from, struct call_refusal *why)
{
	struct call_media *m = from->call->media;
	const struct sdp_map *map = &m->side[side_of(from)].map_pending;

	m->why[0] = '\0';
	for (unsigned i = 0; i < map->n_lines; i++) {
		struct stream *stream = &m->pending.list[map->stream[i]];
		bool in_force = stream->agreed;
		struct sdp_media line;
		int err = call_line_offered(from, m->offer, i, stream, why);

		if (err == 0 && stream->wanted && sdp_media_read(m->offer, i, &line) == 0)
			err = call_line_onward(from->joined, stream, in_force, line.proto.feedback, why);
		if (err < 0)
			return err;
	}
	if (streams_wanted(&m->pending) == 0 && (m->left != NULL || streams_wanted(&m->stable) == 0))
		return call_refuse(why, 488, 305, m->why[0] != '\0' ? m->why : "no m-line can be relayed");
	return 0;
}

// Reads `m->offer` of `from` and writes it on. Its other side's version goes back if that one need not know.
static int judge(struct sip_dialog *from, struct call_offer *out, struct call_refusal *why)
{
	struct call_media *m = from->call->media;
	struct side_media *there = &m->side[!side_of(from)];
	int err;

	m->offerer = side_of(from);
	m->id_before = there->id;
	err = prepare(from, sdp_doc_media_count(m->offer), why);
	if (err == 0)
		err = read_offer(from, why);
	if (err < 0)
		return err;
	if (call_media_write(from->joined, m->offer, &m->side[side_of(from)].map_pending, false, &out->body) < 0)
		return call_refuse(why, 500, 0, "cannot write the offer");
	out->concerns = there->ours == NULL || there->theirs == NULL || !sdp_same(there->ours, there->ours_pending);
	if (!out->concerns)
		there->id = m->id_before;
	if (call_media_plan(from->call, PLAN_PREPARED) < 0 || streams_copy(&m->asked, &m->pending, m->pending.n) < 0)
		return call_refuse(why, 500, 0, "media");
	return 0;
}

int call_media_offer(struct sip_dialog *from, const char *body, size_t len, struct call_offer *out, struct call_refusal *why)
{
	struct sip_call *call = from->call;
	struct call_media *m = call->media;
	struct sdp_error error;
	int err;

	if (m == NULL || body == NULL)
		return call_refuse(why, 488, 399, "no offer");
	if (m->offered)
		return call_refuse(why, 491, 0, NULL);
	err = sdp_doc_parse(&m->offer, body, len, &error);
	if (err < 0) {
		snprintf(m->why, sizeof(m->why), "line %u, column %u: %.80s", error.line, error.column, error.text);
		return err == -ENOMEM ? call_refuse(why, 500, 0, "no memory") : call_refuse(why, 400, 399, m->why);
	}
	err = judge(from, out, why);
	if (err < 0) {
		call_media_drop_pending(call);
		return err;
	}
	m->offered = true;
	return 0;
}

// What `to` is offered of each stream; the other side's part of it stays.
static int write_again(struct sip_dialog *to, struct call_refusal *why)
{
	struct call_media *m = to->call->media;
	const struct sdp_map *map = &m->side[side_of(to)].map_pending;

	for (unsigned i = 0; i < map->n_lines; i++) {
		struct stream *stream = &m->pending.list[map->stream[i]];
		bool in_force = stream->agreed && stream->side[side_of(to)].seat.id != 0;
		bool feedback = stream->side[!side_of(to)].local.proto.feedback;

		stream->agreed = false;
		if (stream->wanted && call_line_onward(to, stream, in_force, feedback, why) < 0)
			return -EPROTO;
	}
	return 0;
}

static int offer_of_ours(struct sip_dialog *to, struct call_body *out, struct call_refusal *why)
{
	struct sip_call *call = to->call;
	struct call_media *m = call->media;
	int err = write_again(to, why);

	m->id_before = m->side[side_of(to)].id;
	if (err == 0 && call_media_write(to, m->offer, &m->side[!side_of(to)].map_pending, false, out) < 0)
		err = call_refuse(why, 500, 0, "cannot write the offer");
	if (err == 0 && (call_media_plan(call, PLAN_PREPARED) < 0 || streams_copy(&m->asked, &m->pending, m->pending.n) < 0))
		err = call_refuse(why, 500, 0, "media");
	if (err < 0) {
		call_media_drop_pending(call);
		return err;
	}
	m->offered = m->kept = true;
	return 0;
}

int call_media_offer_again(struct sip_dialog *to, struct call_body *out, struct call_refusal *why)
{
	struct call_media *m = to->call->media;
	const struct sdp_doc *said = m != NULL ? m->side[!side_of(to)].theirs : NULL;

	if (said == NULL || m->offered)
		return call_refuse(why, 500, 0, "nothing to offer");
	m->offerer = !side_of(to);
	for (int side = 0; side < SIDES; side++)
		m->side[side].map_pending = m->side[side].map;
	m->n_streams_pending = m->n_streams;
	if (sdp_doc_copy(&m->offer, said) < 0 || streams_copy(&m->pending, &m->stable, m->n_streams) < 0) {
		call_media_drop_pending(to->call);
		return call_refuse(why, 500, 0, "no memory");
	}
	return offer_of_ours(to, out, why);
}

int call_media_insert(struct sip_dialog *to, const char *body, size_t len, struct call_body *out, struct call_refusal *why)
{
	struct call_media *m = to->call->media;
	struct sdp_error error;

	if (sdp_doc_parse(&m->offer, body, len, &error) < 0)
		return call_refuse(why, 500, 0, "no memory");
	m->offerer = !side_of(to);
	int err = prepare(to->joined, sdp_doc_media_count(m->offer), why);

	for (unsigned i = 0; err == 0 && i < m->pending.n; i++) { // the caller will be offered the same, later
		struct stream_side *s = &m->pending.list[i].side[m->offerer];

		m->pending.list[i].wanted = true;
		s->direction = SDP_SENDRECV;
		err = call_line_seat(to->joined, s, to->joined->source.addr.family, why);
	}
	if (err < 0) {
		call_media_drop_pending(to->call);
		return err;
	}
	return offer_of_ours(to, out, why);
}
