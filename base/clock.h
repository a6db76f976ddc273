// SPDX-License-Identifier: GPL-3.0-or-later
// clock.h - monotonic time in nanoseconds; wall time only where a person reads it.
#pragma once
#include <stdint.h>

typedef uint64_t mono_ns; // absolute CLOCK_MONOTONIC, nanoseconds

#define MONO_NEVER UINT64_MAX
#define MONO_MS(ms) ((mono_ns)(ms) * UINT64_C(1000000))
#define MONO_S(s) ((mono_ns)(s) * UINT64_C(1000000000))

mono_ns clock_now(void);
