// SPDX-License-Identifier: GPL-3.0-or-later
// event_json.c - what strangers chose (URIs, Call-IDs) is escaped by JSON, and no line end is left that would end an event.
#include "gateway/admin/event_json.h"
#include "gateway/json_text.h"
#include <time.h>

double event_time(mono_ns at)
{
	mono_ns now = clock_now();
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return (double)wall.tv_sec + (double)wall.tv_nsec / 1e9 - (at != 0 && at < now ? (double)(now - at) / 1e9 : 0);
}

static json_t *text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? json_text(text) : json_null();
}

static json_t *call_or_null(uint32_t call)
{
	return call != 0 ? json_integer(call) : json_null();
}

// Of calls

static json_t *side_of(const struct sip_notice_side *side)
{
	return json_pack("{s:o, s:o, s:o}", "realm", text_or_null(side->realm), "call_id", text_or_null(side->call_id), "uri",
			 text_or_null(side->uri));
}

static json_t *call_of(const struct sip_notice *n)
{
	return json_pack("{s:f, s:I, s:o, s:o}", "at", event_time(n->at), "call", (json_int_t)n->call, "caller", side_of(&n->sides[0]),
			 "callee", side_of(&n->sides[1]));
}

static json_t *ended_of(const struct sip_notice *n)
{
	json_t *data = call_of(n);

	json_object_set_new(data, "setup_seconds", json_real((double)n->setup / 1e9));
	json_object_set_new(data, "up_seconds", n->up != 0 ? json_real((double)n->up / 1e9) : json_null());
	json_object_set_new(data, "status", json_integer(n->status));
	json_object_set_new(data, "cause", text_or_null(n->cause));
	json_object_set_new(data, "by", text_or_null(n->by));
	return data;
}

static json_t *attack_of(mono_ns at, uint32_t call, const char *kind, uint64_t count)
{
	return json_pack("{s:f, s:o, s:s, s:I, s:n, s:n, s:n, s:n, s:n}", "at", event_time(at), "call", call_or_null(call), "kind", kind,
			 "count", (json_int_t)count, "realm", "line", "call_id_a", "call_id_b", "source");
}

static json_t *stranger_of(const struct sip_notice *n)
{
	json_t *data = attack_of(n->at, 0, "stranger_sip", n->count);
	char source[INET_ENDPOINT_STRLEN];

	json_object_set_new(data, "source", json_string(inet_endpoint_print(source, &n->source)));
	return data;
}

json_t *event_of_sip(const struct sip_notice *n, enum event_type *type)
{
	json_t *data;

	switch (n->kind) {
	case SIP_NOTICE_STARTED:
		*type = EVENT_CALL_STARTED;
		return call_of(n);
	case SIP_NOTICE_ANSWERED:
		*type = EVENT_CALL_ANSWERED;
		data = call_of(n);
		json_object_set_new(data, "setup_seconds", json_real((double)n->setup / 1e9));
		return data;
	case SIP_NOTICE_ENDED:
		*type = EVENT_CALL_ENDED;
		return ended_of(n);
	case SIP_NOTICE_RESTORED:
		*type = EVENT_CALLS_RESTORED;
		return json_pack("{s:f, s:I, s:I}", "at", event_time(n->at), "restored", (json_int_t)n->count, "lost",
				 (json_int_t)n->lost);
	default:
		*type = EVENT_ATTACK;
		return stranger_of(n);
	}
}

// Of media

static json_t *line_of(const struct media_notice *n)
{
	return json_pack("{s:f, s:o, s:o, s:o, s:s, s:i}", "at", event_time(n->at), "call", call_or_null(n->call), "call_id_a",
			 text_or_null(n->call_id_a), "call_id_b", text_or_null(n->call_id_b), "realm", n->realm, "line", (int)n->line);
}

static json_t *keys_of(const struct media_notice *n)
{
	json_t *data = line_of(n);

	json_object_set_new(data, "keying", text_or_null(n->keying));
	json_object_set_new(data, "suite", text_or_null(n->suite));
	json_object_set_new(data, "dtls_version", text_or_null(n->dtls_version));
	if (n->kind == MEDIA_NOTICE_REKEYED)
		json_object_set_new(data, "cause", text_or_null(n->cause));
	return data;
}

static json_t *media_attack_of(const struct media_notice *n)
{
	json_t *data = attack_of(n->at, n->call, media_attack_word[n->attack], n->count);

	if (n->session == 0)
		return data;
	json_object_set_new(data, "realm", json_string(n->realm));
	json_object_set_new(data, "line", json_integer(n->line));
	json_object_set_new(data, "call_id_a", text_or_null(n->call_id_a));
	json_object_set_new(data, "call_id_b", text_or_null(n->call_id_b));
	return data;
}

json_t *event_of_media(const struct media_notice *n, enum event_type *type, unsigned relay_restarts)
{
	switch (n->kind) {
	case MEDIA_NOTICE_SECURED:
		*type = EVENT_LINE_SECURED;
		return keys_of(n);
	case MEDIA_NOTICE_REKEYED:
		*type = EVENT_LINE_REKEYED;
		return keys_of(n);
	case MEDIA_NOTICE_SILENT:
		*type = EVENT_MEDIA_SILENT;
		return line_of(n);
	case MEDIA_NOTICE_FLOWS:
		*type = EVENT_MEDIA_FLOWS;
		return line_of(n);
	case MEDIA_NOTICE_RELAY_BACK:
		*type = EVENT_PROCESS_RESTARTED;
		return json_pack("{s:f, s:s, s:I, s:f}", "at", event_time(n->at), "process", "relay", "restarts",
				 (json_int_t)relay_restarts, "away_seconds", (double)n->count / 1e9);
	default:
		*type = EVENT_ATTACK;
		return media_attack_of(n);
	}
}
