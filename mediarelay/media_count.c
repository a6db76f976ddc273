// SPDX-License-Identifier: GPL-3.0-or-later
// media_count.c - sums over the lines.
#include "mediarelay/media_count.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/media_notice_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SILENT_FROM MONO_S(5)
#define CLOCK_VIDEO 90000 // of which the E-model says nothing

const struct histogram_scale media_stats_handshake_scale = {
	.bound = { 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10000 }, .n_bounds = 11,
};
const struct histogram_scale media_stats_jitter_scale = {
	.bound = { 500, 1000, 2000, 5000, 10000, 20000, 30000, 50000, 100000 }, .n_bounds = 9,
};
const struct histogram_scale media_stats_mos_scale = {
	.bound = { 150, 200, 250, 300, 350, 380, 400, 420, 430, 440 }, .n_bounds = 10,
};

struct media_tally { // of one realm
	uint64_t secured[KEYING_MECHANISM_COUNT], unsecured, silent, jitter_us, n_jitter, mos, n_mos;
};

int media_count_open(struct media *media)
{
	size_t n = media->config->n_realms;

	media->stats = calloc(1, sizeof(*media->stats) + n * sizeof(media->stats->realms[0]));
	media->tally = calloc(n + 1, sizeof(*media->tally));
	if (media->stats == NULL || media->tally == NULL)
		return -ENOMEM;
	media->stats->n_realms = n;
	return 0;
}

void media_count_close(struct media *media)
{
	free(media->stats);
	free(media->tally);
}

struct media_stats_realm *media_count_realm(const struct leg_line *line)
{
	return &line->session->media->stats->realms[line->plan.seat.realm];
}

void media_count_begin(struct media *media)
{
	memset(media->tally, 0, media->config->n_realms * sizeof(*media->tally));
}

// What has been added since it was looked at last. Lost packets may become fewer, when a late one comes.
static void count_up(_Atomic uint64_t *counter, uint64_t *before, uint64_t now)
{
	if (now <= *before)
		return;
	counter_add(counter, now - *before);
	*before = now;
}

static void count_traffic(struct leg_line *line, const struct dp_stats *stats)
{
	struct media_stats_realm *realm = media_count_realm(line);
	struct line_counted *before = &line->counted;

	count_up(&realm->rx_packets, &before->rx_packets, stats->rx_packets);
	count_up(&realm->rx_octets, &before->rx_octets, stats->rx_octets);
	count_up(&realm->tx_packets, &before->tx_packets, stats->tx_packets);
	count_up(&realm->tx_octets, &before->tx_octets, stats->tx_octets);
	count_up(&realm->lost, &before->lost, stats->lost);
}

// A leg's counters have both: what its peer sent, and what was to go to that peer. Of a reason that may be either, it is not known.
static void ways_of_drop(enum relay_drop why, bool *in, bool *out)
{
	switch (why) {
	case RELAY_DROP_NO_PATH:
	case RELAY_DROP_NO_NEXTHOP:
	case RELAY_DROP_TX_NOT_KEYED:
	case RELAY_DROP_TX_REPEAT:
	case RELAY_DROP_KEY_EXPIRED:
	case RELAY_DROP_TOO_BIG:
	case RELAY_DROP_LOOP:
	case RELAY_DROP_TX_FULL:
		*in = false, *out = true;
		break;
	case RELAY_DROP_MALFORMED:
	case RELAY_DROP_SSRC_LIMIT:
	case RELAY_DROP_EXTENSION:
	case RELAY_DROP_CRYPTO_DEVICE:
	case RELAY_DROP_NO_MBUF:
		*in = *out = true;
		break;
	default:
		*in = true, *out = false;
	}
}

static void note_drop(struct drop_note *note, enum relay_drop why, uint32_t grown, uint32_t *most, mono_ns now)
{
	if (grown <= *most)
		return;
	*most = grown;
	*note = (struct drop_note){ .at = now, .by = why };
}

void media_count_drops(struct leg_line *line, const struct dp_stats *stats, mono_ns now)
{
	struct line_counted *before = &line->counted;
	uint32_t most_in = 0, most_out = 0;

	for (unsigned i = 1; i < RELAY_DROP_COUNT; i++) {
		uint32_t grown = (uint32_t)stats->drops[i] - before->drops[i];
		bool in, out;

		before->drops[i] = (uint32_t)stats->drops[i];
		ways_of_drop(i, &in, &out);
		if (in)
			note_drop(&before->dropped_in, i, grown, &most_in, now);
		if (out)
			note_drop(&before->dropped_out, i, grown, &most_out, now);
	}
}

