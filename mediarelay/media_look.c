// SPDX-License-Identifier: GPL-3.0-or-later
// media_look.c - a session's lines, copied; and the questions that wait for it.
#include "mediarelay/media_look.h"
#include "mediarelay/leg_dtls.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/media_count.h"
#include "mediarelay/media_question.h"
#include "mediarelay/media_session.h"
#include "mediarelay/media_summary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUESTIONS 256

struct media_question {
	uint32_t session;
	void (*answer)(void *ctx, struct media_look *look);
	void *ctx;
};

static uint64_t ms_since(mono_ns now, mono_ns then)
{
	return then == 0 ? UINT64_MAX : now > then ? (now - then) / MONO_MS(1) : 0;
}

static void look_at_keying(struct media_line_look *look, const struct leg_line *line, mono_ns now)
{
	const struct leg_transport *tp = &line->transports[LEG_RTP];
	size_t at = 0;

	look->keying_state = keying_state_name(tp->keying);
	look->is_plain = line->plan.keying.mechanism == KEYING_PLAIN;
	look->keying_ms = look->secured || line->keying_since == 0 ? 0 : ms_since(now, line->keying_since);
	look->expected[0] = look->seen[0] = '\0';
	for (size_t i = 0; i < line->plan.keying.fingerprints.n && at < sizeof(look->expected); i++) {
		char text[DTLS_FINGERPRINT_STRLEN];

		snprintf(look->expected + at, sizeof(look->expected) - at, "%s%s", i > 0 ? ", " : "",
			 dtls_fingerprint_print(text, &line->plan.keying.fingerprints.list[i]));
		at = strlen(look->expected);
	}
	if (line->plan.keying.mechanism == KEYING_DTLS_SRTP)
		leg_dtls_seen(tp, look->seen, sizeof(look->seen));
}

static struct media_drop_look drop_look(const struct drop_note *note, mono_ns now)
{
	return (struct media_drop_look){ .ms = ms_since(now, note->at), .by = relay_drop_name[note->by] };
}

static void look_at_line(struct media_line_look *look, struct leg_line *line, mono_ns now)
{
	const struct leg_transport *tp = &line->transports[LEG_RTP];
	struct dp_stats stats = { .last_rx = 0 };

	media_summary_read(&look->figures, line);
	look->agreed = line->plan.agreed;
	look->secured = leg_line_secured(line);
	look->send = line->plan.send;
	look->receive = line->plan.receive;
	look->shut_send = line->plan.shut_send;
	look->shut_receive = line->plan.shut_receive;
	look->silent_allowed = line->plan.silent_allowed;
	look_at_keying(look, line, now);
	if (transport_live(tp) && dp_transport_stats(line->session->media->dp, tp->ref, &stats) == 0)
		media_count_drops(line, &stats, now); // up to this moment, not to the last tick
	look->not_heard_ms = ms_since(now, stats.last_rx);
	look->not_sent_ms = ms_since(now, stats.last_tx);
	look->dropped_in = drop_look(&line->counted.dropped_in, now);
	look->dropped_out = drop_look(&line->counted.dropped_out, now);
	look->lost_cause = tp->lost_since != 0 ? tp->lost_cause : 0;
	look->learning = tp->learn_until != 0 && now < tp->learn_until;
}

static int place_of(const struct leg_line *const *lines, unsigned n, const struct leg_line *line)
{
	for (unsigned i = 0; i < n; i++) {
		if (lines[i] == line)
			return (int)i;
	}
	return -1;
}

static void look_at_way(struct media_look *look, int from, int to)
{
	struct media_way *way;

	if (from < 0 || to < 0 || look->n_ways == sizeof(look->ways) / sizeof(look->ways[0]))
		return;
	way = &look->ways[look->n_ways++];
	*way = (struct media_way){ .from = (uint8_t)from, .to = (uint8_t)to };
	media_way_judge(way, &look->lines[from], &look->lines[to]);
}

static struct media_look *look_at(struct media_session *session)
{
	struct media_look *look = calloc(1, sizeof(*look));
	const struct leg_line *lines[MEDIA_LOOK_LINES];
	mono_ns now = env_now(session->media->env);

	if (look == NULL)
		return NULL;
	look->session = session->id;
	look->worker = session->worker;
	for (struct leg_line *line = session->lines; line != NULL && look->n_lines < MEDIA_LOOK_LINES; line = line->next) {
		lines[look->n_lines] = line;
		look_at_line(&look->lines[look->n_lines++], line, now);
	}
	for (unsigned i = 0; i < session->n_joins; i++) {
		const struct media_join *join = &session->joins[i];
		int a = place_of(lines, look->n_lines, media_session_line(session, join->leg_a, join->line_a));
		int b = place_of(lines, look->n_lines, media_session_line(session, join->leg_b, join->line_b));

		look_at_way(look, a, b);
		look_at_way(look, b, a);
	}
	return look;
}

int media_questions_open(struct media *media)
{
	return mailbox_open(&media->questions, QUESTIONS, sizeof(struct media_question));
}

void media_questions_answer(struct media *media, bool alive)
{
	struct media_question q;

	while (mailbox_pop(media->questions, &q) == 0) {
		struct media_session *session =
			alive && q.session != 0 && q.session <= media->max_sessions ? media->slots[q.session].session : NULL;

		q.answer(q.ctx, session != NULL ? look_at(session) : NULL);
	}
}

void media_questions_close(struct media *media)
{
	if (media->questions != NULL)
		media_questions_answer(media, false);
	mailbox_close(media->questions);
}

int media_look(struct media *media, uint32_t session, void (*answer)(void *ctx, struct media_look *look), void *ctx)
{
	return mailbox_push(media->questions, &(struct media_question){ session, answer, ctx });
}
