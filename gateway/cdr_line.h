// SPDX-License-Identifier: GPL-3.0-or-later
// cdr_line.h - one call record as a line of JSON; docs/call-record.schema.json describes it.
#pragma once
#include "mediarelay/media_report.h"
#include "signaling/sip_report.h"
#include <stddef.h>
#include <time.h>

// media NULL: it did not come. now and wall: the same moment by both clocks. malloc'ed, ends with a line feed and holds no
// other; *len is without the zero byte. NULL: no memory.
char *cdr_line(const struct sip_call_report *call, const struct media_report *media, mono_ns now, const struct timespec *wall,
	       size_t *len);
