// SPDX-License-Identifier: GPL-3.0-or-later
// clock.c - the monotonic clock.
#include "base/clock.h"
#include <time.h>

mono_ns clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return MONO_S(ts.tv_sec) + (mono_ns)ts.tv_nsec;
}
