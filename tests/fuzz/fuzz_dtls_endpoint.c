// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_dtls_endpoint.c - hostile datagrams into an endpoint. The first octet chooses the version, the role, and how far
// an honest handshake has come before; then datagrams, each behind two octets of length. Whatever comes, an endpoint
// that knows its peer's fingerprint is never secured by it, and a secured one stays what it is.
#include "tests/support/dtls_link.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Certificates are made once; all else is fresh each time.
static struct dtls_link *fresh(enum dtls_version version)
{
	static struct dtls_link *parent;
	struct dtls_link *l;

	if (parent == NULL)
		parent = link_new(DTLS_VERSION_ANY, DTLS_VERSION_ANY);
	l = malloc(sizeof(*l));
	if (parent == NULL || l == NULL)
		abort();
	memcpy(l, parent, sizeof(*l));
	l->env.ctx = l;
	for (int end = CLIENT; end <= SERVER; end++) {
		l->port[end].link = l;
		l->out[end].ctx = &l->port[end];
		l->config[end].env = &l->env;
		l->config[end].min_version = l->config[end].max_version = version;
		dtls_identity_ref(l->identity[end]);
	}
	return l;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dtls_version versions[] = { DTLS_VERSION_ANY, DTLS_VERSION_1_2, DTLS_VERSION_1_3,
						      DTLS_VERSION_ANY };
	struct dtls_fingerprints expected;
	enum dtls_status before;
	struct dtls_link *l;
	int victim, rounds;

	if (size < 1)
		return 0;
	victim = data[0] & 1 ? CLIENT : SERVER;
	rounds = data[0] >> 3 & 3; // of an honest handshake; 3 is all of it
	l = fresh(versions[data[0] >> 1 & 3]);
	link_expect(l, !victim, &expected, DTLS_HASH_SHA256);
	l->config[victim].expected = &expected;
	link_open(l);
	dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
	for (int i = 0; i < rounds; i++) {
		link_deliver(l, SERVER);
		link_deliver(l, CLIENT);
	}
	if (rounds == 3)
		link_pass(l);
	before = dtls_endpoint_status(l->end[victim]);
	data++;
	size--;
	while (size >= 2) {
		size_t len = (size_t)(data[0] << 8 | data[1]);
		uint8_t *datagram;

		len = len < size - 2 ? len : size - 2;
		datagram = malloc(len + 1);
		if (datagram == NULL)
			break;
		memcpy(datagram, data + 2, len);
		dtls_endpoint_input(l->end[victim], datagram, len, &l->out[victim]);
		free(datagram);
		link_wait(l, MONO_MS(100));
		data += 2 + len;
		size -= 2 + len;
	}
	if (dtls_endpoint_status(l->end[victim]) == DTLS_SECURED && before != DTLS_SECURED)
		abort();
	if (before == DTLS_SECURED && dtls_endpoint_status(l->end[victim]) != DTLS_SECURED)
		abort();
	link_free(l);
	return 0;
}
