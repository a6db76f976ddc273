// SPDX-License-Identifier: GPL-3.0-or-later
// pcapng.c - blocks and their options, in our own byte order, which the section says.
#include "gateway/trace/pcapng.h"
#include <stdlib.h>
#include <string.h>

enum block { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6 };
enum option {
	OPTION_END = 0, OPTION_COMMENT = 1, // of every block
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2, INTERFACE_RESOLUTION = 9,
	PACKET_FLAGS = 2,
	STATISTICS_DROPPED = 7,
};
#define BYTE_ORDER_MAGIC UINT32_C(0x1a2b3c4d)
#define LINK_ETHERNET 1
#define ETHERNET_LEN 14
#define NANOSECONDS 9       // if_tsresol
#define FLAGS_IN 1u
#define FLAGS_OUT 2u
#define OPTION_MAX 1024

static void add(struct pcapng *p, const void *bytes, size_t len)
{
	size_t room = p->room;
	uint8_t *more;

	while (room < p->len + len)
		room = room == 0 ? 65536 : 2 * room;
	if (!p->failed && room > p->room) {
		more = realloc(p->bytes, room);
		p->failed = more == NULL;
		if (more != NULL) {
			p->bytes = more;
			p->room = room;
		}
	}
	if (p->failed || len == 0)
		return;
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static void add32(struct pcapng *p, uint32_t value)
{
	add(p, &value, sizeof(value));
}

static void pad(struct pcapng *p)
{
	static const uint8_t zeros[4];

	add(p, zeros, (4 - p->len % 4) % 4);
}

static void option(struct pcapng *p, uint16_t code, const void *value, size_t len)
{
	uint16_t head[2] = { code, (uint16_t)len };

	add(p, head, sizeof(head));
	add(p, value, len);
	pad(p);
}

static void text(struct pcapng *p, uint16_t code, const char *value)
{
	size_t len = value != NULL ? strlen(value) : 0;

	if (len > 0)
		option(p, code, value, len < OPTION_MAX ? len : OPTION_MAX);
}

// A block's length stands before and behind it.
static size_t block_begin(struct pcapng *p, uint32_t type)
{
	size_t at = p->len;

	add32(p, type);
	add32(p, 0);
	return at;
}

static void block_end(struct pcapng *p, size_t at)
{
	uint32_t len;

	option(p, OPTION_END, NULL, 0);
	len = (uint32_t)(p->len - at) + 4;
	add32(p, len);
	if (!p->failed)
		memcpy(p->bytes + at + 4, &len, sizeof(len));
}

void pcapng_section(struct pcapng *p, const char *application, const char *comment)
{
	static const uint16_t version[2] = { 1, 0 };
	static const uint64_t length_unknown = UINT64_MAX;
	size_t at = block_begin(p, BLOCK_SECTION);

	add32(p, BYTE_ORDER_MAGIC);
	add(p, version, sizeof(version));
	add(p, &length_unknown, sizeof(length_unknown));
	text(p, OPTION_COMMENT, comment);
	text(p, SECTION_APPLICATION, application);
	block_end(p, at);
}

void pcapng_interface(struct pcapng *p, const char *name)
{
	static const uint16_t link[2] = { LINK_ETHERNET, 0 };
	static const uint8_t resolution = NANOSECONDS;
	size_t at = block_begin(p, BLOCK_INTERFACE);

	add(p, link, sizeof(link));
	add32(p, 0); // no limit to a packet's length
	text(p, INTERFACE_NAME, name);
	option(p, INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	block_end(p, at);
}

static void ethernet(struct pcapng *p, const struct pcapng_packet *packet)
{
	static const uint8_t v4[ETHERNET_LEN] = { [12] = 0x08 }, v6[ETHERNET_LEN] = { [12] = 0x86, 0xdd };
	const uint8_t *first = packet->head_len > 0 ? packet->head : packet->body;

	add(p, packet->head_len + packet->body_len > 0 && first[0] >> 4 == 6 ? v6 : v4, ETHERNET_LEN);
}

void pcapng_packet(struct pcapng *p, const struct pcapng_packet *packet)
{
	uint32_t flags = packet->out ? FLAGS_OUT : FLAGS_IN;
	size_t at = block_begin(p, BLOCK_PACKET);

	add32(p, packet->interface);
	add32(p, (uint32_t)(packet->time >> 32));
	add32(p, (uint32_t)packet->time);
	add32(p, (uint32_t)(ETHERNET_LEN + packet->head_len + packet->body_len));
	add32(p, (uint32_t)(ETHERNET_LEN + packet->original));
	ethernet(p, packet);
	add(p, packet->head, packet->head_len);
	add(p, packet->body, packet->body_len);
	pad(p);
	text(p, OPTION_COMMENT, packet->comment);
	option(p, PACKET_FLAGS, &flags, sizeof(flags));
	block_end(p, at);
}

void pcapng_lost(struct pcapng *p, uint32_t interface, uint64_t time, uint64_t lost)
{
	size_t at = block_begin(p, BLOCK_STATISTICS);

	add32(p, interface);
	add32(p, (uint32_t)(time >> 32));
	add32(p, (uint32_t)time);
	option(p, STATISTICS_DROPPED, &lost, sizeof(lost));
	block_end(p, at);
}
