// SPDX-License-Identifier: GPL-3.0-or-later
// call_stray.c - a second 2xx to an INVITE of ours: of another fork, when one was taken or the call is over. It is a dialog that
// nobody wants: it is acknowledged and ended (RFC 3261 section 13.2.2.4), by its own route set and from our socket of its realm.
#include "signaling/call_stray.h"
#include "signaling/sdp/sdp_doc.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_count.h"
#include "signaling/sip_priv.h"
#include <errno.h>
#include <sofia-sip/sip_tag.h>
#include <stdlib.h>
#include <string.h>

#define STRAYS_MAX 256u // at a time; what is beyond gets no ACK, and gives up by itself

struct sip_stray {
	struct sip_stray *next;
	struct sip_dialog dialog; // of no call
	uint32_t cseq;            // of the INVITE
	char *body;               // of the ACK: takes nothing of what it offers; NULL: it offers nothing
	size_t body_len;
	nta_outgoing_t *bye;
};

static void stray_free(struct sip *sip, struct sip_stray *s)
{
	struct sip_stray **link = &sip->strays;

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	sip->n_strays--;
	sip_drop_outgoing(sip, &s->bye);
	sip_dialog_drop_leg(&s->dialog);
	sdp_body_free(s->body, s->body_len);
	free(s);
}

void call_strays_close(struct sip *sip)
{
	while (sip->strays != NULL)
		stray_free(sip, sip->strays);
}

static int request_within(void *ctx, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_stray *s = ctx;

	if (request->sip_request->rq_method == sip_method_ack)
		return sip_refuse_silently(irq);
	return sip_refuse(s->dialog.sip, irq, 481, 0, NULL);
}

static int bye_response(void *ctx, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_stray *s = ctx;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);

	sip_count_answer(response);
	if (orq == s->bye && status >= 200)
		stray_free(s->dialog.sip, s);
	return 0;
}

static void acknowledge(struct sip_stray *s, const sip_t *answer)
{
	msg_t *msg = sip_request_bare(&s->dialog, 70, false);
	sip_cseq_t *cseq = msg != NULL ? sip_cseq_create(msg_home(msg), s->cseq, SIP_METHOD_ACK) : NULL;

	if (cseq == NULL || msg_header_insert(msg, NULL, (msg_header_t *)cseq) < 0) {
		if (msg != NULL)
			msg_destroy(msg);
		return;
	}
	if (s->body != NULL)
		msg = sip_message_body(msg, "application/sdp", s->body, s->body_len);
	nta_outgoing_destroy(sip_dialog_ack(&s->dialog, msg, answer->sip_via->v_branch));
}

static bool copy_text(char *dst, size_t room, const char *text)
{
	if (text == NULL || strlen(text) >= room)
		return false;
	strcpy(dst, text);
	return true;
}

static int dialog_of(struct sip_stray *s, struct sip *sip, msg_t *msg, const sip_t *answer)
{
	struct sip_dialog *d = &s->dialog;
	struct sip_hop from;
	int peer, err = sip_agent_delivered(sip->agent, msg, &from);

	if (err < 0 || answer->sip_to->a_tag == NULL)
		return err < 0 ? err : -EINVAL;
	peer = sip_peer_by_source(sip->config, sip_agent_realm(from.listener), &from.address.addr);
	if (peer < 0)
		return peer;
	sip_dialog_init(d, sip, true, (uint16_t)peer);
	d->hop = from;
	d->source = from.address;
	s->cseq = answer->sip_cseq->cs_seq;
	if (!copy_text(d->call_id, sizeof(d->call_id), answer->sip_call_id->i_id) ||
	    !copy_text(d->remote_tag, sizeof(d->remote_tag), answer->sip_to->a_tag))
		return -EINVAL;
	url_e(d->target, sizeof(d->target), answer->sip_to->a_url);
	d->target[sizeof(d->target) - 1] = '\0';
	d->leg = nta_leg_tcreate(sip_agent_nta(sip->agent), request_within, s, SIPTAG_CALL_ID(answer->sip_call_id),
				 SIPTAG_FROM(answer->sip_from), SIPTAG_TO(answer->sip_to), SIPTAG_CSEQ(answer->sip_cseq),
				 TAG_END());
	if (d->leg == NULL)
		return -ENOMEM;
	nta_leg_client_reroute(d->leg, answer->sip_record_route, answer->sip_contact, 1);
	call_route(d, false);
	return 0;
}

static struct sip_stray *known(struct sip *sip, const sip_t *answer)
{
	for (struct sip_stray *s = sip->strays; s != NULL; s = s->next) {
		if (answer->sip_to->a_tag != NULL && strcmp(s->dialog.remote_tag, answer->sip_to->a_tag) == 0 &&
		    strcmp(s->dialog.call_id, answer->sip_call_id->i_id) == 0)
			return s;
	}
	return NULL;
}

static void take(struct sip *sip, msg_t *msg, const sip_t *answer)
{
	struct sip_stray *s = sip->n_strays < STRAYS_MAX ? calloc(1, sizeof(*s)) : NULL;

	if (s == NULL)
		return;
	s->next = sip->strays;
	sip->strays = s;
	sip->n_strays++;
	int err = dialog_of(s, sip, msg, answer);

	if (err == 0 && sip_agent_asked(answer)) { // what it says is an offer: the ACK must answer it
		struct call_body offer = sip_body_of(answer);

		s->body = sip_body_decline(&s->dialog, &offer, &s->body_len);
	}
	if (err == 0) {
		acknowledge(s, answer);
		s->bye = sip_dialog_send_for(&s->dialog, sip_request_bare(&s->dialog, 70, false), sip_method_bye, bye_response, s);
	}
	log_info("sip", "second answer ended", LOG_STR("call_id_b", answer->sip_call_id->i_id),
		 LOG_STR("tag", answer->sip_to->a_tag), LOG_ERRNO(err));
	if (s->bye == NULL)
		stray_free(sip, s);
}

int call_stray(void *ctx, msg_t *msg)
{
	struct sip *sip = ctx;
	const sip_t *answer = sip_object(msg);
	struct sip_stray *s = known(sip, answer);

	if (s != NULL) // our ACK was lost
		acknowledge(s, answer);
	else
		take(sip, msg, answer);
	msg_destroy(msg);
	return 0;
}
