// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_fingerprint.h - a=fingerprint of RFC 8122: read, print, compare with a certificate.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTLS_DIGEST_MAX 64
#define DTLS_FINGERPRINTS_MAX 8
#define DTLS_FINGERPRINT_STRLEN (sizeof("sha-512 ") + 3 * DTLS_DIGEST_MAX) // with the final zero

enum dtls_hash { DTLS_HASH_NONE, DTLS_HASH_SHA256, DTLS_HASH_SHA384, DTLS_HASH_SHA512, DTLS_HASH_COUNT };

struct dtls_fingerprint {
	enum dtls_hash hash;
	uint8_t len;
	uint8_t digest[DTLS_DIGEST_MAX]; // zero behind len, so that memcmp() compares
};

// What a description's fingerprint lines say of one peer. Plain value: copy it freely, it holds nothing secret.
struct dtls_fingerprints {
	uint8_t n;       // lines kept in list
	uint8_t refused; // lines with md2, md5 or sha-1: known, and not to be trusted
	uint8_t ignored; // lines with a hash that we do not know, or beyond the eighth
	struct dtls_fingerprint list[DTLS_FINGERPRINTS_MAX];
};

// Reads the value of an a=fingerprint line, `sha-256 AA:BB:...`; hash name and digits in either case.
// -EINVAL: malformed. -EPERM: md2, md5 or sha-1. -ENOTSUP: a hash that we do not know.
int dtls_fingerprint_parse(struct dtls_fingerprint *fp, const char *text, size_t len);
const char *dtls_fingerprint_print(char dst[DTLS_FINGERPRINT_STRLEN], const struct dtls_fingerprint *fp);
const char *dtls_hash_name(enum dtls_hash hash); // "sha-256"
bool dtls_fingerprint_equal(const struct dtls_fingerprint *a, const struct dtls_fingerprint *b); // constant time
int dtls_fingerprint_of(struct dtls_fingerprint *fp, enum dtls_hash hash, const void *der, size_t len);

// Adds a line to the list: 0 if kept, refused or ignored (each counted); -EINVAL if malformed: the description is.
int dtls_fingerprints_add(struct dtls_fingerprints *list, const char *text, size_t len);
// RFC 8122 section 5: of the lines given, those with our most preferred hash (the longest) are alternatives, and the
// certificate must match one of them. Lines of other hashes do not count. False for an empty list.
bool dtls_fingerprints_match(const struct dtls_fingerprints *list, const void *der, size_t len);
