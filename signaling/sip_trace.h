// SPDX-License-Identifier: GPL-3.0-or-later
// sip_trace.h - messages of chosen calls, as they cross the wire, for whoever keeps them: all legs, repetitions and refusals
// included, without secrets. Nothing is looked at while nobody traces. From any thread; answers and messages come on the sip thread.
#pragma once
#include "base/clock.h"
#include "base/inet.h"
#include "dataplane/client/dp_client.h"
#include "signaling/sip_config.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIP_TRACES 16       // at a time
#define SIP_TRACE_CALLS 100 // of one
#define SIP_TRACE_WORD 128

struct sip;

struct sip_trace_want {
	uint32_t trace; // the asker's name for it; not 0
	uint32_t call;  // its number; 0: of the calls that come, the next ones that match
	// Of those: how many, and what they must be; empty and -1: any. A word is the user part of a URI. A realm and a peer are the
	// caller's, by index.
	unsigned calls;
	char caller[SIP_TRACE_WORD], callee[SIP_TRACE_WORD];
	int32_t realm, peer;
	enum dp_trace media; // of these calls; ALL: and what people say in MESSAGE and type in INFO stays
};

struct sip_traced { // one message
	uint32_t trace;
	uint32_t call; // 0: it belongs to none, or to none yet
	uint16_t realm;
	bool out;
	enum sip_transport transport;
	struct inet_endpoint local, remote;
	mono_ns time;
	const char *text; // valid during the call
	size_t len;
};

struct sip_trace_sink { // on the sip thread
	void (*message)(void *ctx, const struct sip_traced *m);
	// A call is traced from now on. session 0: it has no media yet; then once more, when it has.
	void (*call)(void *ctx, uint32_t trace, uint32_t call, uint32_t session);
	void (*over)(void *ctx, uint32_t trace, uint32_t call); // nothing is left of it
	void *ctx;
};

// -ENOSPC: too many questions. Else `answer` comes once: 0; -ENOENT: no such call; -EALREADY: another traces it; -ENOSPC: too many
// traces, or no memory.
int sip_trace_begin(struct sip *sip, const struct sip_trace_want *want, void (*answer)(void *ctx, int err), void *ctx);
void sip_trace_end(struct sip *sip, uint32_t trace); // not from the sip thread
