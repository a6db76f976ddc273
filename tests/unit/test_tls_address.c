// SPDX-License-Identifier: GPL-3.0-or-later
// test_tls_address.c - addresses in a certificate that OpenSSL made: those that are there, none that is not, and no octet read behind
// its end, wherever it is cut off or changed.
#include "dtls/tls_address.h"
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t v4[4] = { 192, 0, 2, 7 }, other[4] = { 192, 0, 2, 8 };
static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 };

static void extend(X509 *cert, int kind, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static uint8_t *make(const char *names, int *len)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	uint8_t *der = NULL;

	X509_set_version(cert, 2);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	extend(cert, NID_basic_constraints, "critical,CA:FALSE");
	if (names != NULL)
		extend(cert, NID_subject_alt_name, names);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	*len = i2d_X509(cert, &der);
	assert_true(*len > 0);
	X509_free(cert);
	EVP_PKEY_free(key);
	return der;
}

static void those_that_are_there(void **state)
{
	int len;
	uint8_t *der = make("DNS:a.test,IP:192.0.2.7,email:a@b.test,IP:2001:db8::9", &len);

	assert_true(tls_address_is_in(der, (size_t)len, v4, sizeof(v4)));
	assert_true(tls_address_is_in(der, (size_t)len, v6, sizeof(v6)));
	assert_false(tls_address_is_in(der, (size_t)len, other, sizeof(other)));
	assert_false(tls_address_is_in(der, (size_t)len, v6, 4)); // the first octets of another one
	OPENSSL_free(der);
	der = make("DNS:192.0.2.7", &len); // a name that looks like one
	assert_false(tls_address_is_in(der, (size_t)len, v4, sizeof(v4)));
	OPENSSL_free(der);
	der = make(NULL, &len);
	assert_false(tls_address_is_in(der, (size_t)len, v4, sizeof(v4)));
	OPENSSL_free(der);
}

static void nothing_behind_the_end(void **state)
{
	int len;
	uint8_t *der = make("IP:192.0.2.7", &len);

	for (int n = 0; n <= len; n++) {
		uint8_t *part = malloc((size_t)n + 1); // ASan sees what is read behind it

		memcpy(part, der, (size_t)n);
		part = realloc(part, n > 0 ? (size_t)n : 1);
		tls_address_is_in(part, (size_t)n, v4, sizeof(v4));
		free(part);
	}
	for (int n = 0; n < len; n++) {
		uint8_t *changed = malloc((size_t)len), values[] = { 0, 0x7f, 0x80, 0x84, 0x85, 0xff };

		for (size_t v = 0; v < sizeof(values); v++) {
			memcpy(changed, der, (size_t)len);
			changed[n] = values[v];
			tls_address_is_in(changed, (size_t)len, v4, sizeof(v4));
		}
		free(changed);
	}
	OPENSSL_free(der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_are_there),
		cmocka_unit_test(nothing_behind_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
