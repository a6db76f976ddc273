// SPDX-License-Identifier: GPL-3.0-or-later
// sdes.h - one a=crypto line (RFC 4568, suites of RFC 6188 and RFC 7714): read strictly, write, make a key.
#pragma once
#include "base/env.h"
#include "dataplane/srtp_suite.h"

#define SDES_KEY_STRLEN 65 // base64 of the longest key and salt, 46 octets, and the final zero

#define SDES_FAULTS(X)                                                      \
	X(SYNTAX, "malformed crypto line")                                  \
	X(TAG, "crypto tag is not 1 to 9 digits")                           \
	X(SUITE, "unknown crypto suite")                                    \
	X(METHOD, "key method is not inline")                               \
	X(BASE64, "key is not base64")                                      \
	X(KEY_LENGTH, "key and salt have not the length of the suite")      \
	X(LIFETIME, "key lifetime is out of bounds")                        \
	X(MKI, "malformed MKI")                                             \
	X(MKI_USED, "an MKI, which we do not do")                           \
	X(SEVERAL_KEYS, "several keys, which we do not do")                 \
	X(PARAMETER, "malformed session parameter")                         \
	X(PARAMETER_TWICE, "a session parameter stands twice")              \
	X(KDR, "key derivation rate, which we do not do")                   \
	X(UNENCRYPTED_SRTP, "unencrypted SRTP, which we do not do")         \
	X(UNENCRYPTED_SRTCP, "unencrypted SRTCP, which we do not do")       \
	X(UNAUTHENTICATED_SRTP, "unauthenticated SRTP, which we do not do") \
	X(FEC, "FEC order or key, which we do not do")                      \
	X(PARAMETER_UNKNOWN, "an unknown mandatory session parameter")

#define X(name, text) SDES_FAULT_##name,
enum sdes_fault { SDES_FAULT_NONE, SDES_FAULTS(X) SDES_FAULT_COUNT };
#undef X
extern const char *const sdes_fault_text[SDES_FAULT_COUNT];

struct sdes_line {
	uint32_t tag;
	bool draft_name;           // AES_CM_256_..., as drafts of RFC 6188 had it: an answer repeats the offer's word
	struct srtp_master master; // of the first key; secret
	uint64_t lifetime;         // packets; 0: not said
	uint64_t mki;
	uint8_t mki_len; // 0: none
	uint8_t n_keys;
	uint32_t wsh; // window size hint; 0: not said
};

// The value behind "crypto:". -EINVAL: against the RFC. -ENOTSUP: well-formed, but not to be chosen. *fault says which
// (the first one met). Line and its secret are written on success alone.
int sdes_line_parse(struct sdes_line *line, const char *text, size_t len, enum sdes_fault *fault);
void sdes_line_wipe(struct sdes_line *line);
// "crypto:TAG SUITE inline:KEY", terminated; its length. 0: it does not fit.
size_t sdes_line_print(char *dst, size_t size, uint32_t tag, bool draft_name, const struct srtp_master *master);
int sdes_key_make(struct srtp_master *master, enum srtp_suite suite, const struct env *env);
