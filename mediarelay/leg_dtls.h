// SPDX-License-Identifier: GPL-3.0-or-later
// leg_dtls.h - the DTLS handshakes on one leg transport: one candidate a peer address, none of which owns the leg until
// its certificate is the one that was signalled. A ClientHello before the answer is the normal case: the candidate is
// parked, and claimed when the answer's fingerprints are there. Certificates that match nothing go silently, counted.
#pragma once
#include "mediarelay/media_priv.h"

void leg_dtls_input(struct leg_transport *tp, const struct dp_punt *punt);
void leg_dtls_step(struct dtls_candidate *c); // acts on what its handshake has come to; it may be gone then
// Offer and answer agree on DTLS-SRTP: role and fingerprints are in the line's plan. Claims what is parked, or sends the
// ClientHello.
int leg_dtls_agree(struct leg_transport *tp);
void leg_dtls_final(struct leg_transport *tp);  // no other peer's answer can follow any more
void leg_dtls_settle(struct leg_transport *tp); // the association in force stays alone
// The port has another answerer, who goes on: handshakes that are not this one's may be his.
void leg_dtls_bequeath(struct leg_transport *tp, struct leg_transport *heir);
void leg_dtls_close(struct leg_transport *tp); // close_notify to a chosen peer; all candidates go
// What was seen, for the log of a failure: "sha-256 AA.., sha-256 BB.." or "none".
void leg_dtls_seen(const struct leg_transport *tp, char *dst, size_t size);
