// SPDX-License-Identifier: GPL-3.0-or-later
// sip_check.c - see sip_check.h.
#include "signaling/sip_check.h"
#include "signaling/sip_option.h"
#include "signaling/sip_privacy.h"
#include <string.h>
#include <strings.h>

// RFC 3261 section 8.2.2.3: each tag that cannot be met is named.
static void refuse_extensions(struct sip *sip, nta_incoming_t *irq, const sip_t *request, bool transfers)
{
	msg_t *msg = sip_response_new(sip, irq, NULL);

	for (const char *tag = sip_option_unmet(request, NULL, transfers); tag != NULL;
	     tag = sip_option_unmet(request, tag, transfers))
		sip_message_header(msg, "Unsupported", "%s", tag);
	sip_respond(irq, 420, msg);
	nta_incoming_destroy(irq);
}

static bool is_encoded(const sip_t *request)
{
	for (const sip_content_encoding_t *e = request->sip_content_encoding; e != NULL; e = e->k_next) {
		for (const msg_param_t *item = e->k_items; item != NULL && *item != NULL; item++) {
			if (strcasecmp(*item, "identity") != 0)
				return true;
		}
	}
	return false;
}

// A description in an encoding cannot be read; what is carried as it is may have any.
static void refuse_encoding(struct sip *sip, nta_incoming_t *irq)
{
	msg_t *msg = sip_response_new(sip, irq, NULL);

	sip_message_header(msg, "Accept-Encoding", "identity");
	sip_message_header(msg, "Accept", "application/sdp, multipart/mixed");
	sip_respond(irq, 415, msg);
	nta_incoming_destroy(irq);
}

bool sip_check_refused(struct sip *sip, nta_incoming_t *irq, const sip_t *request, uint16_t profile)
{
	sip_method_t method = request->sip_request->rq_method;
	bool transfers = sip->config->policies[profile].transfer != SIP_TRANSFER_REFUSE;

	if (method == sip_method_ack || method == sip_method_cancel)
		return false;
	if (sip_option_unmet(request, NULL, transfers) != NULL) {
		refuse_extensions(sip, irq, request, transfers);
		return true;
	}
	if (!sip_method_is_relayed(method) && is_encoded(request)) {
		refuse_encoding(sip, irq);
		return true;
	}
	return false;
}

uint32_t sip_check_mark(const sip_t *request, uint16_t realm)
{
	char uri[SIP_URI_MAX];
	uint32_t mark = 2166136261u ^ realm;

	url_e(uri, sizeof(uri), request->sip_request->rq_url);
	uri[sizeof(uri) - 1] = '\0';
	for (const char *c = uri; *c != '\0'; c++)
		mark = (mark ^ (uint8_t)*c) * 16777619u;
	return mark;
}

unsigned sip_check_hops(const sip_t *request)
{
	unsigned hops = request->sip_max_forwards != NULL ? (unsigned)request->sip_max_forwards->mf_count : SIP_MAX_FORWARDS;

	return (hops < 255 ? hops : 255) - 1;
}

int sip_check_onward(const struct sip *sip, const sip_t *request, uint16_t realm)
{
	if (request->sip_max_forwards != NULL && request->sip_max_forwards->mf_count == 0)
		return 483;
	if (sip_agent_loops(sip->agent, request, sip_check_mark(request, realm)))
		return 482;
	if (request->sip_from->a_tag == NULL || strlen(request->sip_from->a_tag) >= SIP_ID_MAX ||
	    strlen(request->sip_call_id->i_id) >= SIP_ID_MAX)
		return 400;
	if (request->sip_request->rq_url->url_type != url_sip)
		return 416;
	if (!sip_privacy_can(sip_request_privacy(request))) // RFC 3323 section 5
		return 500;
	return 0;
}
