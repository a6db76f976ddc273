// SPDX-License-Identifier: GPL-3.0-or-later
// media_session.c - a call's media.
#include "mediarelay/media_session.h"
#include "mediarelay/call_record.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/leg_path.h"
#include "mediarelay/media_record.h"
#include "mediarelay/media_summary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct media_session *media_session_new(struct media *media, uint32_t id)
{
	struct media_session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		return NULL;
	session->media = media;
	session->id = id;
	session->worker = dp_worker_choose(media->dp);
	media->slots[id].session = session;
	return session;
}

void media_session_tell(struct media_session *session, const struct media_event *event)
{
	const struct media_start *start = &session->media->start;

	if (!session->closing)
		start->event(start->ctx, event);
}

void media_session_secured(struct media_session *session, uint32_t dialog)
{
	struct media_event event = { .kind = MEDIA_EVENT_SECURED, .session = session->id, .dialog = dialog };

	for (const struct leg_line *line = session->lines; line != NULL; line = line->next) {
		if (line->dialog == dialog && line->plan.agreed && !leg_line_secured(line))
			return;
	}
	media_record_save(session);
	media_session_tell(session, &event);
}

struct leg_line *media_session_line(const struct media_session *session, uint8_t leg, uint8_t index)
{
	for (struct leg_line *line = session->lines; line != NULL; line = line->next) {
		if (line->leg == leg && line->index == index && line->marked) // another may have had its place
			return line;
	}
	return NULL;
}

struct leg_line *media_session_joined(const struct leg_line *line, const struct media_join *join)
{
	if (join->leg_a == line->leg && join->line_a == line->index)
		return media_session_line(line->session, join->leg_b, join->line_b);
	if (join->leg_b == line->leg && join->line_b == line->index)
		return media_session_line(line->session, join->leg_a, join->line_a);
	return NULL;
}

// The gate of one direction: what comes in at `from` may leave at `to`.
static bool gate_open(const struct leg_line *from, const struct leg_line *to)
{
	return from->plan.agreed && to->plan.agreed && from->plan.receive && to->plan.send;
}

static void line_edges(struct leg_line *line)
{
	const struct media_session *session = line->session;
	struct dp_edge edges[DP_EDGES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < session->n_joins && n < DP_EDGES_MAX; i++) {
		const struct leg_line *other = media_session_joined(line, &session->joins[i]);

		if (other == NULL || !transport_live(&other->transports[LEG_RTP]))
			continue;
		edges[n++] = (struct dp_edge){
			.to = other->transports[LEG_RTP].ref,
			.open = gate_open(line, other),
		};
	}
	if (transport_live(&line->transports[LEG_RTP]))
		dp_transport_edges(session->media->dp, line->transports[LEG_RTP].ref, edges, n);
}

void media_session_edges(struct media_session *session)
{
	for (struct leg_line *line = session->lines; line != NULL; line = line->next)
		line_edges(line);
}

// Following a plan

static struct leg_line *line_of(struct media_session *session, uint32_t dialog, const struct media_line *plan)
{
	for (struct leg_line *line = session->lines; line != NULL; line = line->next) {
		if (line->dialog == dialog && inet_endpoint_equal(&line->plan.seat.rtp, &plan->seat.rtp))
			return line; // its place may be another one: lines before it come and go
	}
	return NULL;
}

static void follow_line(struct media_session *session, const struct media_leg *leg, uint8_t leg_number, uint8_t index)
{
	const struct media_line *plan = &leg->lines[index];
	struct leg_line *line;

	if (plan->seat.id == 0)
		return; // refused m-line: keeps its place, has no media
	line = line_of(session, leg->dialog, plan);
	if (line == NULL)
		line = leg_line_open(session, leg->dialog, plan);
	if (line == NULL) { // its seat stays out: a later plan of the call may name it still
		media_session_tell(session, &(struct media_event){ .kind = MEDIA_EVENT_FAILED,
								   .session = session->id,
								   .dialog = leg->dialog,
								   .cause = "no memory" });
		return;
	}
	line->marked = true;
	line->leg = leg_number;
	line->index = index;
	leg_line_apply(line, plan);
}

static void drop_unmarked(struct media_session *session)
{
	struct leg_line **at = &session->lines;

	while (*at != NULL) {
		struct leg_line *line = *at;

		if (line->marked) {
			at = &line->next;
			continue;
		}
		*at = line->next;
		media_summary_line(line);
		leg_line_close(line);
	}
}

void media_session_follow(struct media_session *session, const struct media_plan *plan)
{
	snprintf(session->call_id_a, sizeof(session->call_id_a), "%s", plan->call_id_a);
	snprintf(session->call_id_b, sizeof(session->call_id_b), "%s", plan->call_id_b);
	for (struct leg_line *line = session->lines; line != NULL; line = line->next)
		line->marked = false;
	for (uint8_t l = 0; l < plan->n_legs; l++) {
		for (uint8_t i = 0; i < plan->legs[l].n_lines; i++)
			follow_line(session, &plan->legs[l], l, i);
	}
	memcpy(session->joins, plan->joins, plan->n_joins * sizeof(plan->joins[0]));
	session->n_joins = plan->n_joins;
	media_session_edges(session); // before ports go, so that no edge names one that is no more
	drop_unmarked(session);
	media_record_save(session);
}

void media_session_end(struct media_session *session)
{
	struct media *media = session->media;
	uint32_t id = session->id;

	session->closing = true;
	session->n_joins = 0;
	while (session->lines != NULL) {
		struct leg_line *line = session->lines;

		session->lines = line->next;
		media_summary_line(line);
		leg_line_close(line);
	}
	media_summary_total(session);
	media_summary_report(media, session, id);
	media->slots[id].session = NULL;
	free(session);
	media_session_over(media, id);
}

void media_session_over(struct media *media, uint32_t id)
{
	atomic_store(&media->slots[id].trace, 0);
	call_record_write(media->records, id, CALL_RECORD_MEDIA, NULL, 0);
	if (media->removals_of[id] == 0)
		media_session_gone(media, id);
}

void media_session_tick(struct media_session *session, mono_ns now)
{
	for (struct leg_line *line = session->lines; line != NULL; line = line->next) {
		leg_line_tick(line, now);
		leg_path_tick(&line->transports[LEG_RTP], now);
	}
}

void media_session_gone(struct media *media, uint32_t id)
{
	if (media->slots[id].session != NULL)
		return; // it lives on, only some line of it ended
	pthread_mutex_lock(&media->free_lock);
	media->free_ids[(media->free_head + media->free_count) % media->max_sessions] = id;
	media->free_count++;
	pthread_mutex_unlock(&media->free_lock);
}
