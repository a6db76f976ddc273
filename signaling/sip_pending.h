// SPDX-License-Identifier: GPL-3.0-or-later
// sip_pending.h - INVITEs that have no final response yet, in the call record of their media session: what the next life of this
// process needs to end them on both sides (RFC 3261 sections 9.1, 17.2.1), and no description, so no key.
#pragma once
#include "signaling/sip_agent.h"
#include <stdbool.h>
#include <stddef.h>

struct sip;
struct sip_call;
struct sip_dialog;

struct sip_pending_head {
	uint32_t version, size; // of this
	uint32_t number;        // the call's
	uint32_t n;             // requests that follow, each with its text
	mono_ns started;
	bool told; // its end is in the log
};

struct sip_pending_request {
	struct sip_hop hop;      // theirs: how it came; ours: where it went
	char tag[SIP_TOKEN_LEN]; // theirs: ours in the response
	bool outgoing;
	uint16_t len;            // of the text: theirs, as far as a response needs it; or the CANCEL or BYE that ends ours
};

// Replaces or erases what is there by what is open in the call now.
void sip_pending_write(struct sip_call *call);
// The same, before this complete INVITE of ours goes: what has been sent is in the record already.
void sip_pending_goes(struct sip_dialog *d, msg_t *invite);
// At start: ends what that session's record holds. told: the call is there again, or its end has been told.
// Whether a call was ended here.
bool sip_pending_end(struct sip *sip, uint32_t session, bool told);

// One after the other, each sound: a request with all that nta takes for granted. Takes msg over.
typedef void sip_pending_fn(void *ctx, const struct sip_pending_request *request, msg_t *msg);
int sip_pending_read(const uint8_t *bytes, size_t len, struct sip_pending_head *head, sip_pending_fn *each, void *ctx);
