// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_identity.h - our certificate and its key: made here, or read from files.
// Immutable once made, so that threads share it; counted references. The key is wiped with the last one.
#pragma once
#include "dtls/dtls_facts.h"

struct dtls_identity;

// A new self-signed ECDSA P-256 certificate: random name and serial, valid from a day ago for `days` from now (1..3650).
int dtls_identity_make(struct dtls_identity **idp, unsigned days);
// From PEM files (the same path twice is fine). -EINVAL: not a matching pair of certificate and ECDSA or RSA key.
int dtls_identity_load(struct dtls_identity **idp, const char *cert_path, const char *key_path);
// Takes the automatic certificate from the file, or makes one and stores it there, mode 0600, in one step (rename).
// An existing file that others may read is refused with -EPERM; one with less than a day to live is made again.
int dtls_identity_load_or_make(struct dtls_identity **idp, const char *path, unsigned days);
// Another pair in the place of the automatic one: from a text with certificates and key, or, of NULL, a new self-signed one. What was
// at path is at `before` then. -EINVAL: not a matching pair of certificate and ECDSA or RSA key; -EKEYEXPIRED: not valid yet, or a
// day from now no more; or what `judge` says before anything is stored. The text is the caller's to wipe.
int dtls_identity_replace(struct dtls_identity **idp, const char *pem_text, size_t len, unsigned days, const char *path, const char *before,
			  int (*judge)(void *ctx, const struct dtls_identity *id), void *ctx);
struct dtls_identity *dtls_identity_ref(struct dtls_identity *id);
void dtls_identity_unref(struct dtls_identity *id); // NULL is fine

// For the a=fingerprint line of our descriptions; every hash was computed when the identity was made.
const struct dtls_fingerprint *dtls_identity_fingerprint(const struct dtls_identity *id, enum dtls_hash hash);
const struct dtls_certificate_facts *dtls_identity_facts(const struct dtls_identity *id);
const char *dtls_library_version(void); // "wolfSSL 5.9.2"
