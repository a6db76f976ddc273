// SPDX-License-Identifier: GPL-3.0-or-later
// sdes.h - one a=crypto line (RFC 4568, suites of RFC 6188 and RFC 7714): read strictly, write, make a key.
#pragma once
#include "base/env.h"
#include "dataplane/srtp_suite.h"

#define SDES_KEY_STRLEN 65 // base64 of the longest key and salt, 46 octets, and the final zero
#define SDES_MKI_STRLEN 48 // "|", 39 digits, ":16" and the final zero

#define SDES_FAULTS(X)                                                      \
	X(SYNTAX, "malformed crypto line")                                  \
	X(TAG, "crypto tag is not 1 to 9 digits")                           \
	X(SUITE, "unknown crypto suite")                                    \
	X(METHOD, "key method is not inline")                               \
	X(BASE64, "key is not base64")                                      \
	X(KEY_LENGTH, "key and salt have not the length of the suite")      \
	X(LIFETIME, "key lifetime is out of bounds")                        \
	X(MKI, "malformed MKI")                                             \
	X(MKI_LONG, "an MKI above 16 octets, which we do not do")           \
	X(SEVERAL_KEYS, "several keys, which we do not do")                 \
	X(PARAMETER, "malformed session parameter")                         \
	X(PARAMETER_TWICE, "a session parameter stands twice")              \
	X(KDR, "key derivation rate, which we do not do")                   \
	X(UNENCRYPTED_SUITE, "unencrypted SRTP in a suite that has none")   \
	X(UNENCRYPTED_SRTP, "unencrypted SRTP beside encrypted SRTCP")      \
	X(UNENCRYPTED_SRTCP, "unencrypted SRTCP beside encrypted SRTP")     \
	X(UNAUTHENTICATED_SRTP, "unauthenticated SRTP, which we do not do") \
	X(FEC, "FEC order or key, which we do not do")                      \
	X(PARAMETER_UNKNOWN, "an unknown mandatory session parameter")

#define X(name, text) SDES_FAULT_##name,
enum sdes_fault { SDES_FAULT_NONE, SDES_FAULTS(X) SDES_FAULT_COUNT };
#undef X
extern const char *const sdes_fault_text[SDES_FAULT_COUNT];

struct sdes_line {
	uint32_t tag;
	// AES_CM_256_..., AES_CM_192_..., as drafts of RFC 6188 had it: an answer repeats the offer's word
	bool draft_name;
	// Secret. UNENCRYPTED_SRTP and UNENCRYPTED_SRTCP together make its suite a NULL one (RFC 4568 section 6.3.2).
	struct srtp_master master;
	struct srtp_mki mki;
	uint64_t lifetime; // packets; 0: not said
	uint8_t n_keys;
	uint32_t wsh; // window size hint (section 6.3.6), which a receiver may leave; 0: not said
};

// The value behind "crypto:". -EINVAL: against the RFC. -ENOTSUP: well-formed, but not to be chosen. *fault says which
// (the first one met). Line and its secret are written on success alone.
int sdes_line_parse(struct sdes_line *line, const char *text, size_t len, enum sdes_fault *fault);
void sdes_line_wipe(struct sdes_line *line);
// "crypto:TAG SUITE inline:KEY[|MKI:LEN]", terminated; its length. 0: it does not fit. A NULL suite is written as the
// AES-CM of its tag with the parameters above.
size_t sdes_line_print(char *dst, size_t size, const struct sdes_line *line);
int sdes_key_make(struct srtp_master *master, enum srtp_suite suite, const struct env *env);
