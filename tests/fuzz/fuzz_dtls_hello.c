// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_dtls_hello.c - datagrams, each behind two octets of length, through the ClientHello merge and the parser.
#include "dtls/dtls_hello.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dtls_hello_result *r)
{
	struct dtls_hello hello;

	if (r->hello != NULL && r->pass == NULL)
		abort();
	if (r->hello == NULL)
		return;
	if (r->hello < r->pass || r->hello + r->hello_len > r->pass + r->pass_len || r->hello_len > 0xFFFF)
		abort();
	if (dtls_hello_parse(&hello, r->hello, r->hello_len) == 0 && hello.n_profiles > DTLS_HELLO_PROFILES_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dtls_hello_merge merge = { .limit = 5000 };

	while (size >= 2) {
		size_t len = (size_t)(data[0] << 8 | data[1]);
		struct dtls_hello_result r;
		uint8_t *datagram;

		len = len < size - 2 ? len : size - 2;
		datagram = malloc(len + 1); // a block of its own, so that the sanitizer sees its end
		if (datagram == NULL)
			break;
		memcpy(datagram, data + 2, len);
		dtls_hello_filter(&merge, datagram, len, &r);
		check(&r);
		if (merge.length > 5000 || merge.have > merge.length)
			abort();
		free(datagram);
		data += 2 + len;
		size -= 2 + len;
	}
	dtls_hello_merge_clear(&merge);
	return 0;
}
