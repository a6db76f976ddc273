// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_fixture.h - what the SRTP tests share: a repeatable random source, hex, keys and RTP packets.
#pragma once
#include "dataplane/worker/srtp/rtp_header.h"
#include "dataplane/worker/srtp/srtp_engine.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <stdio.h>
#include <stdlib.h>

struct fixture_random {
	uint64_t state; // never 0
};

static inline uint64_t fixture_next(struct fixture_random *random)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 7;
	random->state ^= random->state << 17;
	return random->state;
}

static inline unsigned fixture_below(struct fixture_random *random, unsigned n)
{
	return (unsigned)(fixture_next(random) >> 20) % n;
}

static inline void fixture_fill(struct fixture_random *random, uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(fixture_next(random) >> 32);
}

// Hex digits and blanks; returns the number of octets.
static inline size_t fixture_hex(uint8_t *to, const char *from)
{
	size_t n = 0;
	int used;

	for (unsigned octet; sscanf(from, " %2x%n", &octet, &used) == 1; from += used)
		to[n++] = (uint8_t)octet;
	return n;
}

static inline void fixture_master(struct fixture_random *random, struct srtp_master *master, enum srtp_suite suite)
{
	*master = (struct srtp_master){ .suite = suite };
	fixture_fill(random, master->key, srtp_suite_info(suite)->key_len);
	fixture_fill(random, master->salt, srtp_suite_info(suite)->salt_len);
}

// RTP version 2 with cc CSRCs and an extension of ext_words words (below 0: none). Returns the header's length.
static inline uint16_t fixture_header(uint8_t *packet, unsigned cc, int ext_words, uint16_t seq, uint32_t ssrc)
{
	unsigned len = RTP_HEADER_MIN + 4 * cc;

	packet[0] = (uint8_t)(0x80 | (ext_words >= 0 ? 0x10 : 0) | cc);
	packet[1] = 96;
	packet[2] = (uint8_t)(seq >> 8);
	packet[3] = (uint8_t)seq;
	for (unsigned i = 0; i < 4; i++) {
		packet[4 + i] = (uint8_t)(seq * 160u >> (24 - 8 * i));
		packet[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
	}
	for (unsigned i = RTP_HEADER_MIN; i < len; i++)
		packet[i] = (uint8_t)(0xc0 + i);
	if (ext_words >= 0) {
		packet[len] = 0xbe;
		packet[len + 1] = 0xde;
		packet[len + 2] = (uint8_t)(ext_words >> 8);
		packet[len + 3] = (uint8_t)ext_words;
		memset(packet + len + 4, 0x5e, 4 * (size_t)ext_words);
		len += 4 + 4 * (unsigned)ext_words;
	}
	return (uint16_t)len;
}
