// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_reference.h - SRTP of one packet, written down as the RFCs say it and in no other way: no bursts, nothing in
// place, OpenSSL's EVP instead of ipsec-mb. What the engine makes is compared with it.
#pragma once
#include "dataplane/srtp_suite.h"

struct srtp_reference {
	const struct srtp_suite_info *info;
	uint8_t cipher[SRTP_KEY_MAX], salt[16], auth[20];
	uint8_t extension_cipher[SRTP_KEY_MAX], extension_salt[16];
	struct srtp_mki mki;
};

void srtp_reference_open(struct srtp_reference *r, const struct srtp_master *master, const struct srtp_mki *mki);

// The packet under the index ROC || SEQ. encrypted: ids of RFC 6904, NULL: none. Returns its length; `to` has room for
// it: at most 4 (an extension that cryptex adds) + 32 octets more than `len`.
size_t srtp_reference_protect(const struct srtp_reference *r, uint8_t *to, const uint8_t *packet, size_t len,
			      uint64_t index, const uint8_t *encrypted, bool cryptex);

// SRTCP (RFC 3711 3.4, RFC 7714 9) under a 31 bit index. `to` has room for 36 octets more than `len`.
size_t srtp_reference_protect_rtcp(const struct srtp_master *master, const struct srtp_mki *mki, uint8_t *to,
				   const uint8_t *packet, size_t len, uint32_t index);
