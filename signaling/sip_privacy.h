// SPDX-License-Identifier: GPL-3.0-or-later
// sip_privacy.h - what a caller asks to be kept from the far side (RFC 3323, RFC 3325, RFC 7044), and the hiding of hosts in
// headers that name people. `header` and `session` are always met: identifiers, routes and media are ours on each side.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define SIP_PRIVACY_HEADER 0x01u
#define SIP_PRIVACY_SESSION 0x02u
#define SIP_PRIVACY_USER 0x04u // From and what a user says of himself
#define SIP_PRIVACY_ID 0x08u   // P-Asserted-Identity
#define SIP_PRIVACY_HISTORY 0x10u
#define SIP_PRIVACY_NONE 0x20u
#define SIP_PRIVACY_CRITICAL 0x40u // refuse rather than pass on without
#define SIP_PRIVACY_OTHER 0x80u    // a word that we do not know

unsigned sip_privacy_read(const char *value); // of Privacy; NULL: 0
bool sip_privacy_can(unsigned privacy);       // false: it is critical, and more is asked for than we do

// Copies a header value, each sip or sips URI in it with our host (as it stands in a URI) in place of its own, and without port.
// numeric_only: host names stay. -ENAMETOOLONG.
int sip_hosts_hide(char *dst, size_t room, const char *value, const char *host, bool numeric_only);
// In free text: each numeric address becomes "...", in place.
void sip_addresses_hide(char *text);
