// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_tls.c - an endpoint's use of wolfSSL: callbacks, handshake, errors, exporter. No other file of the endpoint
// calls it.
#include "dtls/dtls_cookie.h"
#include "dtls/dtls_endpoint_priv.h"
#include "dtls/dtls_identity_priv.h"
#include "dtls/dtls_record.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#define LEAF_MAX (16 * 1024)
#define EXPORT_LABEL "EXTRACTOR-dtls_srtp" // RFC 5764 section 4.2

// One datagram a call; the library asks again when it has used it up.
static int on_recv(WOLFSSL *ssl, char *buf, int room, void *ctx)
{
	struct dtls_endpoint *ep = ctx;
	size_t n = ep->in_len;

	if (ep->in == NULL)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	if (n > (size_t)room) // dropped by the caller already; a cut datagram would fail its check anyway
		n = (size_t)room;
	memcpy(buf, ep->in, n);
	ep->in = NULL;
	return (int)n;
}

static int on_send(WOLFSSL *ssl, char *buf, int len, void *ctx)
{
	struct dtls_endpoint *ep = ctx;
	bool alert = len > 0 && buf[0] == DTLS_ALERT;

	if (ep->muted || (alert && !ep->send_alerts && ep->status == DTLS_HANDSHAKING)) {
		ep->info.drops[DTLS_DROP_ALERT_UNSENT] += ep->muted || alert;
		return len;
	}
	ep->sent++;
	ep->info.datagrams_out++;
	if (ep->out != NULL)
		ep->out->send(ep->out->ctx, (const uint8_t *)buf, (size_t)len);
	return len;
}

static bool keep_leaf(struct dtls_endpoint *ep, const uint8_t *der, size_t len)
{
	if (ep->leaf != NULL) // called again for the same handshake: it must be the same certificate
		return len == ep->leaf_len && memcmp(ep->leaf, der, len) == 0;
	if (len == 0 || len > LEAF_MAX)
		return false;
	ep->leaf = malloc(len);
	if (ep->leaf == NULL) {
		dtls_endpoint_fail(ep, DTLS_FAILURE_NO_MEMORY);
		return false;
	}
	memcpy(ep->leaf, der, len);
	ep->leaf_len = len;
	return true;
}

// What a pinned certificate need not satisfy: nobody vouches for it, and its dates say nothing (RFC 8122 section 7).
static bool error_is_about_trust(int error)
{
	return error == 0 || error == ASN_NO_SIGNER_E || error == ASN_SELF_SIGNED_E || error == ASN_AFTER_DATE_E ||
	       error == ASN_BEFORE_DATE_E;
}

// Decides about the peer's certificate. Never trust `preverified`: it only says what the chain looked like.
static int on_verify(int preverified, WOLFSSL_X509_STORE_CTX *store)
{
	struct dtls_endpoint *ep = store->userCtx;

	// Certificates above the leaf mean nothing here. Accepting one would also add it to the shared context's
	// authorities.
	if (store->error_depth > 0)
		return 0;
	if (store->totalCerts < 1 || !keep_leaf(ep, store->certs[0].buffer, store->certs[0].length) ||
	    !error_is_about_trust(store->error)) {
		dtls_endpoint_fail(ep, DTLS_FAILURE_BAD_CERTIFICATE);
		return 0;
	}
	if (ep->expecting && !dtls_fingerprints_match(&ep->expected, ep->leaf, ep->leaf_len)) {
		ep->muted = true; // whoever this is learns nothing
		dtls_endpoint_fail(ep, DTLS_FAILURE_FINGERPRINT);
		return 0;
	}
	return 1;
}

static int tls_set_profiles(struct dtls_endpoint *ep, const uint16_t *ids)
{
	char list[256] = "";
	char *p = list;

	for (; *ids != 0; ids++) {
		const struct dtls_profile *profile = dtls_profile_find(*ids);

		if (profile == NULL)
			return -EINVAL;
		if (p != list)
			*p++ = ':';
		p = stpcpy(p, profile->library_name); // at most DTLS_PROFILES_MAX names of 23 characters
	}
	return wolfSSL_set_tlsext_use_srtp(ep->ssl, list) == 0 ? 0 : -EINVAL; // 0 is success here since 5.9
}

// The cookie was good; the hello is read in full next. Not earlier: with a profile set the library asks for no DTLS 1.2
// cookie.
static int on_good_hello(WOLFSSL *ssl, void *ctx)
{
	struct dtls_endpoint *ep = ctx;

	return tls_set_profiles(ep, (const uint16_t[]){ ep->chosen, 0 }) == 0 ? 0 : -1;
}

// A cookie is asked for, and only then does the hello count.
static int tls_set_cookie(struct dtls_endpoint *ep, const struct dtls_endpoint_config *config)
{
	uint64_t generation = config->cookie_generation;

	if (generation == 0)
		generation = dtls_cookie_generation(config->cookie);
	wolfSSL_set_tlsext_use_srtp(ep->ssl, ""); // until on_good_hello()
	wolfDTLS_SetChGoodCb(ep->ssl, on_good_hello, ep);
	return dtls_cookie_use(config->cookie, generation, ep->ssl, config->peer, config->peer_len);
}

