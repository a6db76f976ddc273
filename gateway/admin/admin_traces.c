// SPDX-License-Identifier: GPL-3.0-or-later
// admin_traces.c - traces of calls: begun, looked at, downloaded as pcapng, and ended. An operator may have the SIP of a call; its media
// is for a token whose role is wiretap, and so is a trace that has any. Each step is a line of the audit log.
#include "gateway/admin/admin_ask.h"
#include "gateway/admin/admin_json.h"
#include "gateway/json_text.h"
#include "gateway/trace/traces.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS 300
#define OCTETS (4u << 20)
#define FILE_TYPE "application/x-pcapng"

static const char *const media_words[] = { "none", "headers", "full" };

static bool may_have(const struct admin_request *rq, enum dp_trace media)
{
	return media == DP_TRACE_NONE || rq->who->role == ADMIN_WIRETAP;
}

static void audit(const struct admin_request *rq, const char *event, const struct trace *trace)
{
	log_info("audit", event, LOG_STR("trace", trace->name), LOG_STR("token", rq->who->name),
		 LOG_STR("source", http_exchange_source(rq->x)), LOG_STR("media", media_words[trace->ask.sip.media]),
		 LOG_UINT("call", trace->ask.sip.call), LOG_UINT("calls", trace->ask.sip.calls),
		 LOG_STR("caller", trace->ask.sip.caller), LOG_STR("callee", trace->ask.sip.callee));
}

// What one is

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_text(text) : json_null();
}

static json_t *seconds_of(mono_ns from, mono_ns to)
{
	return json_real(to > from ? (double)(to - from) / 1e9 : 0);
}

static json_t *next_of(const struct admin_request *rq, const struct sip_trace_want *want)
{
	const struct sip_config *sip = &rq->admin->start.config->sip;
	bool realm = want->realm >= 0 && (size_t)want->realm < sip->n_realms, peer = want->peer >= 0 && (size_t)want->peer < sip->n_peers;

	if (want->call != 0)
		return json_null();
	return json_pack("{s:i, s:o, s:o, s:o, s:o}", "calls", (int)want->calls, "caller", text_or_null(want->caller), "callee",
			 text_or_null(want->callee), "realm", text_or_null(realm ? sip->realms[want->realm].name : ""), "peer",
			 text_or_null(peer ? sip->peers[want->peer].name : ""));
}

static json_t *trace_of(const struct admin_request *rq, const struct trace *t)
{
	mono_ns now = clock_now();
	json_t *calls = json_array();

	for (unsigned i = 0; i < t->n_calls; i++)
		json_array_append_new(calls, json_integer(t->calls[i].number));
	return json_pack("{s:s, s:b, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "id", t->name, "running",
			 t->ended == NULL, "ended", t->ended != NULL ? json_string(t->ended) : json_null(), "media",
			 media_words[t->ask.sip.media], "by", t->ask.by, "call",
			 t->ask.sip.call != 0 ? json_integer(t->ask.sip.call) : json_null(), "next", next_of(rq, &t->ask.sip),
			 "age_seconds", seconds_of(t->begun, now), "left_seconds", seconds_of(t->ended != NULL ? t->until : now, t->until),
			 "octets", (json_int_t)t->octets, "octets_limit", (json_int_t)t->ask.octets, "messages", (json_int_t)t->messages,
			 "packets", (json_int_t)t->packets, "lost", (json_int_t)t->lost, "calls", calls);
}

void admin_traces(struct admin_request *rq)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < TRACES; i++) {
		const struct trace *t = traces_at(rq->admin->start.traces, i);

		if (t != NULL)
			json_array_append_new(list, trace_of(rq, t));
	}
	admin_answer_json(rq, 200, json_pack("{s:o}", "traces", list));
}

// NULL: the client has been told.
static struct trace *named(struct admin_request *rq)
{
	struct trace *trace = traces_find(rq->admin->start.traces, rq->id);

