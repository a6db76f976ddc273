// SPDX-License-Identifier: GPL-3.0-or-later
// sip_header.h - what becomes of each SIP header on its way through: one table for all messages.
#pragma once
#include "signaling/sofia.h"
#include <stdbool.h>

enum sip_header_class {
	SIP_HEADER_OURS = 1, // written anew for each dialog, or consumed here; never copied
	SIP_HEADER_END,      // end to end: copied as it is
	SIP_HEADER_TRUST,    // crosses only between two trusted realms (RFC 3325, RFC 7044, RFC 5806, RFC 7315)
	SIP_HEADER_DROP,     // never crosses: it would tell of one side to the other, or asks what we do not do
	SIP_HEADER_UNKNOWN,  // not in the table: crosses when it comes from a trusted realm
};

// Name in any case or compact form.
enum sip_header_class sip_header_class(const char *name);
// Copies what may cross from a received message to one of ours. Bodies are not touched.
int sip_headers_cross(msg_t *to, msg_t *from, bool from_trusted, bool to_trusted);
