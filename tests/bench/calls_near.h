// SPDX-License-Identifier: GPL-3.0-or-later
// calls_near.h - the callers of bench_calls: a table of calls, what each waits for, and what a load of them came to.
#pragma once
#include "tests/bench/calls_wire.h"
#include <stdint.h>

#define CONNECTIONS 4

// What becomes of a call; the letter is the user that is called, by which the far end knows what to do.
enum call_kind {
	CALL_TALK = 'a',  // INVITE, 200, ACK, BYE, 200
	CALL_HOLD = 'h',  // INVITE, 200, ACK; BYE when near_drop() says so
	CALL_CANCEL = 'c', // given up while it rings
	CALL_REFUSE = 'r', // 486
	CALL_LEAVE = 'l',  // the answer is never confirmed: the caller is gone
	CALL_FORGET = 'q', // the caller is gone while it rings
};

struct near_setup {
	struct wire_peer gateway[CONNECTIONS]; // one with UDP
	unsigned n_gateways;
	const char *own, *to; // addresses: of the callers; of the URI that is called
	const char *transport;
	const char *sdp;      // the offer; NULL: that of calls_dtls.c
	unsigned patience_s;  // a call that is not over by then has failed
};

struct near_counts {
	uint64_t begun, done, failed;      // failed: refused, late or silent
	uint64_t again;                    // requests that we repeated
	uint64_t answered_again;           // 200s of an INVITE that came once more
	uint64_t secured;                  // answers with keys of ours or a fingerprint
	uint64_t asked;                    // requests of the gateway's own, such as its BYE for a caller that is gone
	uint64_t status[7];                // of failed calls: silent at 0, else the class of the response
	unsigned last_status;
	uint32_t *setup_us;                // of each that was answered, up to `room`
	size_t n_setup, room;
};

void near_open(const struct near_setup *setup);
void near_message(const struct wire_peer *from, const char *bytes, size_t len);
bool near_begin(enum call_kind kind); // false: no room for another call
bool near_drop(void);                 // ends one held call; false: there is none
void near_tick(void);                 // what has waited too long is repeated, or has failed
unsigned near_live(void);             // calls that are not over; held ones that are up are not among them
unsigned near_held(void);
struct near_counts *near_counts(void);
void near_reset(size_t room);         // new counts, with room for so many set-up times
uint64_t near_now(void);              // microseconds
