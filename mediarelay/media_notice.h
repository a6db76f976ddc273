// SPDX-License-Identifier: GPL-3.0-or-later
// media_notice.h - what happens to media while a call is up, told as it happens to whoever watches (media_start.notice). Nothing is
// decided by a notice, and one may be lost.
#pragma once
#include "base/clock.h"
#include "base/inet.h"
#include <stdint.h>

// What looks like somebody's attempt. X(NAME, word, packets within ten seconds from which it is told)
#define MEDIA_ATTACKS(X)                                                                                       \
	X(WRONG_FINGERPRINT, "wrong_fingerprint", 1) /* a DTLS peer whose certificate was not signalled */     \
	X(BAD_TAGS, "bad_tags", 20)                  /* SRTP and SRTCP that do not verify */                   \
	X(REPLAY, "replay", 20)                      /* SRTP and SRTCP that came before */                     \
	X(WRONG_SOURCE, "wrong_source", 20)          /* plain RTP and RTCP from somebody else's address */     \
	X(STRANGER_DTLS, "stranger_dtls", 100)       /* DTLS from addresses that prove nothing; no call's */

#define X(name, word, least) MEDIA_ATTACK_##name,
enum media_attack { MEDIA_ATTACKS(X) MEDIA_ATTACK_COUNT };
#undef X
extern const char *const media_attack_word[MEDIA_ATTACK_COUNT];

enum media_notice_kind {
	MEDIA_NOTICE_SECURED, // a line has its first keys, or is plain by agreement
	MEDIA_NOTICE_REKEYED,
	MEDIA_NOTICE_SILENT,  // media should come in, and has not for five seconds
	MEDIA_NOTICE_FLOWS,   // after that it does again
	MEDIA_NOTICE_ATTACK,
	MEDIA_NOTICE_RELAY_BACK,
};

struct media_notice {
	enum media_notice_kind kind;
	mono_ns at;
	uint32_t call, session, line; // call: sip's number for it; 0: it is no call's
	char call_id_a[128], call_id_b[128];
	char realm[32];               // the line's
	const char *keying, *suite;   // SECURED, REKEYED; suite NULL: plain
	char dtls_version[8];         // empty: without DTLS
	const char *cause;            // REKEYED: what has changed
	enum media_attack attack;
	uint64_t count;               // ATTACK: since it was told last, or since the line began; RELAY_BACK: nanoseconds away
};

// On the media thread, which does not wait for it.
typedef void media_notice_fn(void *ctx, const struct media_notice *notice);
