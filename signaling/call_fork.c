// SPDX-License-Identifier: GPL-3.0-or-later
// call_fork.c - the dialogs that share one INVITE of ours because somebody behind it forked (RFC 3261 section 12.1.2): one for
// each To tag, with descriptions and offer/answer state of its own. One of them is followed: the call's media is its media,
// and the caller's dialog is joined with it. Whoever has described itself last is; in the end the one that answers.
#include "signaling/call_media.h"
#include "signaling/sip_priv.h"
#include <string.h>

static bool may_answer(const struct sip_dialog *d)
{
	return d->outgoing && (d->fsm.state == DIALOG_TRYING || d->fsm.state == DIALOG_EARLY);
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
		if (d->trunk == trunk && may_answer(d) && d->reliable.prack_due)
			call_prack_out(d, NULL);
	}
}

static struct sip_dialog *make(struct sip_dialog *trunk, const char *tag)
{
	struct sip_call *call = trunk->call;
	struct sip_dialog *d = count(trunk) < FORKS_MAX ? call_dialog_create(call, true, trunk->peer) : NULL;

	if (d == NULL)
		return NULL;
	d->trunk = trunk;
	d->leg_number = trunk->leg_number;
	d->joined = trunk->joined;
	d->side = trunk->side;
	d->loop_mark = trunk->loop_mark;
	d->session = trunk->session;
	d->reliable.able = trunk->reliable.able;
	d->oa = trunk->oa_asked;
	d->oa.number = d->number;
	d->media = call_media_fork(call);
	if (d->media == NULL || sip_dialog_fork(d, trunk, tag) < 0) {
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

void call_fork_follow(struct sip_dialog *b)
{
	struct sip_call *call = b->call;
	struct sip_dialog *was = b->joined->joined;

	if (!b->outgoing || b->media == NULL || was == b)
		return;
	was->left = true;
	was->media = call->media;
	call->media = b->media;
	b->media = NULL;
	call->early.n = 0; // what the other one has said of its media
	call_media_follow(call, was->media);
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
		d->joined = NULL;
		call_media_forget(call, &d->media);
		call_dialog_free(d);
	}
	call_media_forget(call, &call->asked);
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
	call_fork_follow(d);
	if (d->left)
		call_media_renew(trunk->call);
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
