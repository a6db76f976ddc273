// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_profile.c - the SRTP protection profiles that we do.
#include "dtls/dtls_profile.h"

static const struct dtls_profile profiles[] = {
	{ DTLS_PROFILE_AES128_CM_SHA1_80, 16, 14, "AES_CM_128_HMAC_SHA1_80", "SRTP_AES128_CM_SHA1_80" },
	{ DTLS_PROFILE_AES128_CM_SHA1_32, 16, 14, "AES_CM_128_HMAC_SHA1_32", "SRTP_AES128_CM_SHA1_32" },
	// RFC 5764 section 4.1.2 says a cipher key of no octets. Those who do it export as much as for AES-CM, for the
	// authentication keys are derived from it (RFC 3711 section 4.3); from nothing, they would be no secret.
	{ DTLS_PROFILE_NULL_SHA1_80, 16, 14, "NULL_HMAC_SHA1_80", "SRTP_NULL_SHA1_80" },
	{ DTLS_PROFILE_NULL_SHA1_32, 16, 14, "NULL_HMAC_SHA1_32", "SRTP_NULL_SHA1_32" },
	{ DTLS_PROFILE_AEAD_AES_128_GCM, 16, 12, "AEAD_AES_128_GCM", "SRTP_AEAD_AES_128_GCM" },
	{ DTLS_PROFILE_AEAD_AES_256_GCM, 32, 12, "AEAD_AES_256_GCM", "SRTP_AEAD_AES_256_GCM" },
};

const struct dtls_profile *dtls_profile_find(uint16_t id)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
		if (profiles[i].id == id)
			return &profiles[i];
	return NULL;
}

uint16_t dtls_profile_choose(const uint16_t *ours, const uint16_t *theirs, size_t n_theirs)
{
	for (; *ours != 0; ours++)
		for (size_t i = 0; i < n_theirs; i++)
			if (theirs[i] == *ours)
				return *ours;
	return 0;
}

bool dtls_profile_listed(const uint16_t *list, uint16_t id)
{
	while (*list != 0 && *list != id)
		list++;
	return *list != 0;
}
