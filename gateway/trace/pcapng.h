// SPDX-License-Identifier: GPL-3.0-or-later
// pcapng.h - a capture file in memory: one section, interfaces, IP packets with time stamps of a nanosecond.
// draft-ietf-opsawg-pcapng. All interfaces are of one type, which libpcap asks for; of Ethernet, since it takes two of raw IP for
// two types. Ethernet addresses are zero: nobody knows them here.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcapng {
	uint8_t *bytes; // malloc'ed, the caller's
	size_t len, room;
	bool failed;    // no memory: nothing is added any more
};

struct pcapng_packet {
	uint32_t interface;   // 0: the first that was added
	uint64_t time;        // nanoseconds since 1970
	bool out;             // we sent it
	const void *head, *body; // from the IP header on; the body may be cut
	size_t head_len, body_len;
	size_t original;      // octets on the wire, from the IP header on
	const char *comment;  // UTF-8
};

void pcapng_section(struct pcapng *p, const char *application, const char *comment); // *p is zero before
void pcapng_interface(struct pcapng *p, const char *name);
void pcapng_packet(struct pcapng *p, const struct pcapng_packet *packet);
void pcapng_lost(struct pcapng *p, uint32_t interface, uint64_t time, uint64_t lost); // packets that are missing
