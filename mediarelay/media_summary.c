// SPDX-License-Identifier: GPL-3.0-or-later
// media_summary.c - the last word on a line's media.
#include "mediarelay/media_summary.h"
#include "base/log.h"
#include "mediarelay/leg_line.h"

#include <stdio.h>
#include <string.h>

#define SUMMARY_FIELDS 48
#define SCORE 16 // "4.21"
#define CLOCK_VIDEO 90000 // RFC 3551 section 5: the E-model says nothing of pictures

struct drop_list { // "auth=3,rtcp_replay=1"
	char text[768];
	size_t at;
};

static void drop_add(struct drop_list *list, const char *prefix, const char *name, uint64_t n)
{
	if (n > 0 && list->at < sizeof(list->text))
		list->at += (size_t)snprintf(list->text + list->at, sizeof(list->text) - list->at, "%s%s%s=%llu",
					     list->at > 0 ? "," : "", prefix, name, (unsigned long long)n);
}

// The packet path's; their sum. A port of RTCP's own has drops there, too.
static uint64_t drops_path(struct drop_list *list, const char *prefix, const struct dp_stats *stats)
{
	uint64_t sum = 0;

	for (size_t i = 1; i < RELAY_DROP_COUNT; i++) {
		drop_add(list, prefix, relay_drop_name[i], stats->drops[i]);
		sum += stats->drops[i];
	}
	return sum;
}

static uint64_t drops_rtcp(struct drop_list *list, const struct leg_line *line)
{
	uint64_t sum = 0;

	for (size_t i = 1; i < RTCP_DROP_COUNT; i++) {
		drop_add(list, "", rtcp_drop_name[i], line->rtcp_drops[i]);
		sum += line->rtcp_drops[i];
	}
	return sum;
}

static uint64_t drops_dtls(struct drop_list *list, const struct leg_line *line)
{
	uint64_t rtp[LEG_DROP_COUNT], rtcp[LEG_DROP_COUNT], sum = 0;

	leg_drops_read(&line->transports[LEG_RTP], rtp);
	leg_drops_read(&line->transports[LEG_RTCP], rtcp);
	for (size_t i = 0; i < LEG_DROP_COUNT; i++) {
		drop_add(list, "", leg_drop_name[i], rtp[i] + rtcp[i]);
		sum += rtp[i] + rtcp[i];
	}
	return sum;
}

static size_t fields_keying(const struct leg_line *line, struct log_field *f)
{
	const struct keying_choice *choice = &line->plan.keying;
	size_t n = 0;

	f[n++] = (struct log_field)LOG_STR("mechanism", keying_mechanism_name(choice->mechanism));
	f[n++] = (struct log_field)LOG_STR("suite", srtp_suite_name(line->transports[LEG_RTP].rx_master.suite));
	f[n++] = (struct log_field)LOG_UINT("rekeys", line->rekeys);
	if (choice->mechanism == KEYING_DTLS_SRTP) {
		f[n++] = (struct log_field)LOG_STR("dtls_version", line->dtls_version);
		f[n++] = (struct log_field)LOG_UINT("certificate_mismatches", line->transports[LEG_RTP].mismatches +
										     line->transports[LEG_RTCP].mismatches);
	}
	return n;
}

static size_t fields_traffic(const struct dp_stats *stats, struct log_field *f)
{
	size_t n = 0;

	f[n++] = (struct log_field)LOG_UINT("rx_packets", stats->rx_packets);
	f[n++] = (struct log_field)LOG_UINT("rx_octets", stats->rx_octets);
	f[n++] = (struct log_field)LOG_UINT("tx_packets", stats->tx_packets);
	f[n++] = (struct log_field)LOG_UINT("tx_octets", stats->tx_octets);
	f[n++] = (struct log_field)LOG_UINT("lost", stats->lost);
	f[n++] = (struct log_field)LOG_UINT("jitter_us", stats->jitter_us);
	return n;
}

// Null: nothing was reported of it.
static struct log_field figure(const char *key, bool known, uint64_t value)
{
	if (!known)
		return (struct log_field)LOG_STR(key, NULL);
	return (struct log_field)LOG_UINT(key, value);
}

