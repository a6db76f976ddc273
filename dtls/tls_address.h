// SPDX-License-Identifier: GPL-3.0-or-later
// tls_address.h - inside dtls/: addresses among a certificate's alternative names, which the library as we build it does not read.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Whether the DER certificate has the address (4 or 16 octets) as an iPAddress (RFC 5280 section 4.2.1.6).
bool tls_address_is_in(const uint8_t *der, size_t der_len, const uint8_t *address, size_t len);
