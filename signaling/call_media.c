// SPDX-License-Identifier: GPL-3.0-or-later
// call_media.c - offers and answers of one call, carried from side to side; see call_media.h.
#include "signaling/call_media_priv.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int call_media_create(struct sip_call *call)
{
	struct call_media *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	for (int side = 0; side < SIDES; side++) {
		uint32_t id = 0;

		if (env_random(call->sip->env, &id, sizeof(id)) < 0) {
			free(m);
			return -EIO;
		}
		m->side[side].id = (struct sdp_session_id){ .id = id, .version = 1 };
	}
	call->media = m;
	return 0;
}

static void drop_doc(struct sdp_doc **docp)
{
	sdp_doc_free(*docp);
	*docp = NULL;
}

static void drop_body(struct call_media *m)
{
	if (m->body != NULL)
		sdp_body_free(m->body, m->body_len);
	m->body = NULL;
	m->body_len = 0;
}

// Seats that were taken for an offer that never reached a plan go back at once.
static void return_seats(struct sip_call *call, const struct streams *streams)
{
	for (unsigned i = 0; i < streams->n; i++) {
		for (int side = 0; side < SIDES; side++) {
			const struct stream_side *s = &streams->list[i].side[side];

			if (s->seat.id != 0 && !s->planned)
				media_seat_return(call->sip->media, &s->seat);
		}
	}
}

static void drop_pending(struct sip_call *call)
{
	struct call_media *m = call->media;

	return_seats(call, &m->pending);
	streams_wipe(&m->pending);
	streams_wipe(&m->asked);
	drop_doc(&m->offer);
	drop_doc(&m->answer);
	for (int side = 0; side < SIDES; side++)
		drop_doc(&m->side[side].ours_pending);
	m->offered = false;
}

void call_media_free(struct sip_call *call)
{
	struct call_media *m = call->media;

	if (m == NULL)
		return;
	drop_pending(call);
	if (call->session != 0 && !call->keep_media)
		media_session_close(call->sip->media, call->session);
	streams_wipe(&m->stable);
	for (int side = 0; side < SIDES; side++)
		drop_doc(&m->side[side].ours);
	drop_body(m);
	free(m);
	call->media = NULL;
}

enum plan_of { PLAN_STABLE, PLAN_PREPARED, PLAN_ANSWERED };

static int apply_plan(struct sip_call *call, enum plan_of of)
{
	static struct media_plan plan; // large; the sip thread is alone here
	struct call_media *m = call->media;
	struct sip_dialog *a = call_caller(call), *b = a->joined;
	struct plan_parties parties = {
		.dialog = { a->number, b->number },
		.profile = { a->profile, b->profile },
		.source = { a->source.addr, b->source.addr },
		.confirm = { m->confirm[SIDE_CALLER], m->confirm[SIDE_CALLEE] },
	};

	plan.session = call->session;
	snprintf(plan.call_id_a, sizeof(plan.call_id_a), "%.*s", MEDIA_CALL_ID_MAX - 1, a->call_id);
	snprintf(plan.call_id_b, sizeof(plan.call_id_b), "%.*s", MEDIA_CALL_ID_MAX - 1, b->call_id);
	plan_fill(&plan, &parties, of == PLAN_ANSWERED ? NULL : &m->stable, of == PLAN_STABLE ? NULL : &m->pending);
	int err = media_session_apply(call->sip->media, &plan);

	explicit_bzero(&plan, sizeof(plan));
	for (unsigned i = 0; of != PLAN_STABLE && i < m->pending.n; i++) {
		for (int side = 0; side < SIDES; side++)
			m->pending.list[i].side[side].planned |= m->pending.list[i].wanted;
	}
	return err;
}

static struct inet_addr seat_address(const struct media_seat *seat)
{
	return seat->advertise.family != INET_NONE ? seat->advertise : seat->rtp.addr;
}

// What the builder needs of each m-line of a description for `to`. received: map of the document it is made from.
static void build_lines(struct sdp_build_line *lines, const struct sip_dialog *to, const struct sdp_map *received,
			struct inet_addr *origin)
{
	const struct call_media *m = to->call->media;
	const struct sdp_map *map = &m->side[side_of(to)].map_pending;
	enum call_side side = side_of(to);

