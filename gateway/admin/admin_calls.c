// SPDX-License-Identifier: GPL-3.0-or-later
// admin_calls.c - calls: a page of them, one with all that is known of it, and its end.
#include "gateway/admin/admin_ask.h"
#include "gateway/json_text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 100

static double seconds_since(mono_ns then)
{
	mono_ns now = clock_now();

	return then == 0 || now < then ? 0 : (double)(now - then) / 1e9;
}

// NULL, and 0 octets, print as null.
static json_t *text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? json_text(text) : json_null();
}

static json_t *endpoint_or_null(const struct inet_endpoint *ep)
{
	char text[INET_ENDPOINT_STRLEN];

	return ep->addr.family == INET_NONE ? json_null() : json_string(inet_endpoint_print(text, ep));
}

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *milliseconds_or_null(uint64_t ms)
{
	return ms == UINT64_MAX ? json_null() : count(ms);
}

static const char *realm_name(const struct admin_request *rq, int32_t realm)
{
	const struct sip_config *sip = &rq->admin->start.config->sip;

	return realm >= 0 && (size_t)realm < sip->n_realms ? sip->realms[realm].name : NULL;
}

// The list

static json_t *side_of(const struct admin_request *rq, const struct sip_call_row *row, int side)
{
	return json_pack("{s:o, s:o, s:o}", "realm", text_or_null(realm_name(rq, row->realm[side])), "call_id",
			 text_or_null(row->call_id[side]), "uri", text_or_null(row->uri[side]));
}

static json_t *row_of(const struct admin_request *rq, const struct sip_call_row *row)
{
	return json_pack("{s:I, s:s, s:f, s:o, s:o, s:o}", "id", (json_int_t)row->number, "state", row->state, "age_seconds",
			 seconds_since(row->started), "answered_seconds",
			 row->answered != 0 ? json_real(seconds_since(row->answered)) : json_null(), "caller", side_of(rq, row, 0),
			 "callee", side_of(rq, row, 1));
}

static void list_came(struct admin_ask *ask)
{
	const struct sip_call_list *list = ask->list;
	json_t *rows = json_array();

	for (size_t i = 0; list != NULL && i < list->n; i++)
		json_array_append_new(rows, row_of(&ask->rq, &list->rows[i]));
	if (list == NULL)
		admin_problem(&ask->rq, 503, "no memory");
	else
		admin_answer_json(&ask->rq, 200,
				  json_pack("{s:O, s:o}", "calls", rows, "next_before",
					    list->more ? count(list->rows[list->n - 1].number) : json_null()));
	json_decref(rows);
	admin_ask_over(ask);
}

// What the query says. False: the client has been told what is wrong with it.
static bool query_read(struct admin_request *rq, struct sip_calls_query *q)
{
	const struct sip_config *sip = &rq->admin->start.config->sip;
	const char *query = rq->http->query;
	char value[32];
	int err;

	*q = (struct sip_calls_query){ .realm = -1, .limit = PAGE };
	err = http_query_value(query, "limit", value, sizeof(value));
	if (err == -EINVAL || (err == 0 && (!admin_number_read(value, &q->limit, SIP_LIST_MAX) || q->limit == 0))) {
		admin_problem(rq, 400, "limit: expected a number from 1 to 500");
		return false;
	}
	err = http_query_value(query, "before", value, sizeof(value));
	if (err == -EINVAL || (err == 0 && !admin_number_read(value, &q->before, UINT32_MAX))) {
		admin_problem(rq, 400, "before: expected the number of a call");
		return false;
	}
	err = http_query_value(query, "state", q->state, sizeof(q->state));
	if (err == -EINVAL) {
		admin_problem(rq, 400, "state: expected a word such as up");
		return false;
	}
	err = http_query_value(query, "realm", value, sizeof(value));
	for (size_t r = 0; err == 0 && r < sip->n_realms; r++) {
		if (strcmp(sip->realms[r].name, value) == 0)
			q->realm = (int32_t)r;
	}
	if (err == -EINVAL || (err == 0 && q->realm < 0)) {
		admin_problem(rq, 400, "realm: there is none of that name");
		return false;
	}
	return true;
}

