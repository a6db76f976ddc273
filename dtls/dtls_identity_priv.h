// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_identity_priv.h - inside dtls/: what endpoints take from an identity.
#pragma once
#include "dtls/dtls_endpoint.h"
#include "dtls/dtls_identity.h"
#include <wolfssl/ssl.h>

int dtls_library_ready(void); // once for all threads; and sets this thread's time

// The library's context for this role and range of versions; owned by the identity. NULL: no such range.
WOLFSSL_CTX *dtls_identity_ctx(const struct dtls_identity *id, enum dtls_role role, enum dtls_version min,
			       enum dtls_version max);
