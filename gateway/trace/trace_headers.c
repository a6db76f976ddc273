// SPDX-License-Identifier: GPL-3.0-or-later
// trace_headers.c - RFC 791, 8200, 768, 9293; checksums of RFC 1071.
#include "gateway/trace/trace_headers.h"
#include <netinet/in.h>
#include <string.h>

#define IPV4_LEN 20
#define IPV6_LEN 40
#define UDP_LEN 8
#define TCP_LEN 20
#define TTL 64
#define ACK 0x10
#define PSH 0x08

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static uint64_t sum(uint64_t so_far, const uint8_t *at, size_t len)
{
	for (; len > 1; at += 2, len -= 2)
		so_far += (uint64_t)(at[0] << 8 | at[1]);
	return len == 1 ? so_far + (uint64_t)(at[0] << 8) : so_far;
}

static unsigned folded(uint64_t so_far)
{
	while (so_far >> 16 != 0)
		so_far = (so_far & 0xffff) + (so_far >> 16);
	return (unsigned)(~so_far & 0xffff);
}

static size_t put_ip(uint8_t *dst, const struct trace_way *way, unsigned protocol, size_t len)
{
	if (way->from.addr.family == INET_V6) {
		dst[0] = 0x60;
		put16(dst + 4, (unsigned)len);
		dst[6] = (uint8_t)protocol;
		dst[7] = TTL;
		memcpy(dst + 8, way->from.addr.bytes, 16);
		memcpy(dst + 24, way->to.addr.bytes, 16);
		return IPV6_LEN;
	}
	dst[0] = 0x45;
	put16(dst + 2, (unsigned)len + IPV4_LEN);
	dst[6] = 0x40; // do not fragment: there is no identification
	dst[8] = TTL;
	dst[9] = (uint8_t)protocol;
	memcpy(dst + 12, way->from.addr.bytes, 4);
	memcpy(dst + 16, way->to.addr.bytes, 4);
	put16(dst + 10, folded(sum(0, dst, IPV4_LEN)));
	return IPV4_LEN;
}

static void put_tcp(uint8_t *dst, const struct trace_way *way)
{
	put32(dst + 4, way->seq);
	put32(dst + 8, way->ack);
	dst[12] = TCP_LEN / 4 << 4;
	dst[13] = ACK | (way->push ? PSH : 0);
	put16(dst + 14, 0xffff); // window
}

size_t trace_headers(uint8_t dst[TRACE_HEADERS_MAX], const struct trace_way *way, const void *payload, size_t len)
{
	unsigned protocol = way->tcp ? IPPROTO_TCP : IPPROTO_UDP, check;
	size_t upper_len = way->tcp ? TCP_LEN : UDP_LEN, ip_len;
	bool v6 = way->from.addr.family == INET_V6;
	uint8_t *upper;
	uint64_t s;

	if (way->from.addr.family != way->to.addr.family || way->from.addr.family == INET_NONE ||
	    len + upper_len + (v6 ? 0 : IPV4_LEN) > 0xffff)
		return 0;
	memset(dst, 0, TRACE_HEADERS_MAX);
	ip_len = put_ip(dst, way, protocol, len + upper_len);
	upper = dst + ip_len;
	put16(upper, way->from.port);
	put16(upper + 2, way->to.port);
	if (way->tcp)
		put_tcp(upper, way);
	else
		put16(upper + 4, (unsigned)(len + UDP_LEN));
	// The pseudo header: addresses, protocol, length.
	s = sum(0, v6 ? dst + 8 : dst + 12, v6 ? 32 : 8) + protocol + len + upper_len;
	s = sum(s, upper, upper_len);
	check = folded(sum(s, payload, len));
	put16(upper + (way->tcp ? 16 : 6), check == 0 && !way->tcp ? 0xffff : check);
	return ip_len + upper_len;
}
