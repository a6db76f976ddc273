// SPDX-License-Identifier: GPL-3.0-or-later
// sip.h - the SIP side of the gateway: a back-to-back user agent on a thread of its own (Sofia-SIP's nta).
// Calls go from the peer whose source address is known to the peer that a static route names; each side has a dialog of
// its own and sees only our addresses, keys and identifiers. Everything that a call needs of the media side goes through
// mediarelay/media.h; what must outlive this process is in the call records (signaling/sip_record.h).
#pragma once
#include "base/env.h"
#include "mediarelay/media.h"
#include "signaling/sip_config.h"
#include "signaling/sip_notice.h"
#include "signaling/sip_report.h"
#include "signaling/sip_stats.h"
#include "signaling/sip_trace.h"

struct sip;
struct call_records;

struct sip_start {
	const struct sip_config *config; // outlives the struct sip
	struct media *media;
	const struct env *env;
	struct call_records *records; // NULL: calls are not restored after a restart of this process
	unsigned t1_ms;               // RFC 3261 T1 of every transaction; 0: 500 ms. Tests shorten it
	void (*drained)(void *ctx);   // on the sip thread, once, when sip_drain() has ended the last call
	void (*empty)(void *ctx);     // on the sip thread, when the door is closed and no call is left; may be NULL
	void *ctx;
	sip_report_fn *report;        // NULL: none wanted
	void *report_ctx;
	sip_notice_fn *notice;        // NULL: nobody watches
	void *notice_ctx;
	const struct sip_trace_sink *trace; // of traces that are asked for (sip_trace.h); NULL: there are none
};

// Starts the thread; returns when every listener is bound and recorded calls are taken up again, or says why not.
int sip_open(struct sip **sipp, const struct sip_start *start);
// From any thread: new calls get 503, BYE to all that are up, CANCEL and 487 for those in set-up.
void sip_drain(struct sip *sip);
// From any thread but the sip thread, which it asks and waits for: another configuration from now on. Realms and listeners are
// the same, and what calls have of peers and profiles keeps its index (config_follow()). -ENOMEM: nothing has changed.
int sip_configure(struct sip *sip, const struct sip_config *config);
// From any thread: new calls get 503 from now on, OPTIONS as well, and calls go on; or no more.
void sip_close_door(struct sip *sip, bool closed);
// Ends the thread without a word to the peers: what is still up goes on in the records. Media may still tell it of sessions. NULL is fine.
void sip_end(struct sip *sip);
void sip_close(struct sip *sip); // it has ended, and nobody tells it anything any more; NULL is fine

// From the media thread: pass this to media_start.event with the struct sip as ctx.
void sip_media_event(void *sip, const struct media_event *event);

struct sip_counts { // what is held now; all zero when no call is left and the last transaction has timed out
	unsigned calls, dialogs;
	unsigned setting_up; // of the calls: not answered yet, or answered and without keys for less than 10 s
	unsigned subscriptions;
	unsigned requests;                // of ours and theirs that a call still waits for
	unsigned legs, incoming, outgoing; // nta's tables
};

// From any thread but the sip thread, which it asks and waits for.
void sip_counts(struct sip *sip, struct sip_counts *counts);

// From any thread, while the struct sip lives.
const struct sip_stats *sip_stats(const struct sip *sip);

const char *sip_library_version(void); // "sofia-sip-1.12.11"
