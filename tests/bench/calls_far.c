// SPDX-License-Identifier: GPL-3.0-or-later
// calls_far.c - the callees of bench_calls: each request is answered by what it says, and forgotten.
#include "tests/bench/calls_far.h"
#include "tests/bench/calls_near.h"
#include <stdio.h>
#include <string.h>

static struct far_counts counts;
static const char *host, *protocol;
static char sdp[512];

void far_open(const char *own, const char *transport)
{
	host = own;
	protocol = transport;
	snprintf(sdp, sizeof(sdp),
		 "v=0\r\no=- 2 2 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
		 "a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n", own, own);
}

struct far_counts *far_counts(void)
{
	return &counts;
}

// One dialog, one tag, though nothing is kept: of the Call-ID.
static uint64_t tag_of(struct piece call_id)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < call_id.len; i++)
		hash = (hash ^ (unsigned char)call_id.at[i]) * 1099511628211u;
	return hash;
}

static void respond(const struct wire_peer *to, const struct sip_text *m, const char *line, const char *method, bool body)
{
	static struct text_out out;

	out.len = 0;
	text_add(&out, "SIP/2.0 %s\r\n", line);
	for (unsigned i = 0; i < m->n_via; i++)
		text_add_piece(&out, m->via[i]);
	for (unsigned i = 0; i < m->n_route; i++)
		text_add_piece(&out, m->route[i]);
	text_add(&out, "From: %.*s\r\nTo: %.*s", (int)m->from.len, m->from.at, (int)m->to.len, m->to.at);
	if (piece_after(m->to, ";tag=", ";").at == NULL)
		text_add(&out, ";tag=%llx", (unsigned long long)tag_of(m->call_id));
	text_add(&out, "\r\nCall-ID: %.*s\r\nCSeq: %.*s %s\r\n", (int)m->call_id.len, m->call_id.at,
		 (int)(strcspn(m->cseq.at, " ")), m->cseq.at, method);
	if (strcmp(method, "INVITE") == 0)
		text_add(&out, "Contact: <sip:far@%s:5060;transport=%s>\r\n", host, protocol);
	text_add_body(&out, body ? "application/sdp" : NULL, (struct piece){ sdp, strlen(sdp) });
	wire_send(to, out.bytes, out.len);
}

void far_answer(const struct wire_peer *from, const struct sip_text *m)
{
	char method[32];

	if (piece_is(m->method, "ACK"))
		return;
	snprintf(method, sizeof(method), "%.*s", (int)m->method.len, m->method.at);
	respond(from, m, "200 OK", method, false);
}

static void invited(const struct wire_peer *from, const struct sip_text *m)
{
	counts.invites++;
	if (memmem(m->body.at, m->body.len, " RTP/AVP ", 9) != NULL)
		counts.plain++;
	switch (m->uri.len > 4 ? m->uri.at[4] : 0) { // behind "sip:"
	case CALL_REFUSE:
		respond(from, m, "486 Busy Here", "INVITE", false);
		break;
	case CALL_CANCEL:
	case CALL_FORGET:
		respond(from, m, "180 Ringing", "INVITE", false);
		break;
	default:
		respond(from, m, "200 OK", "INVITE", true);
	}
}

void far_message(const struct wire_peer *from, const char *bytes, size_t len)
{
	struct sip_text m;

	if (!text_read(&m, bytes, len) || m.status != 0)
		return;
	if (piece_is(m.method, "INVITE")) {
		invited(from, &m);
		return;
	}
	counts.acks += piece_is(m.method, "ACK");
	counts.byes += piece_is(m.method, "BYE");
	far_answer(from, &m);
	if (piece_is(m.method, "CANCEL")) {
		counts.cancels++;
		respond(from, &m, "487 Request Terminated", "INVITE", false);
	}
}
