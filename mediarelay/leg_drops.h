// SPDX-License-Identifier: GPL-3.0-or-later
// leg_drops.h - what STUN and the handshakes of a leg transport let go, by name, beside the packet path's own drops.
#pragma once
#include "dtls/dtls_listener.h"

// X(NAME, word, text)
#define LEG_DROPS(X)                                                                                    \
	X(STUN, "stun", "nobody here answers STUN")                                                     \
	X(STALE, "dtls_stale", "no handshake is open to this address: the leg is secured, or we are active") \
	X(UNPROVEN, "dtls_unproven", "no ClientHello, or no cookie of ours, from an unproven address")  \
	X(MALFORMED, "dtls_malformed", "ClientHello that no DTLS of ours can answer")                   \
	X(GAVE_WAY, "dtls_gave_way", "unfinished handshake that gave way to another on its port")       \
	X(FAILED, "dtls_failed", "handshake that failed, or did not end in time")                       \
	X(FORGED, "dtls_forged", "unprotected record that no honest peer sends now")                    \
	X(ALERT, "dtls_alert", "unprotected alert: noted, not believed")                                \
	X(APPLICATION, "dtls_application", "application data")                                          \
	X(REFUSED, "dtls_refused", "protected record that did not verify, or came twice")

#define X(name, word, text) LEG_DROP_##name,
enum leg_drop { LEG_DROPS(X) LEG_DROP_COUNT };
#undef X

struct dtls_endpoint;
struct leg_transport;

extern const char *const leg_drop_name[LEG_DROP_COUNT];

void leg_drops_listener(struct leg_transport *tp, enum dtls_listener_drop drop); // KEPT: none
void leg_drops_endpoint(struct leg_transport *tp, const struct dtls_endpoint *ep); // once, before it goes
void leg_drops_read(const struct leg_transport *tp, uint64_t drops[LEG_DROP_COUNT]); // running handshakes included
