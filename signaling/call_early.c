// SPDX-License-Identifier: GPL-3.0-or-later
// call_early.c - media before the answer: what may flow, and that the caller's phone rings where nothing will be heard.
#include "signaling/call_media.h"
#include "signaling/sip_header.h"
#include "signaling/sip_priv.h"

void call_early_begin(struct sip_call *call)
{
	const struct sip_policy *policies = call->sip->config->policies;
	const struct sip_dialog *a = call_caller(call), *b = a->joined;

	call->early = (struct early_media){
		.allowed = early_media_policy(policies[a->profile].early_media, policies[b->profile].early_media),
	};
}

void call_early_read(struct sip_dialog *b, const sip_t *response)
{
	struct sip_call *call = b->call;
	su_home_t home[1] = { SU_HOME_INIT(home) };

	if (!call->sip->config->realms[b->realm].trusted) // RFC 5009 section 6: who may say so
		return;
	su_home_init(home);
	early_media_read(&call->early, sip_header_value(home, response, "P-Early-Media"));
	su_home_deinit(home);
}

// Nothing will be heard: a description would make the phone listen in place of ringing.
bool call_early_withheld(const struct sip_dialog *a)
{
	return a->oa.state == OA_OFFER_RECEIVED && !early_media_heard(&a->call->early);
}

unsigned call_early_gate(const struct sip_call *call, unsigned line)
{
	const struct sip_dialog *b = call->dialogs->joined;
	bool answered = b == NULL || (b->fsm.state != DIALOG_TRYING && b->fsm.state != DIALOG_EARLY);

	return answered ? EARLY_BOTH : early_media_gate(&call->early, line);
}

unsigned call_early_gate_of(const struct sip_dialog *fork, unsigned line)
{
	return early_media_gate(&fork->early, line);
}
