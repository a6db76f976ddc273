// SPDX-License-Identifier: GPL-3.0-or-later
// sip_count.c - words, places and sums of sip_stats.h.
#include "signaling/sip_count.h"
#include "signaling/call_media_priv.h"
#include "signaling/sip_priv.h"
#include <errno.h>
#include <sofia-sip/nta_tag.h>
#include <stdlib.h>

#define X(name, word) [SIP_STAT_##name] = word,
const char *const sip_stat_method_name[SIP_STAT_METHOD_COUNT] = { SIP_STAT_METHODS(X) };
const char *const sip_stat_result_name[SIP_STAT_RESULT_COUNT] = { SIP_STAT_RESULTS(X) };
#undef X
#define X(name, word) [SIP_STAT_KEYING_##name] = word,
const char *const sip_stat_keying_name[SIP_STAT_KEYING_COUNT] = { SIP_STAT_KEYINGS(X) };
#undef X

const struct histogram_scale sip_stat_setup_scale = {
	.bound = { 50, 100, 250, 500, 1000, 2500, 5000, 10000, 20000, 30000, 60000, 120000, 180000 }, .n_bounds = 13,
};

static const char *const codes[SIP_STAT_CODES] = {
	"1xx", "2xx", "3xx", "4xx", "5xx", "6xx", // by class less one: what has no place below
	"100", "180", "181", "182", "183", "199", "200", "202", "204", "300", "301", "302", "305", "380",
	"400", "401", "403", "404", "405", "406", "407", "408", "410", "413", "414", "415", "416", "420", "421", "422",
	"423", "429", "439", "440", "469", "480", "481", "482", "483", "484", "486", "487", "488", "489", "491", "493",
	"500", "501", "502", "503", "504", "513", "580", "600", "603", "604", "606", "607",
};

const char *sip_stat_code_name(unsigned code)
{
	return code < SIP_STAT_CODES ? codes[code] : NULL;
}

static unsigned code_of(int status)
{
	unsigned class = status < 100 || status > 699 ? 5 : (unsigned)status / 100;

	for (unsigned i = 6; i < SIP_STAT_CODES && codes[i] != NULL; i++) {
		if (strtol(codes[i], NULL, 10) == status)
			return i;
	}
	return class - 1;
}

static enum sip_stat_method method_of(sip_method_t method)
{
	switch (method) {
	case sip_method_invite: return SIP_STAT_INVITE;
	case sip_method_ack: return SIP_STAT_ACK;
	case sip_method_bye: return SIP_STAT_BYE;
	case sip_method_cancel: return SIP_STAT_CANCEL;
	case sip_method_options: return SIP_STAT_OPTIONS;
	case sip_method_prack: return SIP_STAT_PRACK;
	case sip_method_update: return SIP_STAT_UPDATE;
	case sip_method_refer: return SIP_STAT_REFER;
	case sip_method_info: return SIP_STAT_INFO;
	case sip_method_message: return SIP_STAT_MESSAGE;
	case sip_method_subscribe: return SIP_STAT_SUBSCRIBE;
	case sip_method_notify: return SIP_STAT_NOTIFY;
	case sip_method_publish: return SIP_STAT_PUBLISH;
	case sip_method_register: return SIP_STAT_REGISTER;
	default: return SIP_STAT_OTHER;
	}
}

// Of this thread. A parameter would have to go through every function that answers a request.
static _Thread_local struct sip_stats *here;

int sip_count_open(struct sip_stats **statsp, size_t n_realms)
{
	struct sip_stats *stats = calloc(1, sizeof(*stats) + n_realms * sizeof(stats->realms[0]));

	if (stats == NULL)
		return -ENOMEM;
	stats->n_realms = n_realms;
	*statsp = stats;
	return 0;
}

void sip_count_here(struct sip_stats *stats)
{
	here = stats;
}

void sip_count_request(enum sip_stat_way way, sip_method_t method)
{
	if (here != NULL)
		counter_add(&here->requests[way][method_of(method)], 1);
}

void sip_count_response(enum sip_stat_way way, sip_method_t method, int status)
{
	if (here != NULL)
		counter_add(&here->responses[way][method_of(method)][code_of(status)], 1);
}

