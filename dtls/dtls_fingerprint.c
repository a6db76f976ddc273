// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_fingerprint.c - a=fingerprint of RFC 8122.
#include "dtls/dtls_fingerprint.h"
#include "base/secret.h"
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/hash.h>

static const struct {
	const char *name;
	uint8_t len;
	int (*digest)(const byte *data, word32 len, byte *hash);
} hashes[DTLS_HASH_COUNT] = {
	[DTLS_HASH_SHA256] = { "sha-256", 32, wc_Sha256Hash },
	[DTLS_HASH_SHA384] = { "sha-384", 48, wc_Sha384Hash },
	[DTLS_HASH_SHA512] = { "sha-512", 64, wc_Sha512Hash },
};

// RFC 8122 section 5 forbids MD2 and MD5; SHA-1 is no better today, and every DTLS-SRTP peer must do SHA-256.
static const char *const refused_hashes[] = { "md2", "md5", "sha-1" };

static bool token_is(const char *token, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(token, name, len) == 0;
}

static enum dtls_hash hash_find(const char *token, size_t len)
{
	for (enum dtls_hash h = DTLS_HASH_NONE + 1; h < DTLS_HASH_COUNT; h++)
		if (token_is(token, len, hashes[h].name))
			return h;
	return DTLS_HASH_NONE;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20; // the grammar wants capitals, and peers write both
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// 2UHEX *(":" 2UHEX), and nothing else. Returns the number of octets; dst may be NULL to count only.
static int hex_read(uint8_t *dst, size_t room, const char *text, size_t len)
{
	size_t n = 0;

	if (len % 3 != 2)
		return -EINVAL;
	for (size_t i = 0; i < len; i += 3, n++) {
		int hi = hex_digit(text[i]), lo = hex_digit(text[i + 1]);

		if (hi < 0 || lo < 0 || (i + 2 < len && text[i + 2] != ':'))
			return -EINVAL;
		if (dst != NULL && n < room)
			dst[n] = (uint8_t)(hi << 4 | lo);
	}
	return (int)n;
}

int dtls_fingerprint_parse(struct dtls_fingerprint *fp, const char *text, size_t len)
{
	struct dtls_fingerprint out = { 0 };
	const char *space;
	size_t name_len;
	int n;

	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\r'))
		len--;
	space = memchr(text, ' ', len);
	if (space == NULL || space == text)
		return -EINVAL;
	name_len = (size_t)(space - text);
	while (*space == ' ') // ends: the last character is no blank
		space++;
	n = hex_read(out.digest, sizeof(out.digest), space, len - (size_t)(space - text));
	if (n < 0)
		return n;
	for (size_t i = 0; i < sizeof(refused_hashes) / sizeof(refused_hashes[0]); i++)
		if (token_is(text, name_len, refused_hashes[i]))
			return -EPERM;
	out.hash = hash_find(text, name_len);
	if (out.hash == DTLS_HASH_NONE)
		return -ENOTSUP;
	if (n != hashes[out.hash].len)
		return -EINVAL;
	out.len = (uint8_t)n;
	*fp = out;
	return 0;
}

const char *dtls_fingerprint_print(char dst[DTLS_FINGERPRINT_STRLEN], const struct dtls_fingerprint *fp)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *name = dtls_hash_name(fp->hash);
	char *p = stpcpy(dst, name);

	for (size_t i = 0; i < fp->len && i < sizeof(fp->digest); i++) {
		*p++ = i == 0 ? ' ' : ':';
		*p++ = digits[fp->digest[i] >> 4];
		*p++ = digits[fp->digest[i] & 15];
	}
	*p = 0;
	return dst;
}

const char *dtls_hash_name(enum dtls_hash hash)
{
	return hash > DTLS_HASH_NONE && hash < DTLS_HASH_COUNT ? hashes[hash].name : "none";
}

bool dtls_fingerprint_equal(const struct dtls_fingerprint *a, const struct dtls_fingerprint *b)
{
	return a->hash == b->hash && a->hash != DTLS_HASH_NONE && a->len == b->len && a->len > 0 &&
	       secret_equal(a->digest, b->digest, a->len);
}

int dtls_fingerprint_of(struct dtls_fingerprint *fp, enum dtls_hash hash, const void *der, size_t len)
{
	struct dtls_fingerprint out = { .hash = hash };

	if (hash <= DTLS_HASH_NONE || hash >= DTLS_HASH_COUNT || der == NULL || len > UINT32_MAX)
		return -EINVAL;
	out.len = hashes[hash].len;
	if (hashes[hash].digest(der, (word32)len, out.digest) != 0)
		return -ENOMEM;
	*fp = out;
	return 0;
}

int dtls_fingerprints_add(struct dtls_fingerprints *list, const char *text, size_t len)
{
	struct dtls_fingerprint fp;
	int err = dtls_fingerprint_parse(&fp, text, len);

	if (err == -EINVAL)
		return err;
	if (err == -EPERM)
		list->refused += list->refused < UINT8_MAX;
	else if (err < 0 || list->n == DTLS_FINGERPRINTS_MAX)
		list->ignored += list->ignored < UINT8_MAX;
	else
		list->list[list->n++] = fp;
	return 0;
}

bool dtls_fingerprints_match(const struct dtls_fingerprints *list, const void *der, size_t len)
{
	enum dtls_hash preferred = DTLS_HASH_NONE;
	struct dtls_fingerprint seen;
	bool match = false;

	for (size_t i = 0; i < list->n; i++)
		if (list->list[i].hash > preferred)
			preferred = list->list[i].hash;
	if (preferred == DTLS_HASH_NONE || dtls_fingerprint_of(&seen, preferred, der, len) < 0)
		return false;
	for (size_t i = 0; i < list->n; i++)
		match |= dtls_fingerprint_equal(&list->list[i], &seen);
	return match;
}
