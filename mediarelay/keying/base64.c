// SPDX-License-Identifier: GPL-3.0-or-later
// base64.c - RFC 4648 section 4. The octets are keys: no table is indexed by them.
#include "mediarelay/keying/base64.h"
#include <errno.h>

// 0xff if low <= c <= high, else 0; without a branch on c.
static unsigned within(unsigned c, unsigned low, unsigned high)
{
	return ~(((c - low) | (high - c)) >> 8) & 0xff; // a difference below zero has its high bits set
}

// 0 to 63; 0xff for a character that does not belong.
static unsigned sextet_of(char character)
{
	unsigned c = (unsigned char)character;
	unsigned v = 0, known = 0, m;

	m = within(c, 'A', 'Z');
	v |= m & (c - 'A');
	known |= m;
	m = within(c, 'a', 'z');
	v |= m & (c - 'a' + 26);
	known |= m;
	m = within(c, '0', '9');
	v |= m & (c - '0' + 52);
	known |= m;
	m = within(c, '+', '+');
	v |= m & 62;
	known |= m;
	m = within(c, '/', '/');
	v |= m & 63;
	known |= m;
	return (v & known) | (~known & 0xff);
}

static char character_of(unsigned v)
{
	unsigned c = 0;

	c |= within(v, 0, 25) & (v + 'A');
	c |= within(v, 26, 51) & (v - 26 + 'a');
	c |= within(v, 52, 61) & (v - 52 + '0');
	c |= within(v, 62, 62) & '+';
	c |= within(v, 63, 63) & '/';
	return (char)c;
}

ssize_t base64_decode(uint8_t *dst, size_t size, const char *text, size_t len)
{
	uint32_t bits = 0;
	unsigned held = 0, bad = 0;
	size_t n = 0, padding = 0;

	while (len > 0 && padding < 2 && text[len - 1] == '=') {
		len--;
		padding++;
	}
	if (len % 4 == 1 || (padding > 0 && (len + padding) % 4 != 0))
		return -EINVAL;
	if (len / 4 * 3 + (len % 4) * 3 / 4 > size)
		return -ENOSPC;
	for (size_t i = 0; i < len; i++) {
		unsigned v = sextet_of(text[i]);

		bad |= v >> 6;
		bits = bits << 6 | (v & 0x3f);
		held += 6;
		if (held >= 8) {
			held -= 8;
			dst[n++] = (uint8_t)(bits >> held);
		}
	}
	if (bad != 0 || (bits & ((1u << held) - 1)) != 0)
		return -EINVAL;
	return (ssize_t)n;
}

size_t base64_encode(char *dst, size_t size, const uint8_t *octets, size_t len)
{
	size_t n = 0;

	if (size < (len + 2) / 3 * 4 + 1)
		return 0;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t bits = (uint32_t)octets[i] << 16;

		bits |= left > 1 ? (uint32_t)octets[i + 1] << 8 : 0;
		bits |= left > 2 ? octets[i + 2] : 0;
		dst[n++] = character_of(bits >> 18);
		dst[n++] = character_of(bits >> 12 & 0x3f);
		dst[n++] = left > 1 ? character_of(bits >> 6 & 0x3f) : '=';
		dst[n++] = left > 2 ? character_of(bits & 0x3f) : '=';
	}
	dst[n] = '\0';
	return n;
}
