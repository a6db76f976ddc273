// SPDX-License-Identifier: GPL-3.0-or-later
// media_summary.c - the last word on a line's media.
#include "mediarelay/media_summary.h"
#include "base/log.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/media_count.h"
#include "mediarelay/media_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUMMARY_FIELDS 48
#define SCORE 16 // "4.21"
#define CLOCK_VIDEO 90000 // RFC 3551 section 5: the E-model says nothing of pictures

static void drop_add(struct media_line_report *r, const char *prefix, const char *name, uint64_t n)
{
	if (n > 0)
		r->drops[r->n_drops++] = (struct media_drop){ prefix, name, n };
}

// The packet path's; their sum. A port of RTCP's own has drops there, too.
static uint64_t drops_path(struct media_line_report *r, const char *prefix, const struct dp_stats *stats)
{
	uint64_t sum = 0;

	for (size_t i = 1; i < RELAY_DROP_COUNT; i++) {
		drop_add(r, prefix, relay_drop_name[i], stats->drops[i]);
		sum += stats->drops[i];
	}
	return sum;
}

static uint64_t drops_rtcp(struct media_line_report *r, const struct leg_line *line)
{
	uint64_t sum = 0;

	for (size_t i = 1; i < RTCP_DROP_COUNT; i++) {
		drop_add(r, "", rtcp_drop_name[i], line->rtcp_drops[i]);
		sum += line->rtcp_drops[i];
	}
	return sum;
}

static uint64_t drops_dtls(struct media_line_report *r, const struct leg_line *line)
{
	uint64_t rtp[LEG_DROP_COUNT], rtcp[LEG_DROP_COUNT], sum = 0;

	leg_drops_read(&line->transports[LEG_RTP], rtp);
	leg_drops_read(&line->transports[LEG_RTCP], rtcp);
	for (size_t i = 0; i < LEG_DROP_COUNT; i++) {
		drop_add(r, "", leg_drop_name[i], rtp[i] + rtcp[i]);
		sum += rtp[i] + rtcp[i];
	}
	return sum;
}

static void read_keying(struct media_line_report *r, const struct leg_line *line)
{
	const struct leg_transport *tp = &line->transports[LEG_RTP];

	r->mechanism = line->plan.keying.mechanism;
	r->suite = srtp_suite_name(tp->rx_master.suite);
	r->keyed = tp->rx_master.suite != SRTP_SUITE_NONE;
	r->rekeys = line->rekeys;
	if (r->mechanism != KEYING_DTLS_SRTP)
		return;
	r->mismatches = tp->mismatches + line->transports[LEG_RTCP].mismatches;
	memcpy(r->dtls_version, line->dtls_version, sizeof(r->dtls_version));
	memcpy(r->dtls_cipher, line->dtls_cipher, sizeof(r->dtls_cipher));
	memcpy(r->dtls_group, line->dtls_group, sizeof(r->dtls_group));
	memcpy(r->fingerprint, line->peer_fingerprint, sizeof(r->fingerprint));
	r->dtls_role = line->dtls_role;
}

static void read_traffic(struct media_line_report *r, const struct dp_stats *stats)
{
	r->rx_packets = stats->rx_packets;
	r->rx_octets = stats->rx_octets;
	r->tx_packets = stats->tx_packets;
	r->tx_octets = stats->tx_octets;
	r->lost = stats->lost;
	r->jitter_us = stats->jitter_us;
}

// What came in is judged by our own figures as far as here; what went out, by the peer's, from the other end's mouth to
// its ear.
static void read_quality(struct media_line_report *r, const struct leg_line *line, const struct dp_stats *stats)
{
	bool spoken = stats->clock_hz != CLOCK_VIDEO, heard = stats->rx_packets > 0;
	double loss = heard ? (double)stats->lost / (double)(stats->lost + stats->rx_packets) : 0;
	struct quality_figures q;

	media_quality_read(&line->quality, &q);
	r->mos.known = heard && spoken;
	r->mos.mos = media_quality_mos(loss, stats->jitter_us, q.rtt_us);
	r->peer_reports = q.reports;
	r->peer_lost = q.lost;
	r->peer_jitter_us = q.jitter_us;
	r->peer_mos.known = q.reports > 0 && spoken;
	r->peer_mos.mos = media_quality_mos(q.loss, q.jitter_us, q.rtt_us + q.far_rtt_us);
	r->rtt_known = q.rtt_samples > 0;
	r->rtt_us = q.rtt_us;
	r->rtt_min_us = q.rtt_min_us;
	r->rtt_max_us = q.rtt_max_us;
}

