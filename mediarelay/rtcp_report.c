// SPDX-License-Identifier: GPL-3.0-or-later
// rtcp_report.c - one walk over a datagram of RTCP serves its check, its reading and the change of its SSRCs.
#include "mediarelay/rtcp_report.h"

#include <errno.h>
#include <string.h>

#define HEADER 4       // V, P, count, type, length
#define SSRC_END 8     // header and the first SSRC: what SRTCP leaves in the clear
#define SENDER_INFO 28 // end of an SR's fixed part
#define BLOCK 24       // report block
#define FEEDBACK 12    // header, sender, media source

enum rtcp_type {
	RTCP_TYPE_FIRST = 192, // RFC 5761 section 4: what can be told from RTP
	RTCP_SR = 200,
	RTCP_RR = 201,
	RTCP_SDES = 202,
	RTCP_BYE = 203,
	RTCP_APP = 204,
	RTCP_RTPFB = 205,
	RTCP_PSFB = 206,
	RTCP_XR = 207,
	RTCP_TYPE_LAST = 223,
};

struct walk {
	struct rtcp_facts *facts; // reading, or
	uint8_t *bytes;           // changing: the datagram once more
	const uint8_t *start;
	enum rtcp_role role;
	const struct rtcp_ssrc_map *maps;
	size_t n_maps;
};

struct part { // one packet of a compound, its padding taken off
	const uint8_t *p;
	size_t len;
	uint8_t count;
};

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

uint32_t rtcp_mapped(uint32_t ssrc, const struct rtcp_ssrc_map *maps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (maps[i].from == ssrc)
			return maps[i].to;
	}
	return ssrc;
}

static void ssrc_at(struct walk *w, const uint8_t *at, enum rtcp_role role)
{
	uint8_t *place;
	uint32_t ssrc;

	if (w->bytes == NULL || role != w->role)
		return;
	place = w->bytes + (at - w->start);
	ssrc = rtcp_mapped(get32(at), w->maps, w->n_maps);
	for (unsigned i = 0; i < 4; i++)
		place[i] = (uint8_t)(ssrc >> (24 - 8 * i));
}

// RFC 3550 section 6.4

static void block_read(struct rtcp_facts *facts, const uint8_t *p)
{
	uint32_t lost = get32(p + 4) & 0xffffff;

	if (facts->n_blocks == RTCP_BLOCKS_MAX)
		return;
	facts->blocks[facts->n_blocks++] = (struct rtcp_block){
		.ssrc = get32(p),
		.fraction = p[4],
		.lost = (int32_t)lost - (lost & 0x800000 ? 0x1000000 : 0),
		.highest = get32(p + 8),
		.jitter = get32(p + 12),
		.lsr = get32(p + 16),
		.dlsr = get32(p + 20),
	};
}

// What follows the blocks is a profile's extension (section 6.4.3), and passes.
static bool walk_blocks(struct walk *w, const struct part *part, size_t at)
{
	if (part->len < at + (size_t)BLOCK * part->count)
		return false;
	for (unsigned i = 0; i < part->count; i++, at += BLOCK) {
		if (w->facts != NULL)
			block_read(w->facts, part->p + at);
		ssrc_at(w, part->p + at, RTCP_ROLE_MEDIA);
	}
	return true;
}

static bool walk_sr(struct walk *w, const struct part *part)
{
	struct rtcp_facts *facts = w->facts;

	if (part->len < SENDER_INFO)
		return false;
	if (facts != NULL && facts->n_senders < RTCP_SENDERS_MAX)
		facts->senders[facts->n_senders++] = (struct rtcp_sender){
			.ssrc = get32(part->p + 4),
			.ntp_middle = get32(part->p + 10),
		};
	ssrc_at(w, part->p + 4, RTCP_ROLE_SENDER);
	return walk_blocks(w, part, SENDER_INFO);
}

static bool walk_rr(struct walk *w, const struct part *part)
{
	if (part->len < SSRC_END)
		return false;
	ssrc_at(w, part->p + 4, RTCP_ROLE_SENDER);
	return walk_blocks(w, part, SSRC_END);
}

