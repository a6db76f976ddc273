// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_record.h - SRTP state as it lies in the shared media region: plain, of fixed size, without pointers.
//
// The relay alone writes it and may be killed at any instruction; the next relay goes on with what it finds. Control
// may look at it, and needs no crypto library to do so. What the fields mean is srtp_key.c's and srtp_window.h's affair.
#pragma once
#include "dataplane/srtp_suite.h"
#include <assert.h>
#include <stdalign.h>

#define SRTP_WINDOW_MIN 64 // RFC 3711 3.3.2
#define SRTP_WINDOW_MAX 1024
#define SRTP_WINDOW_WORDS 32 // a power of two above SRTP_WINDOW_MAX / 64

#define SRTP_INDEX_LIMIT (UINT64_C(1) << 48) // RFC 3711 9.2: packets under one key, and the end of ROC || SEQ

// Session keys of one (transport, direction, epoch), expanded as the crypto library wants them.
// Laid out for cold caches: AES-CM with 128 bits needs the first four lines and no more.
struct srtp_key {
	alignas(64) uint8_t salt[16]; // session salt, zeros behind it
	uint64_t remaining;           // packets that may still be done; the only field that changes under way
	uint32_t stamp;               // library and CPU level of the expansion below (srtp_key_adopt())
	uint8_t suite;                // enum srtp_suite; NONE: no key here
	uint8_t tag_len;
	uint8_t mki_len; // 0: packets carry none
	uint8_t zero;
	union {
		struct {
			uint32_t ipad[5], opad[5];       // HMAC-SHA1 states after the padded key
			uint8_t gap[8];
			alignas(16) uint8_t rounds[240]; // AES round keys, encryption
		} cm;
		struct {
			uint8_t gap[32];
			uint8_t data[1024];              // the library's gcm_key_data, on a line of its own
		} gcm;
	};
	// Not used by packets: what the expansion is made of.
	uint8_t cipher_key[SRTP_KEY_MAX], extension_key[SRTP_KEY_MAX];
	uint8_t auth_key[20];
	uint8_t gap[12];
	// For the few packets that need it: RFC 6904's keys of header extensions, and the MKI.
	uint8_t mki[SRTP_MKI_MAX];
	uint8_t extension_salt[16];
	uint8_t extension_rounds[240];
	uint8_t tail[16];
};

static_assert(sizeof(struct srtp_key) == 1472, "shared layout; an odd number of lines, so that arrays use all of a cache");
static_assert(offsetof(struct srtp_key, cm.rounds) == 80, "AES-CM 128 ends with the fourth line");
static_assert(offsetof(struct srtp_key, gcm.data) == 64, "gcm_key_data is aligned to a line");
static_assert(offsetof(struct srtp_key, extension_rounds) % 64 == 0, "MKI and salt of extensions are on the line before");

// State of one SSRC under one key in one direction: received (replay) or sent (reuse). 128 bits of window use one line.
struct srtp_stream {
	alignas(64) uint64_t highest; // newest index (ROC || SEQ) authenticated or sent; valid if started
	uint32_t ssrc;
	uint32_t roc;        // before the start: the roll-over counter to begin with
	uint16_t window;     // indices remembered, highest included
	uint8_t word_mask;   // words of bits[] in use, minus one
	uint8_t started;     // highest and bits[] count
	uint32_t zero;
	uint64_t bits[SRTP_WINDOW_WORDS]; // bit (index % 64) of word (index / 64) & word_mask
};

static_assert(sizeof(struct srtp_stream) == 320, "shared layout");
static_assert(SRTP_WINDOW_WORDS * 64 >= SRTP_WINDOW_MAX + 64, "a window and the block it moves into");
