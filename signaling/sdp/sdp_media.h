// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_media.h - what one m-line of a description says, with what it inherits from the session.
#pragma once
#include "base/inet.h"
#include "mediarelay/keying/keying.h"
#include "signaling/sdp/sdp_view.h"

enum sdp_direction { // bits: what the description's author does
	SDP_INACTIVE = 0,
	SDP_SENDONLY = 1,
	SDP_RECVONLY = 2,
	SDP_SENDRECV = 3,
};

#define SDP_REFUSALS(X)                                                \
	X(PORT_ZERO, "port 0: refused or taken away by its author")    \
	X(PROTO, "not RTP over UDP")                                   \
	X(BUNDLE_ONLY, "bundle-only, and we do not bundle (RFC 9143)") \
	X(PORT_COUNT, "more than one port")                            \
	X(ADDRESS, "its address is not a numeric unicast one")         \
	X(FORMATS, "no format")

#define X(name, text) SDP_REFUSE_##name,
enum sdp_refusal { SDP_REFUSE_NONE, SDP_REFUSALS(X) SDP_REFUSAL_COUNT };
#undef X
extern const char *const sdp_refusal_text[SDP_REFUSAL_COUNT];

struct sdp_media {
	struct sdp_text kind; // "audio", "video", ...
	uint16_t port;
	struct sdp_text proto_text; // the exact token
	struct keying_proto proto;  // what the token means; transport OTHER: we refuse it
	struct sdp_text formats;    // the rest of the m= line
	enum sdp_refusal refusal;   // why this line cannot be relayed; NONE: it can
	struct sdp_connection connection;
	struct inet_endpoint rtp;  // where its author receives; family none: nowhere (refused, held, or only by ICE)
	struct inet_endpoint rtcp; // a=rtcp (RFC 3605), else port + 1; with rtcp-mux it is the fallback
	bool rtcp_mux, rtcp_mux_only;
	bool ice;                     // has ice-ufrag and ice-pwd
	bool held_by_address;         // c=0.0.0.0 or :: without ICE, the hold of RFC 2543
	enum sdp_direction direction; // with the session's and the hold's part: see sdp_media_direction()
	struct sdp_text mid;          // empty without
};

// The m-line `index`. -EINVAL: no such line.
int sdp_media_read(const struct sdp_doc *doc, size_t index, struct sdp_media *media);
// The three forms of hold come out alike: sendonly (or inactive) lacks RECV, and so does any direction with c=0.0.0.0.
enum sdp_direction sdp_media_direction(const struct sdp_doc *doc, size_t index);
enum sdp_direction sdp_direction_reverse(enum sdp_direction direction); // as the other end would say it
const char *sdp_direction_name(enum sdp_direction direction);           // "sendrecv"
// True if no relayable line is received by its author: the call is on hold.
bool sdp_is_hold(const struct sdp_doc *doc);

// What the m-line says of keying, with the session's fingerprint, setup and tls-id where it has none of its own
// (RFC 8122 section 5, RFC 8842 section 5.1). `lines` points into the document. Never fails: what is malformed is
// marked there.
void sdp_media_keying(const struct sdp_doc *doc, size_t index, struct keying_lines *lines);
