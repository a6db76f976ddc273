// SPDX-License-Identifier: GPL-3.0-or-later
// call_late.c - a 2xx to an INVITE or UPDATE of no transaction: the control that sent it is dead. A call that was being set up then
// is ended where it was answered (call_stray.c), or acknowledged where it was refused. One that was being changed is acknowledged, and its peer told what is in force:
// the change was rolled back with the process that carried it. What it offers, if the INVITE asked for that, is answered by what the other side said last.
#include "signaling/call_carry.h"
#include "signaling/call_stray.h"
#include "signaling/sdp/sdp_doc.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_count.h"
#include "signaling/sip_priv.h"

static struct sip_dialog *dialog_of(struct sip *sip, const sip_t *response)
{
	nta_leg_t *leg = nta_leg_by_dialog(sip_agent_nta(sip->agent), NULL, response->sip_call_id, response->sip_to->a_tag, NULL,
					   response->sip_from->a_tag, NULL);

	return leg != NULL ? nta_leg_magic(leg, call_request_in) : NULL;
}

// The ACK of a 2xx that offers must answer it (RFC 3261 section 13.2.2.4). true: what it offers is in force.
static bool acknowledge_offer(struct sip_dialog *d, const sip_t *response, bool fresh)
{
	struct call_body offer = sip_body_of(response), answer = { NULL, 0 };
	struct call_refusal why;
	bool taken = fresh && call_carry_offer_here(d, OA_BY_OK, &offer, &answer, &why) == CALL_CARRIED_HERE;
	char *declined = NULL;

	if (taken)
		sip_record_write(d->call); // first: a next life must know what the peer may have been told
	else if (fresh || call_media_current(d, &answer) < 0)
		answer.text = declined = sip_body_decline(d, &offer, &answer.len);
	call_ack_late(d, response->sip_cseq->cs_seq, response->sip_via->v_branch, answer.text != NULL ? &answer : NULL);
	sdp_body_free(declined, answer.len);
	return taken;
}

static bool acknowledge(struct sip_dialog *d, const sip_t *response, bool fresh)
{
	if (response->sip_cseq->cs_method != sip_method_invite)
		return false;
	if (sip_agent_asked(response))
		return acknowledge_offer(d, response, fresh);
	call_ack_late(d, response->sip_cseq->cs_seq, response->sip_via->v_branch, NULL);
	return false;
}

static void changed(struct sip_dialog *d, const sip_t *response)
{
	struct sip_call *call = d->call;
	uint32_t number = response->sip_cseq->cs_seq;
	// Not fresh: our ACK was lost.
	bool fresh = d->late != number && call->restored && !call->closing && d->joined != NULL && d->fsm.state == DIALOG_CONFIRMED;
	bool taken = acknowledge(d, response, fresh);

	if (!fresh)
		return;
	d->late = number;
	log_info("sip", taken ? "late offer answered" : "change rolled back", LOG_CALL_IDS(&call->ids), LOG_STR("call", call->name),
		 LOG_UINT("dialog", d->number));
	if (call->frozen)
		call_end(call, "gateway", 500, "restarted while it was changed");
	else if (!taken)
		call_carry_again(d);
	else if (d->joined->stale)
		call_carry_again(d->joined);
}

// The identifiers of a dialog are no password: the source must be its peer's as well.
static bool is_its_peer(const struct sip_dialog *d, msg_t *msg)
{
	struct sip_hop from;

	return sip_agent_delivered(d->sip->agent, msg, &from) == 0 && sip_agent_realm(from.listener) == d->realm &&
	       (sip_peer_is_at(d->sip->config, d->peer, &from.address.addr) ||
		inet_addr_equal(&from.address.addr, &d->source.addr));
}

static bool answers(const sip_t *response)
{
	sip_method_t method = response->sip_cseq->cs_method;

	return (method == sip_method_invite || (method == sip_method_update && sip_body_is_sdp(response))) &&
	       response->sip_status->st_status / 100 == 2 && response->sip_via != NULL &&
	       response->sip_via->v_branch != NULL && response->sip_to->a_tag != NULL && response->sip_from->a_tag != NULL;
}

// Nobody but a peer is answered.
static void refused(struct sip *sip, msg_t *msg, const sip_t *response)
{
	struct sip_hop from;

	if (sip_agent_delivered(sip->agent, msg, &from) < 0 ||
	    sip_peer_by_source(sip->config, sip_agent_realm(from.listener), &from.address.addr) < 0)
		return;
	log_debug("sip", "late refusal acknowledged", LOG_STR("call_id_b", response->sip_call_id->i_id),
		  LOG_INT("status", response->sip_status->st_status));
	sip_agent_ack_refusal(sip->agent, response, &from);
}

static bool refuses(const sip_t *response)
{
	return response->sip_cseq->cs_method == sip_method_invite && response->sip_status->st_status >= 300 &&
	       response->sip_via != NULL && response->sip_via->v_branch != NULL && response->sip_to->a_tag != NULL;
}

int call_late(void *ctx, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip *sip = ctx;
	msg_t *msg = nta_outgoing_getresponse(orq);

	if (msg != NULL && response != NULL && refuses(response)) {
		refused(sip, msg, response);
		msg_destroy(msg);
		return 0;
	}
	struct sip_dialog *d = msg != NULL && response != NULL && answers(response) ? dialog_of(sip, response) : NULL;

	sip_count_answer(response);
	if (d == NULL && msg != NULL && response != NULL && answers(response) &&
	    response->sip_cseq->cs_method == sip_method_invite)
		return call_stray(sip, msg);
	if (d != NULL && is_its_peer(d, msg))
		changed(d, response);
	if (msg != NULL)
		msg_destroy(msg);
	return 0;
}
