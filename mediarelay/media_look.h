// SPDX-License-Identifier: GPL-3.0-or-later
// media_look.h - a session's media as it is now, a copy for somebody on another thread; and, of each way through it, whether media
// flows, and if it does not, why.
#pragma once
#include "mediarelay/media_report.h"

struct media;

struct media_drop_look {
	uint64_t ms;    // since something was dropped; UINT64_MAX: long ago, or never
	const char *by; // then: mostly for this reason
};

struct media_line_look {
	struct media_line_report figures; // as the report at the end has them
	bool agreed, secured;
	bool send, receive;  // our side of its direction
	bool shut_send, shut_receive; // policy has closed it until the answer
	bool silent_allowed; // on hold
	const char *keying_state;
	bool is_plain;
	uint64_t not_heard_ms, not_sent_ms; // since the last packet; UINT64_MAX: there was none
	uint64_t keying_ms;                 // since keys are waited for; 0: they are not
	struct media_drop_look dropped_in, dropped_out; // of what came from the peer, and of what was to go to it
	int lost_cause;                     // negative errno: there is no way to its peer
	bool learning;                      // a plain leg's peer may still be found elsewhere
	char expected[2 * DTLS_FINGERPRINT_STRLEN], seen[2 * DTLS_FINGERPRINT_STRLEN];
};

// Why one way is silent. X(NAME, word)
#define MEDIA_WHYS(X)                                                                                   \
	X(FLOWS, "flows")                     /* it is not */                                          \
	X(NOT_AGREED, "not_agreed")           /* offer and answer are not complete */                  \
	X(WRONG_FINGERPRINT, "wrong_fingerprint") /* the peer's certificate is not the signalled one */ \
	X(NO_KEYS, "no_keys")                 /* a leg's keys are not there yet */                     \
	X(HOLD, "hold")                       /* SDP has closed this direction */                      \
	X(GATE, "gate")                       /* policy has, before the answer */                      \
	X(WRONG_KEYS, "wrong_keys")           /* packets come, and their tags do not verify */         \
	X(WRONG_SOURCE, "wrong_source")       /* packets come from an address that is not the peer's */ \
	X(DROPPED, "dropped")                 /* packets come, and are dropped for another reason */   \
	X(NOTHING_COMES, "nothing_comes")     /* no packet comes in */                                 \
	X(NO_PATH, "no_path")                 /* the address to send to is not known, or has no way */ \
	X(NOT_SENT, "not_sent")               /* what comes in is not sent on */

#define X(name, word) MEDIA_WHY_##name,
enum media_why { MEDIA_WHYS(X) MEDIA_WHY_COUNT };
#undef X
extern const char *const media_why_word[MEDIA_WHY_COUNT];

struct media_way { // one direction of one join
	uint8_t from, to; // indices of lines
	enum media_why why;
	char text[1024]; // for a person
};

#define MEDIA_LOOK_LINES 32

struct media_look {
	uint32_t session;
	uint16_t worker;
	unsigned n_lines, n_ways;
	struct media_line_look lines[MEDIA_LOOK_LINES];
	struct media_way ways[2 * MEDIA_LOOK_LINES];
};

// Fills why and text of a way; pure. answered: the call is.
void media_way_judge(struct media_way *way, const struct media_line_look *from, const struct media_line_look *to);

// From any thread; -ENOSPC: too many questions. Else `answer` is called once on the media thread, or on the one that closes media:
// a malloc'ed look, the callee's; NULL: no such session, or no memory.
int media_look(struct media *media, uint32_t session, void (*answer)(void *ctx, struct media_look *look), void *ctx);
