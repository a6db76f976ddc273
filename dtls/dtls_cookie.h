// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_cookie.h - inside dtls/: the secrets behind the cookies.
#pragma once
#include "dtls/dtls_listener.h"

#define DTLS_COOKIE_SECRET 32

// Current generation, which starts at 1 and moves on with time.
uint64_t dtls_cookie_generation(struct dtls_cookie *cookie);
// The secret of a generation: of the current one or the one before. -ESTALE otherwise. Wipe it after use.
int dtls_cookie_secret(struct dtls_cookie *cookie, uint64_t generation, uint8_t secret[DTLS_COOKIE_SECRET]);
