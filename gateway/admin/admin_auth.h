// SPDX-License-Identifier: GPL-3.0-or-later
// admin_auth.h - who comes in: bearer tokens (RFC 6750), of which nothing but digests is kept, and clients' certificates that stand for one.
#pragma once
#include "gateway/admin_config.h"

struct admin_auth;

// Reads the files of tokens, while this process still may. Logs what is wrong with one.
int admin_auth_open(struct admin_auth **authp, const struct admin_config *config);
void admin_auth_close(struct admin_auth *auth); // NULL is fine
// The token of an Authorization header; NULL: none, or nobody's. Takes as long whichever it is.
const struct admin_token *admin_auth_find(const struct admin_auth *auth, const char *authorization);
// As whom a certificate comes in of which is() says whether it has a name; NULL: as nobody.
const struct admin_token *admin_auth_certificate(const struct admin_auth *auth, bool (*is)(const void *ctx, const char *name),
						 const void *ctx);
