// SPDX-License-Identifier: GPL-3.0-or-later
// sip_pending.c - INVITEs without a final response to and from the call records; see sip_pending.h.
#include "signaling/sip_pending.h"
#include "mediarelay/call_record.h"
#include "signaling/sip_check.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_priv.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PENDING_VERSION 1u
#define CAUSE "control restarted"
#define STATUS 500

// ---- writing

struct writer {
	uint8_t *bytes;
	size_t len, room;
	bool full;         // the request that is being put has no room
	unsigned left_out; // requests for which there was none
};

static void put_bytes(struct writer *w, const void *bytes, size_t len)
{
	w->full |= len > w->room - w->len;
	if (w->full)
		return;
	memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
}

static void put_text(struct writer *w, const char *text)
{
	put_bytes(w, text, strlen(text));
}

// A header, and those of its kind that follow it.
static void put_header(struct writer *w, const void *header)
{
	for (const msg_header_t *h = header; h != NULL && !w->full; h = (const msg_header_t *)h->sh_next) {
		size_t room = w->room - w->len;
		issize_t n = msg_header_e((char *)w->bytes + w->len, (isize_t)room, h, 0);

		w->full |= n < 0 || (size_t)n >= room;
		if (!w->full)
			w->len += (size_t)n;
	}
}

static void put_named(struct writer *w, const sip_t *sip)
{
	put_header(w, sip->sip_from);
	put_header(w, sip->sip_to);
	put_header(w, sip->sip_call_id);
}

// As much of it as a response repeats.
static void put_theirs(struct writer *w, const sip_t *invite)
{
	put_header(w, invite->sip_request);
	put_header(w, invite->sip_via);
	put_named(w, invite);
	put_header(w, invite->sip_cseq);
	put_text(w, "\r\n");
}

// Section 9.1: as the INVITE, but for the method. There is one Via, ours.
static void put_cancel(struct writer *w, const sip_t *invite)
{
	char line[SIP_URI_MAX + 32], url[SIP_URI_MAX];

	w->full |= url_e(url, sizeof(url), invite->sip_request->rq_url) >= (isize_t)sizeof(url);
	if (w->full)
		return;
	snprintf(line, sizeof(line), "CANCEL %s SIP/2.0\r\n", url);
	put_text(w, line);
	put_header(w, invite->sip_via);
	put_header(w, invite->sip_route);
	put_named(w, invite);
	snprintf(line, sizeof(line), "CSeq: %u CANCEL\r\nMax-Forwards: 70\r\n\r\n", invite->sip_cseq->cs_seq);
	put_text(w, line);
}

// A request of ours, as it is.
static void put_ours(struct writer *w, const sip_t *request)
{
	put_header(w, request->sip_request);
	put_header(w, request->sip_via);
	put_header(w, request->sip_route);
	put_named(w, request);
	put_header(w, request->sip_cseq);
	put_header(w, request->sip_max_forwards);
	put_text(w, "\r\n");
}

// Requests put: 0 if there was no room for it, or no memory.
static unsigned put_request(struct writer *w, const struct sip_dialog *d, msg_t *msg, bool outgoing)
{
	struct sip_pending_request request;
	size_t at = w->len;

	memset(&request, 0, sizeof(request));
	w->full = msg == NULL;
	put_bytes(w, &request, sizeof(request));
	if (!w->full && !outgoing)
		put_theirs(w, sip_object(msg));
	else if (!w->full && sip_object(msg)->sip_request->rq_method == sip_method_invite)
		put_cancel(w, sip_object(msg));
	else if (!w->full)
		put_ours(w, sip_object(msg));
	if (msg != NULL)
		msg_destroy(msg);
	if (w->full) {
		w->len = at;
		w->left_out++;
		return 0;
	}
	request.outgoing = outgoing;
	request.hop = d->hop;
	memcpy(request.tag, d->local_tag, sizeof(request.tag));
	request.len = (uint16_t)(w->len - at - sizeof(request));
	memcpy(w->bytes + at, &request, sizeof(request));
	return 1;
}

// What is asked within a dialog that is up is not cancelled: whatever comes of it is undone (call_late.c).
static bool may_ring(const struct sip_dialog *d)
{
	return d->fsm.state == DIALOG_TRYING || d->fsm.state == DIALOG_EARLY;
}

// It has answered, and the caller does not know: ours waits for a PRACK.
static bool is_ahead(const struct sip_dialog *d)
{
	return d->outgoing && d->joined != NULL && d->joined == call_caller(d->call) && d->joined->reliable.held != NULL &&
	       !d->call->closing && (d->fsm.state == DIALOG_ANSWERED || d->fsm.state == DIALOG_CONFIRMED);
}

static msg_t *bye_for(struct sip_dialog *d)
{
	msg_t *msg = sip_request_bare(d, SIP_MAX_FORWARDS, false);

	if (msg == NULL || sip_agent_complete(d->sip->agent, d->leg, msg, sip_method_bye, d->target, &d->hop, d->loop_mark, false) == 0)
		return msg;
	msg_destroy(msg);
	return NULL;
}

