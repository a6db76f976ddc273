// SPDX-License-Identifier: GPL-3.0-or-later
// sip_report.c - the last word on a call, taken from its dialogs while they are all there.
#include "signaling/sip_report.h"
#include "signaling/sip_priv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy(char *dst, size_t size, const char *text)
{
	snprintf(dst, size, "%s", text != NULL ? text : "");
}

#define COPY(dst, text) copy((dst), sizeof(dst), (text))

static void read_leg(struct sip_leg_report *leg, const struct sip_dialog *d)
{
	const struct sip_config *config = d->sip->config;

	*leg = (struct sip_leg_report){ .side = d->side == 0 ? SIP_SIDE_CALLER : SIP_SIDE_CALLEE, .dialog = d->leg_number };
	COPY(leg->realm, config->realms[d->realm].name);
	COPY(leg->peer, config->peers[d->peer].name);
	COPY(leg->profile, config->profiles[d->profile].name);
	COPY(leg->call_id, d->call_id);
	COPY(leg->local_tag, d->local_tag);
	COPY(leg->remote_tag, d->remote_tag);
	COPY(leg->uri, d->remote_uri);
	leg->address = d->source;
}

static struct sip_call_report *report_new(const struct sip *sip, unsigned legs)
{
	struct sip_call_report *r = NULL;

	if (sip->report != NULL) {
		r = calloc(1, sizeof(*r) + legs * sizeof(r->legs[0]));
		if (r == NULL)
			log_error("sip", "call record lost", LOG_STR("error", "no memory"));
	}
	return r;
}

void sip_report_left(struct sip_dialog *d)
{
	struct sip_call *call = d->call;
	struct sip_leg_report *more;

	call->transfers++;
	if (d->sip->report == NULL)
		return;
	if (call->n_left == SIP_REPORT_LEGS - 2) { // the first ones give way
		memmove(call->left, call->left + 1, --call->n_left * sizeof(*call->left));
	}
	more = realloc(call->left, (call->n_left + 1) * sizeof(*more));
	if (more == NULL)
		return;
	call->left = more;
	read_leg(&more[call->n_left], d);
	more[call->n_left++].left = true;
}

static void read_legs(struct sip_call_report *r, const struct sip_call *call)
{
	const struct sip_dialog *a = call->dialogs, *b = a != NULL ? a->joined : NULL;

	if (a != NULL)
		read_leg(&r->legs[r->n_legs++], a);
	if (b != NULL)
		read_leg(&r->legs[r->n_legs++], b);
	if (call->n_left > 0)
		memcpy(&r->legs[r->n_legs], call->left, call->n_left * sizeof(*call->left));
	r->n_legs += call->n_left;
}

void sip_report_ended(const struct sip_call *call)
{
	struct sip_call_report *r = report_new(call->sip, 2 + call->n_left);

	if (r == NULL)
		return;
	r->number = call->number;
	r->session = call->session;
	r->started = call->started;
	r->rung = call->rung;
	r->answered = call->answered;
	r->ended = call_now(call);
	r->by = call->by_side;
	if (call->by_side != SIP_SIDE_GATEWAY)
		COPY(r->by_realm, call->by);
	r->status = call->status;
	COPY(r->cause, call->cause);
	COPY(r->reason, call->reason);
	COPY(r->caller_name, call->caller_name);
	COPY(r->called, call->dialogs != NULL ? call->dialogs->local_uri : NULL);
	r->routed = call->fsm.state != CALL_ROUTING;
	r->restored = call->restored;
	r->transfers = call->transfers;
	read_legs(r, call);
	call->sip->report(call->sip->report_ctx, r);
}

void sip_report_ended_before(const struct sip *sip, const struct sip_ended *e)
{
	struct sip_call_report *r = report_new(sip, 2);

	if (r == NULL)
		return;
	r->number = e->number;
	r->session = e->session;
	r->started = e->started;
	r->ended = e->ended;
	r->status = e->status;
	COPY(r->cause, e->cause);
	COPY(r->called, e->called);
	r->routed = e->legs[1].call_id[0] != '\0';
	for (int i = 0; i < 2; i++) {
		if (e->legs[i].call_id[0] != '\0')
			r->legs[r->n_legs++] = e->legs[i];
	}
	sip->report(sip->report_ctx, r);
}

void sip_report_refused(struct sip *sip, const sip_t *request, const struct sip_hop *from, int peer, int status, const char *cause)
{
	const struct sip_peer *who = &sip->config->peers[peer];
	struct sip_call_report *r = report_new(sip, 1);

	if (r == NULL)
		return;
	r->started = r->ended = env_now(sip->env);
	r->status = status;
	COPY(r->cause, cause);
	COPY(r->caller_name, request->sip_from->a_display);
	url_e(r->called, sizeof(r->called), request->sip_to->a_url);
	r->called[sizeof(r->called) - 1] = '\0';
	r->n_legs = 1;
	r->legs[0].side = SIP_SIDE_CALLER;
	r->legs[0].address = from->address;
	COPY(r->legs[0].realm, sip->config->realms[who->realm].name);
	COPY(r->legs[0].peer, who->name);
	COPY(r->legs[0].profile, sip->config->profiles[who->profile].name);
	COPY(r->legs[0].call_id, request->sip_call_id->i_id);
	COPY(r->legs[0].remote_tag, request->sip_from->a_tag);
	url_e(r->legs[0].uri, sizeof(r->legs[0].uri), request->sip_from->a_url);
	r->legs[0].uri[sizeof(r->legs[0].uri) - 1] = '\0';
	sip->report(sip->report_ctx, r);
}
