// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_hello.h - the ClientHello before the TLS library sees it: merged from its fragments, and read for what we choose by.
//
// Browsers send a post-quantum ClientHello in two datagrams, and the library drops a fragmented ClientHello of an unproven
// client by design. dtls_hello_filter() stands in front: it takes the fragments out of the stream of datagrams, and gives
// back one record holding the whole message, byte for byte what the client hashed. All else passes through untouched.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTLS_HELLO_MAX 16384 // bytes of a merged ClientHello
#define DTLS_HELLO_PROFILES_MAX 32

// What a ClientHello offers, as far as we choose by it.
struct dtls_hello {
	uint16_t legacy_version;                    // 0xFEFD
	bool dtls13, dtls12;                        // among supported_versions, or by legacy_version without the extension
	bool has_cookie;                            // DTLS 1.2 field or DTLS 1.3 extension, not empty
	bool has_srtp;                              // use_srtp is there (RFC 5764)
	uint8_t n_profiles;                         // kept in profiles; more are cut off
	uint16_t profiles[DTLS_HELLO_PROFILES_MAX]; // the client's order
	uint16_t n_ciphers;                         // real suites; signalling values (SCSV) do not count
};

// Reads the body of a ClientHello message (behind the 12 bytes of handshake header). -EBADMSG: malformed.
int dtls_hello_parse(struct dtls_hello *hello, const uint8_t *body, size_t len);

// One ClientHello being put together. Zero is empty; one a peer, since all that tells hellos apart is msg_seq.
struct dtls_hello_merge {
	uint8_t *bytes; // record header, handshake header, body, then one bit a body byte that is there; NULL: nothing kept
	uint32_t length, have; // of the body, RFC 6347 section 4.2.2
	uint16_t msg_seq;
	uint16_t limit;        // longest body accepted; 0 is DTLS_HELLO_MAX
	uint32_t restarts;     // fragments that contradicted the kept ones
};

struct dtls_hello_result {
	const uint8_t *pass; // what the library may see now, or NULL; lives in the datagram or in the merge
	size_t pass_len;
	const uint8_t *hello; // body of a complete ClientHello among it, or NULL
	size_t hello_len;
	bool kept;    // a fragment was kept: more must come
	bool dropped; // something was malformed, too long, or had no place beside a fragment
};

// Looks at one datagram. The result is valid until the next call with the same merge; the datagram must live as long.
int dtls_hello_filter(struct dtls_hello_merge *merge, const uint8_t *datagram, size_t len, struct dtls_hello_result *result);
void dtls_hello_merge_clear(struct dtls_hello_merge *merge); // frees; the merge may be used again