	if (trace == NULL)
		admin_problem(rq, 404, "no such trace: it was deleted, or its time was up, or control has begun anew meanwhile");
	return trace;
}

void admin_trace(struct admin_request *rq)
{
	const struct trace *trace = named(rq);

	if (trace != NULL)
		admin_answer_json(rq, 200, trace_of(rq, trace));
}

void admin_trace_file(struct admin_request *rq)
{
	const struct sip_config *sip = &rq->admin->start.config->sip;
	const struct trace *trace = named(rq);
	const char **realms = NULL;
	size_t len = 0;
	void *file = NULL;

	if (trace == NULL)
		return;
	if (!may_have(rq, trace->ask.sip.media)) {
		admin_problem(rq, 403, "this trace has media: it needs the role wiretap");
		return;
	}
	realms = calloc(sip->n_realms + 1, sizeof(*realms));
	for (size_t r = 0; realms != NULL && r < sip->n_realms; r++)
		realms[r] = sip->realms[r].name;
	if (realms != NULL)
		file = traces_file(trace, realms, sip->n_realms, &len);
	free(realms);
	if (file == NULL) {
		admin_problem(rq, 503, "no memory");
		return;
	}
	audit(rq, "trace read", trace);
	admin_answer_text(rq, 200, FILE_TYPE, file, len);
	free(file);
}

void admin_trace_end(struct admin_request *rq)
{
	struct trace *trace = named(rq);

	if (trace == NULL)
		return;
	if (!may_have(rq, trace->ask.sip.media)) {
		admin_problem(rq, 403, "this trace has media: it needs the role wiretap");
		return;
	}
	audit(rq, "trace deleted", trace);
	traces_delete(rq->admin->start.traces, trace);
	admin_answer_json(rq, 200, json_pack("{s:s}", "status", "deleted"));
}

// A new one

static bool number_in(json_t *value, json_int_t least, json_int_t most, json_int_t *to)
{
	if (value == NULL)
		return true;
	*to = json_integer_value(value);
	return json_is_integer(value) && *to >= least && *to <= most;
}

static bool word_in(json_t *value, char to[SIP_TRACE_WORD])
{
	if (value == NULL)
		return true;
	if (!json_is_string(value) || json_string_length(value) == 0 || json_string_length(value) >= SIP_TRACE_WORD)
		return false;
	memcpy(to, json_string_value(value), json_string_length(value) + 1);
	return true;
}

static const char *read_names(const struct sip_config *sip, const char *realm, const char *peer, struct sip_trace_want *want)
{
	for (size_t r = 0; r < sip->n_realms && realm[0] != '\0'; r++) {
		if (strcmp(sip->realms[r].name, realm) == 0)
			want->realm = (int32_t)r;
	}
	for (size_t p = 0; p < sip->n_peers && peer[0] != '\0'; p++) {
		if (strcmp(sip->peers[p].name, peer) == 0 && !sip->peers[p].retired)
			want->peer = (int32_t)p;
	}
	if (realm[0] != '\0' && want->realm < 0)
		return "next.realm: there is none of that name";
	return peer[0] != '\0' && want->peer < 0 ? "next.peer: there is none of that name" : NULL;
}

static const char *read_next(const struct sip_config *sip, json_t *next, struct sip_trace_want *want)
{
	char realm[SIP_TRACE_WORD] = "", peer[SIP_TRACE_WORD] = "";
	json_t *calls = NULL, *caller = NULL, *callee = NULL, *of_realm = NULL, *of_peer = NULL;
	json_int_t n = 1;

	if (json_unpack(next, "{s?o, s?o, s?o, s?o, s?o!}", "calls", &calls, "caller", &caller, "callee", &callee, "realm", &of_realm, "peer",
			&of_peer) < 0)
		return "next: expected calls, caller, callee, realm, peer, and nothing beside them";
	if (!number_in(calls, 1, SIP_TRACE_CALLS, &n))
		return "next.calls: expected a number from 1 to 100";
	want->calls = (unsigned)n;
	if (!word_in(caller, want->caller) || !word_in(callee, want->callee) || !word_in(of_realm, realm) || !word_in(of_peer, peer))
		return "next: expected words of 1 to 127 characters";
	return read_names(sip, realm, peer, want);
}

