// SPDX-License-Identifier: GPL-3.0-or-later
// leg_candidate.h - one DTLS handshake with one address, in one of a leg transport's LEG_DTLS_CANDIDATES places. What comes of
// it is leg_dtls.h's matter, which every timer's end asks (leg_dtls_step()).
#pragma once
#include "mediarelay/media_priv.h"

// The newest with this peer, or NULL: two associations may share a pair of addresses while keys change.
struct dtls_candidate *leg_candidate_of(struct leg_transport *tp, const struct inet_endpoint *peer);
// In a free place or that of the weakest, which ends; NULL without memory. cookie_generation: of the listener's proof; 0 as the
// active side.
struct dtls_candidate *leg_candidate_open(struct leg_transport *tp, const struct inet_endpoint *peer, enum dtls_role role,
					  uint64_t cookie_generation);
// To another transport of the same port. Returns where it is now; NULL: it stayed, for want of memory or place.
struct dtls_candidate *leg_candidate_move(struct dtls_candidate *c, struct leg_transport *to);
void leg_candidate_free(struct dtls_candidate *c); // nothing if there is none in this place
void leg_candidate_arm(struct dtls_candidate *c);  // for its next retransmission, or the end of its parking
bool leg_candidate_overdue(const struct dtls_candidate *c, mono_ns now); // parked for longer than it may be
struct dtls_out leg_candidate_out(struct dtls_candidate *c); // to its peer, at once