void media_count_from_here(struct leg_line *line)
{
	struct dp_stats stats;

	if (dp_transport_stats(line->session->media->dp, line->transports[LEG_RTP].ref, &stats) < 0)
		return;
	media_notice_from_here(line, &stats);
	line->counted = (struct line_counted){
		.rx_packets = stats.rx_packets, .rx_octets = stats.rx_octets, .tx_packets = stats.tx_packets,
		.tx_octets = stats.tx_octets, .lost = stats.lost,
	};
	for (unsigned i = 0; i < RELAY_DROP_COUNT; i++)
		line->counted.drops[i] = (uint32_t)stats.drops[i];
}

static unsigned mos_of(const struct leg_line *line, const struct dp_stats *stats)
{
	struct quality_figures q;

	media_quality_read(&line->quality, &q);
	return media_quality_mos((double)stats->lost / (double)(stats->lost + stats->rx_packets), stats->jitter_us, q.rtt_us);
}

void media_count_line(struct leg_line *line, const struct dp_stats *stats, mono_ns now)
{
	struct media_tally *tally = &line->session->media->tally[line->plan.seat.realm];
	mono_ns since = line->expecting_since > stats->last_rx ? line->expecting_since : stats->last_rx;
	bool silent = line->expecting_since != 0 && now >= since + SILENT_FROM;

	count_traffic(line, stats);
	media_count_drops(line, stats, now);
	if (!line->plan.agreed || !leg_line_secured(line))
		tally->unsecured++;
	else
		tally->secured[line->plan.keying.mechanism]++;
	tally->silent += silent;
	media_notice_look(line, stats, silent, now);
	if (stats->rx_packets == 0)
		return;
	tally->jitter_us += stats->jitter_us;
	tally->n_jitter++;
	if (stats->clock_hz == CLOCK_VIDEO)
		return;
	tally->mos += mos_of(line, stats);
	tally->n_mos++;
}

static void count_listener(struct media *media)
{
	struct dtls_listener_info info;
	uint64_t drops = 0;

	dtls_listener_info(media->listener, &info);
	for (unsigned i = 0; i < DTLS_LISTENER_DROP_COUNT; i++) {
		counter_set(&media->stats->listener_drops[i], info.drops[i]);
		drops += info.drops[i];
	}
	media_notice_strangers(media, drops, env_now(media->env));
	counter_set(&media->stats->listener_datagrams, info.datagrams_in);
	counter_set(&media->stats->listener_proven, info.proven);
}

void media_count_end(struct media *media)
{
	for (size_t r = 0; r < media->config->n_realms; r++) {
		struct media_stats_realm *realm = &media->stats->realms[r];
		const struct media_tally *tally = &media->tally[r];

		for (unsigned m = 0; m < KEYING_MECHANISM_COUNT; m++)
			counter_set(&realm->secured[m], tally->secured[m]);
		counter_set(&realm->unsecured, tally->unsecured);
		counter_set(&realm->silent, tally->silent);
		counter_set(&realm->jitter_us, tally->n_jitter > 0 ? tally->jitter_us / tally->n_jitter : 0);
		counter_set(&realm->mos, tally->n_mos > 0 ? tally->mos / tally->n_mos : 0);
	}
	counter_set(&media->stats->sessions, media_session_count(media));
	count_listener(media);
}

void media_count_line_ends(struct leg_line *line)
{
	struct media_stats_realm *realm = media_count_realm(line);
	struct dp_stats stats = { .rx_packets = 0 };

	if (transport_live(&line->transports[LEG_RTP]))
		dp_transport_stats(line->session->media->dp, line->transports[LEG_RTP].ref, &stats);
	count_traffic(line, &stats);
	for (unsigned i = 0; i < LEG_COMPONENTS; i++) {
		uint64_t drops[LEG_DROP_COUNT];

		leg_drops_read(&line->transports[i], drops);
		for (unsigned d = 0; d < LEG_DROP_COUNT; d++)
			counter_add(&realm->dtls_drops[d], drops[d]);
	}
	for (unsigned d = 0; d < RTCP_DROP_COUNT; d++)
		counter_add(&realm->rtcp_drops[d], line->rtcp_drops[d]);
	counter_add(&realm->rtcp_received, line->rtcp_rx);
	counter_add(&realm->rtcp_sent, line->rtcp_tx);
	counter_add(&realm->rekeys, line->rekeys);
	if (stats.rx_packets == 0)
		return;
	histogram_add(&realm->ended_jitter_us, &media_stats_jitter_scale, stats.jitter_us);
	if (stats.clock_hz != CLOCK_VIDEO)
		histogram_add(&realm->ended_mos, &media_stats_mos_scale, mos_of(line, &stats));
}
