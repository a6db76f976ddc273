// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_time.h - inside dtls/: sets the time that the TLS library sees, on this thread.
#pragma once
#include "base/clock.h"
#include <wolfssl/ssl.h>

void dtls_time_set(mono_ns now); // before every call into the library that may look at the clock

// The library's own names and types.
sword64 TimeNowInMilliseconds(void);
word32 LowResTimer(void);
