// SPDX-License-Identifier: GPL-3.0-or-later
// rtp_extension.h - the elements of an RTP header extension (RFC 8285), one after the other; nothing is copied.
#pragma once
#include "dataplane/worker/srtp/rtp_header.h"
#include <stdbool.h>

#define RTP_EXTENSION_HEAD 4 // "defined by profile" and length

#define RTP_ONE_OCTET_FORM 0xbede // RFC 8285 4.2
#define RTP_TWO_OCTET_FORM 0x1000 // 4.3; the last four bits are free to the application

// Where the extension's head is, or would be.
static inline uint16_t rtp_extension_at(const uint8_t *packet)
{
	return (uint16_t)(RTP_HEADER_MIN + 4 * (packet[0] & 0x0f));
}

static inline bool rtp_has_extension(const uint8_t *packet)
{
	return (packet[0] & 0x10) != 0;
}

static inline uint16_t rtp_extension_form(const uint8_t *packet) // "defined by profile"; of a packet that has one
{
	const uint8_t *head = packet + rtp_extension_at(packet);

	return (uint16_t)(head[0] << 8 | head[1]);
}

static inline void rtp_extension_form_set(uint8_t *packet, uint16_t form)
{
	uint8_t *head = packet + rtp_extension_at(packet);

	head[0] = (uint8_t)(form >> 8);
	head[1] = (uint8_t)form;
}

static inline bool rtp_form_has_elements(uint16_t form)
{
	return form == RTP_ONE_OCTET_FORM || (form & 0xfff0) == RTP_TWO_OCTET_FORM;
}

struct rtp_element {
	uint8_t id;   // 1..14, or 1..255 in the two-octet form
	uint8_t head; // octets before the data: 1 or 2
	uint8_t len;  // of the data
	uint16_t at;  // the data, counted from the packet's first octet
};

enum rtp_walk { RTP_WALK_END = 0, RTP_WALK_ELEMENT, RTP_WALK_BROKEN };

struct rtp_elements {
	const uint8_t *packet;
	uint16_t next, end;
	bool two_octets;
};

// hdr_len: rtp_header_len(). False: the packet has no header extension, or none of RFC 8285.
static inline bool rtp_elements_open(struct rtp_elements *walk, const uint8_t *packet, uint16_t hdr_len)
{
	uint16_t at = rtp_extension_at(packet), form;

	if (!rtp_has_extension(packet) || at + RTP_EXTENSION_HEAD > hdr_len)
		return false;
	form = rtp_extension_form(packet);
	*walk = (struct rtp_elements){ .packet = packet,
				       .next = (uint16_t)(at + RTP_EXTENSION_HEAD),
				       .end = hdr_len,
				       .two_octets = form != RTP_ONE_OCTET_FORM };
	return rtp_form_has_elements(form);
}

// BROKEN: an element reaches beyond the extension's end.
static inline enum rtp_walk rtp_elements_next(struct rtp_elements *walk, struct rtp_element *element)
{
	unsigned at = walk->next;

	while (at < walk->end && walk->packet[at] == 0) // padding, in both forms
		at++;
	if (at == walk->end)
		return RTP_WALK_END;
	if (walk->two_octets) {
		if (at + 2 > walk->end)
			return RTP_WALK_BROKEN;
		*element = (struct rtp_element){ .id = walk->packet[at], .head = 2, .len = walk->packet[at + 1] };
	} else {
		*element = (struct rtp_element){ .id = walk->packet[at] >> 4,
						 .head = 1,
						 .len = (uint8_t)((walk->packet[at] & 0x0f) + 1) };
		if (element->id == 0 || element->id == 15) // 4.2: nothing behind it is looked at
			return RTP_WALK_END;
	}
	element->at = (uint16_t)(at + element->head);
	if (element->at + element->len > walk->end)
		return RTP_WALK_BROKEN;
	walk->next = (uint16_t)(element->at + element->len);
	return RTP_WALK_ELEMENT;
}
