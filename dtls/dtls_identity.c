// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_identity.c - our certificate: made by dtls_certificate.c or read from files, and a library context for each use.
#include "dtls/dtls_certificate.h"
#include "dtls/dtls_identity_priv.h"
#include "dtls/dtls_time.h"
#include "base/log.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wolfssl/version.h>

#define DAY (24 * 3600)

enum { RANGE_1_2, RANGE_1_3, RANGE_BOTH, RANGES };

struct dtls_identity {
	atomic_uint refs;
	struct dtls_certificate_facts facts;
	struct dtls_fingerprint fingerprints[DTLS_HASH_COUNT];
	WOLFSSL_CTX *ctx[2][RANGES]; // by role
};

// Forward secrecy and AEAD only: every DTLS-SRTP implementation of the last decade has one of these.
static const char cipher_list[] = "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:"
				  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
				  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
				  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_state;

static void library_init(void)
{
	library_state = wolfSSL_Init() == WOLFSSL_SUCCESS ? 0 : -EIO;
}

int dtls_library_ready(void)
{
	dtls_time_set(clock_now());
	pthread_once(&library_once, library_init);
	return library_state;
}

static WOLFSSL_METHOD *method_new(enum dtls_role role, int range)
{
	static WOLFSSL_METHOD *(*const methods[2][RANGES])(void) = {
		[DTLS_ACTIVE] = { wolfDTLSv1_2_client_method, wolfDTLSv1_3_client_method, wolfDTLS_client_method },
		[DTLS_PASSIVE] = { wolfDTLSv1_2_server_method, wolfDTLSv1_3_server_method, wolfDTLS_server_method },
	};

	return methods[role][range]();
}

// The context takes the method over. pem holds a certificate chain, key_pem its key.
static int ctx_open(WOLFSSL_CTX **ctxp, enum dtls_role role, int range, const struct dtls_pem *pem)
{
	WOLFSSL_METHOD *method = method_new(role, range);
	WOLFSSL_CTX *ctx = method == NULL ? NULL : wolfSSL_CTX_new(method);
	int err = -EINVAL;

	if (ctx == NULL)
		return -ENOMEM;
	if (wolfSSL_CTX_use_certificate_chain_buffer(ctx, pem->cert, (long)pem->cert_len) != WOLFSSL_SUCCESS)
		goto out;
	if (wolfSSL_CTX_use_PrivateKey_buffer(ctx, pem->key, (long)pem->key_len, WOLFSSL_FILETYPE_PEM) !=
	    WOLFSSL_SUCCESS)
		goto out;
	if (wolfSSL_CTX_check_private_key(ctx) != WOLFSSL_SUCCESS)
		goto out;
	err = -ENOTSUP;
	if (wolfSSL_CTX_set_cipher_list(ctx, cipher_list) != WOLFSSL_SUCCESS)
		goto out;
	if (range == RANGE_BOTH && wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_DTLSV1_2) != WOLFSSL_SUCCESS)
		goto out;
	*ctxp = ctx;
	return 0;
out:
	wolfSSL_CTX_free(ctx);
	return err;
}

static int identity_open(struct dtls_identity **idp, const struct dtls_pem *pem)
{
	struct dtls_identity *id;
	uint8_t *der = NULL;
	size_t der_len;
	int err;

	id = calloc(1, sizeof(*id));
	if (id == NULL)
		return -ENOMEM;
	atomic_init(&id->refs, 1);
	err = dtls_certificate_read(pem, &der, &der_len, &id->facts);
	for (enum dtls_hash h = DTLS_HASH_NONE + 1; err == 0 && h < DTLS_HASH_COUNT; h++)
		err = dtls_fingerprint_of(&id->fingerprints[h], h, der, der_len);
	for (int role = DTLS_ACTIVE; role <= DTLS_PASSIVE; role++)
		for (int range = 0; err == 0 && range < RANGES; range++)
			err = ctx_open(&id->ctx[role][range], role, range, pem);
	if (err < 0)
		goto out;
	*idp = id;
	id = NULL;
out:
	free(der);
	dtls_identity_unref(id);
	return err;
}

int dtls_identity_make(struct dtls_identity **idp, unsigned days)
{
	struct dtls_pem pem = { 0 };
	int err;

	if (idp == NULL || days == 0 || days > 3650)
		return -EINVAL;
	err = dtls_library_ready();
	if (err == 0)
		err = dtls_certificate_make(&pem, days);
	if (err == 0)
		err = identity_open(idp, &pem);
	dtls_pem_wipe(&pem);
	return err;
}