// As client we offer classical groups unless told: a post-quantum key share does not fit the first datagram below an
// MTU of 1500, and 5.9.2 answers a HelloRetryRequest without cookie by an empty key share again. The large curves are
// there for the servers' certificates: in DTLS 1.2 this list says what those may be, too (RFC 8422 section 5.1.1). The
// library's own list would begin with them.
static int tls_set_groups(struct dtls_endpoint *ep, const struct dtls_endpoint_config *config)
{
	int groups[] = { WOLFSSL_X25519MLKEM768, WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1,
			 WOLFSSL_ECC_SECP521R1 };
	int n = sizeof(groups) / sizeof(groups[0]), ok = WOLFSSL_SUCCESS;

	if (ep->role != DTLS_ACTIVE)
		return 0;
	if (config->max_version != DTLS_VERSION_1_2) {
		int skip = config->post_quantum ? 0 : 1;

		return wolfSSL_set_groups(ep->ssl, groups + skip, n - skip) == WOLFSSL_SUCCESS ? 0 : -EINVAL;
	}
	for (int i = 1; i < n && ok == WOLFSSL_SUCCESS; i++) // wolfSSL_set_groups() wants 1.3
		ok = wolfSSL_UseSupportedCurve(ep->ssl, (uint16_t)groups[i]);
	return ok == WOLFSSL_SUCCESS ? 0 : -EINVAL;
}

int dtls_tls_open(struct dtls_endpoint *ep, const struct dtls_endpoint_config *config)
{
	WOLFSSL_CTX *ctx = dtls_identity_ctx(config->identity, config->role, config->min_version, config->max_version);
	int err;

	if (ctx == NULL)
		return -EINVAL;
	ep->ssl = wolfSSL_new(ctx);
	if (ep->ssl == NULL)
		return -ENOMEM;
	wolfSSL_SSLSetIORecv(ep->ssl, on_recv);
	wolfSSL_SSLSetIOSend(ep->ssl, on_send);
	wolfSSL_SetIOReadCtx(ep->ssl, ep);
	wolfSSL_SetIOWriteCtx(ep->ssl, ep);
	wolfSSL_dtls_set_using_nonblock(ep->ssl, 1);
	wolfSSL_set_verify(ep->ssl, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
	wolfSSL_SetCertCbCtx(ep->ssl, ep);
	wolfSSL_KeepArrays(ep->ssl); // or the exporter finds nothing
	if (wolfSSL_dtls_set_mtu(ep->ssl, ep->mtu) != WOLFSSL_SUCCESS)
		return -EINVAL;
	err = tls_set_profiles(ep, ep->profiles);
	if (err == 0)
		err = tls_set_groups(ep, config);
	if (err < 0 || ep->role == DTLS_ACTIVE)
		return err;
	if (config->cookie != NULL)
		return tls_set_cookie(ep, config);
	if (config->max_version != DTLS_VERSION_1_2 && wolfSSL_disable_hrr_cookie(ep->ssl) != WOLFSSL_SUCCESS)
		return -EIO;
	return 0;
}

int dtls_tls_mtu(struct dtls_endpoint *ep, uint16_t mtu)
{
	return wolfSSL_dtls_set_mtu(ep->ssl, mtu) == WOLFSSL_SUCCESS ? 0 : -EINVAL;
}

void dtls_tls_close(struct dtls_endpoint *ep)
{
	wolfSSL_free(ep->ssl); // wipes its keys; NULL is fine
	ep->ssl = NULL;
	free(ep->leaf);
	ep->leaf = NULL;
}

static enum dtls_failure failure_of(int error)
{
	switch (error) {
	case NO_PEER_CERT:
		return DTLS_FAILURE_NO_CERTIFICATE;
	case VERIFY_CERT_ERROR:
	case VERIFY_SIGN_ERROR:
	case SIG_VERIFY_E:
	case NO_PEER_VERIFY:
	case PEER_KEY_ERROR:
		return DTLS_FAILURE_BAD_CERTIFICATE;
	case FATAL_ERROR:
		return DTLS_FAILURE_ALERT;
	case VERSION_ERROR:
	case UNSUPPORTED_PROTO_VERSION:
		return DTLS_FAILURE_NO_VERSION;
	case MATCH_SUITE_ERROR:
	case UNSUPPORTED_SUITE:
	case KEY_SHARE_ERROR:
	case BAD_KEY_SHARE_DATA:
		return DTLS_FAILURE_NO_CIPHER;
	case MEMORY_E:
	case MEMORY_ERROR:
		return DTLS_FAILURE_NO_MEMORY;
	default:
		return DTLS_FAILURE_PROTOCOL;
	}
}

static const char *version_text(WOLFSSL *ssl)
{
	return wolfSSL_GetVersion(ssl) == WOLFSSL_DTLSV1_3 ? "1.3" : "1.2";
}

static void handshake_done(struct dtls_endpoint *ep)
{
	const WOLFSSL_SRTP_PROTECTION_PROFILE *profile = wolfSSL_get_selected_srtp_profile(ep->ssl);

	ep->info.version = version_text(ep->ssl);
	ep->info.cipher = wolfSSL_get_cipher_name(ep->ssl);
	ep->info.group = wolfSSL_get_curve_name(ep->ssl);
	if (ep->leaf == NULL) { // the callback was never asked: nothing was compared
		dtls_endpoint_fail(ep, DTLS_FAILURE_NO_CERTIFICATE);
	} else if (profile == NULL || !dtls_profile_listed(ep->profiles, (uint16_t)profile->id)) { // no fault to the library
		dtls_endpoint_fail(ep, ep->role == DTLS_ACTIVE ? DTLS_FAILURE_NO_SRTP : DTLS_FAILURE_NO_PROFILE);
	} else {
		ep->info.profile = (uint16_t)profile->id;
		ep->status = ep->expecting ? DTLS_SECURED : DTLS_PARKED;
	}
}

void dtls_tls_handshake(struct dtls_endpoint *ep)
{
	int r = ep->role == DTLS_ACTIVE ? wolfSSL_connect(ep->ssl) : wolfSSL_accept(ep->ssl);
	int error;

	if (r == WOLFSSL_SUCCESS) {
		handshake_done(ep);
		return;
	}
	error = wolfSSL_get_error(ep->ssl, r);
	if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE)
		return;
	dtls_endpoint_fail(ep, failure_of(error)); // keeps a reason that a callback gave
}

