// SPDX-License-Identifier: GPL-3.0-or-later
// sip_calls.c - calls as somebody else may see them.
#include "signaling/sip_calls.h"
#include "base/secret.h"
#include "signaling/call_media_priv.h"
#include "signaling/sip_inventory.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_question.h"
#include "signaling/sip_secrets.h"
#include "signaling/sip_trace_priv.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIDDEN "(removed)"
#define COPY(dst, text) snprintf((dst), sizeof(dst), "%s", (text))

// What is longer than the word that takes its place is moved up. Returns where it ends then.
static size_t hide(char *sdp, const struct sip_secret *secret)
{
	size_t fresh = sizeof(HIDDEN) - 1, end = secret->at + secret->len;

	if (secret->len < fresh) { // no room: as many stars
		memset(sdp + secret->at, '*', secret->len);
		return end;
	}
	secret_wipe(sdp + secret->at, secret->len);
	memcpy(sdp + secret->at, HIDDEN, fresh);
	memmove(sdp + secret->at + fresh, sdp + end, strlen(sdp + end) + 1);
	return secret->at + fresh;
}

void sip_calls_hide_secrets(char *sdp)
{
	struct sip_secret found;

	for (size_t at = 0; sdp_secret_next(sdp, strlen(sdp), at, &found);)
		at = hide(sdp, &found);
}

static char *described(const struct sdp_doc *doc)
{
	size_t len;
	char *body = doc != NULL ? sdp_doc_print(doc, &len) : NULL, *copy;

	if (body == NULL)
		return NULL;
	sip_calls_hide_secrets(body);
	copy = strdup(body);
	sdp_body_free(body, len);
	return copy;
}

static bool is_followed(const struct sip_call *call, const struct sip_dialog *d)
{
	return d == call->dialogs || (call->dialogs != NULL && d == call->dialogs->joined);
}

static void look_at_dialog(struct sip_dialog_look *to, const struct sip_call *call, const struct sip_dialog *d)
{
	*to = (struct sip_dialog_look){
		.number = d->number, .leg = d->leg_number, .side = d->side, .outgoing = d->outgoing, .followed = is_followed(call, d),
		.realm = d->realm, .peer = d->peer, .profile = d->profile, .state = dialog_state_text(d->fsm.state),
		.source = d->source,
	};
	COPY(to->call_id, d->call_id);
	COPY(to->local_uri, d->local_uri);
	COPY(to->remote_uri, d->remote_uri);
}

static struct sip_call *call_by_number(const struct sip *sip, uint32_t number)
{
	struct sip_call *call = sip->calls;

	while (call != NULL && call->number != number)
		call = call->next;
	return call;
}

static struct sip_call_look *look_at(const struct sip_call *call)
{
	struct sip_call_look *look = calloc(1, sizeof(*look) + call->n_dialogs * sizeof(look->dialogs[0]));

	if (look == NULL)
		return NULL;
	look->number = call->number;
	look->session = call->session;
	look->state = call_state_text(call->fsm.state);
	look->started = call->started;
	look->answered = call->answered;
	look->closing = call->closing;
	look->restored = call->restored;
	look->status = call->status;
	COPY(look->cause, call->cause);
	for (int side = 0; side < SIDES && call->media != NULL; side++) {
		look->sdp[side][0] = described(call->media->side[side].theirs);
		look->sdp[side][1] = described(call->media->side[side].ours);
	}
	for (const struct sip_dialog *d = call->dialogs; d != NULL && look->n_dialogs < call->n_dialogs; d = d->next)
		look_at_dialog(&look->dialogs[look->n_dialogs++], call, d);
	return look;
}

void sip_call_look_free(struct sip_call_look *look)
{
	if (look == NULL)
		return;
	for (int i = 0; i < 4; i++)
		free(look->sdp[i / 2][i % 2]);
	free(look);
}

static void row_of(struct sip_call_row *row, const struct sip_call *call)
{
	const struct sip_dialog *sides[2] = { call->dialogs, call->dialogs != NULL ? call->dialogs->joined : NULL };

	*row = (struct sip_call_row){
		.number = call->number, .session = call->session, .state = call_state_text(call->fsm.state),
		.started = call->started, .answered = call->answered,
	};
	for (int i = 0; i < 2; i++) {
		row->realm[i] = sides[i] != NULL ? sides[i]->realm : -1;
		COPY(row->call_id[i], sides[i] != NULL ? sides[i]->call_id : "");
		COPY(row->uri[i], sides[i] != NULL ? sides[i]->remote_uri : "");
	}
}

static bool is_wanted(const struct sip_call *call, const struct sip_calls_query *q)
{
	const struct sip_dialog *a = call->dialogs, *b = a != NULL ? a->joined : NULL;

	if ((q->before != 0 && call->number >= q->before) ||
	    (q->state[0] != '\0' && strcmp(q->state, call_state_text(call->fsm.state)) != 0))
		return false;
	return q->realm < 0 || (a != NULL && a->realm == q->realm) || (b != NULL && b->realm == q->realm);
}

