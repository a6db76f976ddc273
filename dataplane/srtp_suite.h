// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_suite.h - the SRTP crypto suites that we do, and a master key for one of them. Plain values, no third party:
// both halves of the data plane and every keying mechanism speak of suites and keys in these words.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SRTP_KEY_MAX 32
#define SRTP_SALT_MAX 14
#define SRTP_TAG_MAX 16

// The numbers are written into shared records: append, never renumber.
enum srtp_suite {
	SRTP_SUITE_NONE = 0,
	SRTP_AES_CM_128_HMAC_SHA1_80, // RFC 3711, RFC 4568 6.2.1
	SRTP_AES_CM_128_HMAC_SHA1_32, // RFC 4568 6.2.2
	SRTP_AES_256_CM_HMAC_SHA1_80, // RFC 6188
	SRTP_AES_256_CM_HMAC_SHA1_32, // RFC 6188
	SRTP_AEAD_AES_128_GCM,        // RFC 7714
	SRTP_AEAD_AES_256_GCM,        // RFC 7714
	SRTP_AES_192_CM_HMAC_SHA1_80, // RFC 6188
	SRTP_AES_192_CM_HMAC_SHA1_32, // RFC 6188
	SRTP_NULL_HMAC_SHA1_80,       // RFC 5764 4.1.2: authenticated, not encrypted; in nobody's default
	SRTP_NULL_HMAC_SHA1_32,       // RFC 5764 4.1.2
	SRTP_SUITE_COUNT
};

struct srtp_suite_info {
	const char *name;      // as in a=crypto: RFC 4568, 6188, 7714; of NULL as in RFC 5764, without SRTP_
	uint8_t key_len;       // of the master key, octets; the session's cipher key is as long, if there is one
	uint8_t salt_len;      // of the master salt
	uint8_t tag_len;       // appended to an SRTP packet
	uint8_t rtcp_tag_len;  // of an SRTCP packet; RFC 4568 6.2.2: 80 bits also where SRTP has 32
	bool aead;             // GCM: cipher and tag are one operation
	bool encrypts;         // not so: NULL
	bool sdes;             // the name may stand in a=crypto; of NULL none does (UNENCRYPTED_SRTP instead)
	uint16_t dtls_profile; // use_srtp of RFC 5764, 7714; 0: the suite has none
};

// Master key identifier (RFC 3711 3.1): octets in each packet that say which key it is under.
#define SRTP_MKI_MAX 16

struct srtp_mki {
	uint8_t len; // 0: none
	uint8_t bytes[SRTP_MKI_MAX];
};

// A master key and salt. Wipe it on every path once it was handed on.
struct srtp_master {
	enum srtp_suite suite;
	uint8_t key[SRTP_KEY_MAX];   // the first key_len octets count
	uint8_t salt[SRTP_SALT_MAX]; // the first salt_len octets count
};

const struct srtp_suite_info *srtp_suite_info(enum srtp_suite suite); // NULL: NONE or not a suite
enum srtp_suite srtp_suite_by_name(const char *name, size_t len);     // in any case (RFC 5234 2.3); else NONE
enum srtp_suite srtp_suite_by_dtls_profile(uint16_t profile);         // else NONE
const char *srtp_suite_name(enum srtp_suite suite);                   // "none" for NONE; never NULL

// Key and salt as one string, as SDES carries them. -EINVAL: no such suite, or len is not its length.
int srtp_master_set(struct srtp_master *master, enum srtp_suite suite, const uint8_t *key_salt, size_t len);
void srtp_master_wipe(struct srtp_master *master); // NULL is fine
