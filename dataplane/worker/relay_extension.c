// SPDX-License-Identifier: GPL-3.0-or-later
// relay_extension.c - which RTP header extensions (RFC 8285) of a leg go on to others. What does not is cut out of the
// header, and what stands before it moves up: the payload stays where it is.
#include "dataplane/worker/relay.h"
#include "dataplane/worker/srtp/rtp_extension.h"
#include <string.h>
#include "dataplane/fastpath.h"

// Of the header, only the first `len` octets are left.
static void header_cut(struct packet *p, uint16_t len)
{
	uint16_t by = (uint16_t)(p->hdr_len - len);

	memmove(p->bytes + by, p->bytes, len);
	p->bytes += by;
	p->len -= by;
	p->hdr_len = len;
}

static void strip(struct packet *p)
{
	p->bytes[0] &= (uint8_t)~0x10;
	header_cut(p, rtp_extension_at(p->bytes));
}

static bool is_allowed(const struct dp_extensions *x, uint8_t id)
{
	return x->allowed[id / 8] >> id % 8 & 1;
}

// Elements that may pass close up. Returns where they end; 0: none may, or they do not fit, or there are none by RFC
// 8285.
static uint16_t elements_close_up(struct packet *p, const struct dp_extensions *x, uint16_t begin)
{
	struct rtp_elements walk;
	struct rtp_element el;
	enum rtp_walk found;
	uint16_t end = begin;

	if (!rtp_elements_open(&walk, p->bytes, p->hdr_len))
		return 0;
	while ((found = rtp_elements_next(&walk, &el)) == RTP_WALK_ELEMENT) {
		if (!is_allowed(x, el.id))
			continue;
		memmove(p->bytes + end, p->bytes + el.at - el.head, (size_t)el.head + el.len);
		end = (uint16_t)(end + el.head + el.len);
	}
	return found == RTP_WALK_END && end > begin ? end : 0;
}

static void filter(struct packet *p, const struct dp_extensions *x)
{
	uint16_t at = rtp_extension_at(p->bytes), begin = (uint16_t)(at + RTP_EXTENSION_HEAD);
	uint16_t end = elements_close_up(p, x, begin);
	uint16_t words = (uint16_t)((end - begin + 3) / 4);

	if (end == 0) {
		strip(p);
		return;
	}
	memset(p->bytes + end, 0, begin + words * 4u - end);
	p->bytes[at + 2] = (uint8_t)(words >> 8);
	p->bytes[at + 3] = (uint8_t)words;
	header_cut(p, (uint16_t)(begin + words * 4));
}

void extension_choose(struct packet *p, const struct dp_extensions *x)
{
	if (!rtp_has_extension(p->bytes))
		return;
	if (x->mode == DP_EXTENSION_FILTER)
		filter(p, x);
	else
		strip(p);
}
