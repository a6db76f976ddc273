// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_record.h - SRTP state as it lies in the shared media region: plain, of fixed size, without pointers.
//
// The relay alone writes it and may be killed at any instruction; the next relay goes on with what it finds. Control
// may look at it, and needs no crypto library to do so. What the fields mean is srtp_key.c's and srtp_window.h's affair.
#pragma once
#include "dataplane/srtp_suite.h"
#include "dataplane/worker/srtp/hmac_sha1.h"
#include <assert.h>
#include <stdalign.h>

#define SRTP_WINDOW_MIN 64 // RFC 3711 3.3.2
#define SRTP_WINDOW_MAX 1024
#define SRTP_WINDOW_WORDS 32 // a power of two above SRTP_WINDOW_MAX / 64

#define SRTP_INDEX_LIMIT (UINT64_C(1) << 48) // RFC 3711 9.2: packets under one key, and the end of ROC || SEQ

// Session keys of one (transport, direction, epoch), expanded as the crypto library wants them. What packets do not need
// comes first, what they need last, and its length is the suite's: a record that can hold AES-CM alone is cut behind
// `cm` (srtp_key_size()). Laid out for cold caches: of what begins with `salt`, AES-CM of 128 bits needs four lines,
// AES-GCM four, and for short packets the last three, where the low powers of its hash key are.
struct srtp_key {
	alignas(64) uint8_t cipher_key[SRTP_KEY_MAX]; // what the expansion is made of
	uint8_t extension_key[SRTP_KEY_MAX];
	uint8_t auth_key[20];
	uint8_t gap[12];
	uint8_t mki[SRTP_MKI_MAX]; // for the few packets that need it: the MKI, and RFC 6904's keys of header extensions
	uint8_t extension_salt[16];
	uint8_t extension_rounds[240];
	uint8_t tail[16];
	alignas(64) uint8_t salt[16]; // session salt, zeros behind it
	uint64_t remaining;           // packets that may still be done; the only field that changes under way
	uint32_t stamp;               // library and CPU level of the expansion below (srtp_key_adopt())
	uint8_t suite;                // enum srtp_suite; NONE: no key here
	uint8_t tag_len;
	uint8_t mki_len; // 0: packets carry none
	uint8_t zero;
	union {
		struct {
			struct hmac_sha1_key hmac;
			uint8_t gap[8];
			alignas(16) uint8_t rounds[240]; // AES round keys, encryption
		} cm;
		struct {
			uint8_t gap[48];
			uint8_t data[1008];              // the library's gcm_key_data
		} gcm;
	};
};

#define SRTP_KEY_HOT offsetof(struct srtp_key, salt)                                      // where packets look
#define SRTP_KEY_CM_SIZE (offsetof(struct srtp_key, cm) + sizeof(((struct srtp_key *)0)->cm)) // of AES-CM and NULL
#define SRTP_KEY_GCM_POWERS (sizeof(struct srtp_key) - 192)                               // of the hash key, 12 to 1
#define SRTP_KEY_ASKED 2 // lines from SRTP_KEY_HOT on that whoever makes a burst asks for before; the engine asks for the rest

static_assert(sizeof(struct srtp_key) == 23 * 64 && SRTP_KEY_CM_SIZE == 11 * 64,
	      "shared layout; odd numbers of lines, so that arrays use all of a cache");
static_assert(offsetof(struct srtp_key, cm.rounds) == SRTP_KEY_HOT + 80, "AES-CM 128 ends with the fourth line");
static_assert(offsetof(struct srtp_key, gcm.data) == SRTP_KEY_HOT + 80, "so do GCM's round keys; its powers begin one");
static_assert(SRTP_KEY_HOT % 64 == 0 && SRTP_KEY_GCM_POWERS % 64 == 0, "lines");

// Octets of a record that a key of this suite needs; of none: those that may hold what was begun.
static inline size_t srtp_key_size(unsigned suite)
{
	const struct srtp_suite_info *info = srtp_suite_info((enum srtp_suite)suite);

	return info != NULL && info->aead ? sizeof(struct srtp_key) : SRTP_KEY_CM_SIZE;
}

// State of one SSRC under one key in one direction: received (replay) or sent (reuse). 128 bits of window use one line.
// A record that needs fewer words of bits[] may end behind them (srtp_stream_size()).
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

static inline unsigned srtp_window_words(unsigned window)
{
	unsigned words = 2;

	while (words < SRTP_WINDOW_WORDS && words * 64 < window + 64)
		words *= 2;
	return words;
}

static inline size_t srtp_stream_size(unsigned window)
{
	return offsetof(struct srtp_stream, bits) + srtp_window_words(window) * sizeof(uint64_t);
}

static_assert(SRTP_WINDOW_WORDS * 64 >= SRTP_WINDOW_MAX + 64, "a window and the block it moves into");
