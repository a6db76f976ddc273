// SPDX-License-Identifier: GPL-3.0-or-later
// sip_message.c - building the requests and responses that we send; what every one of them has is put in here.
#include "signaling/call_timer.h"
#include "signaling/sip_count.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_check.h"
#include "signaling/sip_header.h"
#include "signaling/sip_option.h"
#include "signaling/sip_refer.h"
#include <sofia-sip/sip_tag.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALLOW "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, OPTIONS" // beside what profiles relay

void sip_message_header(msg_t *msg, const char *name, const char *format, ...)
{
	char value[1024];
	va_list ap;

	if (msg == NULL)
		return;
	va_start(ap, format);
	int n = vsnprintf(value, sizeof(value), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(value))
		return;
	sip_unknown_t *un = sip_unknown_format(msg_home(msg), "%s: %s", name, value);

	if (un != NULL)
		msg_header_insert(msg, NULL, (msg_header_t *)un);
}

static void add_agent_name(struct sip *sip, msg_t *msg, const char *header)
{
	if (sip->config->server_name[0] != '\0')
		sip_message_header(msg, header, "%s", sip->config->server_name);
}

static int add_contact(msg_t *msg, const struct sip_dialog *d)
{
	sip_contact_t *contact = sip_contact_format(msg_home(msg), "<%s>", d->contact);

	return contact != NULL ? msg_header_insert(msg, NULL, (msg_header_t *)contact) : -1;
}

msg_t *sip_request_bare(struct sip_dialog *d, unsigned max_forwards, bool contact)
{
	msg_t *msg = nta_msg_create(sip_agent_nta(d->sip->agent), 0);

	if (msg == NULL)
		return NULL;
	sip_max_forwards_t *mf = sip_max_forwards_format(msg_home(msg), "%u", max_forwards);

	if (mf == NULL || msg_header_insert(msg, NULL, (msg_header_t *)mf) < 0 || (contact && add_contact(msg, d) < 0)) {
		msg_destroy(msg);
		return NULL;
	}
	add_agent_name(d->sip, msg, "User-Agent");
	return msg;
}

// What may be sent to us within d, and goes on from there. d NULL: whoever asks.
static void add_allow(msg_t *msg, const struct sip_dialog *d)
{
	const struct sip_policy *policies = d != NULL ? d->sip->config->policies : NULL;
	unsigned relay = d != NULL ? policies[d->profile].relay : SIP_RELAY_INFO;

	if (d != NULL && d->joined != NULL)
		relay &= policies[d->joined->profile].relay;
	bool refer = d != NULL && sip_refer_allowed(d);

	sip_message_header(msg, "Allow", "%s%s%s%s%s%s", ALLOW, relay & SIP_RELAY_INFO ? ", INFO" : "",
			   relay & SIP_RELAY_MESSAGE ? ", MESSAGE" : "",
			   relay & SIP_RELAY_SUBSCRIBE ? ", SUBSCRIBE" : "", refer ? ", REFER" : "",
			   relay & SIP_RELAY_SUBSCRIBE || (d != NULL && sip_refer_between(d, d->joined)) ? ", NOTIFY" : "");
}

msg_t *sip_request_new(struct sip_dialog *d, unsigned max_forwards)
{
	msg_t *msg = sip_request_bare(d, max_forwards, true);

	add_allow(msg, d);
	return msg;
}

bool sip_method_is_relayed(sip_method_t method)
{
	return method == sip_method_info || method == sip_method_message || method == sip_method_subscribe ||
	       method == sip_method_notify || method == sip_method_publish;
}

static void headers_cross(msg_t *to, msg_t *in, const struct sip_dialog *from, const struct sip_dialog *onward)
{
	const struct sip_config *config = from->sip->config;
	const sip_t *sip = in != NULL ? sip_object(in) : NULL;
	char host[INET_ENDPOINT_STRLEN];

	if (to != NULL && sip != NULL && sip->sip_cseq != NULL) {
		sip_agent_host(from->sip->agent, onward->hop.listener, host);
		struct sip_crossing how = {
			.from_trusted = config->realms[from->realm].trusted,
			.to_trusted = config->realms[onward->realm].trusted,
			.relayed = sip_method_is_relayed(sip->sip_cseq->cs_method),
			.refusal = sip->sip_status != NULL && sip->sip_status->st_status >= 300,
			.privacy = sip->sip_request != NULL ? sip_request_privacy(sip) : 0,
			.history = config->policies[onward->profile].history,
			.host = host,
		};

		if (sip_headers_cross(to, in, &how) == 0)
			sip_options_cross(to, sip, sip->sip_cseq->cs_method, sip_refer_between(from, onward));
	}
	if (in != NULL)
		msg_destroy(in);
}

