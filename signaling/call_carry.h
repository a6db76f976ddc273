// SPDX-License-Identifier: GPL-3.0-or-later
// call_carry.h - offers and answers from dialog to dialog, whatever the messages are that bring them and take them on. What a
// description means is oa_read()'s to say, how an offer goes on oa_cross()'s; here it is done.
#pragma once
#include "signaling/call_media.h"

enum call_carried {
	CALL_CARRIED = 0,      // it is with the other side, whose answer will come by call_carry_response()
	CALL_CARRIED_HERE = 1, // *answer is the answer: the other side need not know
};

// `d` has offered in `by`, with irq. -EPROTO: refused, *why says how.
int call_carry_offer(struct sip_dialog *d, enum oa_carrier by, nta_incoming_t *irq, const struct call_body *in,
		     struct call_body *answer, struct call_refusal *why);
// The same, but it is answered here whatever it says: CALL_CARRIED_HERE. d->joined->stale: the other side should be told, by call_carry_again().
int call_carry_offer_here(struct sip_dialog *d, enum oa_carrier by, const struct call_body *in, struct call_body *answer,
			  struct call_refusal *why);
// The final response of `d` to a request of ours that carried an offer; 2xx: `carrier` is it. Tells who waits.
void call_carry_response(struct sip_dialog *d, enum oa_carrier carrier, int status, const sip_t *response);
// The answer to what `d` offered last, in what its offer asks for.
int call_carry_answer(struct sip_dialog *d, const struct call_body *answer);
// The 1xx, 2xx, ACK or PRACK of `d` has the answer for the other side. -EPROTO: it cannot be taken, and nobody was told.
int call_carry_take(struct sip_dialog *d, const struct call_body *in, struct call_refusal *why);
// `d` has said BYE, and the call goes on (call_transfer.h): who waits for it is told 491, and nothing that it began waits any more.
void call_carry_gone(struct sip_dialog *d);
// The 2xx of `d` offers what such a one had asked for: acknowledged, with what that had said last for an answer.
void call_carry_offer_alone(struct sip_dialog *d, const struct call_body *in);
// Another fork is followed: what was carried to this one, or from it, is refused (504), and was never said.
void call_carry_lost(struct sip_call *call);
// Offers `d` what the other side said last, by UPDATE or re-INVITE.
void call_carry_again(struct sip_dialog *d);
