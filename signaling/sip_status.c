// SPDX-License-Identifier: GPL-3.0-or-later
// sip_status.c - the response mapping as a table.
#include "signaling/sip_status.h"
#include <stddef.h>

// What is not listed passes as it is, class by class.
static const struct {
	int from, to; // inclusive
	int becomes;
} finals[] = {
	{ 300, 399, 480 }, // we do not follow a redirection, and its Contacts are the far network's business
	{ 401, 401, 403 }, // the challenge is for us, not for the caller: never hand it on
	{ 407, 407, 403 },
	{ 405, 405, 500 }, // 405, 413-416, 420, 421, 423, 494: about the request that we built, which the caller did not
	{ 413, 416, 500 },
	{ 420, 423, 500 },
	{ 494, 494, 500 },
	{ 481, 481, 480 }, // a dialog that is not the caller's
	{ 482, 482, 480 },
	{ 491, 491, 480 }, // to an initial INVITE; glare in a dialog is handled there
	{ 503, 503, 500 }, // RFC 3261 section 16.7: 503 would say that this gateway is overloaded
	{ 505, 505, 500 },
};

int sip_status_map_final(int status, enum sip_answer_source source, bool rang)
{
	if (status < 300 || status > 699)
		return 500;
	if (source == SIP_ANSWERED_BY_NOBODY) {
		if (status == 408)
			return rang ? 408 : 504; // the user did not answer; the next hop did not
		return status == 503 ? 502 : status;
	}
	for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		if (status >= finals[i].from && status <= finals[i].to)
			return finals[i].becomes;
	}
	return status;
}

// 401, 407: as above. The rest is about what the other end wrote, but for what blames our hop.
int sip_status_map_relayed(int status, enum sip_answer_source source)
{
	if (source == SIP_ANSWERED_BY_NOBODY)
		return status == 408 ? 408 : 502;
	if (status < 200 || status > 699)
		return 500;
	if (status >= 300 && status <= 399)
		return 480;
	switch (status) {
	case 401:
	case 407:
		return 403;
	case 420:
	case 421:
	case 482:
	case 494:
	case 503:
	case 505:
		return 500;
	default:
		return status;
	}
}

int sip_status_map_provisional(int status)
{
	if (status <= 100)
		return 0;
	return status >= 180 && status <= 183 ? status : 183;
}
