// SPDX-License-Identifier: GPL-3.0-or-later
// tls_stream.c - the library's TLS, with what is too weak or too old left out.
#include "dtls/tls_stream.h"
#include "base/secret.h"
#include "dtls/dtls_certificate.h"
#include "dtls/dtls_identity_priv.h"
#include "dtls/dtls_time.h"
#include "dtls/tls_names.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

// Forward secrecy and AEAD only.
static const char cipher_list[] = "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:"
				  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
				  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
				  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

struct tls_setup {
	unsigned refs;
	WOLFSSL_CTX *ctx;
	struct dtls_certificate_facts facts; // zero: it has none
};

struct tls_stream {
	struct tls_setup *setup;
	struct tls_io io;
	WOLFSSL *ssl;
	bool wants_write;
	uint8_t address[16]; // that the server's certificate must have
	size_t address_len;  // 0: a name, which the library looks for
	int error;           // the library's
	const char *refusal; // ours
};

static ssize_t result_of(ssize_t n)
{
	if (n == -EAGAIN || n == -EINTR)
		return WOLFSSL_CBIO_ERR_WANT_READ; // the same number as WANT_WRITE
	if (n == 0)
		return WOLFSSL_CBIO_ERR_CONN_CLOSE;
	return n > 0 ? n : WOLFSSL_CBIO_ERR_GENERAL;
}

static int on_receive(WOLFSSL *ssl, char *octets, int room, void *ctx)
{
	const struct tls_stream *s = ctx;

	return (int)result_of(s->io.receive(s->io.ctx, octets, (size_t)room));
}

static int on_send(WOLFSSL *ssl, char *octets, int len, void *ctx)
{
	const struct tls_stream *s = ctx;

	return (int)result_of(s->io.send(s->io.ctx, octets, (size_t)len));
}

// Setup

