// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_extmap.h - RTP header extensions as descriptions negotiate them: a=extmap and a=extmap-allow-mixed (RFC 8285), each
// extension in clear or encrypted (RFC 6904), and a=cryptex (RFC 9335), which encrypts them all and the CSRCs.
// Which extensions there are is the ends' affair, as far as both profiles let them pass. Whether they are encrypted is each
// hop's own. Packets are not renumbered, so one identifier serves both hops.
#pragma once
#include "mediarelay/media_config.h"
#include "signaling/sdp/sdp_media.h"

#define SDP_EXTENSIONS_MAX 32 // of an m-line; the rest is not negotiated
// RFC 8285 section 5: identifiers of 4096 and above stand for "one of your choice"; the answer brings a real one.
#define SDP_EXTENSION_ID_MAX 256
#define SDP_EXTENSION_OPEN_MIN 4096
#define SDP_EXTENSION_OPEN_MAX 4351

struct sdp_extension {
	uint16_t id;
	bool encrypted;               // urn:ietf:params:rtp-hdrext:encrypt stood before the URI
	enum sdp_direction direction; // of the description's author
	bool direction_said;
	struct sdp_text uri, attributes; // they lie in the document
};

struct sdp_extensions { // of one m-line
	bool mixed, cryptex;
	uint8_t n;
	uint16_t unread; // lines that are malformed, repeat an identifier, or were too many
	struct sdp_extension list[SDP_EXTENSIONS_MAX];
};

// What an m-line says, with what it inherits from the session. Never fails: what cannot be read is counted.
void sdp_extensions_read(const struct sdp_doc *doc, size_t index, struct sdp_extensions *extensions);

struct sdp_extension_hop { // our side of one hop
	const struct media_extensions *policy; // NULL: the default, all pass
	bool secured;                          // else nothing is encrypted here
};

struct sdp_extension_hops {
	struct sdp_extension_hop offerer, answerer;
};

// The offer's extensions as we will answer them (`chosen`), and as they are offered onward. chosen and onward name the same
// extensions in the same places.
void sdp_extensions_offer(const struct sdp_extensions *offered, const struct sdp_extension_hops *hops,
			  struct sdp_extensions *chosen, struct sdp_extensions *onward);
// With the answer that came to the onward offer: what is agreed with the answerer, and what we answer the offerer; again in
// the same places. Directions and identifiers are the answer's in both.
void sdp_extensions_answer(const struct sdp_extensions *offered, const struct sdp_extensions *answered,
			   const struct sdp_extension_hops *hops, struct sdp_extensions *answerer,
			   struct sdp_extensions *offerer);
// The i-th attribute without "a=", terminated; its length, 0 behind the last. dst holds SDP_LINE_MAX.
size_t sdp_extensions_attribute(const struct sdp_extensions *extensions, size_t i, char dst[SDP_LINE_MAX]);
