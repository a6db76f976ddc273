// SPDX-License-Identifier: GPL-3.0-or-later
// keying_priv.h - what offering and answering share.
#pragma once
#include "mediarelay/keying/keying.h"

const enum srtp_suite *keying_policy_suites(const struct keying_policy *policy); // ends with NONE
// Those with a DTLS profile; `floor` keeps NULL ciphers out.
void keying_dtls_suites(enum srtp_suite to[KEYING_SUITES_MAX + 1], const struct keying_policy *policy,
			enum keying_floor floor);
bool keying_list_has(const enum keying_mechanism *list, enum keying_mechanism mechanism);
void keying_local_dtls(struct keying_local *local, const struct keying_policy *policy, const struct keying_identity *us,
		       enum keying_setup setup, enum keying_floor floor);

bool keying_suite_encrypts(enum srtp_suite suite);
bool keying_mki_same(const struct srtp_mki *a, const struct srtp_mki *b);
void keying_mki_next(struct srtp_mki *mki); // counts on, within its length

bool keying_master_same(const struct srtp_master *a, const struct srtp_master *b); // in constant time
bool keying_fingerprints_same(const struct dtls_fingerprints *a, const struct dtls_fingerprints *b);

void keying_because(struct keying_reason *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));