	for (unsigned i = 0; i < map->n_lines; i++) {
		const struct stream *stream = &m->pending.list[map->stream[i]];
		const struct stream_side *s = &stream->side[side];

		lines[i] = (struct sdp_build_line){ .from = sdp_map_line(received, map->stream[i]) };
		if (!stream->wanted)
			continue;
		lines[i].accept = true;
		lines[i].seat = (struct sdp_seat){ seat_address(&s->seat), s->seat.rtp.port, s->seat.rtcp.port };
		lines[i].rtcp_mux = s->rtcp_mux;
		lines[i].keying = &s->local;
		lines[i].hops = call_line_hops(to, stream);
		if (origin->family == INET_NONE)
			*origin = lines[i].seat.address;
	}
}

static int write_body(struct sip_dialog *to, const struct sdp_doc *received, const struct sdp_map *received_map,
		      bool answer, struct call_body *out)
{
	struct call_media *m = to->call->media;
	struct side_media *side = &m->side[side_of(to)];
	struct sdp_build_line lines[SDP_MEDIA_MAX];
	struct sdp_build build = {
		.received = received,
		.offer = answer ? m->offer : NULL,
		.previous = side->ours_pending != NULL ? side->ours_pending : side->ours,
		.session = &side->id,
		.pass_unknown = profile_of(to)->pass_unknown_attributes,
		.lines = lines,
		.n_lines = side->map_pending.n_lines,
	};
	struct sdp_doc *doc;
	int err;

	build_lines(lines, to, received_map, &build.origin);
	if (build.origin.family == INET_NONE)
		build.origin = sip_agent_listener(to->call->sip->agent, to->hop.listener)->bind.addr;
	err = answer ? sdp_answer_build(&doc, &build) : sdp_offer_build(&doc, &build);
	if (err < 0)
		return err;
	sdp_doc_free(side->ours_pending);
	side->ours_pending = doc;
	drop_body(m);
	m->body = sdp_doc_print(doc, &m->body_len);
	*out = (struct call_body){ m->body, m->body_len };
	return m->body != NULL ? 0 : -ENOMEM;
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
	err = sdp_map_offer(&here->map_pending, &there->map_pending, &m->n_streams_pending, n_lines);
	if (err < 0)
		return call_refuse(why, 488, 304, err == -EBADMSG ? "fewer m-lines than before" : "too many m-lines");
	if (streams_copy(&m->pending, &m->stable, m->n_streams_pending) < 0)
		return call_refuse(why, 500, 0, "no memory");
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
	if (streams_wanted(&m->pending) == 0 && streams_wanted(&m->stable) == 0)
		return call_refuse(why, 488, 305, m->why[0] != '\0' ? m->why : "no m-line can be relayed");
	return 0;
}

int call_media_offer(struct sip_dialog *from, const char *body, size_t len, struct call_body *out, struct call_refusal *why)
{
	struct sip_call *call = from->call;
	struct call_media *m = call->media;
	struct sdp_error error;
	int err;

	if (m == NULL || body == NULL)
		return call_refuse(why, 488, 399, "no offer");
	if (m->offered || !oa_allows(&from->oa, OA_EV_RECV_OFFER) || !oa_allows(&from->joined->oa, OA_EV_SEND_OFFER))
		return call_refuse(why, 491, 0, NULL);
	err = sdp_doc_parse(&m->offer, body, len, &error);
	if (err < 0) {
		snprintf(m->why, sizeof(m->why), "line %u, column %u: %.80s", error.line, error.column, error.text);
		return err == -ENOMEM ? call_refuse(why, 500, 0, "no memory") : call_refuse(why, 400, 399, m->why);
	}
	m->offerer = side_of(from);
	err = prepare(from, sdp_doc_media_count(m->offer), why);
	if (err == 0)
		err = read_offer(from, why);
	if (err == 0 && write_body(from->joined, m->offer, &m->side[side_of(from)].map_pending, false, out) < 0)
		err = call_refuse(why, 500, 0, "cannot write the offer");
	if (err == 0 && (apply_plan(call, PLAN_PREPARED) < 0 || streams_copy(&m->asked, &m->pending, m->pending.n) < 0))
		err = call_refuse(why, 500, 0, "media");
	if (err < 0) {
		drop_pending(call);
		return err;
	}
	m->offered = true;
	oa_step(&from->oa, OA_EV_RECV_OFFER, call_now(call));
	oa_step(&from->joined->oa, OA_EV_SEND_OFFER, call_now(call));
	return 0;
}

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
	if (streams_wanted(&m->pending) == 0 && streams_wanted(&m->stable) == 0)
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