static const char *read_ask(const struct sip_config *sip, json_t *body, struct trace_ask *ask)
{
	json_t *call = NULL, *next = NULL, *seconds = NULL, *octets = NULL;
	json_int_t number = 0, time = SECONDS, room = OCTETS;
	const char *media = "none";

	if (json_unpack(body, "{s?o, s?o, s?s, s?o, s?o!}", "call", &call, "next", &next, "media", &media, "seconds", &seconds, "octets",
			&octets) < 0)
		return "expected call or next, and media, seconds, octets, and nothing beside them";
	if ((call != NULL) == (next != NULL))
		return "expected call or next, one of them";
	if (!number_in(call, 1, UINT32_MAX, &number))
		return "call: expected its number";
	if (!number_in(seconds, 1, TRACE_SECONDS_MAX, &time))
		return "seconds: expected a number from 1 to 3600";
	if (!number_in(octets, TRACE_OCTETS_MIN, TRACE_OCTETS_MAX, &room))
		return "octets: expected a number from 65536 to 67108864";
	*ask = (struct trace_ask){ .sip = { .call = (uint32_t)number, .realm = -1, .peer = -1 }, .seconds = (unsigned)time, .octets = (size_t)room };
	while (ask->sip.media <= DP_TRACE_ALL && strcmp(media_words[ask->sip.media], media) != 0)
		ask->sip.media++;
	if (ask->sip.media > DP_TRACE_ALL)
		return "media: expected none, headers or full";
	return next != NULL ? read_next(sip, next, &ask->sip) : NULL;
}

static void trace_begun(struct admin_ask *ask)
{
	struct traces *traces = ask->rq.admin->start.traces;
	struct trace *trace = traces_by_id(traces, ask->trace);

	if (trace == NULL) {
		admin_problem(&ask->rq, 409, "somebody has deleted it already");
	} else if (ask->err < 0) {
		admin_problem(&ask->rq, ask->err == -ENOENT ? 404 : 409,
			      ask->err == -ENOENT ? "no such call is up" : ask->err == -EALREADY ? "that call is being traced already"
											   : "too many traces run");
		traces_refused(traces, trace);
	} else {
		audit(&ask->rq, "trace begun", trace);
		admin_answer_json(&ask->rq, 201, trace_of(&ask->rq, trace));
	}
	admin_ask_over(ask);
}

void admin_trace_begin(struct admin_request *rq)
{
	json_t *body = admin_json_body(rq);
	struct trace_ask want;
	struct trace *trace;
	struct admin_ask *ask;
	const char *why;
	int err;

	if (body == NULL)
		return;
	why = read_ask(&rq->admin->start.config->sip, body, &want);
	json_decref(body);
	if (why != NULL) {
		admin_problem(rq, 422, why);
		return;
	}
	if (!may_have(rq, want.sip.media)) {
		admin_problem(rq, 403, "media needs the role wiretap");
		return;
	}
	snprintf(want.by, sizeof(want.by), "%s", rq->who->name);
	trace = traces_new(rq->admin->start.traces, &want);
	if (trace == NULL) {
		admin_problem(rq, 409, "too many traces are kept, or too much of memory is promised to them: delete one");
		return;
	}
	ask = admin_ask_new(rq, trace_begun);
	if (ask == NULL) {
		traces_refused(rq->admin->start.traces, trace);
		return;
	}
	ask->trace = trace->id;
	err = sip_trace_begin(rq->admin->start.sip, &trace->ask.sip, admin_ask_done, ask);
	if (err < 0)
		traces_refused(rq->admin->start.traces, trace);
	admin_ask_sent(ask, err);
}
