// SPDX-License-Identifier: GPL-3.0-or-later
// media_config.h - media policy as configuration gives it. Immutable once handed over.
#pragma once
#include "base/clock.h"
#include "base/inet.h"
#include "mediarelay/keying/keying.h"
#include <stdbool.h>

// AVPF or AVP (RFC 4585) on m-lines that we offer; an answer repeats the offer. Many phones refuse an AVPF they do not know.
enum media_feedback { MEDIA_FEEDBACK_NEVER = 0, MEDIA_FEEDBACK_PASS, MEDIA_FEEDBACK_ALWAYS };
enum media_mux { MEDIA_MUX_ACCEPT = 0, MEDIA_MUX_OFFER, MEDIA_MUX_NEVER }; // OFFER also accepts
enum media_wish { MEDIA_WISH_ACCEPT = 0, MEDIA_WISH_OFFER, MEDIA_WISH_NEVER };

#define MEDIA_URI_MAX 128

struct media_uri {
	char text[MEDIA_URI_MAX];
};

// RTP header extensions that cross this hop, and whether they are encrypted on it. All zero: all pass.
struct media_extensions {
	bool filter; // only these pass; none of them: headers go without extension
	const struct media_uri *uris; // lives as long as the configuration
	size_t n_uris;
	enum media_wish encryption; // RFC 6904; OFFER: offered in that form alone
	enum media_wish cryptex;    // RFC 9335
};

// Whether a plain leg's media may come from elsewhere than its SDP says, in the first seconds: from where its SIP comes
// from if that is not the SDP's address (NAT), never, or from anywhere. What is authenticated is followed in any case.
enum media_learn { MEDIA_LEARN_NAT = 0, MEDIA_LEARN_NEVER, MEDIA_LEARN_ANY };

struct media_profile {
	char name[32];
	struct keying_policy keying;
	enum media_mux rtcp_mux;
	enum media_feedback feedback; // PASS: as the other leg has it
	enum media_learn learn;
	bool pass_unknown_attributes;
	struct media_extensions extensions;
	mono_ns keying_timeout; // after the answer; default 10 s
	mono_ns media_timeout;  // no packet from a side that should send; 0: never; suspended on hold
};

struct media_realm { // index = realm number everywhere
	char name[32];
	uint8_t network; // of dp_config
	uint8_t dscp;
	struct { // bind address of dp_config.addresses[] and what SDP says instead, if it does
		struct inet_addr bind, advertise;
		uint16_t first_port, last_port;
	} address[8];
	uint8_t n_addresses;
};

struct media_config {
	struct media_realm *realms;
	size_t n_realms;
	uint32_t max_sessions;
	const char *dtls_certificate; // PEM; NULL: automatic, kept in state_dir
	const char *dtls_key;
	const char *state_dir;
	uint16_t dtls_min, dtls_max; // 0x0102 for DTLS 1.2, 0x0103 for 1.3
	uint16_t dtls_mtu;
};
