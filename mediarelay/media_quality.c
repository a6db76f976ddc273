// SPDX-License-Identifier: GPL-3.0-or-later
// media_quality.c - a line's quality from RTCP.
#include "mediarelay/media_quality.h"

#define DLSR_HZ 65536u

void media_quality_sent(struct media_quality *q, uint32_t ssrc, uint32_t ntp_middle, mono_ns now)
{
	struct quality_sent *sent = &q->sent[q->next_sent];

	*sent = (struct quality_sent){ .ssrc = ssrc, .ntp_middle = ntp_middle, .at = now };
	q->next_sent = (uint8_t)((q->next_sent + 1) % QUALITY_SENT);
}

static const struct quality_sent *sent_find(const struct media_quality *q, const struct rtcp_block *block)
{
	for (unsigned i = 0; i < QUALITY_SENT; i++) {
		const struct quality_sent *sent = &q->sent[i];

		if (sent->at != 0 && sent->ssrc == block->ssrc && sent->ntp_middle == block->lsr)
			return sent;
	}
	return NULL;
}

// RFC 3550 section 6.4.1: round trip = arrival - LSR - DLSR, with the LSR taken by our own clock, when that SR left.
static void rtt_account(struct media_quality *q, const struct rtcp_block *block, mono_ns now)
{
	const struct quality_sent *sent = block->lsr != 0 ? sent_find(q, block) : NULL;
	mono_ns elapsed, held = (mono_ns)((uint64_t)block->dlsr * MONO_S(1) / DLSR_HZ), rtt;

	if (sent == NULL || now < sent->at || now - sent->at > QUALITY_LSR_AGE)
		return;
	elapsed = now - sent->at;
	if (held > elapsed + MONO_MS(1)) // it cannot have held it longer than it had it; a unit of DLSR is 15 us
		return;
	rtt = held > elapsed ? 0 : elapsed - held;
	if (rtt > QUALITY_RTT_MAX)
		return;
	if (q->rtt_samples == 0 || rtt < q->rtt_min)
		q->rtt_min = rtt;
	if (rtt > q->rtt_max)
		q->rtt_max = rtt;
	q->rtt_sum_ns += (uint64_t)rtt;
	q->rtt_samples++;
}

// The stream's place, or a new one; the one unheard of for longest makes room.
static struct quality_source *source_of(struct media_quality *q, uint32_t ssrc)
{
	struct quality_source *oldest = &q->sources[0];

	for (unsigned i = 0; i < QUALITY_SOURCES; i++) {
		struct quality_source *source = &q->sources[i];

		if (source->reports != 0 && source->ssrc == ssrc)
			return source;
		if (oldest->reports != 0 && (source->reports == 0 || source->last < oldest->last))
			oldest = source;
	}
	q->lost_before += oldest->lost;
	*oldest = (struct quality_source){ .ssrc = ssrc };
	return oldest;
}

void media_quality_report(struct media_quality *q, const struct rtcp_block *block, uint32_t clock_hz, mono_ns now)
{
	struct quality_source *source = source_of(q, block->ssrc);
	uint64_t jitter_us = (uint64_t)block->jitter * 1000000 / (clock_hz != 0 ? clock_hz : QUALITY_CLOCK);

	source->lost = block->lost > 0 ? (uint32_t)block->lost : 0; // below 0: duplicates
	source->highest = block->highest;
	if (source->reports++ == 0) {
		source->first_lost = source->lost;
		source->first_highest = source->highest;
		source->first_fraction = block->fraction;
	}
	source->jitter_us = jitter_us > UINT32_MAX ? UINT32_MAX : (uint32_t)jitter_us;
	source->last = now;
	q->jitter_us = source->jitter_us;
	q->reports++;
	rtt_account(q, block, now);
}

// Between the first report and the last one; a single report says it itself.
static double loss_of(const struct quality_source *source)
{
	uint32_t expected = source->highest - source->first_highest, lost = source->lost - source->first_lost;

	if (source->highest <= source->first_highest || source->lost < source->first_lost || lost > expected)
		return source->first_fraction / 256.0;
	return (double)lost / expected;
}

void media_quality_read(const struct media_quality *q, struct quality_figures *figures)
{
	const struct quality_source *newest = NULL;

	*figures = (struct quality_figures){
		.reports = q->reports,
		.lost = q->lost_before,
		.jitter_us = q->jitter_us,
		.rtt_samples = q->rtt_samples,
		.rtt_min_us = (uint32_t)(q->rtt_min / 1000),
		.rtt_max_us = (uint32_t)(q->rtt_max / 1000),
		.far_rtt_us = q->far_rtt_us,
	};
	if (q->rtt_samples > 0)
		figures->rtt_us = (uint32_t)(q->rtt_sum_ns / q->rtt_samples / 1000);
	for (unsigned i = 0; i < QUALITY_SOURCES; i++) {
		const struct quality_source *source = &q->sources[i];

		figures->lost += source->lost;
		if (source->reports != 0 && (newest == NULL || source->last >= newest->last))
			newest = source;
	}
	if (newest != NULL)
		figures->loss = loss_of(newest);
}

// The E-model

#define R_DEFAULT 93.2     // G.107: every parameter at its default
#define BPL_G711 25.1      // G.113 appendix I: packet-loss robustness of G.711 with concealment, Ie is 0
#define PACKET_MS 20.0     // one packet's speech has to be spoken before it leaves
#define BUFFER_JITTERS 2.0 // a receiver's buffer holds about so many times the jitter

// The delay's share as Cole and Rosenbluth fitted it to G.107 (Voice over IP performance monitoring, 2001).
static double delay_impairment(double ms)
{
	return 0.024 * ms + (ms > 177.3 ? 0.11 * (ms - 177.3) : 0);
}

unsigned media_quality_mos(double loss, uint32_t jitter_us, uint32_t rtt_us)
{
	double percent = loss < 0 ? 0 : loss > 1 ? 100 : loss * 100;
	double delay = rtt_us / 2000.0 + BUFFER_JITTERS * jitter_us / 1000.0 + PACKET_MS;
	double loss_impairment = 95 * percent / (percent + BPL_G711); // G.107: Ie-eff with Ie 0 and random loss
	double r = R_DEFAULT - delay_impairment(delay) - loss_impairment;

	if (r < 6.5) // below, the cubic of annex B would fall under 1
		return 100;
	return (unsigned)(100 * (1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6) + 0.5);
}