// RFC 3550 section 6.5. A list that ends with its packet needs no null: some leave it out.
static bool walk_sdes(struct walk *w, const struct part *part)
{
	size_t at = HEADER;

	for (unsigned i = 0; i < part->count; i++) {
		if (part->len < at + 4)
			return false;
		ssrc_at(w, part->p + at, RTCP_ROLE_SENDER);
		at += 4;
		while (at < part->len && part->p[at] != 0) {
			if (part->len < at + 2 || part->len < at + 2 + part->p[at + 1])
				return false;
			at += 2u + part->p[at + 1];
		}
		if (at < part->len)
			at = (at / 4 + 1) * 4; // one null at least, and on to the next word
	}
	return at <= part->len;
}

// RFC 3550 section 6.6
static bool walk_bye(struct walk *w, const struct part *part)
{
	size_t at = HEADER;

	if (part->len < at + 4u * part->count)
		return false;
	for (unsigned i = 0; i < part->count; i++, at += 4)
		ssrc_at(w, part->p + at, RTCP_ROLE_SENDER);
	return at == part->len || part->len >= at + 1 + part->p[at]; // the reason's length
}

static bool walk_app(struct walk *w, const struct part *part)
{
	if (part->len < SSRC_END + 4) // the name
		return false;
	ssrc_at(w, part->p + 4, RTCP_ROLE_SENDER);
	return true;
}

// Feedback (RFC 4585 section 6): entries of the control information that name a source.

static bool walk_entries(struct walk *w, const struct part *part, size_t size)
{
	if ((part->len - FEEDBACK) % size != 0)
		return false;
	for (size_t at = FEEDBACK; at < part->len; at += size)
		ssrc_at(w, part->p + at, RTCP_ROLE_MEDIA);
	return true;
}

static bool walk_feedback(struct walk *w, const struct part *part)
{
	if (part->len < FEEDBACK)
		return false;
	ssrc_at(w, part->p + 4, RTCP_ROLE_SENDER);
	ssrc_at(w, part->p + 8, RTCP_ROLE_MEDIA); // 0 where the entries name it
	return true;
}

static bool walk_rtpfb(struct walk *w, const struct part *part)
{
	enum { NACK = 1, TMMBR = 3, TMMBN = 4 };

	if (!walk_feedback(w, part))
		return false;
	if (part->count == NACK)
		return part->len > FEEDBACK;
	return (part->count != TMMBR && part->count != TMMBN) || walk_entries(w, part, 8); // RFC 5104 section 4.2
}

// RFC 5104 section 4.3.4: source, number, payload type, length of a bit string
static bool walk_vbcm(struct walk *w, const struct part *part)
{
	size_t at = FEEDBACK;

	while (at < part->len) {
		if (part->len < at + 8)
			return false;
		ssrc_at(w, part->p + at, RTCP_ROLE_MEDIA);
		at += 8 + (get16(part->p + at + 6) + 3u) / 4 * 4;
	}
	return at == part->len;
}

// Receiver estimated maximum bitrate, the one application layer feedback that names sources.
static bool walk_remb(struct walk *w, const struct part *part)
{
	size_t at = FEEDBACK + 8;

	if (part->len < at || memcmp(part->p + FEEDBACK, "REMB", 4) != 0)
		return true;
	if (part->len < at + 4u * part->p[FEEDBACK + 4])
		return false;
	for (unsigned i = 0; i < part->p[FEEDBACK + 4]; i++, at += 4)
		ssrc_at(w, part->p + at, RTCP_ROLE_MEDIA);
	return true;
}

static bool walk_psfb(struct walk *w, const struct part *part)
{
	enum { FIR = 4, TSTR = 5, TSTN = 6, VBCM = 7, APPLICATION = 15 };

	if (!walk_feedback(w, part))
		return false;
	switch (part->count) {
	case FIR:
	case TSTR:
	case TSTN:
		return walk_entries(w, part, 8); // RFC 5104 section 4.3
	case VBCM:
		return walk_vbcm(w, part);
	case APPLICATION:
		return walk_remb(w, part);
	default:
		return true;
	}
}

