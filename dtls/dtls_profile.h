// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_profile.h - SRTP protection profiles of RFC 5764 section 4.1.2 and RFC 7714 section 14.2, with their key sizes.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTLS_PROFILE_AES128_CM_SHA1_80 0x0001
#define DTLS_PROFILE_AES128_CM_SHA1_32 0x0002
#define DTLS_PROFILE_NULL_SHA1_80 0x0005 // authenticated, not encrypted: in nobody's default
#define DTLS_PROFILE_NULL_SHA1_32 0x0006
#define DTLS_PROFILE_AEAD_AES_128_GCM 0x0007
#define DTLS_PROFILE_AEAD_AES_256_GCM 0x0008
#define DTLS_PROFILES_MAX 8

struct dtls_profile {
	uint16_t id;
	uint8_t key_len, salt_len; // of one direction, bytes
	const char *name;          // as SDES writes it, e.g. AEAD_AES_256_GCM; of NULL, as configuration does
	const char *library_name;  // as the TLS library wants it
};

const struct dtls_profile *dtls_profile_find(uint16_t id); // NULL: we do not do it
// The first of `ours` (in our order, zero ends it) that is among `theirs`; 0 if there is none.
uint16_t dtls_profile_choose(const uint16_t *ours, const uint16_t *theirs, size_t n_theirs);
bool dtls_profile_listed(const uint16_t *list, uint16_t id); // zero ends it
