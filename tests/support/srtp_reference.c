// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_reference.c - SRTP in the words of RFC 3711, 6188, 6904, 7714, 9335, on OpenSSL's EVP.
#include "tests/support/srtp_reference.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MAX 4352

static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put(uint8_t *at, uint64_t value, unsigned octets)
{
	for (unsigned i = 0; i < octets; i++)
		at[i] = (uint8_t)(value >> 8 * (octets - 1 - i));
}

// ---- AES-CM: key streams (RFC 3711 4.1.1, RFC 6188 2)

static const EVP_CIPHER *ctr_of(unsigned key_len)
{
	return key_len == 16 ? EVP_aes_128_ctr() : key_len == 24 ? EVP_aes_192_ctr() : EVP_aes_256_ctr();
}

static void key_stream(uint8_t *to, size_t len, const uint8_t *key, unsigned key_len, const uint8_t iv[16])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	memset(to, 0, len);
	must(ctx != NULL && EVP_EncryptInit_ex(ctx, ctr_of(key_len), NULL, key, iv) == 1);
	must(EVP_EncryptUpdate(ctx, to, &n, to, (int)len) == 1);
	EVP_CIPHER_CTX_free(ctx);
}

static void packet_iv(uint8_t iv[16], const uint8_t salt[16], const uint8_t *ssrc, uint64_t index)
{
	uint8_t mine[16] = { 0 };

	memcpy(mine + 4, ssrc, 4);
	put(mine + 8, index, 6);
	for (unsigned i = 0; i < 16; i++)
		iv[i] = mine[i] ^ salt[i];
}

// ---- RFC 3711 4.3.1 with key derivation rate 0

static void derive(uint8_t *to, size_t len, const struct srtp_master *master, uint8_t label)
{
	const struct srtp_suite_info *info = srtp_suite_info(master->suite);
	uint8_t iv[16] = { 0 };

	memcpy(iv, master->salt, info->salt_len);
	iv[7] ^= label;
	key_stream(to, len, master->key, info->key_len, iv);
}

void srtp_reference_open(struct srtp_reference *r, const struct srtp_master *master, const struct srtp_mki *mki)
{
	*r = (struct srtp_reference){ .info = srtp_suite_info(master->suite) };
	if (mki != NULL)
		r->mki = *mki;
	derive(r->cipher, r->info->key_len, master, 0);
	derive(r->auth, sizeof(r->auth), master, 1);
	derive(r->salt, r->info->salt_len, master, 2);
	derive(r->extension_cipher, r->info->key_len, master, 6);
	derive(r->extension_salt, r->info->salt_len, master, 7);
}

// ---- RFC 6904 3: a key stream as long as the extension, and a mask that has ones where data is to be encrypted

static void mask_set(uint8_t *mask, size_t len, size_t from, size_t n)
{
	must(from + n <= len);
	memset(mask + from, 0xff, n);
}

static void mask_one_octet(uint8_t *mask, const uint8_t *body, size_t len, const uint8_t *encrypted)
{
	for (size_t i = 0; i < len;) {
		unsigned id = body[i] >> 4, n = (body[i] & 15u) + 1;

		if (body[i] == 0) {
			i++;
			continue;
		}
		if (id == 0 || id == 15)
			return;
		if (encrypted[id / 8] & 1 << id % 8)
			mask_set(mask, len, i + 1, n);
		i += 1 + n;
	}
}

static void mask_two_octets(uint8_t *mask, const uint8_t *body, size_t len, const uint8_t *encrypted)
{
	for (size_t i = 0; i + 1 < len;) {
		unsigned id = body[i], n = body[i + 1];

		if (id == 0) {
			i++;
			continue;
		}
		if (encrypted[id / 8] & 1 << id % 8)
			mask_set(mask, len, i + 2, n);
		i += 2 + n;
	}
}

