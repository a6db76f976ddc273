// SPDX-License-Identifier: GPL-3.0-or-later
// inet.c - addresses, endpoints, prefixes: text and struct sockaddr to values and back. Strict: nothing before, between
// or after what the grammar wants, no zone, no leading zeros in a port.
#include "base/inet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

int inet_addr_parse(struct inet_addr *addr, const char *text)
{
	struct inet_addr parsed = { .family = INET_NONE };

	if (addr == NULL || text == NULL)
		return -EINVAL;
	if (inet_pton(AF_INET, text, parsed.bytes) == 1)
		parsed.family = INET_V4;
	else if (inet_pton(AF_INET6, text, parsed.bytes) == 1)
		parsed.family = INET_V6;
	else
		return -EINVAL;
	*addr = parsed;
	return 0;
}

// Decimal digits without sign, blank or leading zero, up to max.
static int number_parse(unsigned *value, const char *text, unsigned max)
{
	unsigned n = 0;

	if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = n * 10 + (unsigned)(*text - '0');
		if (n > max)
			return -ERANGE;
	}
	*value = n;
	return 0;
}

// Copies [from, to) into an address buffer; false when it is too long for any address.
static bool cut(char dst[INET_ADDR_STRLEN], const char *from, const char *to)
{
	size_t len = (size_t)(to - from);

	if (len >= INET_ADDR_STRLEN)
		return false;
	memcpy(dst, from, len);
	dst[len] = '\0';
	return true;
}

int inet_endpoint_parse(struct inet_endpoint *ep, const char *text)
{
	struct inet_endpoint parsed = { .port = 0 };
	char addr[INET_ADDR_STRLEN];
	const char *colon;
	bool bracketed;
	unsigned port;

	if (ep == NULL || text == NULL)
		return -EINVAL;
	bracketed = text[0] == '[';
	colon = strrchr(text, ':');
	if (colon == NULL || (bracketed && (colon < text + 2 || colon[-1] != ']')))
		return -EINVAL;
	if (!cut(addr, text + bracketed, colon - bracketed))
		return -EINVAL;
	if (inet_addr_parse(&parsed.addr, addr) < 0 || bracketed != (parsed.addr.family == INET_V6))
		return -EINVAL;
	if (number_parse(&port, colon + 1, UINT16_MAX) < 0)
		return -EINVAL;
	parsed.port = (uint16_t)port;
	*ep = parsed;
	return 0;
}

static unsigned addr_bits(const struct inet_addr *addr)
{
	return addr->family == INET_V4 ? 32 : 128;
}

// The first `len` bits are equal.
static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
	uint8_t mask = (uint8_t)(0xff00u >> (len % 8));

	return memcmp(a, b, len / 8) == 0 && (mask == 0 || ((a[len / 8] ^ b[len / 8]) & mask) == 0);
}

static bool host_bits_clear(const struct inet_prefix *p)
{
	struct inet_addr rest = p->addr;

	memset(rest.bytes, 0, p->len / 8);
	if (p->len % 8 != 0)
		rest.bytes[p->len / 8] &= (uint8_t)(0xffu >> (p->len % 8));
	for (size_t i = 0; i < sizeof(rest.bytes); i++) {
		if (rest.bytes[i] != 0)
			return false;
	}
	return true;
}

int inet_prefix_parse(struct inet_prefix *p, const char *text)
{
	struct inet_prefix parsed = { .len = 0 };
	char addr[INET_ADDR_STRLEN];
	const char *slash;
	unsigned len;

	if (p == NULL || text == NULL)
		return -EINVAL;
	slash = strchrnul(text, '/');
	if (!cut(addr, text, slash) || inet_addr_parse(&parsed.addr, addr) < 0)
		return -EINVAL;
	len = addr_bits(&parsed.addr);
	if (*slash == '/' && number_parse(&len, slash + 1, len) < 0)
		return -EINVAL;
	parsed.len = (uint8_t)len;
	if (!host_bits_clear(&parsed))
		return -EDOM; // 10.0.0.7/24 is more likely a slip than a wish
	*p = parsed;
	return 0;
}

const char *inet_addr_print(char dst[INET_ADDR_STRLEN], const struct inet_addr *addr)
{
	if (addr->family != INET_V4 && addr->family != INET_V6)
		return memcpy(dst, "none", sizeof("none"));
	return inet_ntop(addr->family == INET_V4 ? AF_INET : AF_INET6, addr->bytes, dst, INET_ADDR_STRLEN);
}

const char *inet_endpoint_print(char dst[INET_ENDPOINT_STRLEN], const struct inet_endpoint *ep)
{
	char addr[INET_ADDR_STRLEN];

	inet_addr_print(addr, &ep->addr);
	snprintf(dst, INET_ENDPOINT_STRLEN, ep->addr.family == INET_V6 ? "[%s]:%u" : "%s:%u", addr, ep->port);
	return dst;
}

bool inet_addr_equal(const struct inet_addr *a, const struct inet_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool inet_endpoint_equal(const struct inet_endpoint *a, const struct inet_endpoint *b)
{
	return a->port == b->port && inet_addr_equal(&a->addr, &b->addr);
}

bool inet_prefix_holds(const struct inet_prefix *p, const struct inet_addr *addr)
{
	if (p->addr.family == INET_NONE || p->addr.family != addr->family || p->len > addr_bits(addr))
		return false;
	return bits_equal(p->addr.bytes, addr->bytes, p->len);
}

uint32_t inet_addr_hash(const struct inet_addr *addr)
{
	uint32_t hash = 2166136261u ^ addr->family; // FNV-1a

	for (size_t i = 0; i < sizeof(addr->bytes); i++)
		hash = (hash ^ addr->bytes[i]) * 16777619u;
	return hash != 0 ? hash : 1;
}

bool inet_addr_is_any(const struct inet_addr *addr)
{
	static const uint8_t zero[sizeof(addr->bytes)];

	return addr->family == INET_NONE || memcmp(addr->bytes, zero, sizeof(zero)) == 0;
}

void inet_endpoint_from_sockaddr(struct inet_endpoint *ep, const struct sockaddr *sa)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

	*ep = (struct inet_endpoint){ .port = 0 };
	if (sa->sa_family == AF_INET) {
		ep->addr.family = INET_V4;
		memcpy(ep->addr.bytes, &in->sin_addr, 4);
		ep->port = ntohs(in->sin_port);
	} else if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		ep->addr.family = INET_V4; // an IPv4 peer seen through a socket for both families
		memcpy(ep->addr.bytes, in6->sin6_addr.s6_addr + 12, 4);
		ep->port = ntohs(in6->sin6_port);
	} else if (sa->sa_family == AF_INET6) {
		ep->addr.family = INET_V6;
		memcpy(ep->addr.bytes, &in6->sin6_addr, 16);
		ep->port = ntohs(in6->sin6_port);
	}
}

socklen_t inet_endpoint_to_sockaddr(struct sockaddr_storage *ss, const struct inet_endpoint *ep)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (ep->addr.family == INET_V4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(ep->port);
		memcpy(&in->sin_addr, ep->addr.bytes, 4);
		return sizeof(*in);
	}
	if (ep->addr.family == INET_V6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(ep->port);
		memcpy(&in6->sin6_addr, ep->addr.bytes, 16);
		return sizeof(*in6);
	}
	return 0;
}
