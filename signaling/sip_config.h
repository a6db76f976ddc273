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

enum sip_early_media { // what flows before the answer
	SIP_EARLY_MEDIA_BOTH = 0,
	SIP_EARLY_MEDIA_BACKWARD, // to the caller only
	SIP_EARLY_MEDIA_NONE,
};
enum sip_history { // Diversion and History-Info, where trust lets them pass at all
	SIP_HISTORY_HIDE = 0, // with our host in place of each
	SIP_HISTORY_PASS,
	SIP_HISTORY_STRIP,
};
enum sip_relay { // what is carried besides calls, as bits
	SIP_RELAY_INFO = 0x01,
	SIP_RELAY_MESSAGE = 0x02,
	SIP_RELAY_SUBSCRIBE = 0x04, // with the NOTIFYs that come of it
	SIP_RELAY_PUBLISH = 0x08,
};

enum sip_delayed_offer { // what becomes of an INVITE without an offer
	SIP_DELAYED_PASS = 0, // it goes on without one, and the far side offers
	SIP_DELAYED_INSERT,   // we offer to the far side, and what it answers to the caller
};
enum sip_forking { // what a caller of this side sees of several that answer one INVITE
	SIP_FORKING_SINGLE = 0, // one dialog
	SIP_FORKING_PARALLEL,   // an early dialog for each
};
enum sip_redirect { // what becomes of a 3xx that this side answers
	SIP_REDIRECT_PASS = 0, // the caller may try again, at our address
	SIP_REDIRECT_FOLLOW,
};
enum sip_transfer { // what becomes of a REFER that this side sends
	SIP_TRANSFER_REFUSE = 0,
	SIP_TRANSFER_PASS,    // it goes to the other side, which makes the call
	SIP_TRANSFER_RESOLVE, // the call is made here
};
enum sip_codec { SIP_CODEC_PCMU, SIP_CODEC_PCMA, SIP_CODEC_G722, SIP_CODEC_G729, SIP_CODEC_OPUS, SIP_CODEC_EVENTS, SIP_CODEC_COUNT };

struct sip_policy { // signalling policy of a profile
	uint32_t session_expires_s; // RFC 4028, what we ask for; 0: nothing, and a peer that asks is served all the same
	uint32_t session_min_s;     // the least that we let a peer ask for
	enum sip_early_media early_media;
	enum sip_history history;
	unsigned relay; // enum sip_relay; both sides' profiles must allow it
	enum sip_delayed_offer delayed_offer;
	enum sip_codec codecs[SIP_CODEC_COUNT]; // of the offer that is inserted, best first
	unsigned n_codecs;
	enum sip_forking forking;
	enum sip_redirect redirect;
	enum sip_transfer transfer;
	bool refer_outside; // REFER out of dialog goes on, too; both sides' profiles must allow it
	bool drop_parts; // of multipart bodies, what is no description
};

struct sip_peer {
	char name[32];
	uint16_t realm;
	uint16_t profile;
	struct inet_prefix sources[16]; // requests from here are this peer's; none: it only receives
	uint8_t n_sources;
	bool retired;     // of an earlier configuration, or of none: for calls that have it; nobody new comes from it or goes to it
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
	struct sip_policy *policies; // one a profile, same index
	size_t n_realms, n_peers, n_routes, n_profiles;
	uint32_t max_calls;
	uint32_t most_calls; // that max_calls can become while this process lives; 0: that many
	uint32_t max_subscriptions; // of one peer
	uint32_t timer_c_s;   // default 181: more than three minutes
	char server_name[64]; // User-Agent/Server; empty: none sent
};
