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

int call_media_create(struct sip_call *call);
void call_media_free(struct sip_call *call); // closes the session; NULL is fine
// A body that they write is valid until the next of these functions is called for the same call.
// `from` offers; out is what d->joined is to be offered. Its ports are live when this returns.
// -EPROTO: cannot be taken, *why is set and nothing has changed.
int call_media_offer(struct sip_dialog *from, const char *body, size_t len, struct call_body *out, struct call_refusal *why);
// `from` answers what call_media_offer() wrote for it; out is the answer for from->joined.
// preview: in an unreliable provisional response: media may flow, but another answer may still come.
int call_media_answer(struct sip_dialog *from, const char *body, size_t len, bool preview, struct call_body *out,
		      struct call_refusal *why);
// The offer was refused: the last stable state is back, in the media plan as well.
void call_media_rollback(struct sip_call *call);
// d's peer has our last answer.
void call_media_confirmed(struct sip_dialog *d);
bool call_media_offered(const struct sip_call *call); // an offer is open
// For the record: versions of our descriptions.
void call_media_versions(const struct sip_call *call, const struct sip_dialog *d, uint64_t *id, uint64_t *version);
