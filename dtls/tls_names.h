// SPDX-License-Identifier: GPL-3.0-or-later
// tls_names.h - inside dtls/: a certificate's alternative names (RFC 5280 section 4.2.1.6), of which the library as we build it reads no
// addresses.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Whether the DER certificate has the address (4 or 16 octets) as an iPAddress.
bool tls_names_have_address(const uint8_t *der, size_t der_len, const uint8_t *address, size_t len);
// For people: "DNS:a.test\nIP:192.0.2.7", without those of other kinds and those that do not fit. Printable ASCII alone, '?' for the rest.
void tls_names_print(char *dst, size_t room, const uint8_t *der, size_t der_len);
