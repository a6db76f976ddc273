// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_time.c - the time that the TLS library sees: ours, so that a step of the wall clock delays no retransmission,
// and tests choose it. The library is built with USER_TICKS and calls the two functions below.
#include "dtls/dtls_time.h"

static _Thread_local mono_ns library_now;

void dtls_time_set(mono_ns now)
{
	library_now = now;
}

sword64 TimeNowInMilliseconds(void)
{
	return (sword64)(library_now / 1000000);
}

word32 LowResTimer(void)
{
	return (word32)(library_now / 1000000000);
}
