// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_report.c - the listener's drops, told as they grow.
#include "mediarelay/dtls_report.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define REPORT_EVERY MONO_S(60)
#define FLOOD 1000 // drops in a report from which it is a warning

static uint64_t drops_print(const uint64_t now[], const uint64_t told[], char *dst, size_t size)
{
	uint64_t sum = 0;
	size_t at = 0;

	dst[0] = '\0';
	for (enum dtls_listener_drop i = 0; i < DTLS_LISTENER_DROP_COUNT; i++) {
		if (now[i] == told[i])
			continue;
		sum += now[i] - told[i];
		at = strlen(dst);
		snprintf(dst + at, size - at, "%s%s=%llu", at > 0 ? "," : "", dtls_listener_drop_word(i),
			 (unsigned long long)(now[i] - told[i]));
	}
	return sum;
}

bool dtls_report_write(struct media *media)
{
	struct dtls_listener_info now, *told = &media->listener_told;
	uint64_t sum;
	char by[256];

	dtls_listener_info(media->listener, &now);
	sum = drops_print(now.drops, told->drops, by, sizeof(by));
	if (sum == 0)
		return false; // hellos of peers, answered and proven: every call has those
	log_at(sum >= FLOOD ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "media", "dtls from strangers", LOG_UINT("drops", sum),
	       LOG_STR("drops_by", by), LOG_UINT("datagrams_in", now.datagrams_in - told->datagrams_in),
	       LOG_UINT("bytes_in", now.bytes_in - told->bytes_in),
	       LOG_UINT("answers_out", now.answers_out - told->answers_out),
	       LOG_UINT("bytes_out", now.bytes_out - told->bytes_out), LOG_UINT("proven", now.proven - told->proven));
	*told = now;
	return true;
}

// The first drop after a quiet time is told at once, what follows once in a minute.
void dtls_report_tick(struct media *media, mono_ns now)
{
	if (media->report_at != 0 && now < media->report_at)
		return;
	if (dtls_report_write(media))
		media->report_at = now + REPORT_EVERY;
}
