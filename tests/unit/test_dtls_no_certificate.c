// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_no_certificate.c - a client that shows no certificate when asked, in both versions: never through, never
// keyed.
#include "tests/support/dtls_link.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/ssl.h>
#include <cmocka.h>

// The client is the bare library; it reads what the endpoint put under way to CLIENT.
static int client_recv(WOLFSSL *ssl, char *buf, int room, void *ctx)
{
	struct link_queue *q = &((struct dtls_link *)ctx)->to[CLIENT];
	size_t len;

	if (q->n == 0 || q->d[0].len > (size_t)room)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	len = q->d[0].len;
	memcpy(buf, q->d[0].bytes, len);
	memmove(q->d, q->d + 1, --q->n * sizeof(q->d[0]));
	return (int)len;
}

static int client_send(WOLFSSL *ssl, char *buf, int len, void *ctx)
{
	struct dtls_link *l = ctx;

	l->out[CLIENT].send(l->out[CLIENT].ctx, (const uint8_t *)buf, (size_t)len);
	return len;
}

static void refused(WOLFSSL_METHOD *method, enum dtls_version version)
{
	struct dtls_link *l = link_new(version, version);
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method);
	struct dtls_fingerprints any;
	struct dtls_srtp_keys rx, tx;
	struct dtls_fingerprint fp;
	WOLFSSL *ssl = wolfSSL_new(ctx);
	int group = WOLFSSL_ECC_X25519; // one whose key share fits the first datagram

	assert_non_null(ssl);
	link_open(l);
	wolfSSL_SSLSetIORecv(ssl, client_recv);
	wolfSSL_SSLSetIOSend(ssl, client_send);
	wolfSSL_SetIOReadCtx(ssl, l);
	wolfSSL_SetIOWriteCtx(ssl, l);
	wolfSSL_dtls_set_using_nonblock(ssl, 1);
	wolfSSL_set_verify(ssl, WOLFSSL_VERIFY_NONE, NULL);
	assert_int_equal(wolfSSL_set_tlsext_use_srtp(ssl, "SRTP_AEAD_AES_256_GCM"), 0);
	assert_true(version == DTLS_VERSION_1_2 || wolfSSL_set_groups(ssl, &group, 1) == WOLFSSL_SUCCESS);
	for (int i = 0; i < 10; i++) {
		wolfSSL_connect(ssl);
		link_deliver(l, SERVER);
	}
	assert_int_equal(dtls_endpoint_status(l->end[SERVER]), DTLS_FAILED);
	assert_int_equal(dtls_endpoint_failure(l->end[SERVER]), DTLS_FAILURE_NO_CERTIFICATE);
	assert_int_equal(dtls_endpoint_peer_fingerprint(l->end[SERVER], &fp), -ENOENT);
	link_expect(l, CLIENT, &any, DTLS_HASH_SHA256);
	assert_int_equal(dtls_endpoint_claim(l->end[SERVER], &any), -ENOTCONN);
	assert_int_equal(dtls_endpoint_take_keys(l->end[SERVER], &rx, &tx), -EAGAIN);
	wolfSSL_free(ssl);
	wolfSSL_CTX_free(ctx);
	link_free(l);
}

static void test_dtls12(void **state)
{
	refused(wolfDTLSv1_2_client_method(), DTLS_VERSION_1_2);
}

static void test_dtls13(void **state)
{
	refused(wolfDTLSv1_3_client_method(), DTLS_VERSION_1_3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dtls12),
		cmocka_unit_test(test_dtls13),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
