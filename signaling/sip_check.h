// SPDX-License-Identifier: GPL-3.0-or-later
// sip_check.h - what can be wrong with any request before its method is looked at, in the order of RFC 3261 section 8.2.
#pragma once
#include "signaling/sip_priv.h"

#define SIP_MAX_FORWARDS 70u

// Refuses the request, and says so, if its headers ask for what is not done here. ACK and CANCEL are never refused.
// profile: of its sender.
bool sip_check_refused(struct sip *sip, nta_incoming_t *irq, const sip_t *request, uint16_t profile);
// For requests that go on to the other side: 0, or 483, 482, 400, 416 or 500. realm: where it came in.
int sip_check_onward(const struct sip *sip, const sip_t *request, uint16_t realm);
// What decides where a request goes, as a number (RFC 3261 section 16.6 item 8). One that comes back with the same is in a
// loop; with another, a proxy of the peer's has sent it round on purpose.
uint32_t sip_check_mark(const sip_t *request, uint16_t realm);
unsigned sip_check_hops(const sip_t *request); // Max-Forwards of what goes on