void dtls_tls_read(struct dtls_endpoint *ep)
{
	uint8_t scrap[2048];

	for (;;) {
		int n = wolfSSL_read(ep->ssl, scrap, sizeof(scrap)), error;

		if (n > 0) {
			ep->info.drops[DTLS_DROP_APPLICATION]++;
			continue;
		}
		error = wolfSSL_get_error(ep->ssl, n);
		if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE)
			return;
		// Both come from a protected record: plain ones never get here.
		if (error == WOLFSSL_ERROR_ZERO_RETURN || error == FATAL_ERROR)
			ep->status = DTLS_CLOSED;
		else
			ep->info.drops[DTLS_DROP_REFUSED]++;
		return;
	}
}

static void got_timeout(struct dtls_endpoint *ep)
{
	wolfSSL_dtls_set_timeout_init(ep->ssl, 1); // its own doubling of whole seconds must not end before ours does
	if (wolfSSL_dtls_got_timeout(ep->ssl) != WOLFSSL_SUCCESS && ep->status == DTLS_HANDSHAKING)
		dtls_endpoint_fail(ep, DTLS_FAILURE_INTERNAL);
}

void dtls_tls_retransmit(struct dtls_endpoint *ep)
{
	if (dtls_tls_wants_ack(ep))
		got_timeout(ep); // the first one only acknowledges
	if (ep->status != DTLS_FAILED)
		got_timeout(ep);
}

void dtls_tls_acknowledge(struct dtls_endpoint *ep)
{
	got_timeout(ep);
}

uint32_t dtls_tls_refused(const struct dtls_endpoint *ep)
{
	word32 mac = 0, replay = 0;

	wolfSSL_dtls_get_drop_stats(ep->ssl, &mac, &replay);
	return mac + replay;
}

bool dtls_tls_wants_ack(const struct dtls_endpoint *ep)
{
	return wolfSSL_dtls13_use_quick_timeout(ep->ssl) != 0;
}

bool dtls_tls_hello_taken(const struct dtls_endpoint *ep)
{
	return wolfSSL_is_stateful(ep->ssl) != 0;
}

int dtls_tls_choose_profile(struct dtls_endpoint *ep, uint16_t profile)
{
	ep->chosen = profile;
	return ep->address_proven ? tls_set_profiles(ep, (const uint16_t[]){ profile, 0 }) : 0;
}

// RFC 5764 section 4.2: client key, server key, client salt, server salt.
int dtls_tls_export(struct dtls_endpoint *ep, struct dtls_srtp_keys *client, struct dtls_srtp_keys *server)
{
	const struct dtls_profile *profile = dtls_profile_find(ep->info.profile);
	uint8_t material[2 * (32 + 14)], *p = material;
	size_t len = 2 * (size_t)(profile->key_len + profile->salt_len);
	int err = 0;

	if (wolfSSL_export_keying_material(ep->ssl, material, len, EXPORT_LABEL, sizeof(EXPORT_LABEL) - 1, NULL, 0,
					   0) != WOLFSSL_SUCCESS) {
		err = -EIO;
		goto out;
	}
	*client = *server = (struct dtls_srtp_keys){ profile->id, profile->key_len, profile->salt_len, { 0 }, { 0 } };
	memcpy(client->key, p, profile->key_len);
	memcpy(server->key, p += profile->key_len, profile->key_len);
	memcpy(client->salt, p += profile->key_len, profile->salt_len);
	memcpy(server->salt, p += profile->salt_len, profile->salt_len);
out:
	secret_wipe(material, sizeof(material));
	wolfSSL_FreeArrays(ep->ssl); // the master secret of DTLS 1.2 goes with them
	return err;
}

void dtls_tls_shutdown(struct dtls_endpoint *ep)
{
	wolfSSL_shutdown(ep->ssl);
}