static unsigned put_ours_of(struct writer *w, struct sip_dialog *d)
{
	unsigned n = 0;

	if (may_ring(d) && d->invite_out != NULL && nta_outgoing_status(d->invite_out) < 200)
		n += put_request(w, d, nta_outgoing_getrequest(d->invite_out), true);
	if (is_ahead(d))
		n += put_request(w, d, bye_for(d), true);
	return n;
}

static unsigned put_theirs_of(struct writer *w, struct sip_dialog *d)
{
	if (d->invite_in == NULL || nta_incoming_status(d->invite_in) >= 200)
		return 0;
	return put_request(w, d, nta_incoming_getrequest(d->invite_in), false);
}

static void store(struct sip_call *call, const void *bytes, size_t len)
{
	int err = call_record_write(call->sip->records, call->session, CALL_RECORD_PENDING, bytes, len);

	call->pending = err == 0 && len > 0;
}

static void write_with(struct sip_call *call, const struct sip_dialog *going, msg_t *invite)
{
	static uint8_t bytes[CALL_RECORD_PENDING_SIZE]; // the sip thread is alone here
	struct writer w = { .bytes = bytes, .room = sizeof(bytes) };
	struct sip_pending_head head;

	// The session's number may be another call's by now.
	if (call->sip->records == NULL || call->session == 0 || call_by_session(call->sip, call->session) != call)
		return;
	memset(&head, 0, sizeof(head));
	head.version = PENDING_VERSION;
	head.size = sizeof(head);
	head.number = call->number;
	head.started = call->started;
	head.told = call->closing;
	w.len = sizeof(head);
	// Ours first: they are short, and a phone that rings for ever is worse than a caller who hears nothing.
	for (struct sip_dialog *d = call->dialogs; d != NULL; d = d->next)
		head.n += put_ours_of(&w, d);
	if (going != NULL)
		head.n += put_request(&w, going, msg_ref_create(invite), true);
	for (struct sip_dialog *d = call->dialogs; d != NULL; d = d->next)
		head.n += put_theirs_of(&w, d);
	memcpy(bytes, &head, sizeof(head));
	if (w.left_out > 0)
		log_warning("sip", "pending requests too large for the record", LOG_STR("call", call->name), LOG_CALL_IDS(&call->ids));
	if (head.n > 0)
		store(call, bytes, w.len);
	else if (call->pending)
		store(call, NULL, 0);
}

void sip_pending_write(struct sip_call *call)
{
	write_with(call, NULL, NULL);
}

void sip_pending_goes(struct sip_dialog *d, msg_t *invite)
{
	if (may_ring(d))
		write_with(d->call, d, invite);
}

// ---- reading

static bool is_flag(const bool *flag)
{
	return *(const uint8_t *)flag <= 1;
}

static bool is_sound(const struct sip_pending_request *p)
{
	return is_flag(&p->outgoing) && memchr(p->tag, 0, sizeof(p->tag)) != NULL && p->tag[0] != '\0' &&
	       (p->hop.address.addr.family == INET_V4 || p->hop.address.addr.family == INET_V6);
}

static bool is_method(const struct sip_pending_request *p, sip_method_t method)
{
	return p->outgoing ? method == sip_method_cancel || method == sip_method_bye : method == sip_method_invite;
}

static msg_t *message_of(const struct sip_pending_request *p, const uint8_t *text)
{
	msg_t *msg = msg_make(sip_default_mclass(), 0, text, p->len);
	sip_t *sip = msg != NULL ? sip_object(msg) : NULL;

	if (sip != NULL && sip->sip_error == NULL && sip->sip_request != NULL && sip_sanity_check(sip) == 0 &&
	    is_method(p, sip->sip_request->rq_method) &&
	    sip->sip_via != NULL && sip->sip_via->v_branch != NULL && sip->sip_via->v_host != NULL &&
	    sip->sip_from->a_tag != NULL)
		return msg;
	if (msg != NULL)
		msg_destroy(msg);
	return NULL;
}

int sip_pending_read(const uint8_t *bytes, size_t len, struct sip_pending_head *head, sip_pending_fn *each, void *ctx)
{
	struct sip_pending_request p;
	size_t at = sizeof(*head);

	if (len < sizeof(*head))
		return -EBADMSG;
	memcpy(head, bytes, sizeof(*head));
	if (head->version != PENDING_VERSION || head->size != sizeof(*head) || !is_flag(&head->told))
		return -EBADMSG;
	for (uint32_t i = 0; i < head->n; i++) {
		if (len - at < sizeof(p))
			return -EBADMSG;
		memcpy(&p, bytes + at, sizeof(p));
		at += sizeof(p);
		if (len - at < p.len || !is_sound(&p))
			return -EBADMSG;
		msg_t *msg = message_of(&p, bytes + at);

		if (msg == NULL)
			return -EBADMSG;
		at += p.len;
		each(ctx, &p, msg);
	}
	return 0;
}

// ---- ending

struct ending {
	struct sip *sip;
	struct sip_ended what;
};

