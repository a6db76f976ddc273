// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_facts.h - what a certificate says, for people. Whoever made the certificate chose subject and names.
#pragma once
#include "dtls/dtls_fingerprint.h"
#include <stdint.h>

struct dtls_certificate_facts {
	int64_t starts, expires; // seconds since 1970
	char algorithm[24];      // of its key: "ECDSA 256", "RSA 2048", bits; "?" where there is no word for it
	char fingerprint[DTLS_FINGERPRINT_STRLEN]; // SHA-256
	char subject[512];       // "/C=AQ/CN=door.test", as much as the library reads; octets of any kind but zero
	char names[1024];        // as tls_names_print() has them: one a line
};
