// SPDX-License-Identifier: GPL-3.0-or-later
// cdr_line.c - reports to JSON. Times of day are reckoned from now by the clock that never jumps: a life of control that ended in
// between, or a clock that was set, changes no duration.
#include "gateway/cdr_line.h"
#include "gateway/json_text.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CDR_VERSION 1

struct moment {
	mono_ns now;
	const struct timespec *wall;
};

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_text(text) : json_null();
}

static json_t *endpoint(const struct inet_endpoint *ep)
{
	char text[INET_ENDPOINT_STRLEN];

	return ep->addr.family != INET_NONE ? json_text(inet_endpoint_print(text, ep)) : json_null();
}

static json_t *time_of(const struct moment *m, mono_ns at)
{
	int64_t ns = (int64_t)m->wall->tv_nsec - (int64_t)((m->now - at) % MONO_S(1));
	time_t s = m->wall->tv_sec - (time_t)((m->now - at) / MONO_S(1));
	char day[32], text[48];
	struct tm tm;

	if (at == 0)
		return json_null();
	if (ns < 0) {
		ns += (int64_t)MONO_S(1);
		s--;
	}
	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03dZ", day, (int)(ns / (int64_t)MONO_MS(1)));
	return json_text(text);
}

static json_t *ms_between(mono_ns from, mono_ns to)
{
	return from != 0 && to >= from ? json_integer((json_int_t)((to - from) / MONO_MS(1))) : json_null();
}

static json_t *known(bool is, uint64_t value)
{
	return is ? json_integer((json_int_t)value) : json_null();
}

static json_t *score(const struct media_score *score)
{
	return score->known ? json_real(score->mos / 100.0) : json_null();
}

static const char *side_name(enum sip_report_side side)
{
	return side == SIP_SIDE_CALLER ? "caller" : side == SIP_SIDE_CALLEE ? "callee" : "gateway";
}

static const char *result_of(const struct sip_call_report *call)
{
	return call->answered != 0 ? "answered" : !call->routed ? "refused" : call->status == 487 ? "cancelled" : "failed";
}

static json_t *leg_object(const struct sip_leg_report *leg)
{
	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "side", side_name(leg->side), "left", leg->left,
			 "realm", json_text(leg->realm), "peer", json_text(leg->peer), "profile", json_text(leg->profile),
			 "call_id", json_text(leg->call_id), "local_tag", text_or_null(leg->local_tag),
			 "remote_tag", text_or_null(leg->remote_tag), "uri", json_text(leg->uri),
			 "address", endpoint(&leg->address));
}

static json_t *legs_array(const struct sip_call_report *call)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < call->n_legs; i++)
		json_array_append_new(array, leg_object(&call->legs[i]));
	return array;
}

static json_t *dtls_object(const struct media_line_report *line)
{
	if (line->mechanism != KEYING_DTLS_SRTP)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:I}", "version", text_or_null(line->dtls_version), "cipher",
			 text_or_null(line->dtls_cipher), "group", text_or_null(line->dtls_group), "role",
			 line->dtls_role != NULL ? json_text(line->dtls_role) : json_null(), "fingerprint",
			 text_or_null(line->fingerprint), "fingerprint_checked", line->keyed, "certificate_mismatches",
			 (json_int_t)line->mismatches);
}

static json_t *keying_object(const struct media_line_report *line)
{
	return json_pack("{s:s, s:o, s:I, s:o}", "mechanism", keying_mechanism_name(line->mechanism), "suite",
			 line->keyed ? json_text(line->suite) : json_null(), "rekeys", (json_int_t)line->rekeys, "dtls",
			 dtls_object(line));
}

static json_t *received_object(const struct media_line_report *line)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "packets", (json_int_t)line->rx_packets, "octets", (json_int_t)line->rx_octets,
			 "lost", (json_int_t)line->lost, "jitter_us", (json_int_t)line->jitter_us, "mos", score(&line->mos));
}

static json_t *heard_object(const struct media_line_report *line)
{
	bool reported = line->peer_reports > 0;

	return json_pack("{s:I, s:o, s:o, s:o}", "reports", (json_int_t)line->peer_reports, "lost", known(reported, line->peer_lost),
			 "jitter_us", known(reported, line->peer_jitter_us), "mos", score(&line->peer_mos));
}

