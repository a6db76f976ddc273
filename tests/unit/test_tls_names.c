// SPDX-License-Identifier: GPL-3.0-or-later
// test_tls_names.c - names and addresses in a certificate that OpenSSL made: those that are there, none that is not, and no octet read behind
// its end, wherever it is cut off or changed.
#include "dtls/tls_names.h"
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

	assert_true(tls_names_have_address(der, (size_t)len, v4, sizeof(v4)));
	assert_true(tls_names_have_address(der, (size_t)len, v6, sizeof(v6)));
	assert_false(tls_names_have_address(der, (size_t)len, other, sizeof(other)));
	assert_false(tls_names_have_address(der, (size_t)len, v6, 4)); // the first octets of another one
	OPENSSL_free(der);
	der = make("DNS:192.0.2.7", &len); // a name that looks like one
	assert_false(tls_names_have_address(der, (size_t)len, v4, sizeof(v4)));
	OPENSSL_free(der);
	der = make(NULL, &len);
	assert_false(tls_names_have_address(der, (size_t)len, v4, sizeof(v4)));
	OPENSSL_free(der);
}

static void nothing_behind_the_end(void **state)
{
	int len;
	uint8_t *der = make("IP:192.0.2.7,DNS:a.test", &len);
	char text[64];

	for (int n = 0; n <= len; n++) {
		uint8_t *part = malloc((size_t)n + 1); // ASan sees what is read behind it

		memcpy(part, der, (size_t)n);
		part = realloc(part, n > 0 ? (size_t)n : 1);
		tls_names_have_address(part, (size_t)n, v4, sizeof(v4));
		tls_names_print(text, sizeof(text), part, (size_t)n);
		free(part);
	}
	for (int n = 0; n < len; n++) {
		uint8_t *changed = malloc((size_t)len), values[] = { 0, 0x7f, 0x80, 0x84, 0x85, 0xff };

		for (size_t v = 0; v < sizeof(values); v++) {
			memcpy(changed, der, (size_t)len);
			changed[n] = values[v];
			tls_names_have_address(changed, (size_t)len, v4, sizeof(v4));
			tls_names_print(text, sizeof(text), changed, (size_t)len);
		}
		free(changed);
	}
	OPENSSL_free(der);
}

static void for_people(void **state)
{
	int len;
	uint8_t *der = make("DNS:a.test,IP:192.0.2.7,email:a@b.test,RID:1.2.3,URI:sip:a.test,IP:2001:db8::9,otherName:1.2.3;UTF8:x,DNS:\x01 b", &len);
	char text[128];

	tls_names_print(text, sizeof(text), der, (size_t)len);
	assert_string_equal(text, "DNS:a.test\nIP:192.0.2.7\nemail:a@b.test\nURI:sip:a.test\nIP:2001:db8::9\nDNS:??b");
	for (size_t room = 1; room < sizeof(text); room++) { // what does not fit is left out whole
		char *small = malloc(room);

		tls_names_print(small, room, der, (size_t)len);
		assert_true(strlen(small) < room && (small[0] == '\0' || strchr(small, ':') != NULL));
		assert_true(strncmp(small, "DNS:a.test", 10) == 0 || strstr(small, "a.test\n") == NULL);
		free(small);
	}
	OPENSSL_free(der);
	der = make(NULL, &len);
	tls_names_print(text, sizeof(text), der, (size_t)len);
	assert_string_equal(text, "");
	OPENSSL_free(der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_are_there),
		cmocka_unit_test(for_people),
		cmocka_unit_test(nothing_behind_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