// Extended reports (RFC 3611). A block's sources are what it reports on; those of DLRR are who had asked, at the other
// end as well.
static bool walk_xr_block(struct walk *w, const uint8_t *p, size_t len)
{
	enum { LOSS_RLE = 1, DUPLICATE_RLE, RECEIPT_TIMES, REFERENCE_TIME, DLRR, STATISTICS, VOIP };

	switch (p[0]) {
	case LOSS_RLE:
	case DUPLICATE_RLE:
	case RECEIPT_TIMES:
	case STATISTICS:
	case VOIP:
		if (len < 12)
			return false;
		ssrc_at(w, p + 4, RTCP_ROLE_MEDIA);
		return true;
	case REFERENCE_TIME:
		return len == 12;
	case DLRR:
		if ((len - 4) % 12 != 0)
			return false;
		for (size_t at = 4; at < len; at += 12)
			ssrc_at(w, p + at, RTCP_ROLE_MEDIA);
		return true;
	default:
		return true;
	}
}

static bool walk_xr(struct walk *w, const struct part *part)
{
	size_t at = SSRC_END;

	if (part->len < at)
		return false;
	ssrc_at(w, part->p + 4, RTCP_ROLE_SENDER);
	while (at < part->len) {
		size_t len;

		if (part->len < at + 4)
			return false;
		len = 4 * (get16(part->p + at + 2) + 1u);
		if (part->len - at < len || !walk_xr_block(w, part->p + at, len))
			return false;
		at += len;
	}
	return true;
}

static bool walk_part(struct walk *w, uint8_t type, const struct part *part)
{
	static bool (*const walks[])(struct walk *, const struct part *) = {
		[RTCP_SR - RTCP_SR] = walk_sr,       [RTCP_RR - RTCP_SR] = walk_rr,
		[RTCP_SDES - RTCP_SR] = walk_sdes,   [RTCP_BYE - RTCP_SR] = walk_bye,
		[RTCP_APP - RTCP_SR] = walk_app,     [RTCP_RTPFB - RTCP_SR] = walk_rtpfb,
		[RTCP_PSFB - RTCP_SR] = walk_psfb,   [RTCP_XR - RTCP_SR] = walk_xr,
	};

	if (type < RTCP_TYPE_FIRST || type > RTCP_TYPE_LAST)
		return false;
	return type < RTCP_SR || type > RTCP_XR || walks[type - RTCP_SR](w, part);
}

// RFC 3550 section 6.4.1: padding counts itself, comes in words, and only the last packet of a compound may have any.
static bool padding_off(struct part *part, bool last)
{
	uint8_t padding = part->p[part->len - 1];

	if ((part->p[0] & 0x20) == 0)
		return true;
	if (!last || padding == 0 || padding % 4 != 0 || padding > part->len - HEADER)
		return false;
	part->len -= padding;
	return true;
}

static int walk_all(struct walk *w, const uint8_t *packet, size_t len)
{
	struct part part = { .p = packet };

	w->start = packet;
	if (len < SSRC_END || get16(packet + 2) == 0) // SRTCP and RFC 3550 both want an SSRC in the first packet
		return -EBADMSG;
	for (size_t left = len; left > 0; left -= part.len, part.p += part.len) {
		struct part bare;

		if (left < HEADER || part.p[0] >> 6 != 2)
			return -EBADMSG;
		part.len = 4 * (get16(part.p + 2) + 1u);
		if (part.len > left)
			return -EBADMSG;
		bare = part;
		bare.count = part.p[0] & 0x1f;
		if (!padding_off(&bare, part.len == left) || !walk_part(w, part.p[1], &bare))
			return -EBADMSG;
	}
	return 0;
}

int rtcp_parse(const uint8_t *packet, size_t len, struct rtcp_facts *facts)
{
	struct walk w = { .facts = facts };
	int err;

	facts->n_senders = facts->n_blocks = 0;
	err = walk_all(&w, packet, len);
	if (err < 0)
		return err;
	facts->reduced = packet[1] != RTCP_SR && packet[1] != RTCP_RR;
	return 0;
}

void rtcp_map(uint8_t *packet, size_t len, enum rtcp_role role, const struct rtcp_ssrc_map *maps, size_t n)
{
	struct walk w = { .bytes = packet, .role = role, .maps = maps, .n_maps = n };

	if (n > 0)
		walk_all(&w, packet, len);
}
