// SPDX-License-Identifier: GPL-3.0-or-later
// traces.c - traces' lives: what comes for them, and when they end.
#include "gateway/trace/traces.h"
#include "base/env.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/secret.h"
#include "gateway/trace/trace_frame.h"
#include "mediarelay/media.h"
#include "signaling/sip.h"
#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAILS 8192
#define LINGER MONO_S(2) // after the last call: repetitions, and what is still in a ring

enum mail_kind { MAIL_FRAME, MAIL_CALL, MAIL_OVER };

struct trace_mail {
	enum mail_kind kind;
	uint32_t trace, call, session;
	struct trace_frame *frame; // malloc'ed
};

struct traces {
	struct trace *all[TRACES];
	_Atomic uint64_t lost[TRACES]; // by any thread: did not reach the main loop
	struct mailbox *mail;
	struct event *on_mail, *on_second;
	struct sip *sip;
	struct media *media;
};

// Any number that no trace of a life before had, as far as chance goes; its place is in it.
static uint32_t id_make(unsigned place)
{
	uint32_t random = 0;

	env_random(&env_real, &random, sizeof(random));
	return (random | 0x80000000u) / TRACES * TRACES + place;
}

static unsigned place_of(uint32_t id)
{
	return id % TRACES;
}

struct trace *traces_by_id(struct traces *traces, uint32_t id)
{
	struct trace *trace = traces->all[place_of(id)];

	return trace != NULL && trace->id == id ? trace : NULL;
}

struct trace *traces_at(struct traces *traces, unsigned i)
{
	return traces->all[i];
}

struct trace *traces_find(struct traces *traces, const char *name)
{
	for (unsigned i = 0; i < TRACES; i++) {
		if (traces->all[i] != NULL && strcmp(traces->all[i]->name, name) == 0)
			return traces->all[i];
	}
	return NULL;
}

// Lives

static uint64_t wall_at_zero(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - clock_now();
}

static uint64_t rings_refused(const struct traces *traces)
{
	struct dp_ring_fill fill;
	uint64_t refused = 0;

	for (unsigned w = 0; traces->media != NULL && dp_client_ring(media_packet_path(traces->media), w, DP_RING_TRACES, &fill) == 0; w++)
		refused += fill.refused;
	return refused;
}

struct trace *traces_new(struct traces *traces, const struct trace_ask *ask)
{
	struct trace *trace = NULL;
	size_t promised = ask->octets;
	unsigned place = TRACES;

	for (unsigned i = 0; i < TRACES; i++) {
		if (traces->all[i] == NULL)
			place = i;
		else // what has ended takes no more than it has
			promised += traces->all[i]->ended != NULL ? traces->all[i]->octets : traces->all[i]->ask.octets;
	}
	if (place < TRACES && promised <= TRACE_OCTETS_ALL)
		trace = calloc(1, sizeof(*trace));
	if (trace == NULL)
		return NULL;
	trace->ask = *ask;
	trace->id = trace->ask.sip.trace = id_make(place);
	snprintf(trace->name, sizeof(trace->name), "%08x", trace->id);
	trace->begun = clock_now();
	trace->until = trace->begun + MONO_S(ask->seconds);
	trace->wall = wall_at_zero();
	trace->ring_before = rings_refused(traces);
	atomic_store(&traces->lost[place], 0);
	traces->all[place] = trace;
	return trace;
}

static const char *media_word(enum dp_trace media)
{
	return media == DP_TRACE_NONE ? "none" : media == DP_TRACE_HEADERS ? "headers" : "full";
}

static void count_lost(struct traces *traces, struct trace *trace)
{
	uint64_t ring = trace->ask.sip.media != DP_TRACE_NONE && traces->media != NULL ? rings_refused(traces) - trace->ring_before : trace->ring_lost;

	trace->lost += atomic_exchange(&traces->lost[place_of(trace->id)], 0) + ring - trace->ring_lost;
	trace->ring_lost = ring;
}