// nta repeats the response until its ACK is there, and takes the INVITE's repetitions and its CANCEL.
static void refuse(struct sip *sip, const struct sip_pending_request *p, msg_t *msg)
{
	nta_incoming_t *irq = sip_agent_resume(sip->agent, msg, p->hop.listener);

	if (irq == NULL)
		return;
	nta_incoming_tag(irq, p->tag);
	msg_t *response = sip_response_new(sip, irq, NULL);

	if (response != NULL) {
		sip_message_retry_after(response);
		sip_message_reason(response, STATUS, CAUSE);
	}
	sip_respond(irq, STATUS, response);
	nta_incoming_destroy(irq);
}

// Nothing waits for what comes of it: refusals and late answers are taken by whoever takes responses of no transaction (call_late.c).
static void end_ours(struct sip *sip, const struct sip_pending_request *p, msg_t *msg)
{
	sip_message_reason(msg, STATUS, CAUSE);
	nta_outgoing_destroy(sip_agent_send(sip->agent, msg, &p->hop, NULL, NULL, NULL)); // nta repeats it as long as need be
}

// Whose it is: by where it came from or went to; and the URI of From in a request of theirs, of To in one of ours.
static void read_leg(struct sip_leg_report *leg, const struct sip *sip, const struct sip_pending_request *p, const sip_t *request)
{
	const struct sip_config *config = sip->config;
	const sip_addr_t *who = p->outgoing ? request->sip_to : request->sip_from;
	uint16_t realm = sip_agent_realm(p->hop.listener);
	int peer = sip_peer_by_source(config, realm, &p->hop.address.addr);

	*leg = (struct sip_leg_report){ .side = p->outgoing ? SIP_SIDE_CALLEE : SIP_SIDE_CALLER };
	snprintf(leg->realm, sizeof(leg->realm), "%s", realm < config->n_realms ? config->realms[realm].name : "");
	snprintf(leg->peer, sizeof(leg->peer), "%s", peer >= 0 ? config->peers[peer].name : "");
	snprintf(leg->profile, sizeof(leg->profile), "%s", peer >= 0 ? config->profiles[config->peers[peer].profile].name : "");
	snprintf(leg->call_id, sizeof(leg->call_id), "%s", request->sip_call_id->i_id);
	snprintf(leg->local_tag, sizeof(leg->local_tag), "%s", p->tag);
	snprintf(leg->remote_tag, sizeof(leg->remote_tag), "%s", who->a_tag != NULL ? who->a_tag : "");
	url_e(leg->uri, sizeof(leg->uri), who->a_url);
	leg->uri[sizeof(leg->uri) - 1] = '\0';
	if (!p->outgoing)
		leg->address = p->hop.address;
}

static void end_request(void *ctx, const struct sip_pending_request *p, msg_t *msg)
{
	struct ending *e = ctx;
	const sip_t *request = sip_object(msg);

	read_leg(&e->what.legs[p->outgoing], e->sip, p, request);
	if (!p->outgoing) {
		url_e(e->what.called, sizeof(e->what.called), request->sip_to->a_url);
		e->what.called[sizeof(e->what.called) - 1] = '\0';
	}
	(p->outgoing ? end_ours : refuse)(e->sip, p, msg);
}

static void tell_ended(struct ending *e, const struct sip_pending_head *head, uint32_t session)
{
	struct sip_ended *what = &e->what;
	char name[12];

	what->number = head->number;
	what->session = session;
	what->ended = env_now(e->sip->env);
	what->started = head->started < what->ended ? head->started : what->ended;
	what->status = STATUS;
	what->cause = CAUSE;
	snprintf(name, sizeof(name), "%u", head->number);
	log_info("sip", "call ended", LOG_STR("call", name), LOG_STR("call_id_a", what->legs[0].call_id),
		 LOG_STR("call_id_b", what->legs[1].call_id), LOG_STR("cause", CAUSE), LOG_INT("status", STATUS),
		 LOG_UINT("duration_ms", 0), LOG_UINT("setup_ms", (what->ended - what->started) / MONO_MS(1)), LOG_STR("by", "gateway"),
		 LOG_UINT("session", session));
	sip_notice_ended_before(e->sip, what);
	sip_report_ended_before(e->sip, what);
}

bool sip_pending_end(struct sip *sip, uint32_t session, bool told)
{
	static uint8_t bytes[CALL_RECORD_PENDING_SIZE];
	struct ending e = { .sip = sip };
	struct sip_pending_head head = { 0 };
	int len = call_record_read(sip->records, session, CALL_RECORD_PENDING, bytes, sizeof(bytes));

	if (len < 0)
		return false;
	int err = sip_pending_read(bytes, (size_t)len, &head, end_request, &e);

	call_record_write(sip->records, session, CALL_RECORD_PENDING, NULL, 0);
	if (err < 0)
		log_warning("sip", "pending requests dropped", LOG_UINT("session", session), LOG_ERRNO(err));
	if (told)
		return false;
	if (head.number > sip->last_call)
		sip->last_call = head.number;
	if (err == 0 && !head.told)
		tell_ended(&e, &head, session);
	return true;
}
