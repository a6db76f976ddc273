// SPDX-License-Identifier: GPL-3.0-or-later
// frame.h - what stands in front of a datagram's payload: Ethernet, perhaps a VLAN tag, IPv4 or IPv6, UDP. Made once for
// a way, without what depends on the datagram; each frame gets a copy, which is then finished.
#pragma once
#include "base/inet.h"
#include "dataplane/worker/dp_port.h"
#include <rte_mbuf.h>
#include <string.h>

struct nexthop;

#define FRAME_UDP 8
#define FRAME_IPV4 20
#define FRAME_IPV6 40
#define FRAME_HEADERS_MAX 80 // of these, 66 are used at most: 14 + 4 + 40 + 8

// Writes the headers so that they end before `end`; returns how long they are. Length fields are 0, those of checksums
// hold sums over what is there: IPv4's over its header, UDP's over addresses and protocol.
size_t frame_headers_make(uint8_t *end, const struct inet_endpoint *from, const struct inet_endpoint *to,
			  const uint8_t mac[6], const struct nexthop *hop);

// ---- checksums (RFC 1071), in words of 32 bits; byte order does not matter to the sum

static inline uint64_t frame_sum_word(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, 8);
	return (word & 0xffffffff) + (word >> 32);
}

static inline uint64_t frame_sum(uint64_t sum, const uint8_t *at, size_t len)
{
	uint64_t word = 0, other = 0;

	for (; len >= 16; at += 16, len -= 16) { // two sums, so that one does not wait for the other
		sum += frame_sum_word(at);
		other += frame_sum_word(at + 8);
	}
	if (len >= 8) {
		sum += frame_sum_word(at);
		at += 8;
		len -= 8;
	}
	for (size_t i = 0; i < len; i++) // a copy of a length that the compiler does not know would be a call
		word |= (uint64_t)at[i] << 8 * i;
	return sum + other + (word & 0xffffffff) + (word >> 32);
}

static inline uint16_t frame_sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum; // as it is to lie in memory
}

static inline uint16_t frame_sum_fold32(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

static inline uint16_t frame_get16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline void frame_set16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, sizeof(v));
}

// ---- each frame

struct frame_fit { // what a frame's headers depend on beyond the way
	uint16_t len; // of the payload
	uint8_t headers;
	bool v6;
	uint8_t dscp;
	uint8_t checksum; // enum dp_checksum
};

static inline void frame_finish_ip(uint8_t *udp, const struct frame_fit *f)
{
	uint16_t udp_len = (uint16_t)(f->len + FRAME_UDP);
	uint8_t *ip = udp - (f->v6 ? FRAME_IPV6 : FRAME_IPV4);
	uint16_t total = __builtin_bswap16((uint16_t)(udp_len + FRAME_IPV4));

	if (f->v6) {
		ip[0] = 0x60 | f->dscp >> 2;
		ip[1] = (uint8_t)(f->dscp << 6);
		frame_set16(ip + 4, __builtin_bswap16(udp_len));
		return;
	}
	ip[1] = (uint8_t)(f->dscp << 2);
	frame_set16(ip + 2, total);
	frame_set16(ip + 10, (uint16_t)~frame_sum_fold32((uint32_t)frame_get16(ip + 10) + total + (unsigned)(ip[1] << 8)));
}

static __attribute__((noinline)) uint16_t frame_udp_check(uint64_t pseudo, const uint8_t *udp, size_t len)
{
	uint16_t check = (uint16_t)~frame_sum_fold(frame_sum(pseudo, udp, len));

	return check != 0 ? check : 0xffff;
}

static inline void frame_finish_udp(struct rte_mbuf *m, uint8_t *udp, const struct frame_fit *f)
{
	uint16_t len = __builtin_bswap16((uint16_t)(f->len + FRAME_UDP));
	uint64_t pseudo = (uint64_t)frame_get16(udp + 6) + len;

	frame_set16(udp + 4, len);
	frame_set16(udp + 6, 0);
	if (f->checksum == DP_CHECKSUM_ZERO && !f->v6)
		return;
	if (f->checksum != DP_CHECKSUM_OFFLOAD) {
		frame_set16(udp + 6, frame_udp_check(pseudo, udp, (size_t)f->len + FRAME_UDP));
		return;
	}
	frame_set16(udp + 6, frame_sum_fold(pseudo));
	m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM | (f->v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
	m->l3_len = f->v6 ? FRAME_IPV6 : FRAME_IPV4;
	m->l2_len = (uint64_t)(f->headers - FRAME_UDP - m->l3_len);
}

// The headers stand in front of the `len` octets at `payload`, which lie in m: they become the frame.
static inline __attribute__((always_inline)) void frame_finish(struct rte_mbuf *m, uint8_t *payload, const struct frame_fit *f)
{
	uint8_t *udp = payload - FRAME_UDP;

	m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; // whose memory it is; the rest was about what came in
	frame_finish_ip(udp, f);
	frame_finish_udp(m, udp, f);
	m->data_off = (uint16_t)(payload - f->headers - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)(f->headers + f->len);
	m->pkt_len = m->data_len;
}
