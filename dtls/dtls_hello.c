// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_hello.c - what a ClientHello offers.
#include "dtls/dtls_hello.h"
#include <errno.h>
#include <string.h>

#define EXT_USE_SRTP 14
#define EXT_SUPPORTED_VERSIONS 43
#define EXT_COOKIE 44
#define DTLS_1_2 0xFEFD
#define DTLS_1_3 0xFEFC

// A window over bytes that only shrinks; once something was too short it stays broken and yields nothing.
struct view {
	const uint8_t *p;
	size_t len;
	bool broken;
};

static struct view view_take(struct view *v, size_t n)
{
	struct view part = { v->p, n, false };

	if (v->broken || v->len < n) {
		v->broken = true;
		return (struct view){ .broken = true };
	}
	v->p += n;
	v->len -= n;
	return part;
}

static uint32_t view_number(struct view *v, size_t octets)
{
	struct view part = view_take(v, octets);
	uint32_t n = 0;

	for (size_t i = 0; i < part.len; i++)
		n = n << 8 | part.p[i];
	return n;
}

static struct view view_vector(struct view *v, size_t length_octets)
{
	uint32_t n = view_number(v, length_octets);

	return view_take(v, n);
}

// RFC 5764 section 4.1.1: profiles <2..2^16-1>, then srtp_mki<255>, which we never use.
static bool read_use_srtp(struct dtls_hello *hello, struct view ext)
{
	struct view list = view_vector(&ext, 2);

	view_vector(&ext, 1);
	if (ext.broken || ext.len != 0 || list.len == 0 || list.len % 2 != 0 || hello->has_srtp)
		return false;
	hello->has_srtp = true;
	while (list.len > 0) {
		uint16_t profile = (uint16_t)view_number(&list, 2);

		if (hello->n_profiles < DTLS_HELLO_PROFILES_MAX)
			hello->profiles[hello->n_profiles++] = profile;
	}
	return true;
}

// RFC 8446 section 4.2.1: if the extension is there, legacy_version does not count.
static bool read_versions(struct dtls_hello *hello, struct view ext)
{
	struct view list = view_vector(&ext, 1);

	if (ext.broken || ext.len != 0 || list.len == 0 || list.len % 2 != 0)
		return false;
	hello->dtls12 = hello->dtls13 = false;
	while (list.len > 0) {
		uint16_t version = (uint16_t)view_number(&list, 2);

		hello->dtls12 |= version == DTLS_1_2;
		hello->dtls13 |= version == DTLS_1_3;
	}
	return true;
}

static bool read_cookie(struct dtls_hello *hello, struct view ext)
{
	struct view cookie = view_vector(&ext, 2);

	if (ext.broken || ext.len != 0)
		return false;
	hello->has_cookie |= cookie.len > 0;
	return true;
}

static bool read_extensions(struct dtls_hello *hello, struct view list)
{
	while (list.len > 0) {
		uint32_t type = view_number(&list, 2);
		struct view ext = view_vector(&list, 2);
		bool good = true;

		if (list.broken)
			return false;
		if (type == EXT_USE_SRTP)
			good = read_use_srtp(hello, ext);
		else if (type == EXT_SUPPORTED_VERSIONS)
			good = read_versions(hello, ext);
		else if (type == EXT_COOKIE)
			good = read_cookie(hello, ext);
		if (!good)
			return false;
	}
	return true;
}

// TLS_NULL_WITH_NULL_NULL is no suite, and a hello with nothing else is an attack seen in the wild; SCSVs signal only.
static bool suite_is_real(uint32_t suite)
{
	return suite != 0x0000 && suite != 0x00FF && suite != 0x5600;
}

// RFC 6347 section 4.2.1, RFC 9147 section 5.3.
int dtls_hello_parse(struct dtls_hello *hello, const uint8_t *body, size_t len)
{
	struct view v = { body, len, false }, session, cookie, suites, compression, extensions;
	struct dtls_hello out = { 0 };

	out.legacy_version = (uint16_t)view_number(&v, 2);
	view_take(&v, 32); // random
	session = view_vector(&v, 1);
	cookie = view_vector(&v, 1);
	suites = view_vector(&v, 2);
	compression = view_vector(&v, 1);
	if (v.broken || session.len > 32 || suites.len < 2 || suites.len % 2 != 0 || compression.len == 0)
		return -EBADMSG;
	out.has_cookie = cookie.len > 0;
	// DTLS counts downwards: 0xFEFF is 1.0, 0xFEFD is 1.2.
	out.dtls12 = out.legacy_version <= DTLS_1_2 && out.legacy_version >> 8 == 0xFE;
	while (suites.len > 0)
		out.n_ciphers += suite_is_real(view_number(&suites, 2));
	if (v.len > 0) {
		extensions = view_vector(&v, 2);
		if (v.broken || v.len != 0 || !read_extensions(&out, extensions))
			return -EBADMSG;
	}
	*hello = out;
	return 0;
}
