// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_leak.h - the addresses that a description's author named, so that no passing line carries one along.
#pragma once
#include "signaling/sdp/sdp_view.h"

#define SDP_LEAK_MAX 32 // bounds the time that a body can cost; o= and c= come first

struct sdp_leak {
	struct sdp_text address[SDP_LEAK_MAX]; // of o=, c=, a=rtcp and candidates; they lie in the document
	size_t n;
};

void sdp_leak_collect(struct sdp_leak *leak, const struct sdp_doc *doc);
bool sdp_leak_in(const struct sdp_leak *leak, struct sdp_text text); // one of them stands in the text, as a whole
