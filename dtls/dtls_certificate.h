// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_certificate.h - inside dtls/: making, reading and keeping a certificate and its key as PEM.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct dtls_pem {
	uint8_t *cert, *key; // heap; the key is secret
	size_t cert_len, key_len;
};

int dtls_certificate_make(struct dtls_pem *pem, unsigned days);
// The leaf as DER (heap, the caller's) and the end of its validity, seconds since 1970. -EINVAL: no certificate in it.
int dtls_certificate_read(const struct dtls_pem *pem, uint8_t **der, size_t *der_len, int64_t *expires);

int dtls_pem_load(struct dtls_pem *pem, const char *cert_path, const char *key_path);
int dtls_pem_store(const struct dtls_pem *pem, const char *path); // both into one file, mode 0600, all or nothing
int dtls_pem_check_private(const char *path);                     // -ENOENT, -EPERM: others may read it, or no plain file
void dtls_pem_wipe(struct dtls_pem *pem);
