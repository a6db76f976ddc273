// SPDX-License-Identifier: GPL-3.0-or-later
// sip_header.h - what becomes of each SIP header on its way through: one table for all messages.
#pragma once
#include "signaling/sip_config.h"
#include "signaling/sip_privacy.h"
#include "signaling/sofia.h"
#include <stdbool.h>

enum sip_header_class {
	SIP_HEADER_OURS = 1, // written anew for each dialog, or consumed here; never copied
	SIP_HEADER_END,      // end to end: copied as it is
	SIP_HEADER_TRUST,    // crosses only between two trusted realms (RFC 3325, RFC 7044, RFC 5806, RFC 7315)
	SIP_HEADER_RELAY,    // crosses with INFO, MESSAGE, SUBSCRIBE, NOTIFY, PUBLISH and their responses alone
	SIP_HEADER_REFUSAL,  // crosses with final responses that are no success
	SIP_HEADER_TRANSFER, // written anew where both sides may transfer (sip_refer.h), else dropped
	SIP_HEADER_DROP,     // never crosses: it would tell of one side to the other, or asks what we do not do
	SIP_HEADER_UNKNOWN,  // not in the table: crosses when it comes from a trusted realm
};

// Name in any case or compact form.
enum sip_header_class sip_header_class(const char *name);
// The table itself, for the page that lists it: false after the last.
bool sip_header_at(size_t index, const char **name, enum sip_header_class *class);

struct sip_crossing { // how one message goes on as one of ours
	bool from_trusted, to_trusted; // the realms
	bool relayed;                  // INFO, MESSAGE, SUBSCRIBE, NOTIFY, PUBLISH, or a response to one
	bool refusal;                  // a final response above 299
	unsigned privacy;              // SIP_PRIVACY_*, what the caller asked for
	enum sip_history history;
	const char *host;              // ours on the side that it goes to, as it stands in a URI
};

// Copies what may cross from a received message to one of ours. Bodies are not touched, option tags are sip_option.h's.
int sip_headers_cross(msg_t *to, msg_t *from, const struct sip_crossing *how);
// The first of that name as text, known to the library or not; NULL: there is none, or no memory.
const char *sip_header_value(su_home_t *home, const sip_t *sip, const char *name);