static json_t *round_trip_object(const struct media_line_report *line)
{
	if (!line->rtt_known)
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "mean_us", (json_int_t)line->rtt_us, "least_us", (json_int_t)line->rtt_min_us, "most_us",
			 (json_int_t)line->rtt_max_us);
}

static json_t *drops_object(const struct media_line_report *line)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < line->n_drops; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s%s", line->drops[i].prefix, line->drops[i].name);
		json_object_set_new(object, name, json_integer((json_int_t)line->drops[i].n));
	}
	return object;
}

// The place in "legs" of the dialog whose line it was; null: a fork that was not taken.
static json_t *leg_number(const struct sip_call_report *call, uint32_t dialog)
{
	for (unsigned i = 0; i < call->n_legs; i++) {
		if (call->legs[i].dialog == dialog)
			return json_integer(i);
	}
	return json_null();
}

static json_t *line_object(const struct sip_call_report *call, const struct media_line_report *line)
{
	return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I}, s:o, s:o, s:{s:I, s:I}, s:o}", "leg",
			 leg_number(call, line->dialog), "line", (json_int_t)line->index, "realm", json_text(line->realm), "local",
			 endpoint(&line->local), "remote", endpoint(&line->remote), "keying", keying_object(line), "received",
			 received_object(line), "sent", "packets", (json_int_t)line->tx_packets, "octets",
			 (json_int_t)line->tx_octets, "heard_by_peer", heard_object(line), "round_trip", round_trip_object(line),
			 "rtcp", "received", (json_int_t)line->rtcp_rx, "sent", (json_int_t)line->rtcp_tx, "drops",
			 drops_object(line));
}

// Null: nothing came from media in time.
static json_t *media_array(const struct sip_call_report *call, const struct media_report *media)
{
	json_t *array = media != NULL || call->session == 0 ? json_array() : json_null();

	for (uint32_t i = 0; media != NULL && i < media->n_lines; i++)
		json_array_append_new(array, line_object(call, &media->lines[i]));
	return array;
}

static json_t *ended_object(const struct sip_call_report *call)
{
	return json_pack("{s:s, s:o, s:i, s:o, s:o}", "by", side_name(call->by), "realm", text_or_null(call->by_realm), "status",
			 call->status, "cause", text_or_null(call->cause), "reason", text_or_null(call->reason));
}

static json_t *times_object(const struct sip_call_report *call, const struct moment *m)
{
	mono_ns up = call->answered != 0 ? call->answered : call->ended;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "start", time_of(m, call->started), "ring", time_of(m, call->rung),
			 "answer", time_of(m, call->answered), "end", time_of(m, call->ended), "ring_after_ms",
			 call->rung != 0 ? ms_between(call->started, call->rung) : json_null(), "setup_ms",
			 ms_between(call->started, up), "duration_ms", ms_between(call->answered, call->ended));
}

static json_t *record_object(const struct sip_call_report *call, const struct media_report *media, const struct moment *m)
{
	return json_pack("{s:i, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:b, s:I, s:o, s:o, s:I}", "version", CDR_VERSION, "call",
			 (json_int_t)call->number, "session", (json_int_t)call->session, "result", result_of(call), "times",
			 times_object(call, m), "ended", ended_object(call), "caller_name", text_or_null(call->caller_name), "called",
			 text_or_null(call->called), "restored", call->restored, "transfers", (json_int_t)call->transfers, "legs",
			 legs_array(call), "media", media_array(call, media), "media_left_out",
			 (json_int_t)(media != NULL ? media->left_out : 0));
}

char *cdr_line(const struct sip_call_report *call, const struct media_report *media, mono_ns now, const struct timespec *wall,
	       size_t *len)
{
	json_t *record = record_object(call, media, &(struct moment){ now, wall });
	char *text = record != NULL ? json_dumps(record, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6)) : NULL;
	char *line = NULL;

	json_decref(record);
	if (text == NULL)
		return NULL;
	*len = strlen(text) + 1;
	line = realloc(text, *len + 1);
	if (line == NULL) {
		free(text);
		return NULL;
	}
	memcpy(line + *len - 1, "\n", 2);
	return line;
}
