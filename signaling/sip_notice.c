// SPDX-License-Identifier: GPL-3.0-or-later
// sip_notice.c - notices made of calls, while their dialogs are all there.
#include "signaling/sip_notice.h"
#include "signaling/sip_priv.h"
#include <stdio.h>

#define STRANGERS_EVERY MONO_S(10) // every scanner on the Internet makes some

static void tell(const struct sip *sip, struct sip_notice *n)
{
	n->at = env_now(sip->env);
	sip->notice(sip->notice_ctx, n);
}

static void about(struct sip_notice *n, const struct sip_call *call)
{
	const struct sip_dialog *a = call->dialogs, *sides[2] = { a, a != NULL ? a->joined : NULL };

	n->call = call->number;
	for (int i = 0; i < 2; i++) {
		if (sides[i] == NULL)
			continue;
		snprintf(n->sides[i].realm, sizeof(n->sides[i].realm), "%s", call->sip->config->realms[sides[i]->realm].name);
		snprintf(n->sides[i].call_id, sizeof(n->sides[i].call_id), "%s", sides[i]->call_id);
		snprintf(n->sides[i].uri, sizeof(n->sides[i].uri), "%s", sides[i]->remote_uri);
	}
}

void sip_notice_started(const struct sip_call *call)
{
	struct sip_notice n = { .kind = SIP_NOTICE_STARTED };

	if (call->sip->notice == NULL)
		return;
	about(&n, call);
	tell(call->sip, &n);
}

void sip_notice_answered(const struct sip_call *call)
{
	struct sip_notice n = { .kind = SIP_NOTICE_ANSWERED, .setup = call->answered - call->started };

	if (call->sip->notice == NULL)
		return;
	about(&n, call);
	tell(call->sip, &n);
}

void sip_notice_ended(const struct sip_call *call)
{
	struct sip_notice n = { .kind = SIP_NOTICE_ENDED, .status = call->status };
	mono_ns now = call_now(call);

	if (call->sip->notice == NULL)
		return;
	about(&n, call);
	n.setup = (call->answered != 0 ? call->answered : now) - call->started;
	n.up = call->answered != 0 ? now - call->answered : 0;
	snprintf(n.cause, sizeof(n.cause), "%s", call->cause);
	snprintf(n.by, sizeof(n.by), "%s", call->by);
	tell(call->sip, &n);
}

void sip_notice_ended_before(const struct sip *sip, const struct sip_ended *e)
{
	struct sip_notice n = { .kind = SIP_NOTICE_ENDED, .call = e->number, .setup = e->ended - e->started, .status = e->status };

	if (sip->notice == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		snprintf(n.sides[i].realm, sizeof(n.sides[i].realm), "%s", e->legs[i].realm);
		snprintf(n.sides[i].call_id, sizeof(n.sides[i].call_id), "%s", e->legs[i].call_id);
		snprintf(n.sides[i].uri, sizeof(n.sides[i].uri), "%s", e->legs[i].uri);
	}
	snprintf(n.cause, sizeof(n.cause), "%s", e->cause);
	snprintf(n.by, sizeof(n.by), "gateway");
	tell(sip, &n);
}

void sip_notice_restored(const struct sip *sip, unsigned restored, unsigned lost)
{
	struct sip_notice n = { .kind = SIP_NOTICE_RESTORED, .count = restored, .lost = lost };

	if (sip->notice != NULL)
		tell(sip, &n);
}

void sip_notice_stranger(struct sip *sip, const struct inet_endpoint *source)
{
	struct sip_notice n = { .kind = SIP_NOTICE_STRANGER, .source = *source };
	mono_ns now = env_now(sip->env);

	sip->strangers_untold++;
	if (sip->notice == NULL || (sip->strangers_told != 0 && now < sip->strangers_told + STRANGERS_EVERY))
		return;
	n.count = sip->strangers_untold;
	sip->strangers_told = now;
	sip->strangers_untold = 0;
	tell(sip, &n);
}
