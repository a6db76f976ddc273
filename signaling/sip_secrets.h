// SPDX-License-Identifier: GPL-3.0-or-later
// sip_secrets.h - where secrets stand in SIP and in SDP, for whoever shows a message to people. The one place that knows.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct sip_secret { // octets of a text
	size_t at, len;
};

// The first secret of a description that begins at `from` or behind: keys of a=crypto, k=, a=ice-pwd, a=key-mgmt. false: none.
bool sdp_secret_next(const char *text, size_t len, size_t from, struct sip_secret *found);

// Crosses out every secret of a whole message, which keeps its length: those above, and what Authorization, Proxy-Authorization
// and Authentication-Info prove a password with. A body that is encoded in a way that hides them from us is crossed out as a
// whole; so is what people say in MESSAGE and type in INFO, unless `content`.
void sip_secrets_blank(char *message, size_t len, bool content);