unsigned sip_request_privacy(const sip_t *request)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };

	su_home_init(home);
	unsigned privacy = sip_privacy_read(sip_header_value(home, request, "Privacy"));

	su_home_deinit(home);
	return privacy;
}

void sip_request_headers(msg_t *to, nta_incoming_t *irq, const struct sip_dialog *from, const struct sip_dialog *onward)
{
	headers_cross(to, nta_incoming_getrequest(irq), from, onward);
}

void sip_response_headers(msg_t *to, nta_outgoing_t *orq, const struct sip_dialog *from, const struct sip_dialog *onward)
{
	headers_cross(to, nta_outgoing_getresponse(orq), from, onward);
}

// nta puts `received` into the Via of a client that does not know its own address.
bool sip_request_behind_nat(const sip_t *request)
{
	return request->sip_via->v_next == NULL && request->sip_via->v_received != NULL;
}

msg_t *sip_request_onward(struct sip_dialog *to, nta_incoming_t *irq, const struct call_body *offer)
{
	msg_t *in = irq != NULL ? nta_incoming_getrequest(irq) : NULL;
	const sip_t *request = in != NULL ? sip_object(in) : NULL;
	msg_t *msg = sip_request_new(to, request != NULL ? sip_check_hops(request) : SIP_MAX_FORWARDS);

	if (irq != NULL)
		sip_request_headers(msg, irq, to->joined, to);
	msg = sip_message_bodies(msg, offer, request, to->joined, to);
	if (in != NULL)
		msg_destroy(in);
	return msg;
}

msg_t *sip_message_body(msg_t *msg, const char *type, const char *body, size_t len)
{
	if (msg == NULL || len == 0)
		return msg;
	su_home_t *home = msg_home(msg);
	sip_content_type_t *content = sip_content_type_make(home, type);
	sip_payload_t *payload = sip_payload_create(home, body, len);

	if (content != NULL && payload != NULL && msg_header_insert(msg, NULL, (msg_header_t *)content) == 0 &&
	    msg_header_insert(msg, NULL, (msg_header_t *)payload) == 0)
		return msg;
	msg_destroy(msg);
	return NULL;
}

// A connection that the peer opened is used as long as it is there: behind a NAT it is the only way.
static struct sip_hop next_hop(const struct sip_dialog *d)
{
	struct sip_hop flow = { .address = d->source, .listener = d->hop.listener };

	return sip_agent_connected(d->sip->agent, &flow) ? flow : d->hop;
}

static nta_outgoing_t *send_on(struct sip_dialog *d, msg_t *msg, sip_method_t method, const char *acked,
			       nta_response_f *callback, void *magic)
{
	struct sip_hop hop = next_hop(d);

	if (msg == NULL)
		return NULL;
	bool asks = method == sip_method_invite && !sip_body_is_sdp(sip_object(msg));

	if (sip_agent_complete(d->sip->agent, d->leg, msg, method, d->target, &hop, d->loop_mark, asks) < 0) {
		msg_destroy(msg);
		return NULL;
	}
	if (method == sip_method_invite && d->call != NULL)
		sip_pending_goes(d, msg);
	return sip_agent_send(d->sip->agent, msg, &hop, acked, callback, magic);
}

// For a 2xx whose INVITE nta may not have any more: by that one's branch.
nta_outgoing_t *sip_dialog_ack(struct sip_dialog *d, msg_t *msg, const char *branch)
{
	return send_on(d, msg, sip_method_ack, branch, NULL, NULL);
}

nta_outgoing_t *sip_dialog_send(struct sip_dialog *d, msg_t *msg, sip_method_t method, nta_response_f *callback)
{
	return sip_dialog_send_for(d, msg, method, callback, d);
}

nta_outgoing_t *sip_dialog_send_for(struct sip_dialog *d, msg_t *msg, sip_method_t method, nta_response_f *callback,
				    void *magic)
{
	struct sip *sip = d->sip;

	if (msg != NULL && d->call != NULL && call_timer_by(d, method))
		call_timer_ask(d, msg);
	if (msg != NULL && method != sip_method_ack)
		sip_options_cross(msg, NULL, method, false); // of a request that carries nothing over
	nta_outgoing_t *orq = send_on(d, msg, method, NULL, callback, magic);

	if (orq != NULL && method != sip_method_ack)
		sip->n_requests++;
	return orq;
}

