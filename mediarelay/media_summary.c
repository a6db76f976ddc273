// SPDX-License-Identifier: GPL-3.0-or-later
// media_summary.c - the last word on a line's media.
#include "mediarelay/media_summary.h"
#include "base/log.h"
#include "mediarelay/leg_line.h"

#include <stdio.h>
#include <string.h>

#define SUMMARY_FIELDS 24

// Appends those that are not 0 to the list in dst; their sum.
static uint64_t drops_print(const uint64_t *drops, const char *const *names, size_t n, char *dst, size_t size)
{
	size_t at = strlen(dst);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (drops[i] == 0)
			continue;
		sum += drops[i];
		if (at < size)
			at += (size_t)snprintf(dst + at, size - at, "%s%s=%llu", at > 0 ? "," : "", names[i],
					       (unsigned long long)drops[i]);
	}
	return sum;
}

static uint64_t line_drops(const struct leg_line *line, const struct dp_stats *stats, char *dst, size_t size)
{
	uint64_t drops[LEG_DROP_COUNT], rtcp[LEG_DROP_COUNT], sum;

	dst[0] = '\0';
	leg_drops_read(&line->transports[LEG_RTP], drops);
	leg_drops_read(&line->transports[LEG_RTCP], rtcp);
	for (size_t i = 0; i < LEG_DROP_COUNT; i++)
		drops[i] += rtcp[i];
	sum = drops_print(stats->drops + 1, relay_drop_name + 1, RELAY_DROP_COUNT - 1, dst, size);
	return sum + drops_print(drops, leg_drop_name, LEG_DROP_COUNT, dst, size);
}

static size_t fields_keying(const struct leg_line *line, struct log_field *f)
{
	const struct keying_choice *choice = &line->plan.keying;
	size_t n = 0;

	f[n++] = (struct log_field)LOG_STR("mechanism", keying_mechanism_name(choice->mechanism));
	f[n++] = (struct log_field)LOG_STR("suite", srtp_suite_name(line->transports[LEG_RTP].rx_master.suite));
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

void media_summary_line(const struct leg_line *line)
{
	const struct leg_transport *tp = &line->transports[LEG_RTP];
	char remote[INET_ENDPOINT_STRLEN], drops[512];
	struct dp_stats stats = { 0 };
	struct log_field f[SUMMARY_FIELDS];
	size_t n = 6;
	uint64_t dropped;

	if (transport_live(tp))
		dp_transport_stats(line->session->media->dp, tp->ref, &stats);
	leg_line_log_fields(line, f);
	n += fields_keying(line, f + n);
	n += fields_traffic(&stats, f + n);
	dropped = line_drops(line, &stats, drops, sizeof(drops));
	total_add(line, &stats, dropped);
	f[n++] = (struct log_field)LOG_UINT("drops", dropped);
	f[n++] = (struct log_field)LOG_STR("drops_by", drops);
	f[n++] = (struct log_field)LOG_UINT("rtcp_rx", line->rtcp_rx);
	f[n++] = (struct log_field)LOG_UINT("rtcp_tx", line->rtcp_tx);
	f[n++] = (struct log_field)LOG_UINT("rtcp_drops", line->rtcp_drops);
	f[n++] = (struct log_field)LOG_STR("remote", inet_endpoint_print(remote, &tp->remote));
	f[n] = (struct log_field){ .key = NULL };
	log_emit(LOG_LEVEL_INFO, "media", "media summary", f);
}
