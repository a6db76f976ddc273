// SPDX-License-Identifier: GPL-3.0-or-later
// call_media.h - the descriptions of one call and what they mean for its media: reads what one side says, writes what the
// other side is told, and keeps the media plan in step. Between an offer and its answer the old state is kept whole, so
// that a refused offer leaves nothing behind.
#pragma once
#include "signaling/sip_priv.h"

struct call_refusal { // why a description cannot be taken
	int status;       // 400, 488, 500, 503
	int warning;      // RFC 3261 section 20.43 code; 0: no Warning
	const char *text; // static
};

int call_refuse(struct call_refusal *why, int status, int warning, const char *text); // -EPROTO; text is static

int call_media_create(struct sip_call *call);
void call_media_free(struct sip_call *call); // closes the session; NULL is fine
// A body that they write is valid until the next of these functions is called for the same call.
struct call_offer {
	struct call_body body; // what the other side is to be offered
	bool concerns;         // false: it would learn nothing by it (sdp_same.h); call_media_answer_here() answers
};
// `from` offers. The other side's ports are live when this returns.
// -EPROTO: cannot be taken, *why is set and nothing has changed; 491: another offer is open.
int call_media_offer(struct sip_dialog *from, const char *body, size_t len, struct call_offer *out, struct call_refusal *why);
// The open offer of `from` is answered by what the other side said last, which stays as it is.
int call_media_answer_here(struct sip_dialog *from, struct call_body *out, struct call_refusal *why);
// An offer of ours to `to`: what the other side said last, once more. Nobody waits for the answer.
int call_media_offer_again(struct sip_dialog *to, struct call_body *out, struct call_refusal *why);
// The same before the other side has said anything: from a body that we made up.
int call_media_insert(struct sip_dialog *to, const char *body, size_t len, struct call_body *out, struct call_refusal *why);
// `from` answers what was written for it; out is the answer for from->joined, empty if it does not wait for one.
// preview: in an unreliable provisional response: media may flow, but another answer may still come.
int call_media_answer(struct sip_dialog *from, const char *body, size_t len, bool preview, struct call_body *out,
		      struct call_refusal *why);
// A valid answer that takes nothing of what `offerer` has offered, for a call that ends. -ENOENT: it has not offered.
int call_media_decline(struct sip_dialog *offerer, struct call_body *out);
// `fresh` takes the place of `left` with the offer that it makes next. What is stable, and its plan, are still those of
// `left` until that offer is answered; a refused one must be undone, when it has been rolled back. -EBUSY: an offer is open.
int call_media_relieve(const struct sip_dialog *left, const struct sip_dialog *fresh);
void call_media_relieve_undo(struct sip_call *call);
// Our last description in this dialog. -ENOENT: none.
int call_media_current(struct sip_dialog *d, struct call_body *out);
// Whether d's last answer takes all that the other side has chosen to send.
bool call_media_settles(const struct sip_dialog *d);
// The offer was refused: the last stable state is back, in the media plan as well.
void call_media_rollback(struct sip_call *call);
void call_media_withdraw(struct sip_call *call); // the same for one that was never sent on
// d's peer has our last answer.
void call_media_confirmed(struct sip_dialog *d);
// The call is answered: what was closed before (call_early.c) opens.
void call_media_open(struct sip_call *call);
bool call_media_offered(const struct sip_call *call); // an offer is open
// call_media_fork.c - the descriptions of several forks of one INVITE. Each answers the same offer.
struct call_media *call_media_fork(struct sip_call *call); // as our INVITE left them; NULL: no memory
// The same for one that makes an offer when the caller has answered another one's: what the caller has stays, the rest is new.
struct call_media *call_media_fork_offering(struct sip_call *call);
int call_media_keep_asked(struct sip_call *call); // before an answer is final: other forks' may follow
// call->media is the followed fork's from now on. What the caller has been told holds, by whichever fork it was.
// So does what the caller has said since of its own half.
void call_media_follow(struct sip_call *call, const struct call_media *before);
// The other dialog of the caller's that the followed fork has (parallel) takes its offer, with ports and keys of its own.
int call_media_accept_again(struct sip_dialog *a);
bool call_media_described(const struct sip_call *call); // the followed fork has said something
bool call_media_differs(const struct sip_call *call); // the followed fork's answer says something else than that
// The fork that is followed gets the offer of its INVITE, which goes to another place than the other forks' did: with ports and
// keys of its own.
int call_media_redirect(struct sip_dialog *to, struct call_body *out, struct call_refusal *why);
void call_media_forget(struct sip_call *call, struct call_media **mp); // a fork's that was not taken; NULL is fine
void call_media_versions(const struct sip_call *call, const struct sip_dialog *d, uint64_t *id, uint64_t *version);

// call_media_record.c - what a new life of this process needs of it to go on: the stable descriptions and what they agreed on.
// Octets written; -EMSGSIZE: more than there is room for; -ENOENT: nothing has been agreed on yet.
int call_media_save(const struct sip_call *call, uint8_t *to, size_t room);
// Into a call whose dialogs are there and joined. On failure (-EBADMSG: damaged) there are no descriptions.
int call_media_load(struct sip_call *call, const uint8_t *from, size_t len);
int call_media_resume(struct sip_call *call); // the media side hears what is stable, once more

// call_insert.c - what our INVITE to b offers for a caller that did not: nothing, or what b's profile says.
int call_insert(struct sip_dialog *b, struct call_body *out, struct call_refusal *why);
size_t call_insert_write(const struct sip_policy *policy, char *to, size_t room); // a description without an address
