// SPDX-License-Identifier: GPL-3.0-or-later
// sip_notice.h - what happens to calls, told as it happens to whoever watches (sip_start.notice). Nothing is decided by a notice, and
// one may be lost.
#pragma once
#include "base/clock.h"
#include "base/inet.h"
#include <stdint.h>

#define SIP_NOTICE_TEXT 256

enum sip_notice_kind {
	SIP_NOTICE_STARTED,  // a known peer's INVITE went on to another one
	SIP_NOTICE_ANSWERED,
	SIP_NOTICE_ENDED,
	SIP_NOTICE_RESTORED, // `count` calls go on in this life of the process, `lost` do not
	SIP_NOTICE_STRANGER, // `count` requests came from addresses that are no peer's, `source` the latest
};

struct sip_notice {
	enum sip_notice_kind kind;
	mono_ns at;
	uint32_t call; // its number; 0: it is no call's
	struct sip_notice_side {
		char realm[32], call_id[SIP_NOTICE_TEXT], uri[SIP_NOTICE_TEXT]; // uri: STARTED; empty: there is none
	} sides[2];                                                     // the caller's, the callee's
	mono_ns setup, up;   // ENDED, ANSWERED: from INVITE to answer or end; ENDED: from there on, 0: never answered
	int status;          // ENDED
	char cause[128], by[32]; // the same; by: a realm, or "gateway"
	uint64_t count, lost;
	struct inet_endpoint source; // STRANGER
};

// On the sip thread, which does not wait for it; before it starts or when it has ended, on who starts or ends it.
typedef void sip_notice_fn(void *ctx, const struct sip_notice *notice);
