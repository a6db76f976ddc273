// SPDX-License-Identifier: GPL-3.0-or-later
// sip_config.h - who may call whom, and by which policy. Immutable once handed over; owned by the configuration snapshot.
#pragma once
#include "base/inet.h"
#include "mediarelay/media_config.h"

enum sip_transport { SIP_UDP = 1, SIP_TCP };

struct sip_listener {
	enum sip_transport transport;
	struct inet_endpoint bind;
	struct inet_addr advertise; // none: as bound
};

struct sip_realm { // same index as media_config.realms
	char name[32];
	struct sip_listener listeners[8];
	uint8_t n_listeners;
	uint16_t profile; // default for its peers; index of profiles
	bool trusted;     // identity and unknown headers are believed and sent (signaling/sip_header.c); default false
};

struct sip_peer {
	char name[32];
	uint16_t realm;
	uint16_t profile;
	struct inet_prefix sources[16]; // requests from here are this peer's; none: it only receives
	uint8_t n_sources;
	char target[256]; // where its calls go: a SIP URI with a numeric host; the request's user part replaces {user}
};

struct sip_route { // first match wins
	uint16_t from_realm; // index
	int32_t from_peer;   // index, or -1 for any of the realm
	char user[64];       // "*" any, "49*" prefix, else exact user part of the Request-URI
	uint16_t to_peer;
};

struct sip_config {
	struct sip_realm *realms;
	struct sip_peer *peers;
	struct sip_route *routes;
	struct media_profile *profiles;
	size_t n_realms, n_peers, n_routes, n_profiles;
	uint32_t max_calls;
	uint32_t timer_c_s;   // default 180
	char server_name[64]; // User-Agent/Server; empty: none sent
};
