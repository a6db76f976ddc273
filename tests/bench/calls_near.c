// SPDX-License-Identifier: GPL-3.0-or-later
// calls_near.c - the callers of bench_calls.
//
// A call's Call-ID says its slot and its number, so that no table is searched. What waits stands in one queue for each time that
// it may have to wait: each is in order by itself, and an entry whose call has gone on is passed over.
#include "tests/bench/calls_near.h"
#include "tests/bench/calls_dtls.h"
#include "tests/bench/calls_far.h"
#include "tests/bench/calls_text.h"
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS (1u << 17)
#define QUEUE (1u << 20)

enum call_step { CALL_IDLE, CALL_INVITED, CALL_RINGING, CALL_UP, CALL_ENDING };

struct call {
	uint32_t number;
	uint8_t step, kind, gateway;
	uint64_t began;
	char to_tag[72], target[160], routes[400]; // of the dialog
};

struct waiting {
	uint64_t until;
	uint32_t slot, number;
	uint8_t step;
};

static uint32_t waits[] = { 500000, 1000000, 2000000, 0 }; // RFC 3261's T1, doubled; the last: failed

#define WAITS (sizeof(waits) / sizeof(waits[0]))

static struct near_setup setup;
static struct call *calls;
static uint32_t *free_slots, n_free, *held, n_held, n_live, last_number;
static struct waiting *queue[WAITS];
static uint32_t queue_head[WAITS], queue_end[WAITS];
static struct near_counts counts;

uint64_t near_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void *room_for(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		err(1, "memory");
	return p;
}

void near_open(const struct near_setup *with)
{
	setup = *with;
	waits[WAITS - 1] = with->patience_s * 1000000;
	calls = room_for(SLOTS, sizeof(calls[0]));
	free_slots = room_for(SLOTS, sizeof(free_slots[0]));
	held = room_for(SLOTS, sizeof(held[0]));
	for (unsigned i = 0; i < WAITS; i++)
		queue[i] = room_for(QUEUE, sizeof(queue[i][0]));
	for (n_free = 0; n_free < SLOTS; n_free++)
		free_slots[n_free] = SLOTS - 1 - n_free;
}

struct near_counts *near_counts(void)
{
	return &counts;
}

void near_reset(size_t room)
{
	free(counts.setup_us);
	counts = (struct near_counts){ .room = room, .setup_us = room_for(room + 1, sizeof(uint32_t)) };
}

unsigned near_live(void)
{
	return n_live;
}

unsigned near_held(void)
{
	return n_held;
}

static void wait_for(const struct call *c, unsigned try)
{
	uint32_t at = queue_end[try]++ % QUEUE;

	if (queue_end[try] - queue_head[try] > QUEUE)
		errx(1, "more calls wait than there is room for");
	queue[try][at] = (struct waiting){ near_now() + waits[try], (uint32_t)(c - calls), c->number, c->step };
}

static void step(struct call *c, enum call_step next)
{
	c->step = next;
	wait_for(c, WAITS - 1);
	if (!wire_is_stream(setup.gateway[c->gateway].wire))
		wait_for(c, 0);
}

static void over(struct call *c)
{
	calls_dtls_end((uint32_t)(c - calls));
	c->step = CALL_IDLE;
	free_slots[n_free++] = (uint32_t)(c - calls);
	n_live--;
}

static void failed(struct call *c, int status)
{
	counts.failed++;
	counts.last_status = (unsigned)status;
	counts.status[status / 100 % 7]++;
	over(c);
}

// Writes and sends a request of this call; in_dialog: by what its answer said.
static void request(const struct call *c, const char *method, unsigned cseq, bool in_dialog, bool body)
{
	uint32_t slot = (uint32_t)(c - calls);
	bool own_branch = strcmp(method, "BYE") == 0 || (in_dialog && strcmp(method, "ACK") == 0);
	static struct text_out out;
	char sdp[1024];

	out.len = 0;
	if (in_dialog && c->target[0] != '\0')
		text_add(&out, "%s %s SIP/2.0\r\n", method, c->target);
	else
		text_add(&out, "%s sip:%c%u@%s SIP/2.0\r\n", method, c->kind, c->number, setup.to);
	text_add(&out, "Via: SIP/2.0/%s %s:5060;branch=z9hG4bK%u-%u%s\r\n", setup.transport, setup.own, slot, c->number,
		 own_branch ? method : "");
	if (in_dialog)
		text_add(&out, "%s", c->routes);
	text_add(&out, "Max-Forwards: 70\r\nFrom: <sip:near@%s>;tag=n%u\r\nTo: <sip:%c%u@%s>%s%s\r\nCall-ID: %u-%u-near\r\nCSeq: %u %s\r\n",
		 setup.own, c->number, c->kind, c->number, setup.to, c->to_tag[0] != '\0' ? ";tag=" : "", c->to_tag, slot,
		 c->number, cseq, method);
	if (body)
		text_add(&out, "Contact: <sip:near@%s:5060;transport=%s>\r\n", setup.own, setup.transport);
	if (body && setup.sdp == NULL)
		calls_dtls_offer(sdp, sizeof(sdp), setup.own);
	else if (body)
		snprintf(sdp, sizeof(sdp), "%s", setup.sdp);
	text_add_body(&out, body ? "application/sdp" : NULL, (struct piece){ sdp, body ? strlen(sdp) : 0 });
	wire_send(&setup.gateway[c->gateway], out.bytes, out.len);
}

