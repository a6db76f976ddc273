// SPDX-License-Identifier: GPL-3.0-or-later
// oa_crossing.h - how an offer that one dialog brings goes on in the other one: a table over the carrier that brought it and
// what the other dialog is able to take now. Not asked at all if the offer has nothing that concerns the other side.
#pragma once
#include "signaling/offer_answer.h"

enum oa_side_state {      // of the dialog that is to be offered to
	OA_SIDE_SETUP,    // its INVITE is not answered, and no offer can be made within it now
	OA_SIDE_EARLY,    // not answered, but its first exchange is complete at both ends (RFC 3262)
	OA_SIDE_PRACK,    // a reliable 1xx of its peer waits for our PRACK
	OA_SIDE_ASKING,   // its peer's INVITE had no offer and waits for ours
	OA_SIDE_ACK_DUE,  // answered, and its ACK is not here yet
	OA_SIDE_UP,
	OA_SIDE_COUNT
};

struct oa_side {
	enum oa_side_state state;
	bool update; // its peer allows UPDATE
};

struct oa_way {
	enum oa_carrier carrier; // NONE: refused
	int status;              // then
};

struct oa_way oa_cross(enum oa_carrier brought_by, const struct oa_side *other);
// RFC 3261 section 14.1: how long to wait after a 491 to an offer of ours. owner: the Call-ID is ours.
unsigned oa_back_off_ms(bool owner, uint32_t random);
