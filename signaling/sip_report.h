// SPDX-License-Identifier: GPL-3.0-or-later
// sip_report.h - what signalling knows of a call when it has ended, or was refused: for the call record.
#pragma once
#include "base/clock.h"
#include "base/inet.h"
#include "signaling/sip_config.h"
#include <stdbool.h>

#define SIP_REPORT_LEGS 8 // caller, callee, and those that have left the call by a transfer, the latest of them
#define SIP_REPORT_TEXT 256

enum sip_report_side { SIP_SIDE_GATEWAY, SIP_SIDE_CALLER, SIP_SIDE_CALLEE };

struct sip_leg_report { // one dialog
	enum sip_report_side side;
	bool left;        // it was transferred away: somebody else has its place
	uint32_t dialog;  // as in media_line_report
	char realm[32], peer[32], profile[32];
	char call_id[SIP_REPORT_TEXT], local_tag[32], remote_tag[SIP_REPORT_TEXT];
	char uri[SIP_REPORT_TEXT];     // the peer's, of From or To
	struct inet_endpoint address;  // where its SIP really comes from; none: nothing came
};

struct sip_call_report {
	uint32_t number, session; // session 0: it never came to media
	mono_ns started, rung, answered, ended; // 0: never
	enum sip_report_side by;
	char by_realm[32]; // empty: the gateway
	int status;        // SIP's: 200 for a call that was up and ended in order
	char cause[128];
	char reason[128];  // the Reason header that came with the end; empty: none
	char caller_name[64], called[SIP_REPORT_TEXT]; // display name and To URI of the caller's INVITE
	bool routed;       // our INVITE went out
	bool restored;     // went on in another life of this process
	unsigned transfers;
	unsigned n_legs;
	struct sip_leg_report legs[];
};

// On the sip thread, once for each INVITE of a known peer that was refused, and each call that has ended. malloc'ed, the
// callee's from now on.
typedef void sip_report_fn(void *ctx, struct sip_call_report *report);