static void bye(struct call *c)
{
	request(c, "BYE", 2, true, false);
}

bool near_begin(enum call_kind kind)
{
	if (n_free == 0)
		return false;
	struct call *c = &calls[free_slots[--n_free]];

	*c = (struct call){ .number = ++last_number, .kind = (uint8_t)kind, .began = near_now(),
			    .gateway = (uint8_t)(last_number % setup.n_gateways) };
	n_live++;
	counts.begun++;
	request(c, "INVITE", 1, false, true);
	step(c, CALL_INVITED);
	return true;
}

bool near_drop(void)
{
	if (n_held == 0)
		return false;
	struct call *c = &calls[held[--n_held]];

	n_live++;
	bye(c);
	step(c, CALL_ENDING);
	return true;
}

static void copy(char *dst, size_t size, struct piece p)
{
	snprintf(dst, size, "%.*s", (int)p.len, p.at != NULL ? p.at : "");
}

static void routes_take(struct call *c, const struct sip_text *m)
{
	size_t used = 0;

	for (unsigned i = m->n_route; i-- > 0;) { // RFC 3261 section 12.1.2: the other way round
		struct piece value = piece_after(m->route[i], ": ", "\r");
		int n = snprintf(c->routes + used, sizeof(c->routes) - used, "Route: %.*s\r\n", (int)value.len, value.at);

		if (n > 0 && used + (size_t)n < sizeof(c->routes))
			used += (size_t)n;
	}
}

static void answered(struct call *c, const struct sip_text *m)
{
	uint32_t slot = (uint32_t)(c - calls);

	if (counts.n_setup < counts.room)
		counts.setup_us[counts.n_setup++] = (uint32_t)(near_now() - c->began);
	if (memmem(m->body.at, m->body.len, "RTP/SAVP", 8) != NULL)
		counts.secured++;
	copy(c->to_tag, sizeof(c->to_tag), piece_after(m->to, ";tag=", ";>"));
	copy(c->target, sizeof(c->target), piece_after(m->contact, "<", ">"));
	routes_take(c, m);
	if (setup.sdp == NULL)
		calls_dtls_answer(slot, m->body);
	if (c->kind == CALL_LEAVE) {
		counts.done++;
		over(c);
		return;
	}
	request(c, "ACK", 1, true, false);
	if (c->kind == CALL_HOLD) {
		c->step = CALL_UP;
		counts.done++;
		n_live--;
		held[n_held++] = slot;
		return;
	}
	bye(c);
	step(c, CALL_ENDING);
}

static void refused(struct call *c, const struct sip_text *m)
{
	bool wanted = (c->kind == CALL_CANCEL && m->status == 487) || (c->kind == CALL_REFUSE && m->status == 486);

	copy(c->to_tag, sizeof(c->to_tag), piece_after(m->to, ";tag=", ";>"));
	request(c, "ACK", 1, false, false);
	if (!wanted) {
		failed(c, m->status);
		return;
	}
	counts.done++;
	over(c);
}

static void ringing(struct call *c)
{
	if (c->kind == CALL_FORGET) {
		counts.done++;
		over(c);
	} else if (c->kind == CALL_CANCEL) {
		request(c, "CANCEL", 1, false, false);
		step(c, CALL_RINGING);
	}
}

static void invite_response(struct call *c, const struct sip_text *m)
{
	if (m->status >= 200 && m->status < 300 && (c->step == CALL_ENDING || c->step == CALL_UP)) {
		counts.answered_again++;
		request(c, "ACK", 1, true, false);
	}
	if (c->step != CALL_INVITED && c->step != CALL_RINGING)
		return;
	if (m->status >= 300)
		refused(c, m);
	else if (m->status >= 200)
		answered(c, m);
	else if (m->status >= 180 && c->step == CALL_INVITED)
		ringing(c);
}

void near_message(const struct wire_peer *from, const char *bytes, size_t len)
{
	struct sip_text m;
	unsigned slot, number;

	if (!text_read(&m, bytes, len))
		return;
	if (m.status == 0) {
		counts.asked++;
		far_answer(from, &m);
		return;
	}
	if (sscanf(m.call_id.at, "%u-%u-near", &slot, &number) != 2 || slot >= SLOTS || calls[slot].number != number)
		return;
	struct call *c = &calls[slot];

	if (piece_is(m.method, "INVITE")) {
		invite_response(c, &m);
	} else if (piece_is(m.method, "BYE") && c->step == CALL_ENDING && m.status >= 200) {
		if (m.status >= 300) {
			failed(c, m.status);
			return;
		}
		counts.done++;
		over(c);
	}
}

static void repeat(struct call *c)
{
	counts.again++;
	if (c->step == CALL_INVITED)
		request(c, "INVITE", 1, false, true);
	else if (c->step == CALL_RINGING)
		request(c, "CANCEL", 1, false, false);
	else
		bye(c);
}

void near_tick(void)
{
	uint64_t now = near_now();

	for (unsigned try = 0; try < WAITS; try++) {
		for (; queue_head[try] != queue_end[try]; queue_head[try]++) {
			const struct waiting *w = &queue[try][queue_head[try] % QUEUE];
			struct call *c = &calls[w->slot];

			if (w->until > now)
				break;
			if (c->number != w->number || c->step != w->step)
				continue;
			if (try == WAITS - 1) {
				failed(c, 0);
				continue;
			}
			repeat(c);
			if (try + 1 < WAITS - 1)
				wait_for(c, try + 1);
		}
	}
}