static void end(struct traces *traces, struct trace *trace, const char *why)
{
	if (trace->ended != NULL)
		return;
	trace->ended = why;
	trace->over = clock_now();
	count_lost(traces, trace);
	if (traces->sip != NULL)
		sip_trace_end(traces->sip, trace->id);
	log_info("audit", "trace ended", LOG_STR("trace", trace->name), LOG_STR("token", trace->ask.by), LOG_STR("cause", why),
		 LOG_STR("media", media_word(trace->ask.sip.media)), LOG_UINT("calls", trace->n_calls), LOG_UINT("messages", trace->messages),
		 LOG_UINT("packets", trace->packets), LOG_UINT("lost", trace->lost));
}

static void frame_free(struct trace_frame *frame)
{
	if (frame != NULL)
		secret_wipe(frame->bytes, frame->len);
	free(frame);
}

void traces_refused(struct traces *traces, struct trace *trace)
{
	trace->ended = "refused";
	traces_delete(traces, trace);
}

void traces_delete(struct traces *traces, struct trace *trace)
{
	end(traces, trace, "deleted");
	for (size_t i = 0; i < trace->n_frames; i++)
		frame_free(trace->frames[i]);
	free(trace->frames);
	traces->all[place_of(trace->id)] = NULL;
	free(trace);
}

static void second_passed(evutil_socket_t fd, short what, void *arg)
{
	struct traces *traces = arg;
	mono_ns now = clock_now();

	for (unsigned i = 0; i < TRACES; i++) {
		struct trace *trace = traces->all[i];

		if (trace == NULL)
			continue;
		if (trace->ended == NULL)
			count_lost(traces, trace);
		if (trace->ended == NULL && now >= trace->until)
			end(traces, trace, trace->over != 0 ? "its calls are over" : "its time is up");
		else if (trace->ended != NULL && now >= trace->over + MONO_S(TRACE_KEPT_S))
			traces_delete(traces, trace);
	}
}

// What comes

static bool frame_add(struct trace *trace, struct trace_frame *frame)
{
	size_t room = trace->room == 0 ? 256 : 2 * trace->room;
	struct trace_frame **more;

	if (trace->n_frames == trace->room) {
		more = realloc(trace->frames, room * sizeof(*more));
		if (more == NULL)
			return false;
		trace->frames = more;
		trace->room = room;
	}
	frame->order = (uint32_t)trace->n_frames;
	trace->frames[trace->n_frames++] = frame;
	trace->octets += sizeof(*frame) + frame->len;
	if (frame->kind == TRACE_PACKET)
		trace->packets++;
	else
		trace->messages++;
	return true;
}

static uint32_t call_of(const struct trace *trace, uint32_t session)
{
	for (unsigned i = 0; i < trace->n_calls; i++) {
		if (trace->calls[i].session == session)
			return trace->calls[i].number;
	}
	return 0;
}

static void take_frame(struct traces *traces, struct trace *trace, struct trace_frame *frame, uint32_t session)
{
	if (frame->kind == TRACE_PACKET)
		frame->call = call_of(trace, session);
	if (trace->octets + sizeof(*frame) + frame->len > trace->ask.octets) {
		frame_free(frame);
		trace->lost++;
		end(traces, trace, "it is full");
	} else if (!frame_add(trace, frame)) {
		frame_free(frame);
		trace->lost++;
	}
}

static void take_call(struct trace *trace, uint32_t number, uint32_t session)
{
	unsigned i = 0;

	while (i < trace->n_calls && trace->calls[i].number != number)
		i++;
	if (i == SIP_TRACE_CALLS)
		return;
	trace->n_calls += i == trace->n_calls;
	trace->calls[i].number = number;
	if (session != 0)
		trace->calls[i].session = session;
}

// Its calls are over, and no others are waited for.
static void take_over(struct trace *trace)
{
	unsigned wanted = trace->ask.sip.call != 0 ? 1 : trace->ask.sip.calls;

	trace->n_over++;
	if (trace->n_over < wanted || trace->n_over < trace->n_calls)
		return;
	trace->over = clock_now();
	if (trace->over + LINGER < trace->until)
		trace->until = trace->over + LINGER;
}

static void mail_came(evutil_socket_t fd, short what, void *arg)
{
	struct traces *traces = arg;
	struct trace_mail mail;

	while (mailbox_pop(traces->mail, &mail) == 0) {
		struct trace *trace = traces_by_id(traces, mail.trace);

		if (trace == NULL || trace->ended != NULL)
			frame_free(mail.frame);
		else if (mail.kind == MAIL_FRAME)
			take_frame(traces, trace, mail.frame, mail.session);
		else if (mail.kind == MAIL_CALL)
			take_call(trace, mail.call, mail.session);
		else
			take_over(trace);
	}
}