static int use_certificate(struct tls_setup *setup, const struct tls_files *files)
{
	struct dtls_pem pem = { 0 };
	uint8_t *der = NULL;
	size_t len;
	int err = dtls_pem_load(&pem, files->certificate, files->key);

	if (err == 0)
		err = dtls_certificate_read(&pem, &der, &len, &setup->facts);
	if (err == 0 &&
	    (wolfSSL_CTX_use_certificate_chain_buffer(setup->ctx, pem.cert, (long)pem.cert_len) != WOLFSSL_SUCCESS ||
	     wolfSSL_CTX_use_PrivateKey_buffer(setup->ctx, pem.key, (long)pem.key_len, WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS ||
	     wolfSSL_CTX_check_private_key(setup->ctx) != WOLFSSL_SUCCESS))
		err = -EINVAL;
	dtls_pem_wipe(&pem);
	free(der);
	return err;
}

static int use_authorities(struct tls_setup *setup, const char *path)
{
	if (path == NULL)
		return wolfSSL_CTX_load_system_CA_certs(setup->ctx) == WOLFSSL_SUCCESS ? 0 : -ENOENT;
	if (access(path, R_OK) < 0)
		return -errno;
	return wolfSSL_CTX_load_verify_locations_ex(setup->ctx, path, NULL, WOLFSSL_LOAD_FLAG_NONE) == WOLFSSL_SUCCESS ? 0 : -EINVAL;
}

static int setup_open(struct tls_setup **setupp, WOLFSSL_METHOD *(*method)(void))
{
	struct tls_setup *setup = NULL;
	int err = dtls_library_ready();

	if (err < 0)
		return err;
	setup = calloc(1, sizeof(*setup));
	if (setup == NULL)
		return -ENOMEM;
	setup->refs = 1;
	setup->ctx = wolfSSL_CTX_new(method());
	err = setup->ctx != NULL ? 0 : -ENOMEM;
	if (err == 0 && (wolfSSL_CTX_SetMinVersion(setup->ctx, WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS ||
			 wolfSSL_CTX_set_cipher_list(setup->ctx, cipher_list) != WOLFSSL_SUCCESS))
		err = -ENOTSUP;
	if (err < 0) {
		tls_setup_unref(setup);
		return err;
	}
	wolfSSL_CTX_SetIORecv(setup->ctx, on_receive);
	wolfSSL_CTX_SetIOSend(setup->ctx, on_send);
	*setupp = setup;
	return 0;
}

int tls_setup_server(struct tls_setup **setupp, const struct tls_files *files)
{
	struct tls_setup *setup;
	int err = setup_open(&setup, wolfSSLv23_server_method);

	if (err < 0)
		return err;
	wolfSSL_CTX_set_verify(setup->ctx, WOLFSSL_VERIFY_NONE, NULL);
	err = use_certificate(setup, files);
	if (err == 0 && files->authorities != NULL) {
		wolfSSL_CTX_set_verify(setup->ctx, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		err = use_authorities(setup, files->authorities);
	}
	if (err < 0)
		tls_setup_unref(setup);
	else
		*setupp = setup;
	return err;
}

int tls_setup_client(struct tls_setup **setupp, const struct tls_files *files)
{
	struct tls_setup *setup;
	int err = setup_open(&setup, wolfSSLv23_client_method);

	if (err < 0)
		return err;
	wolfSSL_CTX_set_verify(setup->ctx, WOLFSSL_VERIFY_PEER, NULL);
	err = use_authorities(setup, files->authorities);
	if (err == 0 && files->certificate != NULL)
		err = use_certificate(setup, files);
	if (err < 0)
		tls_setup_unref(setup);
	else
		*setupp = setup;
	return err;
}

struct tls_setup *tls_setup_ref(struct tls_setup *setup)
{
	setup->refs++;
	return setup;
}

void tls_setup_unref(struct tls_setup *setup)
{
	if (setup == NULL || --setup->refs > 0)
		return;
	wolfSSL_CTX_free(setup->ctx); // wipes its copy of the key
	free(setup);
}

const struct dtls_certificate_facts *tls_setup_facts(const struct tls_setup *setup)
{
	return &setup->facts;
}

// Streams

static int expect_server(struct tls_stream *s, const char *server)
{
	int ok;

	if (inet_pton(AF_INET, server, s->address) == 1)
		s->address_len = 4;
	else if (inet_pton(AF_INET6, server, s->address) == 1)
		s->address_len = 16;
	if (s->address_len > 0)
		return 0;
	ok = wolfSSL_check_domain_name(s->ssl, server);
	if (ok == WOLFSSL_SUCCESS)
		ok = wolfSSL_UseSNI(s->ssl, WOLFSSL_SNI_HOST_NAME, server, (unsigned short)strlen(server));
	return ok == WOLFSSL_SUCCESS ? 0 : -EINVAL;
}

int tls_stream_open(struct tls_stream **streamp, struct tls_setup *setup, const struct tls_io *io, const char *server)
{
	struct tls_stream *s = calloc(1, sizeof(*s));
	int err = 0;

	if (s == NULL)
		return -ENOMEM;
	dtls_time_set(clock_now());
	s->io = *io;
	s->setup = tls_setup_ref(setup);
	s->ssl = wolfSSL_new(setup->ctx);
	if (s->ssl == NULL)
		err = -ENOMEM;
	else if (server != NULL)
		err = expect_server(s, server);
	if (err < 0) {
		tls_stream_close(s);
		return err;
	}
	wolfSSL_SetIOReadCtx(s->ssl, s);
	wolfSSL_SetIOWriteCtx(s->ssl, s);
	*streamp = s;
	return 0;
}

void tls_stream_close(struct tls_stream *s)
{
	if (s == NULL)
		return;
	wolfSSL_free(s->ssl); // NULL is fine
	tls_setup_unref(s->setup);
	free(s);
}

// What the library's last call means. closed: an orderly end is one here.
static int verdict(struct tls_stream *s, int ret)
{
	int error = wolfSSL_get_error(s->ssl, ret);

	s->wants_write = error == WOLFSSL_ERROR_WANT_WRITE;
	if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	if (error == WOLFSSL_ERROR_ZERO_RETURN)
		return 0;
	s->error = error;
	return -EPROTO;
}

// The library looks at names alone, as it is built here.
static bool is_for_address(const struct tls_stream *s)
{
	WOLFSSL_X509 *peer;
	const uint8_t *der;
	int len = 0;
	bool is;

	if (s->address_len == 0)
		return true;
	peer = wolfSSL_get_peer_certificate(s->ssl);
	der = peer != NULL ? wolfSSL_X509_get_der(peer, &len) : NULL;
	is = der != NULL && tls_names_have_address(der, (size_t)len, s->address, s->address_len);
	wolfSSL_X509_free(peer);
	return is;
}

int tls_stream_handshake(struct tls_stream *s)
{
	int ret, err;

	dtls_time_set(clock_now());
	ret = wolfSSL_negotiate(s->ssl);
	if (ret == WOLFSSL_SUCCESS && !is_for_address(s)) {
		s->refusal = "its certificate is not for this address";
		return -EPROTO;
	}
	if (ret == WOLFSSL_SUCCESS)
		return 0;
	err = verdict(s, ret);
	return err == 0 ? -EPROTO : err;
}

ssize_t tls_stream_read(struct tls_stream *s, void *octets, size_t room)
{
	int n;

	dtls_time_set(clock_now());
	n = wolfSSL_read(s->ssl, octets, (int)room);
	return n > 0 ? n : verdict(s, n);
}

ssize_t tls_stream_write(struct tls_stream *s, const void *octets, size_t len)
{
	int n, err;

	dtls_time_set(clock_now());
	n = wolfSSL_write(s->ssl, octets, (int)len);
	if (n > 0)
		return n;
	err = verdict(s, n);
	return err == 0 ? -EPROTO : err;
}

bool tls_stream_wants_write(const struct tls_stream *s)
{
	return s->wants_write;
}

void tls_stream_end(struct tls_stream *s)
{
	wolfSSL_shutdown(s->ssl);
}

const char *tls_stream_failure(const struct tls_stream *s)
{
	if (s->refusal != NULL)
		return s->refusal;
	return s->error != 0 ? wolfSSL_ERR_reason_error_string((unsigned long)(long)s->error) : "ended";
}

const char *tls_stream_version(const struct tls_stream *s)
{
	return wolfSSL_get_version(s->ssl);
}

bool tls_stream_peer_is(const struct tls_stream *s, const char *name)
{
	WOLFSSL_X509 *peer = wolfSSL_get_peer_certificate(s->ssl);
	const char *other;
	bool is = false;

	if (peer == NULL)
		return false;
	other = wolfSSL_X509_get_subjectCN(peer);
	is = other != NULL && strcmp(other, name) == 0;
	while (!is && (other = wolfSSL_X509_get_next_altname(peer)) != NULL)
		is = strcmp(other, name) == 0;
	wolfSSL_X509_free(peer);
	return is;
}