static void stats_of(const struct leg_transport *tp, struct dp_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	if (transport_live(tp))
		dp_transport_stats(tp->line->session->media->dp, tp->ref, stats);
}

void media_summary_read(struct media_line_report *r, const struct leg_line *line)
{
	const struct leg_transport *tp = &line->transports[LEG_RTP];
	struct dp_stats stats, rtcp;

	*r = (struct media_line_report){ .dialog = line->dialog, .leg = line->leg, .index = line->index };
	snprintf(r->realm, sizeof(r->realm), "%s", leg_line_realm(line));
	r->local = tp->local;
	r->remote = tp->remote;
	stats_of(tp, &stats);
	stats_of(&line->transports[LEG_RTCP], &rtcp);
	read_keying(r, line);
	read_traffic(r, &stats);
	r->dropped = drops_path(r, "", &stats) + drops_dtls(r, line);
	r->rtcp_dropped = drops_rtcp(r, line) + drops_path(r, "rtcp_port_", &rtcp);
	r->rtcp_rx = line->rtcp_rx;
	r->rtcp_tx = line->rtcp_tx;
	read_quality(r, line, &stats);
}

// The log

static size_t fields_keying(const struct media_line_report *r, struct log_field *f)
{
	size_t n = 0;

	f[n++] = (struct log_field)LOG_STR("mechanism", keying_mechanism_name(r->mechanism));
	f[n++] = (struct log_field)LOG_STR("suite", r->suite);
	f[n++] = (struct log_field)LOG_UINT("rekeys", r->rekeys);
	if (r->mechanism == KEYING_DTLS_SRTP) {
		f[n++] = (struct log_field)LOG_STR("dtls_version", r->dtls_version);
		f[n++] = (struct log_field)LOG_UINT("certificate_mismatches", r->mismatches);
	}
	return n;
}

static size_t fields_traffic(const struct media_line_report *r, struct log_field *f)
{
	size_t n = 0;

	f[n++] = (struct log_field)LOG_UINT("rx_packets", r->rx_packets);
	f[n++] = (struct log_field)LOG_UINT("rx_octets", r->rx_octets);
	f[n++] = (struct log_field)LOG_UINT("tx_packets", r->tx_packets);
	f[n++] = (struct log_field)LOG_UINT("tx_octets", r->tx_octets);
	f[n++] = (struct log_field)LOG_UINT("lost", r->lost);
	f[n++] = (struct log_field)LOG_UINT("jitter_us", r->jitter_us);
	return n;
}

// Null: nothing was reported of it.
static struct log_field figure(const char *key, bool known, uint64_t value)
{
	if (!known)
		return (struct log_field)LOG_STR(key, NULL);
	return (struct log_field)LOG_UINT(key, value);
}

static struct log_field score(const char *key, const struct media_score *score, char text[SCORE])
{
	snprintf(text, SCORE, "%u.%02u", score->mos / 100, score->mos % 100);
	return (struct log_field)LOG_STR(key, score->known ? text : NULL);
}

static size_t fields_quality(const struct media_line_report *r, struct log_field *f, char text[2][SCORE])
{
	size_t n = 0;

	f[n++] = score("mos", &r->mos, text[0]);
	f[n++] = figure("peer_reports", true, r->peer_reports);
	f[n++] = figure("peer_lost", r->peer_reports > 0, r->peer_lost);
	f[n++] = figure("peer_jitter_us", r->peer_reports > 0, r->peer_jitter_us);
	f[n++] = score("peer_mos", &r->peer_mos, text[1]);
	f[n++] = figure("rtt_us", r->rtt_known, r->rtt_us);
	f[n++] = figure("rtt_min_us", r->rtt_known, r->rtt_min_us);
	f[n++] = figure("rtt_max_us", r->rtt_known, r->rtt_max_us);
	return n;
}

// "auth=3,rtcp_replay=1"
static void print_drops(char *text, size_t size, const struct media_line_report *r)
{
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < r->n_drops && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%s%s=%llu", at > 0 ? "," : "", r->drops[i].prefix,
				       r->drops[i].name, (unsigned long long)r->drops[i].n);
}

