// SPDX-License-Identifier: GPL-3.0-or-later
// call_fork.c - the dialogs that share one INVITE of ours because somebody behind it forked (RFC 3261 section 12.1.2): one for
// each To tag, with descriptions and offer/answer state of its own. One of them is followed: the call's media is its media,
// and the caller's dialog is joined with it. Whoever has described itself last is; in the end the one that answers.
#include "signaling/call_carry.h"
#include "signaling/sip_priv.h"
#include <string.h>

static bool may_answer(const struct sip_dialog *d)
{
	return d->outgoing && (d->fsm.state == DIALOG_TRYING || d->fsm.state == DIALOG_EARLY);
}

static bool is_parallel(const struct sip_call *call)
{
	return call->parallel && call->dialogs->invite_in != NULL && call->dialogs->oa.state == OA_OFFER_RECEIVED;
}

static unsigned count(const struct sip_dialog *trunk)
{
	unsigned n = 0;

	for (const struct sip_dialog *d = trunk->call->dialogs; d != NULL; d = d->next)
		n += d->trunk == trunk && may_answer(d);
	return n;
}

bool call_fork_is(const struct sip_dialog *d)
{
	const struct sip_dialog *far = d->outgoing ? d : d->joined;

	return far != NULL && count(far->trunk) > 1;
}

static struct sip_dialog *find(const struct sip_dialog *trunk, const char *tag)
{
	for (struct sip_dialog *d = trunk->call->dialogs; d != NULL; d = d->next) {
		if (d->trunk == trunk && may_answer(d) && strcmp(d->remote_tag, tag) == 0)
			return d;
	}
	return NULL;
}

// What the caller acknowledges is not one fork's any more: each of theirs is acknowledged by us.
static void acknowledge_all(struct sip_dialog *trunk)
{
	for (struct sip_dialog *d = trunk->call->dialogs; d != NULL; d = d->next) {
		if (d->trunk == trunk && may_answer(d) && d->reliable.prack_due && d->oa.state != OA_OFFER_RECEIVED)
			call_prack_out(d, NULL);
	}
}

// The caller's own dialog with this fork.
static int give_caller(struct sip_dialog *d)
{
	struct sip_call *call = d->call;
	struct sip_dialog *head = call_caller(call), *a = call_dialog_create(call, false, head->peer);
	struct call_media *followed = call->media;

	if (a == NULL)
		return -ENOMEM;
	a->oa = head->oa;
	a->oa.number = a->number;
	a->session_asked = head->session_asked;
	int err = sip_dialog_accept_again(a, head, head->invite_in, call_request_in);

	if (err == 0) {
		call->media = d->media;
		err = call_media_accept_again(a);
		call->media = followed;
	}
	if (err < 0) {
		call_dialog_free(a);
		return err;
	}
	a->joined = d;
	d->joined = a;
	return 0;
}

static struct sip_dialog *make(struct sip_dialog *trunk, const char *tag)
{
	struct sip_call *call = trunk->call;
	struct sip_dialog *d = count(trunk) < FORKS_MAX ? call_dialog_create(call, true, trunk->peer) : NULL;

	if (d == NULL)
		return NULL;
	d->trunk = trunk;
	d->joined = call_caller(call);
	d->side = trunk->side;
	d->loop_mark = trunk->loop_mark;
	d->session = trunk->session;
	d->reliable.able = trunk->reliable.able;
	d->oa = trunk->oa_asked;
	d->oa.number = d->number;
	d->early = (struct early_media){ .allowed = call->early.allowed };
	d->media = call_media_fork(call);
	if (d->media == NULL || sip_dialog_fork(d, trunk, tag) < 0 || (is_parallel(call) && give_caller(d) < 0)) {
		call_media_forget(call, &d->media);
		call_dialog_free(d);
		return NULL;
	}
	acknowledge_all(trunk);
	log_info("sip", "call forked", LOG_CALL_IDS(&call->ids), LOG_STR("call", call->name), LOG_UINT("dialog", d->number),
		 LOG_UINT("forks", count(trunk)));
	return d;
}

struct sip_dialog *call_fork_find(struct sip_dialog *trunk, const char *tag)
{
	struct sip_dialog *d = find(trunk, tag);

	if (d != NULL)
		return d;
	if (trunk->remote_tag[0] != '\0')
		return make(trunk, tag);
	strcpy(trunk->remote_tag, tag);
	return sip_dialog_remote_tag(trunk) == 0 ? trunk : NULL;
}

// The caller's transaction is that dialog's from now on, which is the first of the call's.
static void take_caller(struct sip_dialog *a)
{
	struct sip_call *call = a->call;
	struct sip_dialog *head = call->dialogs, **link = &call->dialogs;

	if (a == head)
		return;
	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	a->next = head;
	call->dialogs = a;
	call->ids.a = a->call_id;
	a->invite_in = head->invite_in;
	head->invite_in = NULL;
	nta_incoming_bind(a->invite_in, call_ack_or_cancel_in, a);
	sip_dialog_retag(a, a->invite_in);
}