static void extension_encrypt(const struct srtp_reference *r, uint8_t *packet, size_t at, uint64_t index,
			      const uint8_t *encrypted)
{
	uint8_t stream[PACKET_MAX], mask[PACKET_MAX] = { 0 }, iv[16];
	uint16_t form = get16(packet + at);
	size_t len = 4u * get16(packet + at + 2);

	must(len <= PACKET_MAX);
	if (form == 0xbede)
		mask_one_octet(mask, packet + at + 4, len, encrypted);
	else if (form >> 4 == 0x100)
		mask_two_octets(mask, packet + at + 4, len, encrypted);
	packet_iv(iv, r->extension_salt, packet + 8, index);
	key_stream(stream, len, r->extension_cipher, r->info->key_len, iv);
	for (size_t i = 0; i < len; i++)
		packet[at + 4 + i] ^= stream[i] & mask[i];
}

// ---- the packet

static void cm_text(const struct srtp_reference *r, const uint8_t iv[16], uint8_t *text, size_t n)
{
	uint8_t stream[PACKET_MAX];

	key_stream(stream, n, r->cipher, r->info->key_len, iv);
	for (size_t i = 0; i < n; i++)
		text[i] ^= stream[i];
}

// RFC 7714 8.1: two octets of zeros, SSRC, ROC || SEQ; the salt upon it.
static void gcm_iv(uint8_t iv[12], const uint8_t *salt, const uint8_t *ssrc, uint64_t index)
{
	memset(iv, 0, 2);
	memcpy(iv + 2, ssrc, 4);
	put(iv + 6, index, 6);
	for (unsigned i = 0; i < 12; i++)
		iv[i] ^= salt[i];
}

// `aad` is in two pieces.
static void gcm_text(const struct srtp_reference *r, const uint8_t iv[12], const uint8_t *aad[2], const size_t n_aad[2],
		     uint8_t *text, size_t n_text, uint8_t tag[16])
{
	const EVP_CIPHER *cipher = r->info->key_len == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	must(ctx != NULL && EVP_EncryptInit_ex(ctx, cipher, NULL, r->cipher, iv) == 1);
	for (unsigned i = 0; i < 2; i++)
		must(EVP_EncryptUpdate(ctx, NULL, &n, aad[i], (int)n_aad[i]) == 1);
	must(EVP_EncryptUpdate(ctx, text, &n, text, (int)n_text) == 1);
	must(EVP_EncryptFinal_ex(ctx, text + n, &n) == 1);
	must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
	EVP_CIPHER_CTX_free(ctx);
}

// Over the packet and four octets more: ROC, or E and index.
static void hmac_tag(const struct srtp_reference *r, const uint8_t *packet, size_t len, uint32_t more, uint8_t *tag,
		     size_t tag_len)
{
	uint8_t message[PACKET_MAX + 4], digest[EVP_MAX_MD_SIZE];
	unsigned n;

	memcpy(message, packet, len);
	put(message + len, more, 4);
	must(HMAC(EVP_sha1(), r->auth, sizeof(r->auth), message, len + 4, digest, &n) != NULL);
	memcpy(tag, digest, tag_len);
}

// RFC 9335 5.1. Returns the packet's length, 0: not to be sent so.
static size_t cryptex_begin(uint8_t *packet, size_t at, size_t len)
{
	bool has_extension = packet[0] & 0x10;

	if (!has_extension && at == 12)
		return 0;
	if (!has_extension) {
		memmove(packet + at + 4, packet + at, len - at);
		packet[0] |= 0x10;
		put(packet + at, 0xbede0000, 4);
		len += 4;
	}
	if (get16(packet + at) == 0xbede)
		put(packet + at, 0xc0de, 2);
	else if (get16(packet + at) >> 4 == 0x100)
		put(packet + at, 0xc2de, 2);
	else
		return 0;
	return len;
}

