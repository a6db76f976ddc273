// SPDX-License-Identifier: GPL-3.0-or-later
// rtp_header.h - where an RTP header ends (RFC 3550 5.1, 5.3.1), and the fields that SRTP needs.
#pragma once
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RTP_HEADER_MIN 12

// The SSRC as it stands in the packet, in host order.
static inline uint32_t rtp_ssrc(const uint8_t *packet)
{
	uint32_t ssrc;

	memcpy(&ssrc, packet + 8, sizeof(ssrc));
	return be32toh(ssrc);
}

static inline void rtp_ssrc_set(uint8_t *packet, uint32_t ssrc)
{
	ssrc = htobe32(ssrc);
	memcpy(packet + 8, &ssrc, sizeof(ssrc));
}

static inline uint16_t rtp_seq(const uint8_t *packet)
{
	return (uint16_t)(packet[2] << 8 | packet[3]);
}

// Octets of fixed header, CSRC list and extension; 0: not RTP version 2, or the header does not fit into len.
// Padding is not looked at: it is payload to SRTP, and encrypted.
static inline uint16_t rtp_header_len(const uint8_t *packet, size_t len)
{
	size_t need = RTP_HEADER_MIN;

	if (len < RTP_HEADER_MIN || packet[0] >> 6 != 2)
		return 0;
	need += 4 * (size_t)(packet[0] & 0x0f);
	if (packet[0] & 0x10) {
		if (len < need + 4)
			return 0;
		need += 4 + 4 * (size_t)(packet[need + 2] << 8 | packet[need + 3]);
	}
	return need <= len && need <= UINT16_MAX ? (uint16_t)need : 0;
}