void call_fork_follow(struct sip_dialog *b)
{
	if (!b->outgoing || b->media == NULL)
		return;
	struct sip_call *call = b->call;
	struct sip_dialog *was = call_caller(call)->joined;

	if (was == b)
		return;
	if (b->joined == call_caller(call))
		call_carry_lost(call);
	was->left |= call_media_described(call);
	was->media = call->media;
	call->media = b->media;
	b->media = NULL;
	was->early = call->early; // what each has said of its media
	call->early = b->early;
	if (b->joined == call_caller(call))
		call_media_follow(call, was->media);
	take_caller(b->joined);
	call_join(b->joined, b);
	log_debug("sip", "fork followed", LOG_CALL_IDS(&call->ids), LOG_STR("call", call->name), LOG_UINT("dialog", b->number));
}

static void take_transaction(struct sip_dialog *d)
{
	struct sip_dialog *trunk = d->trunk;

	if (d == trunk)
		return;
	d->invite_out = trunk->invite_out;
	d->cancelled = trunk->cancelled;
	d->trunk = d;
	trunk->invite_out = NULL;
	nta_outgoing_bind(d->invite_out, call_response_in, d);
}

static void free_others(struct sip_dialog *kept, struct sip_dialog *trunk)
{
	struct sip_call *call = kept->call;

	for (struct sip_dialog *d = call->dialogs, *next; d != NULL; d = next) {
		next = d->next;
		if (d == kept || d->trunk != trunk || !may_answer(d))
			continue;
		struct sip_dialog *a = d->joined;

		call_media_forget(call, &d->media);
		d->joined = NULL;
		if (a != NULL && a != kept->joined) { // parallel: a dialog of its own
			a->joined = NULL;
			if (next == a)
				next = a->next;
			call_dialog_free(a);
		}
		call_dialog_free(d);
	}
	call_media_forget(call, &call->asked);
}

bool call_fork_is_own(const struct sip_dialog *b)
{
	return b->joined != call_caller(b->call);
}

bool call_fork_is_second(const struct sip_dialog *b)
{
	const struct sip_dialog *a = call_caller(b->call);

	return b->outgoing && b != a->joined && b->oa.state == OA_ASKED && a->oa.state != OA_OWED;
}

int call_fork_offering(struct sip_dialog *b)
{
	struct call_media *m = call_media_fork_offering(b->call);

	if (m == NULL)
		return -ENOMEM;
	call_media_forget(b->call, &b->media);
	b->media = m;
	return 0;
}

void call_fork_offered(struct sip_dialog *b, enum oa_carrier by, const struct call_body *in, struct call_body *answer)
{
	mono_ns now = call_now(b->call);
	struct call_refusal why;
	struct call_offer offer;

	*answer = (struct call_body){ NULL, 0 };
	b->declined = true;
	if (call_media_relieve(b, b) < 0 || call_media_offer(b, in->text, in->len, &offer, &why) < 0)
		return;
	oa_open(&b->oa, OA_EV_RECV_OFFER, by, now);
	if (!offer.concerns && call_media_answer_here(b, answer, &why) == 0)
		b->declined = false;
	else if (call_media_decline(b, answer) < 0)
		*answer = (struct call_body){ NULL, 0 };
	oa_step(&b->oa, OA_EV_SEND_ANSWER, now);
	log_info("sip", "second offer", LOG_CALL_IDS(&b->call->ids), LOG_STR("call", b->call->name), LOG_UINT("dialog", b->number),
		 LOG_BOOL("declined", b->declined));
}

void call_fork_put_back(struct sip_dialog *b, struct sip_dialog *was)
{
	call_media_withdraw(b->call);
	call_media_relieve_undo(b->call);
	call_fork_follow(was);
	call_media_open(b->call);
}

struct sip_dialog *call_fork_win(struct sip_dialog *trunk, const char *tag)
{
	struct sip_dialog *d = NULL;

	if (tag != NULL && !trunk->call->closing)
		d = call_fork_find(trunk, tag);
	if (d == NULL) { // the call ends, or they were too many: whoever it is, the answer has to be acknowledged
		d = trunk;
		if (tag != NULL)
			strcpy(d->remote_tag, tag);
	}
	if (call_fork_is_second(d) && call_caller(d->call)->oa.state == OA_STABLE && !d->call->closing)
		call_fork_offering(d); // else its offer is for nobody
	call_fork_follow(d);
	take_transaction(d);
	free_others(d, trunk);
	return d;
}

void call_fork_only(struct sip_dialog *trunk)
{
	call_fork_follow(trunk);
	free_others(trunk, trunk);
}

void call_fork_end(struct sip_call *call)
{
	for (struct sip_dialog *d = call->dialogs; d != NULL; d = d->next)
		call_media_forget(call, &d->media);
	call_media_forget(call, &call->asked);
}
