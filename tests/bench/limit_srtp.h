// SPDX-License-Identifier: GPL-3.0-or-later
// limit_srtp.h - SRTP with nothing in the way, for the limit program: one SSRC and one key a direction, a header of 12
// octets, no MKI. What must be done is done: the index by RFC 3711 3.3.1, a replay window of 128, the tag before
// anything moves.
#pragma once
#include "dataplane/srtp_suite.h"
#include <intel-ipsec-mb.h>
#include <stdalign.h>

#define LIMIT_BURST 64

// One direction of a session. What every packet needs lies close: a line of state, then the key.
struct limit_context {
	alignas(64) uint64_t highest; // ROC || SEQ
	uint64_t window[2];           // bit n: highest - n has been seen
	uint32_t started;
	uint32_t to_address; // of the frame that leaves, network byte order
	uint16_t to_port;
	uint8_t mac[12];
	alignas(16) uint8_t salt[16];
	alignas(64) uint8_t key[]; // struct limit_cm or struct gcm_key_data
};

struct limit_cm {
	alignas(16) uint32_t ipad[5], gap, opad[5], gap2;
	alignas(16) uint8_t rounds[240];
};

struct limit_packet {
	uint8_t *rtp;
	uint16_t payload; // octets
	bool bad;         // out: old, seen before, or a wrong tag
	struct limit_context *context;
	uint64_t index;
	uint8_t tag[16]; // as it came
};

struct limit_crypto {
	enum srtp_suite suite;
	unsigned key_len, tag_len;
	size_t size;    // of a context
	unsigned lines; // of it that a packet needs
	IMB_MGR *mgr;
	struct gcm_context_data gcm;
	alignas(64) uint8_t iv[LIMIT_BURST][16];
	alignas(64) uint8_t digest[LIMIT_BURST][16];
	IMB_JOB jobs[LIMIT_BURST];
};

void limit_crypto_open(struct limit_crypto *c, enum srtp_suite suite); // ends the program if it cannot be had
void limit_context_set(struct limit_crypto *c, struct limit_context *ctx, const struct srtp_master *master);

// In place. _open: tag checked, payload decrypted. _seal: `rtp` has room for the tag. Both: how many were bad.
unsigned limit_open(struct limit_crypto *c, struct limit_packet *p, unsigned n);
unsigned limit_seal(struct limit_crypto *c, struct limit_packet *p, unsigned n);