static struct sip_call_list *list_of(const struct sip *sip, const struct sip_calls_query *q)
{
	unsigned limit = q->limit < SIP_LIST_MAX ? q->limit : SIP_LIST_MAX;
	struct sip_call_list *list = calloc(1, sizeof(*list) + limit * sizeof(list->rows[0]));

	for (const struct sip_call *call = sip->calls; list != NULL && call != NULL; call = call->next) {
		if (!is_wanted(call, q))
			continue;
		list->more = list->n == limit;
		if (list->more)
			break;
		row_of(&list->rows[list->n++], call);
	}
	return list;
}

static int hang_up(struct sip *sip, uint32_t number)
{
	struct sip_call *call = call_by_number(sip, number);

	if (call == NULL)
		return -ENOENT;
	if (call->closing)
		return -EALREADY;
	call_end(call, "gateway", call_is_setting_up(&call->fsm) ? 480 : 200, "ended by an operator");
	return 0;
}

// Questions

enum question_kind { QUESTION_LIST, QUESTION_LOOK, QUESTION_HANG_UP, QUESTION_INVENTORY, QUESTION_TRACE, QUESTION_TRACE_END };

struct sip_question {
	enum question_kind kind;
	struct sip_calls_query query;
	struct sip_trace_want want;
	uint32_t number;
	union {
		void (*list)(void *ctx, struct sip_call_list *list);
		void (*look)(void *ctx, struct sip_call_look *look);
		void (*hang_up)(void *ctx, int err);
		void (*inventory)(void *ctx, struct sip_inventory *inventory);
		void (*trace)(void *ctx, int err);
	} answer;
	void *ctx;
};

void sip_question_answer(struct sip *sip, struct sip_question *q, bool alive)
{
	struct sip_call *call;

	switch (q->kind) {
	case QUESTION_LIST:
		q->answer.list(q->ctx, alive ? list_of(sip, &q->query) : NULL);
		break;
	case QUESTION_LOOK:
		call = alive ? call_by_number(sip, q->number) : NULL;
		q->answer.look(q->ctx, call != NULL ? look_at(call) : NULL);
		break;
	case QUESTION_HANG_UP:
		q->answer.hang_up(q->ctx, alive ? hang_up(sip, q->number) : -ENOENT);
		break;
	case QUESTION_INVENTORY:
		q->answer.inventory(q->ctx, alive ? sip_inventory_of(sip) : NULL);
		break;
	case QUESTION_TRACE:
		q->answer.trace(q->ctx, alive ? sip_trace_take(sip, &q->want) : -ENOENT);
		break;
	case QUESTION_TRACE_END:
		if (alive)
			sip_trace_drop(sip, q->number);
		break;
	}
	free(q);
}

static int ask(struct sip *sip, const struct sip_question *question)
{
	struct sip_question *q = malloc(sizeof(*q));
	int err;

	if (q == NULL)
		return -ENOMEM;
	*q = *question;
	err = sip_question_post(sip, q);
	if (err < 0)
		free(q);
	return err;
}

int sip_calls_list(struct sip *sip, const struct sip_calls_query *query, void (*answer)(void *ctx, struct sip_call_list *list),
		   void *ctx)
{
	return ask(sip, &(struct sip_question){ .kind = QUESTION_LIST, .query = *query, .answer.list = answer, .ctx = ctx });
}

int sip_calls_look(struct sip *sip, uint32_t number, void (*answer)(void *ctx, struct sip_call_look *look), void *ctx)
{
	return ask(sip, &(struct sip_question){ .kind = QUESTION_LOOK, .number = number, .answer.look = answer, .ctx = ctx });
}

int sip_calls_hang_up(struct sip *sip, uint32_t number, void (*answer)(void *ctx, int err), void *ctx)
{
	return ask(sip, &(struct sip_question){ .kind = QUESTION_HANG_UP, .number = number, .answer.hang_up = answer, .ctx = ctx });
}

int sip_inventory(struct sip *sip, void (*answer)(void *ctx, struct sip_inventory *inventory), void *ctx)
{
	return ask(sip, &(struct sip_question){ .kind = QUESTION_INVENTORY, .answer.inventory = answer, .ctx = ctx });
}

int sip_trace_begin(struct sip *sip, const struct sip_trace_want *want, void (*answer)(void *ctx, int err), void *ctx)
{
	return ask(sip, &(struct sip_question){ .kind = QUESTION_TRACE, .want = *want, .answer.trace = answer, .ctx = ctx });
}

// What is not taken up ends with the thread.
void sip_trace_end(struct sip *sip, uint32_t trace)
{
	struct sip_question *q = malloc(sizeof(*q));

	if (q == NULL)
		return;
	*q = (struct sip_question){ .kind = QUESTION_TRACE_END, .number = trace };
	sip_question_post_surely(sip, q);
}