// Its ports go back with the line; should it come back, it gets others.
static void forget_seats(struct sip_call *call, struct streams *streams)
{
	for (unsigned i = 0; i < streams->n; i++) {
		for (int side = 0; side < SIDES && !streams->list[i].wanted; side++) {
			struct stream_side *s = &streams->list[i].side[side];

			if (s->seat.id != 0 && !s->planned)
				media_seat_return(call->sip->media, &s->seat);
			s->seat = (struct media_seat){ .id = 0 };
			s->planned = false;
		}
	}
}

static void settle(struct sip_call *call)
{
	struct call_media *m = call->media;

	forget_seats(call, &m->pending);
	streams_wipe(&m->stable);
	m->stable = m->pending;
	m->pending = (struct streams){ 0 };
	m->n_streams = m->n_streams_pending;
	for (int side = 0; side < SIDES; side++) {
		struct side_media *s = &m->side[side];

		s->map = s->map_pending;
		sdp_doc_free(s->ours);
		s->ours = s->ours_pending;
		s->ours_pending = NULL;
	}
	drop_pending(call);
}

int call_media_answer(struct sip_dialog *from, const char *body, size_t len, bool preview, struct call_body *out,
		      struct call_refusal *why)
{
	struct sip_call *call = from->call;
	struct sip_dialog *to = from->joined;
	struct call_media *m = call->media;
	struct sdp_error error;
	int err = 0;

	if (m == NULL || !m->offered || m->offerer != side_of(to))
		return call_refuse(why, 500, 0, "an answer to no offer");
	if (body != NULL) {
		drop_doc(&m->answer);
		err = sdp_doc_parse(&m->answer, body, len, &error);
	}
	if (err < 0)
		return call_refuse_text(m, why, 488, 399, error.text);
	if (m->answer == NULL) // a 2xx may leave out what its own 1xx has said
		return call_refuse(why, 488, 399, "the far side sent no answer");
	if (streams_copy(&m->pending, &m->asked, m->asked.n) < 0)
		return call_refuse(why, 500, 0, "no memory");
	err = read_answer(from, m->answer, why);
	if (err == 0 && answer_rekeys(m)) // in a 200, which gets an ACK, or in an ACK, which gets nothing
		m->confirm[m->offerer] = to->invite_out == NULL ? MEDIA_CONFIRM_AWAITED : MEDIA_CONFIRM_SOON;
	if (err == 0 && write_body(to, m->answer, &m->side[side_of(from)].map_pending, true, out) < 0)
		err = call_refuse(why, 500, 0, "cannot write the answer");
	if (err == 0 && apply_plan(call, PLAN_ANSWERED) < 0)
		err = call_refuse(why, 500, 0, "media");
	if (err < 0)
		return err;
	oa_step(&from->oa, preview ? OA_EV_PREVIEW : OA_EV_RECV_ANSWER, call_now(call));
	oa_step(&to->oa, preview ? OA_EV_PREVIEW : OA_EV_SEND_ANSWER, call_now(call));
	if (!preview)
		settle(call);
	return 0;
}

void call_media_rollback(struct sip_call *call)
{
	struct call_media *m = call->media;
	struct sip_dialog *a = call_caller(call);

	if (m == NULL || !m->offered)
		return;
	struct sip_dialog *offerer = m->offerer == SIDE_CALLER ? a : a->joined;

	oa_step(&offerer->oa, OA_EV_REFUSE, call_now(call));
	oa_step(&offerer->joined->oa, OA_EV_REFUSED, call_now(call));
	drop_pending(call);
	apply_plan(call, PLAN_STABLE);
}

void call_media_confirmed(struct sip_dialog *d)
{
	struct call_media *m = d->call->media;

	if (m == NULL || m->confirm[side_of(d)] == MEDIA_CONFIRMED)
		return;
	m->confirm[side_of(d)] = MEDIA_CONFIRMED;
	apply_plan(d->call, m->offered ? PLAN_PREPARED : PLAN_STABLE);
}

bool call_media_offered(const struct sip_call *call)
{
	return call->media != NULL && call->media->offered;
}

void call_media_versions(const struct sip_call *call, const struct sip_dialog *d, uint64_t *id, uint64_t *version)
{
	const struct sdp_session_id *session = &call->media->side[side_of(d)].id;

	*id = session->id;
	*version = session->version;
}
