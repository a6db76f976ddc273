// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_cookie.h - inside dtls/: the secrets behind the cookies.
#pragma once
#include "dtls/dtls_listener.h"
#include <wolfssl/ssl.h>

// Gives the library the secret of a generation and the address that it goes into the cookie with. -ESTALE: too old.
int dtls_cookie_use(struct dtls_cookie *cookie, uint64_t generation, WOLFSSL *ssl, const void *peer, size_t peer_len);

// Current generation, which starts at 1 and moves on with time.
uint64_t dtls_cookie_generation(struct dtls_cookie *cookie);
