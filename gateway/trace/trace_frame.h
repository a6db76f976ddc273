// SPDX-License-Identifier: GPL-3.0-or-later
// trace_frame.h - one thing that was seen: a SIP message, or a packet of media.
#pragma once
#include "base/clock.h"
#include "base/inet.h"
#include "gateway/trace/traces.h"

enum trace_kind { TRACE_SIP_UDP, TRACE_SIP_TCP, TRACE_PACKET };

struct trace_frame {
	mono_ns time;
	uint32_t order; // as it came, among those of one time
	uint32_t call;  // 0: of none
	uint16_t realm;
	uint8_t kind;   // enum trace_kind
	bool out;
	struct inet_endpoint local, remote; // of SIP
	uint32_t original; // octets of a packet on the wire, its IP header included
	uint32_t len;
	uint8_t bytes[]; // the message; or the packet from its IP header on, which may be cut
};
