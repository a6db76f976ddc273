// SPDX-License-Identifier: GPL-3.0-or-later
// hmac_sha1.h - HMAC-SHA1 (RFC 2104, FIPS 180-4 6.1) of many messages at once, each in its lane of 32 bits. For CPUs
// with AVX-512 F and BW, which the caller has seen to be there.
#pragma once
#include <stdint.h>

#define HMAC_SHA1_OUT 16 // octets that are written: the first of the digest's 20

struct hmac_sha1_key {
	uint32_t inner[5], outer[5]; // SHA-1's state, in host order, after the block of the padded key
};

struct hmac_sha1_job {
	const struct hmac_sha1_key *key;
	const uint8_t *message; // nothing behind its end is read
	uint8_t *out;           // HMAC_SHA1_OUT octets
	uint32_t len;           // of the message
};

// Any number of jobs, of any lengths; the order of `jobs` may be another afterwards.
void hmac_sha1_run(struct hmac_sha1_job *jobs, unsigned n);
