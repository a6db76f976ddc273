// SPDX-License-Identifier: GPL-3.0-or-later
// sip_calls.h - questions about calls that are up, from any thread: the sip thread answers with a copy, when it comes to it. Nobody
// waits here; who asks has a deadline of its own.
#pragma once
#include "base/clock.h"
#include "base/inet.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIP_LOOK_TEXT 256
#define SIP_LIST_MAX 500

struct sip;

struct sip_dialog_look {
	uint32_t number, leg; // leg: as media knows it
	uint8_t side;         // 0 the caller's, 1 the callee's, or who came in their places
	bool outgoing;        // we sent its INVITE
	bool followed;        // its media is the call's
	uint16_t realm, peer, profile; // indices of sip_config
	const char *state;
	char call_id[SIP_LOOK_TEXT], local_uri[SIP_LOOK_TEXT], remote_uri[SIP_LOOK_TEXT];
	struct inet_endpoint source; // where its SIP really comes from; none: nothing came
};

struct sip_call_look {
	uint32_t number, session; // session 0: none yet
	const char *state;
	mono_ns started, answered; // answered 0: not yet
	bool closing, restored;
	int status;                // of the end, then
	char cause[SIP_LOOK_TEXT];
	// [side][0] as received, [1] as sent, the last stable ones, without keys and passwords; NULL: none. malloc'ed.
	char *sdp[2][2];
	unsigned n_dialogs;
	struct sip_dialog_look dialogs[];
};

struct sip_call_row {
	uint32_t number, session;
	const char *state;
	mono_ns started, answered;
	int32_t realm[2]; // of the caller's and the callee's dialog; -1: none
	char call_id[2][SIP_LOOK_TEXT], uri[2][SIP_LOOK_TEXT]; // the peers'
};

struct sip_call_list {
	bool more; // there are others behind the last one
	size_t n;
	struct sip_call_row rows[];
};

struct sip_calls_query {
	int32_t realm;    // of either side; -1: any
	char state[24];   // empty: any
	uint32_t before;  // numbers below this one, 0: all; newest first
	unsigned limit;   // at most SIP_LIST_MAX
};

// -ENOSPC: too many questions. Else `answer` is called once, on the sip thread, or on the one that closes sip (then with NULL);
// what it gets is its own, for the matching _free(). NULL: no such call, or no memory.
int sip_calls_list(struct sip *sip, const struct sip_calls_query *query, void (*answer)(void *ctx, struct sip_call_list *list),
		   void *ctx);
int sip_calls_look(struct sip *sip, uint32_t number, void (*answer)(void *ctx, struct sip_call_look *look), void *ctx);
// 0: its end has begun; -ENOENT; -EALREADY: it had begun before.
int sip_calls_hang_up(struct sip *sip, uint32_t number, void (*answer)(void *ctx, int err), void *ctx);
void sip_call_look_free(struct sip_call_look *look); // NULL is fine

// Takes keys and passwords out of a description, in place: a=crypto, k=, a=ice-pwd, a=key-mgmt.
void sip_calls_hide_secrets(char *sdp);
