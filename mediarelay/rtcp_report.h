// SPDX-License-Identifier: GPL-3.0-or-later
// rtcp_report.h - RTCP as bytes: is it well formed, what does it say, whose SSRCs are in it. Pure: no state, no I/O, no
// allocation; nothing is read that a length did not vouch for. RFC 3550 section 6 (SR, RR, SDES, BYE, APP), RFC 4585
// and 5104 (feedback), RFC 3611 (XR), RFC 5506 (a packet may begin with any of them). Types that are not known here are
// checked by their length alone and pass.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTCP_SENDERS_MAX 4 // kept of one datagram; more of them pass, unread
#define RTCP_BLOCKS_MAX 31

struct rtcp_sender { // of an SR
	uint32_t ssrc;
	uint32_t ntp_middle; // middle 32 bits of its NTP timestamp: what an LSR repeats
};

struct rtcp_block {       // of an SR or RR (RFC 3550 section 6.4.1)
	uint32_t ssrc;    // whose stream it is about
	int32_t lost;     // cumulative, sign extended from 24 bits
	uint8_t fraction; // of 256, since the report before
	uint32_t highest; // extended sequence number
	uint32_t jitter;  // in timestamp units
	uint32_t lsr, dlsr;
};

struct rtcp_facts {
	bool reduced; // RFC 5506: begins with neither SR nor RR
	uint8_t n_senders, n_blocks;
	struct rtcp_sender senders[RTCP_SENDERS_MAX];
	struct rtcp_block blocks[RTCP_BLOCKS_MAX];
};

// An SSRC stands in RTCP for who speaks, or for the stream that is spoken about.
enum rtcp_role { RTCP_ROLE_SENDER, RTCP_ROLE_MEDIA };

struct rtcp_ssrc_map {
	uint32_t from, to;
};

int rtcp_parse(const uint8_t *packet, size_t len, struct rtcp_facts *facts); // -EBADMSG: malformed, facts undefined
// In place, on a packet that rtcp_parse() took. Sizes do not change.
void rtcp_map(uint8_t *packet, size_t len, enum rtcp_role role, const struct rtcp_ssrc_map *maps, size_t n);
uint32_t rtcp_mapped(uint32_t ssrc, const struct rtcp_ssrc_map *maps, size_t n);
