// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_certificate.c - self-signed ECDSA P-256 certificates, made in the process.
#include "dtls/dtls_certificate.h"
#include "base/secret.h"
#include "dtls/tls_names.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

#define DER_ROOM 2048

// RFC 5280 section 4.1.2.2: positive, at most 20 octets. The name is random too: it must not tell calls of one
// gateway from another's by anything but the key (RFC 8827 section 6.5 in spirit).
static int certificate_names(Cert *cert)
{
	uint8_t name[8];
	int err = secret_random(cert->serial, 16);

	if (err == 0)
		err = secret_random(name, sizeof(name));
	if (err < 0)
		return err;
	cert->serial[0] = (cert->serial[0] & 0x7f) | 0x40;
	cert->serialSz = 16;
	for (size_t i = 0; i < sizeof(name); i++)
		snprintf(cert->subject.commonName + 2 * i, 3, "%02x", name[i]);
	return 0;
}

static int certificate_sign(uint8_t *der, ecc_key *key, WC_RNG *rng, unsigned days)
{
	Cert *cert = malloc(sizeof(*cert)); // tens of kilobytes
	int n;

	if (cert == NULL)
		return -ENOMEM;
	n = wc_InitCert(cert) == 0 ? certificate_names(cert) : -EIO;
	if (n < 0)
		goto out;
	cert->sigType = CTC_SHA256wECDSA;
	cert->daysValid = (int)days; // from a day ago: the library's own margin for clocks that differ
	cert->keyUsage = KEYUSE_DIGITAL_SIG;
	n = wc_MakeCert(cert, der, DER_ROOM, NULL, key, rng);
	if (n > 0)
		n = wc_SignCert(cert->bodySz, cert->sigType, der, DER_ROOM, NULL, key, rng);
	n = n > 0 ? n : -EIO;
out:
	free(cert);
	return n;
}

static int pem_of(uint8_t **pem, size_t *pem_len, const uint8_t *der, int der_len, int type)
{
	int n = wc_DerToPem(der, (word32)der_len, NULL, 0, type);

	if (n <= 0)
		return -EIO;
	*pem = malloc((size_t)n);
	if (*pem == NULL)
		return -ENOMEM;
	*pem_len = (size_t)n;
	n = wc_DerToPem(der, (word32)der_len, *pem, (word32)n, type);
	if (n <= 0)
		return -EIO;
	*pem_len = (size_t)n;
	return 0;
}

static int certificate_write(struct dtls_pem *pem, ecc_key *key, WC_RNG *rng, unsigned days)
{
	uint8_t der[DER_ROOM];
	int n, err;

	n = certificate_sign(der, key, rng, days);
	if (n < 0)
		return n;
	err = pem_of(&pem->cert, &pem->cert_len, der, n, CERT_TYPE);
	if (err < 0)
		return err;
	n = wc_EccKeyToDer(key, der, sizeof(der));
	err = n > 0 ? pem_of(&pem->key, &pem->key_len, der, n, ECC_PRIVATEKEY_TYPE) : -EIO;
	secret_wipe(der, sizeof(der));
	return err;
}

int dtls_certificate_make(struct dtls_pem *pem, unsigned days)
{
	ecc_key key;
	WC_RNG rng;
	int err = -EIO;

	if (wc_InitRng(&rng) != 0)
		return -EIO;
	if (wc_ecc_init(&key) != 0)
		goto out_rng;
	if (wc_ecc_make_key_ex(&rng, 32, &key, ECC_SECP256R1) == 0)
		err = certificate_write(pem, &key, &rng, days);
	wc_ecc_free(&key);
out_rng:
	wc_FreeRng(&rng);
	return err;
}

static int date_of(int64_t *seconds, const byte *field, int field_len)
{
	struct tm tm = { 0 };
	const byte *date;
	byte format;
	int n;

	if (field == NULL || wc_GetDateInfo(field, field_len, &date, &format, &n) != 0 ||
	    wc_GetDateAsCalendarTime(date, n, format, &tm) != 0)
		return -EINVAL;
	*seconds = timegm(&tm);
	return 0;
}

static unsigned rsa_bits(const DecodedCert *cert)
{
	RsaKey key;
	word32 at = 0;
	int octets = 0;

	if (wc_InitRsaKey(&key, NULL) != 0)
		return 0;
	if (wc_RsaPublicKeyDecode(cert->publicKey, &at, &key, cert->pubKeySize) == 0)
		octets = wc_RsaEncryptSize(&key);
	wc_FreeRsaKey(&key);
	return octets > 0 ? 8 * (unsigned)octets : 0;
}

static void name_algorithm(struct dtls_certificate_facts *facts, const DecodedCert *cert)
{
	int curve = cert->keyOID == ECDSAk ? wc_ecc_get_oid(cert->pkCurveOID, NULL, NULL) : 0;

	if (cert->keyOID == ECDSAk && curve > 0)
		snprintf(facts->algorithm, sizeof(facts->algorithm), "ECDSA %d", wc_ecc_get_curve_size_from_id(curve) * 8);
	else if (cert->keyOID == RSAk)
		snprintf(facts->algorithm, sizeof(facts->algorithm), "RSA %u", rsa_bits(cert));
	else
		snprintf(facts->algorithm, sizeof(facts->algorithm), "?");
}

static int print_fingerprint(struct dtls_certificate_facts *facts, const uint8_t *der, size_t len)
{
	struct dtls_fingerprint fp;
	int err = dtls_fingerprint_of(&fp, DTLS_HASH_SHA256, der, len);

	if (err == 0)
		dtls_fingerprint_print(facts->fingerprint, &fp);
	return err;
}

static int certificate_facts(const uint8_t *der, size_t len, struct dtls_certificate_facts *facts)
{
	DecodedCert *cert = malloc(sizeof(*cert));
	int err = -EINVAL;

	if (cert == NULL)
		return -ENOMEM;
	wc_InitDecodedCert(cert, der, (word32)len, NULL);
	if (wc_ParseCert(cert, CERT_TYPE, NO_VERIFY, NULL) == 0 && date_of(&facts->starts, cert->beforeDate, cert->beforeDateLen) == 0 &&
	    date_of(&facts->expires, cert->afterDate, cert->afterDateLen) == 0) {
		name_algorithm(facts, cert);
		snprintf(facts->subject, sizeof(facts->subject), "%s", cert->subject);
		tls_names_print(facts->names, sizeof(facts->names), der, len);
		err = print_fingerprint(facts, der, len);
	}
	wc_FreeDecodedCert(cert);
	free(cert);
	return err;
}

int dtls_certificate_read(const struct dtls_pem *pem, uint8_t **derp, size_t *der_len, struct dtls_certificate_facts *facts)
{
	uint8_t *der = malloc(pem->cert_len); // DER is shorter than its PEM
	int n, err;

	if (der == NULL)
		return -ENOMEM;
	n = wc_CertPemToDer(pem->cert, (int)pem->cert_len, der, (int)pem->cert_len, CERT_TYPE);
	err = n > 0 ? certificate_facts(der, (size_t)n, facts) : -EINVAL;
	if (err < 0) {
		free(der);
		return err;
	}
	*derp = der;
	*der_len = (size_t)n;
	return 0;
}