static struct log_field score(const char *key, bool known, unsigned mos, char text[SCORE])
{
	snprintf(text, SCORE, "%u.%02u", mos / 100, mos % 100);
	return (struct log_field)LOG_STR(key, known ? text : NULL);
}

// What came in is judged by our own figures as far as here; what went out, by the peer's, from the other end's mouth to
// its ear.
static size_t fields_quality(const struct leg_line *line, const struct dp_stats *stats, struct log_field *f,
			     char text[2][SCORE])
{
	bool spoken = stats->clock_hz != CLOCK_VIDEO, heard = stats->rx_packets > 0;
	struct quality_figures q;
	double loss = heard ? (double)stats->lost / (double)(stats->lost + stats->rx_packets) : 0;
	unsigned here, there;
	size_t n = 0;

	media_quality_read(&line->quality, &q);
	here = media_quality_mos(loss, stats->jitter_us, q.rtt_us);
	there = media_quality_mos(q.loss, q.jitter_us, q.rtt_us + q.far_rtt_us);
	f[n++] = score("mos", heard && spoken, here, text[0]);
	f[n++] = figure("peer_reports", true, q.reports);
	f[n++] = figure("peer_lost", q.reports > 0, q.lost);
	f[n++] = figure("peer_jitter_us", q.reports > 0, q.jitter_us);
	f[n++] = score("peer_mos", q.reports > 0 && spoken, there, text[1]);
	f[n++] = figure("rtt_us", q.rtt_samples > 0, q.rtt_us);
	f[n++] = figure("rtt_min_us", q.rtt_samples > 0, q.rtt_min_us);
	f[n++] = figure("rtt_max_us", q.rtt_samples > 0, q.rtt_max_us);
	return n;
}

static void total_add(const struct leg_line *line, const struct dp_stats *stats, uint64_t dropped)
{
	struct media_session *session = line->session;
	struct media_total *total;

	if (line->leg >= sizeof(session->totals) / sizeof(session->totals[0]))
		return;
	total = &session->totals[line->leg];
	snprintf(total->leg, sizeof(total->leg), "%s", leg_line_realm(line));
	total->rx_packets += stats->rx_packets;
	total->rx_octets += stats->rx_octets;
	total->tx_packets += stats->tx_packets;
	total->tx_octets += stats->tx_octets;
	total->lost += stats->lost;
	total->drops += dropped;
	if (stats->jitter_us > total->jitter_us)
		total->jitter_us = stats->jitter_us;
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

static void stats_of(const struct leg_transport *tp, struct dp_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	if (transport_live(tp))
		dp_transport_stats(tp->line->session->media->dp, tp->ref, stats);
}

void media_summary_line(const struct leg_line *line)
{
	const struct leg_transport *tp = &line->transports[LEG_RTP];
	char remote[INET_ENDPOINT_STRLEN], scores[2][SCORE];
	struct drop_list list = { .at = 0 };
	struct dp_stats stats, rtcp;
	struct log_field f[SUMMARY_FIELDS];
	size_t n = 6;
	uint64_t dropped, rtcp_dropped;

	stats_of(tp, &stats);
	stats_of(&line->transports[LEG_RTCP], &rtcp);
	leg_line_log_fields(line, f);
	n += fields_keying(line, f + n);
	n += fields_traffic(&stats, f + n);
	dropped = drops_path(&list, "", &stats) + drops_dtls(&list, line);
	rtcp_dropped = drops_rtcp(&list, line) + drops_path(&list, "rtcp_port_", &rtcp);
	total_add(line, &stats, dropped);
	f[n++] = (struct log_field)LOG_UINT("drops", dropped);
	f[n++] = (struct log_field)LOG_STR("drops_by", list.text);
	f[n++] = (struct log_field)LOG_UINT("rtcp_rx", line->rtcp_rx);
	f[n++] = (struct log_field)LOG_UINT("rtcp_tx", line->rtcp_tx);
	f[n++] = (struct log_field)LOG_UINT("rtcp_drops", rtcp_dropped);
	n += fields_quality(line, &stats, f + n, scores);
	f[n++] = (struct log_field)LOG_STR("remote", inet_endpoint_print(remote, &tp->remote));
	f[n] = (struct log_field){ .key = NULL };
	log_emit(LOG_LEVEL_INFO, "media", "media summary", f);
}
