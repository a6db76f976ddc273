// SPDX-License-Identifier: GPL-3.0-or-later
// oa_crossing.c - the crossing table; see oa_crossing.h. docs/offer-answer.md says the same in words.
#include "signaling/oa_crossing.h"

#define WAY(name) { OA_BY_##name, 0 }
// RFC 3311 section 5.2: what cannot be answered at once, because the other side cannot be asked now, is 504.
#define UNABLE { OA_BY_NONE, 504 }
#define GLARE { OA_BY_NONE, 491 } // soon, but not now

// clang-format off
static const struct oa_way ways[OA_CARRIER_COUNT][OA_SIDE_COUNT] = {
	// other side:        setup   early        prack       asking         ack due  up
	[OA_BY_INVITE] =   { GLARE,  GLARE,       GLARE,      GLARE,         GLARE,   WAY(INVITE) },
	[OA_BY_UPDATE] =   { UNABLE, WAY(UPDATE), WAY(PRACK), UNABLE,        GLARE,   WAY(UPDATE) },
	[OA_BY_PRACK] =    { UNABLE, WAY(UPDATE), WAY(PRACK), UNABLE,        GLARE,   WAY(UPDATE) },
	[OA_BY_RELIABLE] = { UNABLE, UNABLE,      UNABLE,     WAY(RELIABLE), UNABLE,  UNABLE },
	[OA_BY_OK] =       { UNABLE, UNABLE,      UNABLE,     WAY(OK),       UNABLE,  UNABLE },
};
// clang-format on

struct oa_way oa_cross(enum oa_carrier brought_by, const struct oa_side *other)
{
	struct oa_way way = ways[brought_by][other->state];

	if (way.carrier != OA_BY_UPDATE || other->update)
		return way;
	// Without UPDATE a re-INVITE does, once there is a call.
	return other->state == OA_SIDE_UP ? (struct oa_way)WAY(INVITE) : (struct oa_way)UNABLE;
}

unsigned oa_back_off_ms(bool owner, uint32_t random)
{
	return owner ? 2100 + 10 * (random % 191) : 10 * (random % 201);
}
