// SPDX-License-Identifier: GPL-3.0-or-later
// call_response.c - responses to an INVITE of ours: progress, answer and failure passed on to the caller. Forks of the far
// side are told apart by their To tags here: the first that answers is the call.
#include "signaling/call_media.h"
#include "signaling/sip_header.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_status.h"
#include <stdio.h>
#include <string.h>

static const char *to_tag(const sip_t *response)
{
	const char *tag = response->sip_to != NULL ? response->sip_to->a_tag : NULL;

	return tag != NULL && strlen(tag) < SIP_ID_MAX ? tag : NULL;
}

// A dialog for a To tag that is not the one we follow: noted, so that its state is known; it has no media.
static void note_fork(struct sip_call *call, const struct sip_dialog *followed, const char *tag)
{
	for (const struct sip_dialog *d = call->dialogs; d != NULL; d = d->next) {
		if (d->outgoing && strcmp(d->remote_tag, tag) == 0)
			return;
	}
	struct sip_dialog *fork = call_dialog_create(call, true, followed->peer);

	if (fork == NULL)
		return; // one too many: its 2xx would still be taken
	memcpy(fork->call_id, followed->call_id, sizeof(fork->call_id));
	strcpy(fork->remote_tag, tag);
	dialog_step(&fork->fsm, DIALOG_EV_PROGRESS, call_now(call));
	log_info("sip", "call forked", LOG_STR("call", call->name), LOG_STR("call_id_a", call->dialogs->call_id),
		 LOG_STR("call_id_b", followed->call_id), LOG_UINT("dialogs", call->n_dialogs));
}

// The final response decides: whichever fork it came from, the others are over.
static void end_forks(struct sip_dialog *taken, const char *tag)
{
	struct sip_call *call = taken->call;

	if (tag != NULL)
		strcpy(taken->remote_tag, tag);
	for (struct sip_dialog *d = call->dialogs; d != NULL; d = d->next) {
		if (d->outgoing && d->leg == NULL && !dialog_is_over(&d->fsm))
			dialog_step(&d->fsm, DIALOG_EV_FAIL, call_now(call));
	}
}

static int tell_caller(struct sip_dialog *b, nta_outgoing_t *orq, int status, const struct call_body *body)
{
	struct sip_dialog *a = b->joined;
	msg_t *msg = sip_response_new(b->call->sip, a->invite_in, a);

	sip_response_headers(msg, orq, b, a);
	if (body != NULL)
		msg = sip_message_body(msg, "application/sdp", body->text, body->len);
	return sip_respond(a->invite_in, status, msg);
}

static int progress(struct sip_dialog *b, nta_outgoing_t *orq, const sip_t *response, int status)
{
	struct sip_call *call = b->call;
	const char *tag = to_tag(response);
	struct call_body in = sip_body_of(response), out;
	struct call_refusal why;
	bool preview = false;

	b->rang = true;
	if (call->closing || tag == NULL || sip_status_map_provisional(status) == 0)
		return 0;
	if (b->remote_tag[0] == '\0')
		strcpy(b->remote_tag, tag);
	else if (strcmp(b->remote_tag, tag) != 0) {
		note_fork(call, b, tag);
		return 0;
	}
	call_start_timer_c(call);
	dialog_step(&b->fsm, DIALOG_EV_PROGRESS, call_now(call));
	call_step(&call->fsm, CALL_EV_PROGRESS, call_now(call));
	dialog_step(&b->joined->fsm, DIALOG_EV_PROGRESS, call_now(call));
	if (in.text != NULL && sip_body_is_sdp(response))
		preview = call_media_answer(b, in.text, in.len, true, &out, &why) == 0;
	tell_caller(b, orq, sip_status_map_provisional(status), preview ? &out : NULL);
	return 0;
}

