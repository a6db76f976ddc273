// SPDX-License-Identifier: GPL-3.0-or-later
// frame.c - the headers of a way.
#include "dataplane/worker/frame.h"
#include "dataplane/worker/nexthop.h"
#include <netinet/in.h>
#include <rte_ether.h>
#include "dataplane/fastpath.h"

#define HOP_LIMIT 64

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void write_udp(uint8_t *udp, const struct inet_endpoint *from, const struct inet_endpoint *to, size_t addr_len)
{
	const uint8_t protocol[2] = { 0, IPPROTO_UDP }; // of the pseudo header: RFC 768, RFC 8200 8.1
	uint64_t sum = frame_get16(protocol);

	put16(udp, from->port);
	put16(udp + 2, to->port);
	put16(udp + 4, 0);
	sum = frame_sum(sum, from->addr.bytes, addr_len);
	frame_set16(udp + 6, frame_sum_fold(frame_sum(sum, to->addr.bytes, addr_len)));
}

static void write_ipv4(uint8_t *ip, const struct inet_endpoint *from, const struct inet_endpoint *to)
{
	memset(ip, 0, FRAME_IPV4);
	ip[0] = 0x45;
	put16(ip + 6, 0x4000); // don't fragment: then the identification may stay 0 (RFC 6864)
	ip[8] = HOP_LIMIT;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, from->addr.bytes, 4);
	memcpy(ip + 16, to->addr.bytes, 4);
	frame_set16(ip + 10, frame_sum_fold(frame_sum(0, ip, FRAME_IPV4)));
}

static void write_ipv6(uint8_t *ip, const struct inet_endpoint *from, const struct inet_endpoint *to)
{
	memset(ip, 0, FRAME_IPV6);
	ip[0] = 0x60;
	ip[6] = IPPROTO_UDP;
	ip[7] = HOP_LIMIT;
	memcpy(ip + 8, from->addr.bytes, 16);
	memcpy(ip + 24, to->addr.bytes, 16);
}

size_t frame_headers_make(uint8_t *end, const struct inet_endpoint *from, const struct inet_endpoint *to,
			  const uint8_t mac[6], const struct nexthop *hop)
{
	bool v6 = to->addr.family == INET_V6;
	size_t ether = RTE_ETHER_HDR_LEN + (hop->vlan != 0 ? 4u : 0u), ip = v6 ? FRAME_IPV6 : FRAME_IPV4;
	uint8_t *at = end - FRAME_UDP - ip - ether;

	memcpy(at, hop->mac, 6);
	memcpy(at + 6, mac, 6);
	if (hop->vlan != 0) {
		put16(at + 12, RTE_ETHER_TYPE_VLAN);
		put16(at + 14, hop->vlan);
	}
	put16(at + ether - 2, v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	if (v6)
		write_ipv6(at + ether, from, to);
	else
		write_ipv4(at + ether, from, to);
	write_udp(at + ether + ip, from, to, v6 ? 16 : 4);
	return (size_t)(end - at);
}
