// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_openssl.c - handshakes with OpenSSL in the same process: both roles, profiles, certificates, keys byte for
// byte.
#include "dtls/dtls_endpoint.h"
#include "dtls/dtls_identity.h"
#include <errno.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CERTS "tests/support/dtls_certs/"
#define QUEUE 64

struct wire { // datagrams to OpenSSL
	size_t n, at;
	size_t len[QUEUE];
	uint8_t bytes[QUEUE][2048];
};

struct peer {
	struct dtls_identity *identity;
	struct dtls_endpoint *ep;
	struct dtls_out out;
	struct wire in;
	SSL_CTX *ctx;
	SSL *ssl;
	struct wire sent; // by OpenSSL
};

static void wire_put(void *ctx, const uint8_t *datagram, size_t len)
{
	struct wire *w = ctx;

	assert_true(w->n < QUEUE && len <= sizeof(w->bytes[0]));
	memcpy(w->bytes[w->n], datagram, len);
	w->len[w->n++] = len;
}

// A BIO that keeps datagrams apart.
static int bio_write(BIO *bio, const char *data, int len)
{
	wire_put(&((struct peer *)BIO_get_data(bio))->sent, (const uint8_t *)data, (size_t)len);
	return len;
}

static int bio_read(BIO *bio, char *data, int room)
{
	struct wire *w = &((struct peer *)BIO_get_data(bio))->in;
	size_t n;

	BIO_clear_retry_flags(bio);
	if (w->at == w->n) {
		BIO_set_retry_read(bio);
		return -1;
	}
	n = w->len[w->at] < (size_t)room ? w->len[w->at] : (size_t)room;
	memcpy(data, w->bytes[w->at++], n);
	return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	if (cmd == BIO_CTRL_DGRAM_QUERY_MTU)
		return 1200;
	return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT;
}

static BIO_METHOD *method;

static int accept_any(int ok, X509_STORE_CTX *store)
{
	return 1;
}