// On the threads that see it

static void post(struct traces *traces, const struct trace_mail *mail)
{
	if (mailbox_push(traces->mail, mail) == 0)
		return;
	frame_free(mail->frame);
	atomic_fetch_add(&traces->lost[place_of(mail->trace)], 1);
}

static void on_message(void *ctx, const struct sip_traced *m)
{
	struct traces *traces = ctx;
	struct trace_frame *frame = malloc(sizeof(*frame) + m->len);

	if (frame == NULL) {
		atomic_fetch_add(&traces->lost[place_of(m->trace)], 1);
		return;
	}
	*frame = (struct trace_frame){
		.time = m->time, .call = m->call, .realm = m->realm, .kind = m->transport == SIP_TCP ? TRACE_SIP_TCP : TRACE_SIP_UDP,
		.out = m->out, .local = m->local, .remote = m->remote, .len = (uint32_t)m->len,
	};
	memcpy(frame->bytes, m->text, m->len);
	post(traces, &(struct trace_mail){ .kind = MAIL_FRAME, .trace = m->trace, .frame = frame });
}

void traces_media_packet(void *ctx, const struct media_traced *packet)
{
	struct traces *traces = ctx;
	struct trace_frame *frame = malloc(sizeof(*frame) + packet->len);

	if (frame == NULL) {
		atomic_fetch_add(&traces->lost[place_of(packet->trace)], 1);
		return;
	}
	*frame = (struct trace_frame){
		.time = packet->time, .realm = packet->realm, .kind = TRACE_PACKET, .out = packet->out,
		.original = (uint32_t)packet->original, .len = (uint32_t)packet->len,
	};
	memcpy(frame->bytes, packet->bytes, packet->len);
	post(traces, &(struct trace_mail){ .kind = MAIL_FRAME, .trace = packet->trace, .session = packet->session, .frame = frame });
}

static void on_call(void *ctx, uint32_t trace, uint32_t call, uint32_t session)
{
	post(ctx, &(struct trace_mail){ .kind = MAIL_CALL, .trace = trace, .call = call, .session = session });
}

static void on_over(void *ctx, uint32_t trace, uint32_t call)
{
	post(ctx, &(struct trace_mail){ .kind = MAIL_OVER, .trace = trace, .call = call });
}

struct sip_trace_sink traces_sip_sink(struct traces *traces)
{
	return (struct sip_trace_sink){ .message = on_message, .call = on_call, .over = on_over, .ctx = traces };
}

void traces_serve(struct traces *traces, struct sip *sip, struct media *media)
{
	traces->sip = sip;
	traces->media = media;
}

int traces_open(struct traces **tracesp, struct event_base *base)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct traces *traces = calloc(1, sizeof(*traces));
	int err;

	if (traces == NULL)
		return -ENOMEM;
	err = mailbox_open(&traces->mail, MAILS, sizeof(struct trace_mail));
	if (err < 0)
		goto out;
	traces->on_mail = event_new(base, mailbox_fd(traces->mail), EV_READ | EV_PERSIST, mail_came, traces);
	traces->on_second = event_new(base, -1, EV_PERSIST, second_passed, traces);
	err = -ENOMEM;
	if (traces->on_mail == NULL || traces->on_second == NULL || event_add(traces->on_mail, NULL) < 0 ||
	    event_add(traces->on_second, &second) < 0)
		goto out;
	*tracesp = traces;
	return 0;
out:
	traces_close(traces);
	return err;
}

void traces_close(struct traces *traces)
{
	struct trace_mail mail;

	if (traces == NULL)
		return;
	traces->sip = NULL;
	if (traces->on_mail != NULL)
		event_free(traces->on_mail);
	if (traces->on_second != NULL)
		event_free(traces->on_second);
	while (traces->mail != NULL && mailbox_pop(traces->mail, &mail) == 0)
		frame_free(mail.frame);
	for (unsigned i = 0; i < TRACES; i++) {
		if (traces->all[i] == NULL)
			continue;
		end(traces, traces->all[i], "control ends");
		traces_delete(traces, traces->all[i]);
	}
	mailbox_close(traces->mail);
	free(traces);
}