void admin_calls(struct admin_request *rq)
{
	struct sip_calls_query q;
	struct admin_ask *ask = query_read(rq, &q) ? admin_ask_new(rq, list_came) : NULL;

	if (ask != NULL)
		admin_ask_sent(ask, sip_calls_list(rq->admin->start.sip, &q, admin_ask_list, ask));
}

// One call

static json_t *score_or_null(const struct media_score *score)
{
	return score->known ? json_real((double)score->mos / 100) : json_null();
}

static json_t *quality_of(const struct media_line_report *f)
{
	bool reports = f->peer_reports > 0;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "lost", count(f->lost), "jitter_us", count(f->jitter_us), "mos",
			 score_or_null(&f->mos), "peer_reports", count(f->peer_reports), "peer_lost",
			 reports ? count(f->peer_lost) : json_null(), "peer_jitter_us",
			 reports ? count(f->peer_jitter_us) : json_null(), "peer_mos", score_or_null(&f->peer_mos), "rtt_us",
			 f->rtt_known ? count(f->rtt_us) : json_null());
}

static json_t *drops_of(const struct media_line_report *f)
{
	json_t *drops = json_object();

	for (unsigned i = 0; i < f->n_drops; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s%s", f->drops[i].prefix, f->drops[i].name);
		json_object_set_new(drops, name, count(f->drops[i].n));
	}
	return drops;
}

static json_t *keying_of(const struct media_line_look *line)
{
	const struct media_line_report *f = &line->figures;

	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "mechanism",
			 f->mechanism == KEYING_UNDECIDED ? "undecided" : keying_mechanism_name(f->mechanism), "state", line->keying_state,
			 "secured", line->secured, "suite", f->keyed ? json_string(f->suite) : json_null(), "dtls_version",
			 text_or_null(f->dtls_version), "dtls_cipher", text_or_null(f->dtls_cipher), "dtls_group",
			 text_or_null(f->dtls_group), "dtls_role", text_or_null(f->dtls_role), "expected_fingerprints",
			 text_or_null(line->expected), "seen_fingerprint", text_or_null(f->fingerprint), "certificate_mismatches",
			 count(f->mismatches), "rekeys", count(f->rekeys));
}

static const char *direction_of(const struct media_line_look *line)
{
	return line->send ? line->receive ? "sendrecv" : "sendonly" : line->receive ? "recvonly" : "inactive";
}

static json_t *line_of(const struct media_line_look *line)
{
	const struct media_line_report *f = &line->figures;

	return json_pack("{s:i, s:s, s:o, s:o, s:b, s:s, s:o, s:{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o}", "index",
			 (int)f->index, "realm", f->realm, "local", endpoint_or_null(&f->local), "remote",
			 endpoint_or_null(&f->remote), "agreed", line->agreed, "direction", direction_of(line), "keying", keying_of(line),
			 "traffic", "rx_packets", count(f->rx_packets), "rx_octets", count(f->rx_octets), "tx_packets",
			 count(f->tx_packets), "tx_octets", count(f->tx_octets), "rtcp_rx", count(f->rtcp_rx), "rtcp_tx",
			 count(f->rtcp_tx), "not_heard_ms", milliseconds_or_null(line->not_heard_ms), "not_sent_ms",
			 milliseconds_or_null(line->not_sent_ms), "quality", quality_of(f), "drops", drops_of(f), "dropped",
			 count(f->dropped), "rtcp_dropped", count(f->rtcp_dropped));
}

static json_t *lines_of(const struct media_look *media, uint32_t leg)
{
	json_t *lines = json_array();

	for (unsigned i = 0; media != NULL && i < media->n_lines; i++) {
		if (media->lines[i].figures.dialog == leg)
			json_array_append_new(lines, line_of(&media->lines[i]));
	}
	return lines;
}