static void peer_open(struct peer *p, bool openssl_is_server, const char *certificate, const char *profiles,
		      bool we_know)
{
	struct dtls_endpoint_config config = { .role = openssl_is_server ? DTLS_ACTIVE : DTLS_PASSIVE };
	struct dtls_fingerprints expected = { .n = 1 };
	char path[64];
	BIO *bio;

	*p = (struct peer){ .out = { wire_put, &p->in } };
	p->ctx = SSL_CTX_new(DTLS_method());
	assert_non_null(p->ctx);
	SSL_CTX_set_verify(p->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
	if (certificate != NULL) {
		uint8_t *der = NULL;
		int len;

		snprintf(path, sizeof(path), CERTS "%s.pem", certificate);
		assert_int_equal(SSL_CTX_use_certificate_chain_file(p->ctx, path), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(p->ctx, path, SSL_FILETYPE_PEM), 1);
		len = i2d_X509(SSL_CTX_get0_certificate(p->ctx), &der);
		assert_int_equal(dtls_fingerprint_of(&expected.list[0], DTLS_HASH_SHA256, der, (size_t)len), 0);
		OPENSSL_free(der);
	}
	if (profiles != NULL)
		assert_int_equal(SSL_CTX_set_tlsext_use_srtp(p->ctx, profiles), 0);
	p->ssl = SSL_new(p->ctx);
	bio = BIO_new(method);
	BIO_set_data(bio, p);
	BIO_set_init(bio, 1);
	SSL_set_bio(p->ssl, bio, bio);
	SSL_set_options(p->ssl, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(p->ssl, 1200);
	if (openssl_is_server)
		SSL_set_accept_state(p->ssl);
	else
		SSL_set_connect_state(p->ssl);
	assert_int_equal(dtls_identity_make(&p->identity, 30), 0);
	config.identity = p->identity;
	config.expected = we_know && certificate != NULL ? &expected : NULL;
	assert_int_equal(dtls_endpoint_open(&p->ep, &config), 0);
}

static void peer_close(struct peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	dtls_endpoint_close(p->ep);
	dtls_identity_unref(p->identity);
}

static bool peer_run(struct peer *p)
{
	bool done = false;

	dtls_endpoint_start(p->ep, &p->out);
	for (int round = 0; round < 20; round++) {
		done = SSL_do_handshake(p->ssl) == 1;
		p->in.n = p->in.at = 0;
		for (size_t i = 0; i < p->sent.n; i++)
			dtls_endpoint_input(p->ep, p->sent.bytes[i], p->sent.len[i], &p->out);
		p->sent.n = 0;
	}
	return done;
}

static void peer_export(struct peer *p, unsigned profile, uint8_t material[128])
{
	const struct dtls_profile *sizes = dtls_profile_find((uint16_t)profile);
	size_t len = 2 * (size_t)(sizes->key_len + sizes->salt_len);

	assert_int_equal(SSL_get_selected_srtp_profile(p->ssl)->id, profile);
	assert_int_equal(SSL_export_keying_material(p->ssl, material, len, "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0), 1);
}

static void assert_keys_equal(struct peer *p, bool openssl_is_server, unsigned profile, const uint8_t material[128])
{
	const struct dtls_profile *sizes = dtls_profile_find((uint16_t)profile);
	struct dtls_srtp_keys rx, tx, *client = openssl_is_server ? &tx : &rx, *server = openssl_is_server ? &rx : &tx;
	size_t key = sizes->key_len, salt = sizes->salt_len;

	assert_int_equal(dtls_endpoint_take_keys(p->ep, &rx, &tx), 0);
	assert_int_equal(rx.profile, profile);
	assert_memory_equal(client->key, material, key);
	assert_memory_equal(server->key, material + key, key);
	assert_memory_equal(client->salt, material + 2 * key, salt);
	assert_memory_equal(server->salt, material + 2 * key + salt, salt);
}

static void test_both_roles_and_every_profile(void **state)
{
	static const struct {
		const char *theirs;
		unsigned as_server, as_client; // chosen when we are that
	} rows[] = {
		{ "SRTP_AES128_CM_SHA1_80", 1, 1 },
		{ "SRTP_AES128_CM_SHA1_32", 2, 2 },
		{ "SRTP_AEAD_AES_128_GCM", 7, 7 },
		{ "SRTP_AEAD_AES_256_GCM", 8, 8 },
		{ "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM", 8,
		  1 }, // the server's order decides
		{ "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80", 7, 7 },
	};

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		bool openssl_is_server = i % 2;
		unsigned chosen = openssl_is_server ? rows[i / 2].as_client : rows[i / 2].as_server;
		uint8_t material[128];
		struct peer p;

		peer_open(&p, openssl_is_server, "p384", rows[i / 2].theirs, true);
		assert_true(peer_run(&p));
		assert_int_equal(dtls_endpoint_status(p.ep), DTLS_SECURED);
		peer_export(&p, chosen, material);
		assert_keys_equal(&p, openssl_is_server, chosen, material);
		peer_close(&p);
	}
}

static void test_kinds_of_certificates(void **state)
{
	static const char *const names[] = { "rsa", "p384", "expired", "server_only", "chain" };

	for (size_t i = 0; i < 2 * sizeof(names) / sizeof(names[0]); i++) {
		struct peer p;

		peer_open(&p, i % 2, names[i / 2], "SRTP_AEAD_AES_256_GCM", true);
		if (!peer_run(&p) || dtls_endpoint_status(p.ep) != DTLS_SECURED)
			fail_msg("%s, OpenSSL as %s: %s", names[i / 2], i % 2 ? "server" : "client",
				 dtls_failure_text(dtls_endpoint_failure(p.ep)));
		peer_close(&p);
	}
}

// A peer that shows no certificate, as client (asked for) and where it offers no SRTP.
static void test_no_client_certificate(void **state)
{
	struct peer p;

	peer_open(&p, false, NULL, "SRTP_AEAD_AES_256_GCM", true);
	peer_run(&p);
	assert_int_equal(dtls_endpoint_status(p.ep), DTLS_FAILED);
	assert_int_equal(dtls_endpoint_failure(p.ep), DTLS_FAILURE_NO_CERTIFICATE);
	peer_close(&p);
}

static void test_no_srtp(void **state)
{
	for (int openssl_is_server = 0; openssl_is_server < 2; openssl_is_server++) {
		struct peer p;

		peer_open(&p, openssl_is_server, "p384", NULL, true);
		peer_run(&p);
		assert_int_equal(dtls_endpoint_status(p.ep), DTLS_FAILED);
		assert_int_equal(dtls_endpoint_failure(p.ep), DTLS_FAILURE_NO_SRTP);
		assert_int_equal(dtls_failure_fault(DTLS_FAILURE_NO_SRTP), DTLS_FAULT_POLICY);
		peer_close(&p);
	}
}

static void test_ciphers_do_not_meet(void **state)
{
	struct peer p;

	peer_open(&p, false, "p384", "SRTP_AEAD_AES_256_GCM", true);
	assert_int_equal(SSL_set_cipher_list(p.ssl, "AES128-SHA"), 1); // no forward secrecy
	peer_run(&p);
	assert_int_equal(dtls_endpoint_failure(p.ep), DTLS_FAILURE_NO_CIPHER);
	peer_close(&p);
}

// DTLS 1.2 renegotiation would change the exporter's value under us: refused, and the association stays.
static void test_renegotiation_is_refused(void **state)
{
	for (int openssl_is_server = 0; openssl_is_server < 2; openssl_is_server++) {
		uint8_t material[128];
		struct peer p;

		peer_open(&p, openssl_is_server, "p384", "SRTP_AEAD_AES_256_GCM", true);
		assert_true(peer_run(&p));
		peer_export(&p, 8, material);
		SSL_renegotiate(p.ssl);
		peer_run(&p);
		assert_int_equal(dtls_endpoint_status(p.ep), DTLS_SECURED);
		assert_keys_equal(&p, openssl_is_server, 8, material);
		peer_close(&p);
	}
}

static void test_close_notify_from_openssl(void **state)
{
	struct peer p;

	peer_open(&p, false, "p384", "SRTP_AEAD_AES_256_GCM", true);
	assert_true(peer_run(&p));
	SSL_write(p.ssl, "hello", 5); // application data goes nowhere
	SSL_shutdown(p.ssl);
	for (size_t i = 0; i < p.sent.n; i++)
		dtls_endpoint_input(p.ep, p.sent.bytes[i], p.sent.len[i], &p.out);
	assert_int_equal(dtls_endpoint_status(p.ep), DTLS_CLOSED);
	peer_close(&p);
}

static int setup(void **state)
{
	method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 99, "datagrams");
	return BIO_meth_set_write(method, bio_write) && BIO_meth_set_read(method, bio_read) &&
			       BIO_meth_set_ctrl(method, bio_ctrl)
		       ? 0
		       : -1;
}

static int teardown(void **state)
{
	BIO_meth_free(method);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_roles_and_every_profile), cmocka_unit_test(test_kinds_of_certificates),
		cmocka_unit_test(test_no_client_certificate),        cmocka_unit_test(test_no_srtp),
		cmocka_unit_test(test_ciphers_do_not_meet),          cmocka_unit_test(test_renegotiation_is_refused),
		cmocka_unit_test(test_close_notify_from_openssl),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
