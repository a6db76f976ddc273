// SPDX-License-Identifier: GPL-3.0-or-later
// call_media.c - the descriptions of one call: what is stable, what is pending, and the plan that follows; see call_media.h.
#include "signaling/call_media_priv.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int session_id(struct sip_call *call, struct sdp_session_id *id)
{
	uint32_t number = 0;

	if (env_random(call->sip->env, &number, sizeof(number)) < 0)
		return -EIO;
	*id = (struct sdp_session_id){ .id = number, .version = 1 };
	return 0;
}

int call_media_create(struct sip_call *call)
{
	struct call_media *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	for (int side = 0; side < SIDES; side++) {
		int err = session_id(call, &m->side[side].id);

		if (err < 0) {
			free(m);
			return err;
		}
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

static void drop_side(struct side_media *side)
{
	drop_doc(&side->ours);
	drop_doc(&side->theirs);
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

static void drop_pending(struct sip_call *call, struct call_media *m)
{
	return_seats(call, &m->pending);
	streams_wipe(&m->pending);
	streams_wipe(&m->asked);
	drop_doc(&m->offer);
	drop_doc(&m->answer);
	for (int side = 0; side < SIDES; side++)
		drop_doc(&m->side[side].ours_pending);
	m->offered = m->kept = m->held = false;
}

void call_media_drop_pending(struct sip_call *call)
{
	drop_pending(call, call->media);
}

void call_media_discard(struct sip_call *call, struct call_media *m)
{
	drop_pending(call, m);
	streams_wipe(&m->stable);
	for (int side = 0; side < SIDES; side++)
		drop_side(&m->side[side]);
	drop_side(&m->left_media);
	drop_body(m);
	free(m);
}

void call_media_free(struct sip_call *call)
{
	if (call->media == NULL)
		return;
	return_seats(call, &call->media->pending);
	if (call->session != 0 && !call->keep_media)
		media_session_close(call->sip->media, call->session);
	streams_wipe(&call->media->pending);
	call_media_discard(call, call->media);
	call->media = NULL;
}

// A fork that is not followed is heard all the same.
static void plan_fork(struct media_plan *plan, const struct plan_parties *followed, const struct sip_dialog *d)
{
	const struct call_media *m = d->media;
	struct plan_parties parties = *followed;

	parties.dialog[SIDE_CALLER] = d->joined->leg_number;
	parties.dialog[SIDE_CALLEE] = d->leg_number;
	parties.source[SIDE_CALLEE] = d->source.addr;
	for (unsigned i = 0; i < MEDIA_LINES_MAX; i++)
		parties.shut[i] = EARLY_BOTH & ~call_early_gate_of(d, i);
	plan_add(plan, &parties, m->offered ? &m->pending : &m->stable);
}

int call_media_plan(struct sip_call *call, enum plan_of of)
{
	static struct media_plan plan; // large; the sip thread is alone here
	struct call_media *m = call->media;
	const struct sip_dialog *a = call_caller(call), *b = a->joined;

	if (m->left != NULL && of != PLAN_ANSWERED) { // nothing of a transfer shows before its answer
		of = PLAN_STABLE;
		*(side_of(m->left) == SIDE_CALLER ? &a : &b) = m->left;
	}
	struct plan_parties parties = {
		.dialog = { a->leg_number, b->leg_number },
		.profile = { a->profile, b->profile },
		.source = { a->source.addr, b->source.addr },
		.confirm = { m->confirm[SIDE_CALLER], m->confirm[SIDE_CALLEE] },
	};

	for (unsigned i = 0; i < MEDIA_LINES_MAX; i++)
		parties.shut[i] = EARLY_BOTH & ~call_early_gate(call, i);
	if (call_is_setting_up(&call->fsm) && (b->fsm.state == DIALOG_TRYING || b->fsm.state == DIALOG_EARLY)) {
		parties.provisional = true;
		parties.parallel = call->parallel;
		parties.reserve = call->asked != NULL ? &call->asked->pending : &m->asked;
	}
	m->provisional = parties.provisional;
	plan.session = call->session;
	snprintf(plan.call_id_a, sizeof(plan.call_id_a), "%.*s", MEDIA_CALL_ID_MAX - 1, a->call_id);
	snprintf(plan.call_id_b, sizeof(plan.call_id_b), "%.*s", MEDIA_CALL_ID_MAX - 1, b->call_id);
	plan_fill(&plan, &parties, of == PLAN_ANSWERED ? NULL : &m->stable, of == PLAN_STABLE ? NULL : &m->pending);
	for (const struct sip_dialog *d = call->dialogs; d != NULL && parties.provisional; d = d->next) {
		if (d->outgoing && d->media != NULL && d->joined != NULL)
			plan_fork(&plan, &parties, d);
	}
	int err = media_session_apply(call->sip->media, &plan);

	explicit_bzero(&plan, media_plan_size(&plan));
	for (unsigned i = 0; of != PLAN_STABLE && i < m->pending.n; i++) {
		if (of == PLAN_PREPARED && i < m->stable.n && m->stable.list[i].wanted && !m->pending.list[i].agreed)
			continue; // the plan has it as it was
		for (int side = 0; side < SIDES; side++) {
			struct stream_side *s = &m->pending.list[i].side[side];

			s->planned |= m->pending.list[i].wanted && s->seat.id != 0;
			if (i < m->asked.n && m->asked.list[i].side[side].seat.id == s->seat.id)
				m->asked.list[i].side[side].planned |= s->planned;
		}
	}
	return err;
}

static int print_body(struct call_media *m, const struct sdp_doc *doc, struct call_body *out)
{
	drop_body(m);
	m->body = sdp_doc_print(doc, &m->body_len);
	*out = (struct call_body){ m->body, m->body_len };
	return m->body != NULL ? 0 : -ENOMEM;
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

int call_media_write(struct sip_dialog *to, const struct sdp_doc *received, const struct sdp_map *received_map, bool answer,
		     struct call_body *out)
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
	return print_body(m, doc, out);
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

// The author of `docp` has said it last. NULL: it said nothing new.
static void keep_doc(struct sdp_doc **docp, struct sdp_doc **fresh)
{
	if (*fresh == NULL)
		return;
	sdp_doc_free(*docp);
	*docp = *fresh;
	*fresh = NULL;
}

static void keep_said(struct side_media *side, struct sdp_doc **fresh)
{
	side->renewed += side->theirs != NULL && *fresh != NULL;
	keep_doc(&side->theirs, fresh);
}

int call_media_relieve(const struct sip_dialog *left, const struct sip_dialog *fresh)
{
	struct call_media *m = left->call->media;
	enum call_side side = side_of(left);
	struct sdp_session_id id;

	if (m == NULL || m->offered || m->left != NULL)
		return -EBUSY;
	int err = session_id(fresh->call, &id);

	if (err < 0)
		return err;
	m->left = left;
	m->left_media = m->side[side];
	m->left_confirm = m->confirm[side];
	m->side[side] = (struct side_media){ .id = id };
	m->confirm[side] = MEDIA_CONFIRMED;
	return 0;
}

void call_media_relieve_undo(struct sip_call *call)
{
	struct call_media *m = call->media;

	if (m == NULL || m->left == NULL)
		return;
	enum call_side side = side_of(m->left);

	drop_side(&m->side[side]);
	m->side[side] = m->left_media;
	m->confirm[side] = m->left_confirm;
	m->left_media = (struct side_media){ .ours = NULL };
	m->left = NULL;
}

// He is out. What he had of ports went with the plan that does not name him.
static void relieved(struct call_media *m)
{
	drop_side(&m->left_media);
	m->left_media = (struct side_media){ .ours = NULL };
	m->left = NULL;
}

void call_media_settle(struct sip_call *call)
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
		keep_doc(&s->ours, &s->ours_pending);
	}
	keep_said(&m->side[m->offerer], &m->offer);
	keep_said(&m->side[!m->offerer], &m->answer);
	relieved(m);
	call_media_drop_pending(call);
}

void call_media_rollback(struct sip_call *call)
{
	struct call_media *m = call->media;
	struct sip_dialog *a = call_caller(call);

	if (m == NULL || !m->offered)
		return;
	struct sip_dialog *offerer = m->offerer == SIDE_CALLER ? a : a->joined;

	if (oa_allows(&offerer->oa, OA_EV_REFUSE))
		oa_step(&offerer->oa, OA_EV_REFUSE, call_now(call));
	if (oa_allows(&offerer->joined->oa, OA_EV_REFUSED))
		oa_step(&offerer->joined->oa, OA_EV_REFUSED, call_now(call));
	call_media_drop_pending(call);
	call_media_plan(call, PLAN_STABLE);
}

void call_media_withdraw(struct sip_call *call)
{
	struct call_media *m = call->media;

	if (m != NULL && m->offered)
		m->side[!m->offerer].id = m->id_before;
	call_media_rollback(call);
}

void call_media_confirmed(struct sip_dialog *d)
{
	struct call_media *m = d->call->media;

	if (m == NULL || m->confirm[side_of(d)] == MEDIA_CONFIRMED)
		return;
	m->confirm[side_of(d)] = MEDIA_CONFIRMED;
	call_media_plan(d->call, m->offered ? PLAN_PREPARED : PLAN_STABLE);
}

void call_media_open(struct sip_call *call)
{
	if (call->media != NULL && (call->early.allowed != EARLY_BOTH || call->early.n > 0 || call->media->provisional))
		call_media_plan(call, call->media->offered ? PLAN_PREPARED : PLAN_STABLE);
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

int call_media_current(struct sip_dialog *d, struct call_body *out)
{
	struct call_media *m = d->call->media;
	const struct side_media *side = m != NULL ? &m->side[side_of(d)] : NULL;
	const struct sdp_doc *doc = side != NULL && side->ours_pending != NULL ? side->ours_pending : side != NULL ? side->ours : NULL;

	return doc != NULL ? print_body(m, doc, out) : -ENOENT;
}
