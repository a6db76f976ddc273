// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_certificate.h - inside dtls/: making, reading and keeping a certificate and its key as PEM.
#pragma once
#include "dtls/dtls_facts.h"
#include <stddef.h>
#include <stdint.h>

struct dtls_pem {
	uint8_t *cert, *key; // heap; the key is secret
	size_t cert_len, key_len;
};

int dtls_certificate_make(struct dtls_pem *pem, unsigned days);
// The leaf as DER (heap, the caller's). -EINVAL: no certificate in it.
int dtls_certificate_read(const struct dtls_pem *pem, uint8_t **der, size_t *der_len, struct dtls_certificate_facts *facts);

int dtls_pem_load(struct dtls_pem *pem, const char *cert_path, const char *key_path);
int dtls_pem_copy(struct dtls_pem *pem, const char *text, size_t len); // certificates and key are in one text
// What is at path becomes `before`, the pair what is at path. A crash between the two leaves none at path.
int dtls_pem_replace(const struct dtls_pem *pem, const char *path, const char *before);
int dtls_pem_store(const struct dtls_pem *pem, const char *path); // both into one file, mode 0600, all or nothing
int dtls_pem_check_private(const char *path);                     // -ENOENT, -EPERM: others may read it, or no plain file
void dtls_pem_wipe(struct dtls_pem *pem);
