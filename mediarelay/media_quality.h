// SPDX-License-Identifier: GPL-3.0-or-later
// media_quality.h - how well a line's media fares, as its peer's RTCP tells: loss, jitter, round trip; and what a
// listener would say of it, by the E-model. Pure: reports and times in, figures out. About 300 octets a line.
#pragma once
#include "base/clock.h"
#include "mediarelay/rtcp_report.h"

#define QUALITY_SENT 8     // SRs remembered: a peer answers one of the last
#define QUALITY_SOURCES 4  // streams of ours that the peer reports on at once
#define QUALITY_CLOCK 8000 // where nothing says the RTP clock (RFC 3551: most static audio types)
#define QUALITY_RTT_MAX MONO_S(10)
#define QUALITY_LSR_AGE MONO_S(60) // an LSR older than this is no answer any more

struct quality_sent { // an SR that left by this line
	uint32_t ssrc, ntp_middle;
	mono_ns at; // 0: free
};

struct quality_source { // one stream that the peer receives, in its own words
	uint32_t ssrc;
	uint32_t reports; // 0: free
	uint32_t lost, first_lost, highest, first_highest;
	uint8_t first_fraction;
	uint32_t jitter_us;
	mono_ns last;
};

struct media_quality {
	struct quality_sent sent[QUALITY_SENT];
	struct quality_source sources[QUALITY_SOURCES];
	uint8_t next_sent;
	uint32_t reports;
	uint64_t lost_before; // of sources that made room
	uint32_t jitter_us;   // the newest report's
	uint64_t rtt_sum_ns;
	uint32_t rtt_samples;
	mono_ns rtt_min, rtt_max;
	uint32_t far_rtt_us; // of the line that the media comes from, when it was last known
};

struct quality_figures { // reports 0, rtt_samples 0: nothing known
	uint32_t reports;
	uint64_t lost; // cumulative, never below 0
	double loss;   // share of what was sent to the peer, 0 to 1
	uint32_t jitter_us;
	uint32_t rtt_samples;
	uint32_t rtt_us, rtt_min_us, rtt_max_us; // the first is the mean
	uint32_t far_rtt_us;
};

void media_quality_sent(struct media_quality *q, uint32_t ssrc, uint32_t ntp_middle, mono_ns now);
// A report block of the peer; ssrc as on this leg's wire. clock_hz 0: not known.
void media_quality_report(struct media_quality *q, const struct rtcp_block *block, uint32_t clock_hz, mono_ns now);
void media_quality_read(const struct media_quality *q, struct quality_figures *figures);

// ITU-T G.107 with its default values, for G.711 with concealment: 100 times the MOS, 100 to 450. docs/operations.md
// has the formula. loss: 0 to 1; rtt_us: of the way there and back.
unsigned media_quality_mos(double loss, uint32_t jitter_us, uint32_t rtt_us);
