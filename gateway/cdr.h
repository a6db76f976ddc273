// SPDX-License-Identifier: GPL-3.0-or-later
// cdr.h - call records (docs/call-records.md): one JSON line a call, in a file of their own. What signalling says of a call that
// has ended, and what media says a moment later, are joined here, on the main thread, and written by cdr_file.h.
#pragma once
#include "base/env.h"
#include "gateway/cdr_config.h"
#include "mediarelay/media_report.h"
#include "signaling/sip_report.h"
#include <event2/event.h>

struct cdr;

struct cdr_start {
	const struct cdr_config *config; // copied
	struct event_base *base;         // the main thread's
	const struct env *env;
	uint32_t max_sessions;
};

struct cdr_counts { // since this process began
	uint64_t records;   // lines written
	uint64_t lost;      // that found no room
	uint64_t alone;     // written without what media had to say
	uint64_t failures;  // writes that failed
	size_t buffered;    // octets that wait now
};

// A file that cannot be opened now is tried again: that is no error.
int cdr_open(struct cdr **cdrp, const struct cdr_start *start);
void cdr_close(struct cdr *cdr); // after both threads below have ended: what is here is written. NULL is fine

// From the sip thread and from the media thread; neither waits. The first for a session comes before the second.
void cdr_call(void *cdr, struct sip_call_report *report);
void cdr_media(void *cdr, struct media_report *report);

// The rest is for the main thread.
void cdr_configure(struct cdr *cdr, const struct cdr_config *config);
bool cdr_is_idle(const struct cdr *cdr); // nothing that was read waits for its other half
void cdr_reopen(struct cdr *cdr); // after somebody else's rotation; a file that was renamed is noticed without it, too
void cdr_counts(const struct cdr *cdr, struct cdr_counts *counts);
