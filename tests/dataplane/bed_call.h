// SPDX-License-Identifier: GPL-3.0-or-later
// bed_call.h - the usual call of the relay's tests: leg A at 10.77.1.1:16384 with peer A at 10.77.1.2:4000, joined with
// leg B at 10.77.2.1:16386 with peer B at 10.77.2.2:5000, which is plain. And the SRTP of a peer, by libsrtp2.
#pragma once
#include "tests/dataplane/relay_bed.h"
#include <srtp2/srtp.h>

struct bed_call {
	struct bed *bed;
	int a, b; // the peers' sockets
	struct inet_endpoint peer_a, peer_b, gw_a, gw_b;
	struct dp_ref leg_a, leg_b;
};

void bed_call_sockets(struct bed_call *call, struct bed *bed); // of the peers
void bed_call_legs(struct bed_call *call, enum dp_security a); // published and joined
void bed_call_remove(struct bed_call *call); // the legs; what still lies in the sockets is thrown away
void bed_call_close(struct bed_call *call);                    // the sockets

struct bed_srtp {
	srtp_t out, in;        // the peer's
	struct dp_keys rx, tx; // what the relay is given
};

// Random keys. libsrtp2 must have been initialised.
void bed_srtp_open(struct bed_srtp *s, enum srtp_suite suite, uint32_t epoch);
void bed_srtp_give(const struct bed_srtp *s, struct bed *bed, struct dp_ref leg);
void bed_srtp_close(struct bed_srtp *s);
size_t bed_srtp_make(struct bed_srtp *s, uint8_t *packet, uint32_t ssrc, uint16_t seq); // bed_rtp() of 160, secured