msg_t *sip_response_new(struct sip *sip, nta_incoming_t *irq, const struct sip_dialog *d)
{
	msg_t *msg = nta_msg_create(sip_agent_nta(sip->agent), 0);

	if (msg == NULL)
		return NULL;
	if (d != NULL) {
		if (add_contact(msg, d) < 0) {
			msg_destroy(msg);
			return NULL;
		}
		add_allow(msg, d);
	}
	add_agent_name(sip, msg, "Server");
	return msg;
}

int sip_respond(nta_incoming_t *irq, int status, msg_t *msg)
{
	if (msg != NULL && nta_incoming_complete_response(irq, msg, status, NULL, TAG_END()) == 0) {
		sip_count_response(SIP_STAT_OUT, nta_incoming_method(irq), status);
		return nta_incoming_mreply(irq, msg);
	}
	if (msg != NULL)
		msg_destroy(msg);
	if (status >= 200) { // whoever waits gets a final response, if there is memory for one
		sip_count_response(SIP_STAT_OUT, nta_incoming_method(irq), 500);
		nta_incoming_treply(irq, SIP_500_INTERNAL_SERVER_ERROR, TAG_END());
	}
	return -1;
}

void sip_message_allow(msg_t *msg)
{
	add_allow(msg, NULL);
}

// Spread over a few seconds, so that the refused do not all come back at once.
void sip_message_retry_after(msg_t *msg)
{
	sip_message_header(msg, "Retry-After", "%u", 5u + (unsigned)random() % 6u);
}

int sip_refuse(struct sip *sip, nta_incoming_t *irq, int status, int warning, const char *text)
{
	msg_t *msg = sip_response_new(sip, irq, NULL);

	if (msg != NULL && warning != 0)
		sip_message_header(msg, "Warning", "%d sallyport \"%s\"", warning, text);
	if (msg != NULL && status == 503)
		sip_message_retry_after(msg);
	if (msg != NULL && status == 405)
		add_allow(msg, NULL);
	if (msg != NULL && status == 415)
		sip_message_header(msg, "Accept", "application/sdp, multipart/mixed");
	sip_respond(irq, status, msg);
	nta_incoming_destroy(irq);
	return 0;
}

int sip_refuse_later(struct sip_dialog *d, nta_incoming_t *irq)
{
	msg_t *msg = sip_response_new(d->sip, irq, d);

	if (msg != NULL)
		sip_message_retry_after(msg);
	sip_respond(irq, 500, msg);
	nta_incoming_destroy(irq);
	return 0;
}

int sip_answer_ok(struct sip_dialog *d, nta_incoming_t *irq, const struct call_body *answer)
{
	msg_t *msg = sip_response_new(d->sip, irq, d);

	if (answer != NULL)
		msg = sip_message_body(msg, "application/sdp", answer->text, answer->len);
	if (call_timer_by(d, nta_incoming_method(irq)))
		call_timer_serve(d, msg);
	sip_respond(irq, 200, msg);
	nta_incoming_destroy(irq);
	return 0;
}

int sip_refuse_silently(nta_incoming_t *irq)
{
	nta_incoming_destroy(irq);
	return 0;
}

void sip_message_reason(msg_t *msg, int status, const char *text)
{
	char clean[SIP_CAUSE_MAX];
	size_t n = 0;

	for (; *text != '\0' && n + 1 < sizeof(clean); text++) {
		if (*text >= ' ' && *text < 0x7f && *text != '"' && *text != '\\')
			clean[n++] = *text;
	}
	clean[n] = '\0';
	sip_addresses_hide(clean); // where media could not go is the other side's
	sip_message_header(msg, "Reason", "SIP;cause=%d;text=\"%s\"", status, clean);
}

void sip_drop_incoming(struct sip *sip, nta_incoming_t **irqp)
{
	if (*irqp == NULL)
		return;
	if (!sip->ending) // nta answers what had no answer; its own end is silent
		nta_incoming_destroy(*irqp);
	*irqp = NULL;
	sip->n_requests--;
}

void sip_drop_outgoing(struct sip *sip, nta_outgoing_t **orqp)
{
	if (*orqp == NULL)
		return;
	nta_outgoing_destroy(*orqp);
	*orqp = NULL;
	sip->n_requests--;
}
