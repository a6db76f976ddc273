// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_suite.c - the table of SRTP crypto suites.
#include "dataplane/srtp_suite.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

// name, key, salt, tag, SRTCP tag, AEAD, encrypts, SDES, DTLS
static const struct srtp_suite_info suites[SRTP_SUITE_COUNT] = {
	[SRTP_AES_CM_128_HMAC_SHA1_80] = { "AES_CM_128_HMAC_SHA1_80", 16, 14, 10, 10, false, true, true, 0x0001 },
	[SRTP_AES_CM_128_HMAC_SHA1_32] = { "AES_CM_128_HMAC_SHA1_32", 16, 14, 4, 10, false, true, true, 0x0002 },
	// RFC 6188 registered no DTLS profile (the drafts' 0x0003 and 0x0004 are taken back).
	[SRTP_AES_192_CM_HMAC_SHA1_80] = { "AES_192_CM_HMAC_SHA1_80", 24, 14, 10, 10, false, true, true, 0 },
	[SRTP_AES_192_CM_HMAC_SHA1_32] = { "AES_192_CM_HMAC_SHA1_32", 24, 14, 4, 10, false, true, true, 0 },
	[SRTP_AES_256_CM_HMAC_SHA1_80] = { "AES_256_CM_HMAC_SHA1_80", 32, 14, 10, 10, false, true, true, 0 },
	[SRTP_AES_256_CM_HMAC_SHA1_32] = { "AES_256_CM_HMAC_SHA1_32", 32, 14, 4, 10, false, true, true, 0 },
	[SRTP_AEAD_AES_128_GCM] = { "AEAD_AES_128_GCM", 16, 12, 16, 16, true, true, true, 0x0007 },
	[SRTP_AEAD_AES_256_GCM] = { "AEAD_AES_256_GCM", 32, 12, 16, 16, true, true, true, 0x0008 },
	// Key and salt are what the authentication key is derived from: RFC 3711's defaults, as everybody takes them.
	[SRTP_NULL_HMAC_SHA1_80] = { "NULL_HMAC_SHA1_80", 16, 14, 10, 10, false, false, false, 0x0005 },
	[SRTP_NULL_HMAC_SHA1_32] = { "NULL_HMAC_SHA1_32", 16, 14, 4, 10, false, false, false, 0x0006 },
};

const struct srtp_suite_info *srtp_suite_info(enum srtp_suite suite)
{
	// Through unsigned: the number may come from a shared record or a peer.
	if ((unsigned)suite >= SRTP_SUITE_COUNT || suites[suite].name == NULL)
		return NULL;
	return &suites[suite];
}

enum srtp_suite srtp_suite_by_name(const char *name, size_t len)
{
	for (unsigned s = SRTP_SUITE_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		if (strlen(suites[s].name) == len && strncasecmp(suites[s].name, name, len) == 0)
			return (enum srtp_suite)s;
	}
	return SRTP_SUITE_NONE;
}

enum srtp_suite srtp_suite_by_dtls_profile(uint16_t profile)
{
	for (unsigned s = SRTP_SUITE_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		if (suites[s].dtls_profile == profile && profile != 0)
			return (enum srtp_suite)s;
	}
	return SRTP_SUITE_NONE;
}

const char *srtp_suite_name(enum srtp_suite suite)
{
	const struct srtp_suite_info *info = srtp_suite_info(suite);

	return info != NULL ? info->name : "none";
}

int srtp_master_set(struct srtp_master *master, enum srtp_suite suite, const uint8_t *key_salt, size_t len)
{
	const struct srtp_suite_info *info = srtp_suite_info(suite);

	if (info == NULL || len != (size_t)info->key_len + info->salt_len)
		return -EINVAL;
	memset(master, 0, sizeof(*master));
	master->suite = suite;
	memcpy(master->key, key_salt, info->key_len);
	memcpy(master->salt, key_salt + info->key_len, info->salt_len);
	return 0;
}

void srtp_master_wipe(struct srtp_master *master)
{
	if (master != NULL)
		explicit_bzero(master, sizeof(*master));
}