static json_t *leg_of(const struct admin_ask *ask, const struct sip_dialog_look *d)
{
	const struct sip_call_look *call = ask->call;
	const struct sip_config *sip = &ask->rq.admin->start.config->sip;
	bool told = d->followed;

	return json_pack("{s:s, s:b, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o}", "side", d->side == 0 ? "caller" : "callee",
			 "outgoing", d->outgoing, "followed", d->followed, "state", d->state, "realm",
			 text_or_null(realm_name(&ask->rq, d->realm)), "peer",
			 text_or_null(d->peer < sip->n_peers ? sip->peers[d->peer].name : NULL), "profile",
			 text_or_null(d->profile < sip->n_profiles ? sip->profiles[d->profile].name : NULL), "call_id",
			 text_or_null(d->call_id), "local_uri", text_or_null(d->local_uri), "remote_uri", text_or_null(d->remote_uri),
			 "source", endpoint_or_null(&d->source), "sdp", "received",
			 text_or_null(told ? call->sdp[d->side != 0][0] : NULL), "sent",
			 text_or_null(told ? call->sdp[d->side != 0][1] : NULL), "lines", lines_of(ask->media, d->leg));
}

static json_t *legs_of(const struct admin_ask *ask)
{
	json_t *legs = json_array();

	for (unsigned i = 0; i < ask->call->n_dialogs; i++)
		json_array_append_new(legs, leg_of(ask, &ask->call->dialogs[i]));
	return legs;
}

static json_t *media_of(const struct media_look *media)
{
	json_t *ways = json_array();

	for (unsigned i = 0; media != NULL && i < media->n_ways; i++) {
		const struct media_way *way = &media->ways[i];

		json_array_append_new(ways, json_pack("{s:s, s:s, s:i, s:b, s:s, s:s}", "from", media->lines[way->from].figures.realm, "to",
						      media->lines[way->to].figures.realm, "line",
						      (int)media->lines[way->from].figures.index, "flows",
						      way->why == MEDIA_WHY_FLOWS, "reason", media_why_word[way->why],
						      "explanation", way->text));
	}
	return ways;
}

static void call_answer(struct admin_ask *ask)
{
	const struct sip_call_look *c = ask->call;

	admin_answer_json(&ask->rq, 200,
			  json_pack("{s:I, s:s, s:f, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)c->number, "state",
				    c->state, "age_seconds", seconds_since(c->started), "answered_seconds",
				    c->answered != 0 ? json_real(seconds_since(c->answered)) : json_null(), "ending", c->closing,
				    "restored", c->restored, "cause", text_or_null(c->cause), "session", count(c->session), "worker",
				    ask->media != NULL ? count(ask->media->worker) : json_null(), "legs", legs_of(ask), "media",
				    media_of(ask->media)));
	admin_ask_over(ask);
}

static void call_came(struct admin_ask *ask)
{
	if (ask->call == NULL) {
		admin_problem(&ask->rq, 404, "no such call is up");
		admin_ask_over(ask);
	} else if (ask->call->session == 0) {
		call_answer(ask);
	} else {
		ask->answered = call_answer;
		admin_ask_sent(ask, media_look(ask->rq.admin->start.media, ask->call->session, admin_ask_media, ask));
	}
}

void admin_call(struct admin_request *rq)
{
	struct admin_ask *ask;
	uint32_t number;

	if (!admin_number_read(rq->id, &number, UINT32_MAX)) {
		admin_problem(rq, 404, "no such call is up");
		return;
	}
	ask = admin_ask_new(rq, call_came);
	if (ask != NULL)
		admin_ask_sent(ask, sip_calls_look(rq->admin->start.sip, number, admin_ask_call, ask));
}

// Its end

static void end_came(struct admin_ask *ask)
{
	if (ask->err == -ENOENT)
		admin_problem(&ask->rq, 404, "no such call is up");
	else if (ask->err < 0)
		admin_problem(&ask->rq, 409, "it is ending already");
	else
		admin_answer_json(&ask->rq, 202, json_pack("{s:s}", "status", "ending"));
	admin_ask_over(ask);
}

void admin_hang_up(struct admin_request *rq)
{
	struct admin_ask *ask;
	uint32_t number;

	if (!admin_number_read(rq->id, &number, UINT32_MAX)) {
		admin_problem(rq, 404, "no such call is up");
		return;
	}
	ask = admin_ask_new(rq, end_came);
	if (ask != NULL)
		admin_ask_sent(ask, sip_calls_hang_up(rq->admin->start.sip, number, admin_ask_done, ask));
}