int dtls_identity_load(struct dtls_identity **idp, const char *cert_path, const char *key_path)
{
	struct dtls_pem pem = { 0 };
	int err;

	if (idp == NULL || cert_path == NULL || key_path == NULL)
		return -EINVAL;
	err = dtls_library_ready();
	if (err == 0)
		err = dtls_pem_load(&pem, cert_path, key_path);
	if (err == 0)
		err = identity_open(idp, &pem);
	dtls_pem_wipe(&pem);
	return err;
}

static int identity_make_stored(struct dtls_identity **idp, const char *path, unsigned days)
{
	struct dtls_identity *id = NULL;
	struct dtls_pem pem = { 0 };
	int err = dtls_library_ready();

	if (err == 0)
		err = dtls_certificate_make(&pem, days);
	if (err == 0)
		err = identity_open(&id, &pem);
	if (err == 0)
		err = dtls_pem_store(&pem, path);
	if (err == 0) {
		*idp = id;
		id = NULL;
	}
	dtls_pem_wipe(&pem);
	dtls_identity_unref(id);
	return err;
}

int dtls_identity_load_or_make(struct dtls_identity **idp, const char *path, unsigned days)
{
	struct dtls_identity *id = NULL;
	int err;

	if (idp == NULL || path == NULL || days == 0 || days > 3650)
		return -EINVAL;
	err = dtls_pem_check_private(path);
	if (err < 0 && err != -ENOENT)
		return err;
	if (err == 0)
		err = dtls_identity_load(&id, path, path);
	if (err == 0 && id->facts.expires > (int64_t)time(NULL) + DAY) {
		*idp = id;
		return 0;
	}
	if (err == 0)
		log_info("dtls", "automatic certificate expires, made again", LOG_STR("file", path));
	dtls_identity_unref(id);
	if (err < 0 && err != -ENOENT)
		return err; // a file that is there but not ours to overwrite
	return identity_make_stored(idp, path, days);
}

int dtls_identity_replace(struct dtls_identity **idp, const char *pem_text, size_t len, unsigned days, const char *path, const char *before,
			  int (*judge)(void *ctx, const struct dtls_identity *id), void *ctx)
{
	struct dtls_identity *id = NULL;
	struct dtls_pem pem = { 0 };
	int err = dtls_library_ready();

	if (err == 0)
		err = pem_text != NULL ? dtls_pem_copy(&pem, pem_text, len) : dtls_certificate_make(&pem, days);
	if (err == 0)
		err = identity_open(&id, &pem);
	if (err == 0 && (id->facts.expires < (int64_t)time(NULL) + DAY || id->facts.starts > (int64_t)time(NULL)))
		err = -EKEYEXPIRED;
	if (err == 0)
		err = judge(ctx, id);
	if (err == 0)
		err = dtls_pem_replace(&pem, path, before);
	if (err == 0) {
		*idp = id;
		id = NULL;
	}
	dtls_pem_wipe(&pem);
	dtls_identity_unref(id);
	return err;
}

struct dtls_identity *dtls_identity_ref(struct dtls_identity *id)
{
	atomic_fetch_add_explicit(&id->refs, 1, memory_order_relaxed);
	return id;
}

void dtls_identity_unref(struct dtls_identity *id)
{
	if (id == NULL || atomic_fetch_sub_explicit(&id->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (int role = DTLS_ACTIVE; role <= DTLS_PASSIVE; role++)
		for (int range = 0; range < RANGES; range++)
			wolfSSL_CTX_free(id->ctx[role][range]); // NULL is fine; the library wipes its copy of the key
	free(id);
}

const struct dtls_fingerprint *dtls_identity_fingerprint(const struct dtls_identity *id, enum dtls_hash hash)
{
	if (hash <= DTLS_HASH_NONE || hash >= DTLS_HASH_COUNT)
		return NULL;
	return &id->fingerprints[hash];
}

const struct dtls_certificate_facts *dtls_identity_facts(const struct dtls_identity *id)
{
	return &id->facts;
}

const char *dtls_library_version(void)
{
	return "wolfSSL " LIBWOLFSSL_VERSION_STRING;
}

WOLFSSL_CTX *dtls_identity_ctx(const struct dtls_identity *id, enum dtls_role role, enum dtls_version min,
			       enum dtls_version max)
{
	int range;

	if (min == DTLS_VERSION_ANY)
		min = DTLS_VERSION_1_2;
	if (max == DTLS_VERSION_ANY)
		max = DTLS_VERSION_1_3;
	if (role != DTLS_ACTIVE && role != DTLS_PASSIVE)
		return NULL;
	if (min == max)
		range = min == DTLS_VERSION_1_2 ? RANGE_1_2 : RANGE_1_3;
	else if (min == DTLS_VERSION_1_2 && max == DTLS_VERSION_1_3)
		range = RANGE_BOTH;
	else
		return NULL;
	return id->ctx[role][range];
}
