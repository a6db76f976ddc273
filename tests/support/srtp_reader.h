// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_reader.h - an independent reader of SRTP that holds the keys: which index a packet was made under, and whether
// any (key, SSRC, index) was there before. AES_CM_128_HMAC_SHA1_80 alone, by OpenSSL, with none of the relay's code:
// the index is not guessed, but the one with which the tag is good.
#pragma once
#include "dataplane/srtp_suite.h"
#include <stddef.h>

#define READER_KEYS 64
#define READER_ROCS 8 // roll-over counters that are tried: 0 to 7

struct srtp_reader;

enum reader_verdict {
	READER_FRESH = 1,
	READER_REPEATED, // this (key, SSRC, index) was there before
	READER_UNKNOWN,  // no key fits
};

struct reader_packet { // what was read
	unsigned key;  // which, counted from 0 as they were added
	uint32_t ssrc;
	uint64_t index;
	uint16_t hdr_len, len; // of the plain packet
	uint8_t bytes[2048];
};

struct srtp_reader *srtp_reader_open(void);
void srtp_reader_close(struct srtp_reader *reader);
void srtp_reader_key(struct srtp_reader *reader, const struct srtp_master *master);
enum reader_verdict srtp_reader_see(struct srtp_reader *reader, const uint8_t *packet, size_t len,
				    struct reader_packet *out); // out may be NULL