static void take_dialog(struct sip_dialog *b, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip *sip = b->call->sip;
	msg_t *msg = nta_outgoing_getresponse(orq);
	struct inet_endpoint source;

	end_forks(b, to_tag(response));
	nta_leg_rtag(b->leg, b->remote_tag);
	nta_leg_client_reroute(b->leg, response->sip_record_route, response->sip_contact, 1);
	if (msg != NULL && sip_agent_source_of(sip->agent, msg, &source) == 0)
		b->source = source;
	if (msg != NULL)
		msg_destroy(msg);
	call_route(b, false);
	dialog_step(&b->fsm, DIALOG_EV_ANSWER, call_now(b->call));
}

static int answered(struct sip_dialog *b, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_call *call = b->call;
	struct sip_dialog *a = b->joined;
	struct call_body in = sip_body_of(response), out;
	struct call_refusal why;

	bool offers = !call_media_offered(call); // ours had none: the ACK waits for the caller's answer
	bool acked = true;
	int err = 0;

	take_dialog(b, orq, response);
	if (!call->closing)
		err = offers ? call_media_offer(b, in.text, in.len, &out, &why)
			     : call_media_answer(b, in.text, in.len, false, &out, &why);
	// An answer needs its ACK even when nobody wants it any more.
	if (call->closing || err < 0 || !offers) {
		acked = call_ack_out(b, NULL) == 0;
		dialog_step(&b->fsm, DIALOG_EV_ACK, call_now(call));
	}
	if (err < 0) { // a 400 would blame the caller for what the far side wrote
		call_end(call, "gateway", why.status == 400 ? 488 : why.status, why.text);
		return 0;
	}
	if (call->closing) {
		if (call->fsm.state == CALL_CANCELLING)
			call_step(&call->fsm, CALL_EV_ANSWER, call_now(call));
		call_bye_out(b, call->status, call->cause);
		return 0;
	}
	su_timer_reset(call->timer_c);
	if (!acked || tell_caller(b, orq, 200, &out) < 0) {
		call_end(call, "gateway", 500, "no memory");
		return 0;
	}
	dialog_step(&a->fsm, DIALOG_EV_ANSWER, call_now(call));
	call_step(&call->fsm, CALL_EV_ANSWER, call_now(call));
	call->answered = call_now(call);
	call_log(LOG_LEVEL_INFO, call, "call answered");
	sip_record_write(call);
	return 0;
}

static int failed(struct sip_dialog *b, const sip_t *response, int status)
{
	struct sip_call *call = b->call;
	bool internal = response == NULL || nta_sip_is_internal(response);
	char cause[SIP_CAUSE_MAX];

	if (status == 401 || status == 407)
		log_warning("sip", "far side asks for credentials", LOG_STR("call", call->name),
			    LOG_STR("call_id_a", call->dialogs->call_id), LOG_STR("call_id_b", b->call_id),
			    LOG_STR("peer", call->sip->config->peers[b->peer].name));
	if (!internal)
		call_keep_reason(call, response);
	snprintf(cause, sizeof(cause), internal ? "no response (%d)" : "far side answered %d", status);
	end_forks(b, NULL);
	if (call->fsm.state == CALL_CANCELLING)
		call_step(&call->fsm, CALL_EV_FAIL, call_now(call));
	call_dialog_over(b, DIALOG_EV_FAIL);
	call_end(call, internal ? "gateway" : sip_peer_realm_name(b),
		 sip_status_map_final(status, internal ? SIP_ANSWERED_BY_NOBODY : SIP_ANSWERED_BY_PEER, b->rang), cause);
	return 0;
}

int call_response_in(void *dialog, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_dialog *d = dialog;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);

	if (orq != d->invite_out)
		return 0;
	if (d->fsm.state != DIALOG_TRYING && d->fsm.state != DIALOG_EARLY)
		return call_reinvite_response(d, response);
	if (status < 200)
		return progress(d, orq, response, status);
	return status < 300 ? answered(d, orq, response) : failed(d, response, status);
}
