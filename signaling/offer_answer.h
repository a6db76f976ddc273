// SPDX-License-Identifier: GPL-3.0-or-later
// offer_answer.h - where a dialog stands in the exchange of session descriptions (RFC 3264, RFC 6337), as two tables: which
// events move it, and what a description means by the message that carries it. Values and steps; nothing of SIP's parser.
#pragma once
#include "base/clock.h"
#include "signaling/call_ids.h"
#include <stdbool.h>
#include <stdint.h>

#define OA_STATES(X)                                                                               \
	X(IMPOSSIBLE, "impossible")                                                                \
	X(STABLE, "stable")                                                                        \
	X(ASKED, "asked")               /* our INVITE had no description: theirs comes first */    \
	X(OWED, "owed")                 /* their INVITE had none: we must offer */                 \
	X(OFFER_SENT, "offer sent")                                                                \
	X(OFFER_RECEIVED, "offer received")

#define OA_EVENTS(X)                                                                                  \
	X(SEND_OFFER, "send offer")                                                                   \
	X(RECV_OFFER, "receive offer")                                                                \
	X(PREVIEW, "preview")         /* an answer in an unreliable 1xx; the 2xx repeats it */        \
	X(SEND_ANSWER, "send answer")                                                                 \
	X(RECV_ANSWER, "receive answer")                                                              \
	X(REFUSED, "refused")         /* the peer refused our offer: the last stable pair is back */  \
	X(REFUSE, "refuse")           /* we refused theirs */                                         \
	X(ASK, "ask")                 /* INVITE of ours without a description */                      \
	X(BE_ASKED, "be asked")       /* theirs */

// Messages that may carry a description, with what it is there: the first column of RFC 6337's table 1 and what goes with it.
#define OA_CARRIERS(X)                                                                                \
	X(NONE, "none")                                                                               \
	X(INVITE, "INVITE")                                                                           \
	X(PLAIN, "1xx")               /* to an INVITE, unreliable */                                  \
	X(RELIABLE, "reliable 1xx")                                                                   \
	X(OK, "2xx")                  /* to an INVITE */                                              \
	X(ACK, "ACK")                                                                                 \
	X(PRACK, "PRACK")                                                                             \
	X(PRACK_OK, "2xx to PRACK")                                                                   \
	X(UPDATE, "UPDATE")                                                                           \
	X(UPDATE_OK, "2xx to UPDATE")

#define X(name, text) OA_##name,
enum oa_state { OA_STATES(X) OA_STATE_COUNT };
#undef X
#define X(name, text) OA_EV_##name,
enum oa_event { OA_EVENTS(X) OA_EVENT_COUNT };
#undef X
#define X(name, text) OA_BY_##name,
enum oa_carrier { OA_CARRIERS(X) OA_CARRIER_COUNT };
#undef X

enum oa_meaning {      // of a message received
	OA_NOTHING,    // no description, and none was due
	OA_IS_OFFER,
	OA_IS_ANSWER,
	OA_IS_PREVIEW, // of the answer
	OA_IS_REPEAT,  // of what this exchange has settled already: not read (RFC 3261 13.2.1)
	OA_IS_MISSING, // none, and one was due
	OA_IS_GLARE,   // an offer that meets an offer of ours: 491
	OA_IS_EARLY,   // an offer before the one before it was answered: 500 with Retry-After
};

struct oa_fsm {
	enum oa_state state;
	enum oa_carrier by; // of the open offer, or of the INVITE that asked for one
	uint32_t number; // the dialog's, for the log
	mono_ns since;
	const struct call_ids *ids; // for the log; may be NULL
};

void oa_fsm_start(struct oa_fsm *fsm, uint32_t number, mono_ns now);
// Moves and logs. -EPROTO: not allowed here.
int oa_step(struct oa_fsm *fsm, enum oa_event event, mono_ns now);
// The same for what opens an exchange: SEND_OFFER, RECV_OFFER, ASK, BE_ASKED.
int oa_open(struct oa_fsm *fsm, enum oa_event event, enum oa_carrier by, mono_ns now);
bool oa_allows(const struct oa_fsm *fsm, enum oa_event event);
// What a message from the peer means here. Nothing moves.
enum oa_meaning oa_read(const struct oa_fsm *fsm, enum oa_carrier carrier, bool has_description);
bool oa_answers(enum oa_carrier offer, enum oa_carrier carrier); // whether an answer to `offer` may come in `carrier`
const char *oa_carrier_text(enum oa_carrier carrier);