static void log_line(const struct leg_line *line, const struct media_line_report *r)
{
	char remote[INET_ENDPOINT_STRLEN], scores[2][SCORE], drops[768];
	struct log_field f[SUMMARY_FIELDS];
	size_t n = 6;

	leg_line_log_fields(line, f);
	n += fields_keying(r, f + n);
	n += fields_traffic(r, f + n);
	print_drops(drops, sizeof(drops), r);
	f[n++] = (struct log_field)LOG_UINT("drops", r->dropped);
	f[n++] = (struct log_field)LOG_STR("drops_by", drops);
	f[n++] = (struct log_field)LOG_UINT("rtcp_rx", r->rtcp_rx);
	f[n++] = (struct log_field)LOG_UINT("rtcp_tx", r->rtcp_tx);
	f[n++] = (struct log_field)LOG_UINT("rtcp_drops", r->rtcp_dropped);
	n += fields_quality(r, f + n, scores);
	f[n++] = (struct log_field)LOG_STR("remote", inet_endpoint_print(remote, &r->remote));
	f[n] = (struct log_field){ .key = NULL };
	log_emit(LOG_LEVEL_INFO, "media", "media summary", f);
}

static void total_add(struct media_session *session, const struct media_line_report *r)
{
	struct media_total *total;

	if (r->leg >= sizeof(session->totals) / sizeof(session->totals[0]))
		return;
	total = &session->totals[r->leg];
	snprintf(total->leg, sizeof(total->leg), "%s", r->realm);
	total->rx_packets += r->rx_packets;
	total->rx_octets += r->rx_octets;
	total->tx_packets += r->tx_packets;
	total->tx_octets += r->tx_octets;
	total->lost += r->lost;
	total->drops += r->dropped;
	if (r->jitter_us > total->jitter_us)
		total->jitter_us = r->jitter_us;
}

void media_summary_total(const struct media_session *session)
{
	const struct media_total *a = &session->totals[0], *b = &session->totals[1];

	if (a->leg[0] == '\0')
		return; // it never came to media
	log_info("media", "media total", LOG_STR("call_id_a", session->call_id_a),
		 LOG_STR("call_id_b", session->call_id_b), LOG_UINT("session", session->id),
		 LOG_STR("a_leg", a->leg), LOG_UINT("a_rx_packets", a->rx_packets), LOG_UINT("a_rx_octets", a->rx_octets),
		 LOG_UINT("a_lost", a->lost), LOG_UINT("a_jitter_us", a->jitter_us), LOG_UINT("a_drops", a->drops),
		 LOG_UINT("a_tx_packets", a->tx_packets), LOG_UINT("a_tx_octets", a->tx_octets),
		 LOG_STR("b_leg", b->leg), LOG_UINT("b_rx_packets", b->rx_packets), LOG_UINT("b_rx_octets", b->rx_octets),
		 LOG_UINT("b_lost", b->lost), LOG_UINT("b_jitter_us", b->jitter_us), LOG_UINT("b_drops", b->drops),
		 LOG_UINT("b_tx_packets", b->tx_packets), LOG_UINT("b_tx_octets", b->tx_octets));
}

// The report

static size_t report_size(uint32_t lines)
{
	return sizeof(struct media_report) + lines * sizeof(struct media_line_report);
}

static void report_add(struct media_session *session, const struct media_line_report *r)
{
	struct media_report *report = session->report, *larger;
	uint32_t n = report != NULL ? report->n_lines : 0;

	if (session->media->start.report == NULL)
		return;
	larger = n < MEDIA_REPORT_LINES ? realloc(report, report_size(n + 1)) : NULL;
	if (larger == NULL) {
		session->unreported++;
		return;
	}
	larger->lines[n] = *r;
	larger->n_lines = n + 1;
	session->report = larger;
}

void media_summary_line(struct leg_line *line)
{
	struct media_line_report r;

	media_summary_read(&r, line);
	log_line(line, &r);
	media_count_line_ends(line);
	total_add(line->session, &r);
	report_add(line->session, &r);
}

void media_summary_report(struct media *media, struct media_session *session, uint32_t id)
{
	struct media_report *report = session != NULL ? session->report : NULL;

	if (media->start.report == NULL)
		return;
	if (report == NULL)
		report = calloc(1, sizeof(*report));
	if (report == NULL)
		return; // who waits for it has a deadline
	report->session = id;
	report->left_out = session != NULL ? session->unreported : 0;
	if (session != NULL)
		session->report = NULL;
	media->start.report(media->start.ctx, report);
}