void sip_count_answer(const sip_t *response)
{
	if (response != NULL && response->sip_status != NULL && response->sip_cseq != NULL && !nta_sip_is_internal(response))
		sip_count_response(SIP_STAT_IN, response->sip_cseq->cs_method, response->sip_status->st_status);
}

void sip_count_stranger(void)
{
	if (here != NULL)
		counter_add(&here->strangers, 1);
}

static enum sip_stat_result result_of(const struct sip_call *call)
{
	bool ours = call->by != NULL && call->status != 200 && strcmp(call->by, "gateway") == 0;

	if (call->answered != 0)
		return ours && call->status == 488 ? SIP_STAT_LOST_KEYS :
		       ours && call->status == 408 ? SIP_STAT_LOST_MEDIA : SIP_STAT_COMPLETED;
	switch (call->status) {
	case 487:
		return SIP_STAT_CANCELLED;
	case 486:
	case 600:
		return SIP_STAT_BUSY;
	case 408:
	case 480:
		return SIP_STAT_UNANSWERED;
	default:
		return call->status < 400 ? SIP_STAT_REDIRECTED :
		       call->status >= 500 && call->status < 600 ? SIP_STAT_FAILED : SIP_STAT_REFUSED;
	}
}

// Of several lines the weakest; enum keying_mechanism rises as security does.
static enum sip_stat_keying keying_of(const struct sip_call *call, enum call_side side)
{
	static const enum sip_stat_keying words[KEYING_MECHANISM_COUNT] = {
		[KEYING_UNDECIDED] = SIP_STAT_KEYING_NONE, [KEYING_PLAIN] = SIP_STAT_KEYING_PLAIN,
		[KEYING_SDES] = SIP_STAT_KEYING_SDES, [KEYING_DTLS_SRTP] = SIP_STAT_KEYING_DTLS,
	};
	enum keying_mechanism weakest = KEYING_MECHANISM_COUNT;

	for (unsigned i = 0; call->media != NULL && i < call->media->stable.n; i++) {
		const struct stream *s = &call->media->stable.list[i];

		if (s->wanted && s->agreed && s->side[side].choice.mechanism < weakest)
			weakest = s->side[side].choice.mechanism;
	}
	return weakest < KEYING_MECHANISM_COUNT ? words[weakest] : SIP_STAT_KEYING_NONE;
}

static struct sip_stats_realm *realm_of(const struct sip_dialog *d)
{
	return here != NULL && d != NULL && d->realm < here->n_realms ? &here->realms[d->realm] : NULL;
}

void sip_count_answered(const struct sip_call *call)
{
	struct sip_stats_realm *realm = realm_of(call->dialogs);

	if (realm != NULL)
		histogram_add(&realm->answer_ms, &sip_stat_setup_scale, (call->answered - call->started) / MONO_MS(1));
}

void sip_count_ended(const struct sip_call *call)
{
	const struct sip_dialog *a = call->dialogs, *b = a != NULL ? a->joined : NULL;
	enum sip_stat_result result = result_of(call);
	struct sip_stats_realm *from = realm_of(a), *to = realm_of(b);

	if (from != NULL)
		counter_add(&from->calls[SIP_STAT_IN][result][keying_of(call, SIDE_CALLER)], 1);
	if (to != NULL)
		counter_add(&to->calls[SIP_STAT_OUT][result][keying_of(call, SIDE_CALLEE)], 1);
}

void sip_count_now(const struct sip *sip)
{
	if (here == NULL)
		return;
	counter_set(&here->calls, sip->n_calls);
	counter_set(&here->dialogs, sip->n_dialogs);
	counter_set(&here->subscriptions, sip->n_subscriptions);
	counter_set(&here->transactions, sip->n_requests);
}

void sip_count_tick(const struct sip *sip)
{
	usize_t requests = 0, responses = 0, again = 0, malformed = 0;

	sip_count_now(sip);
	if (here == NULL)
		return;
	nta_agent_get_stats(sip_agent_nta(sip->agent), NTATAG_S_RETRY_REQUEST_REF(requests),
			    NTATAG_S_RETRY_RESPONSE_REF(responses), NTATAG_S_RECV_RETRY_REF(again),
			    NTATAG_S_BAD_MESSAGE_REF(malformed), TAG_END());
	counter_set(&here->resent_requests, requests);
	counter_set(&here->resent_responses, responses);
	counter_set(&here->received_again, again);
	counter_set(&here->malformed, malformed);
}