size_t srtp_reference_protect(const struct srtp_reference *r, uint8_t *to, const uint8_t *packet, size_t len,
			      uint64_t index, const uint8_t *encrypted, bool cryptex)
{
	size_t at = 12 + 4u * (packet[0] & 0x0f), n_csrcs = 0, rest = at, grown = 0;
	uint8_t text[PACKET_MAX], tag[16], iv[16];
	const uint8_t *aad[2] = { to, to };
	size_t n_aad[2] = { 12, 0 };

	must(len + 40 < PACKET_MAX);
	memcpy(to, packet, len);
	if (cryptex && r->info->encrypts)
		grown = cryptex_begin(to, at, len);
	if (grown != 0) { // CSRCs, and all behind the extension's head
		len = grown;
		n_csrcs = at - 12;
		rest = at + 4;
		aad[1] = to + at;
		n_aad[1] = 4;
	} else if (to[0] & 0x10) {
		if (encrypted != NULL && r->info->encrypts)
			extension_encrypt(r, to, at, index, encrypted);
		rest = at + 4 + 4u * get16(to + at + 2);
	}
	if (grown == 0)
		n_aad[0] = rest;
	memcpy(text, to + 12, n_csrcs);
	memcpy(text + n_csrcs, to + rest, len - rest);
	if (r->info->aead)
		gcm_iv(iv, r->salt, to + 8, index);
	else
		packet_iv(iv, r->salt, to + 8, index);
	if (r->info->aead)
		gcm_text(r, iv, aad, n_aad, text, n_csrcs + len - rest, tag);
	else if (r->info->encrypts)
		cm_text(r, iv, text, n_csrcs + len - rest);
	memcpy(to + 12, text, n_csrcs);
	memcpy(to + rest, text + n_csrcs, len - rest);
	if (!r->info->aead)
		hmac_tag(r, to, len, (uint32_t)(index >> 16), tag, r->info->tag_len);
	// RFC 3711 3.1: MKI, tag. RFC 7714 8.2: the tag is of the cipher text, the MKI behind it.
	memcpy(to + len + (r->info->aead ? 16 : 0), r->mki.bytes, r->mki.len);
	memcpy(to + len + (r->info->aead ? 0 : r->mki.len), tag, r->info->tag_len);
	return len + r->mki.len + r->info->tag_len;
}

size_t srtp_reference_protect_rtcp(const struct srtp_master *master, const struct srtp_mki *mki, uint8_t *to,
				   const uint8_t *packet, size_t len, uint32_t index)
{
	struct srtp_reference r = { .info = srtp_suite_info(master->suite) };
	uint32_t word = index | (r.info->encrypts ? 0x80000000 : 0);
	uint8_t tag[16], iv[16], word_octets[4];
	const uint8_t *aad[2] = { to, word_octets };

	derive(r.cipher, r.info->key_len, master, 3);
	derive(r.auth, sizeof(r.auth), master, 4);
	derive(r.salt, r.info->salt_len, master, 5);
	put(word_octets, word, 4);
	memcpy(to, packet, len);
	if (r.info->aead) { // RFC 7714 9.2: cipher text, tag, E and index, MKI
		gcm_iv(iv, r.salt, to + 4, index);
		gcm_text(&r, iv, aad, (size_t[2]){ 8, 4 }, to + 8, len - 8, tag);
		memcpy(to + len, tag, 16);
		put(to + len + 16, word, 4);
		memcpy(to + len + 20, mki->bytes, mki->len);
		return len + 20 + mki->len;
	}
	packet_iv(iv, r.salt, to + 4, index); // RFC 3711 3.4: cipher text, E and index, MKI, tag
	if (r.info->encrypts)
		cm_text(&r, iv, to + 8, len - 8);
	hmac_tag(&r, to, len, word, tag, r.info->rtcp_tag_len);
	put(to + len, word, 4);
	memcpy(to + len + 4, mki->bytes, mki->len);
	memcpy(to + len + 4 + mki->len, tag, r.info->rtcp_tag_len);
	return len + 4 + mki->len + r.info->rtcp_tag_len;
}
