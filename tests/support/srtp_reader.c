// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_reader.c - RFC 3711 by the letter, slowly.
#include "tests/support/srtp_reader.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG 10
#define SEEN (1u << 22) // entries; a power of two

struct session {
	uint8_t cipher[16], auth[20], salt[14];
};

struct seen { // ssrc << 32 | key + 1, and index
	uint64_t who, index;
};

struct srtp_reader {
	struct session keys[READER_KEYS];
	unsigned n_keys;
	EVP_CIPHER_CTX *aes;
	struct seen *seen;
	unsigned n_seen;
};

static void must(int good)
{
	if (good)
		return;
	fprintf(stderr, "srtp_reader: OpenSSL\n");
	abort();
}

// The key stream of AES-CM (4.1.1) over `len` octets, in place.
static void aes_cm(struct srtp_reader *r, const uint8_t key[16], const uint8_t iv[16], uint8_t *bytes, size_t len)
{
	int done;

	must(EVP_EncryptInit_ex(r->aes, EVP_aes_128_ctr(), NULL, key, iv));
	must(EVP_EncryptUpdate(r->aes, bytes, &done, bytes, (int)len) && (size_t)done == len);
}

// 4.3.1, 4.3.3: x = label << 48 XOR master salt, key derivation rate 0.
static void derive(struct srtp_reader *r, const struct srtp_master *m, uint8_t label, uint8_t *out, size_t len)
{
	uint8_t iv[16] = { 0 };

	memcpy(iv, m->salt, 14);
	iv[7] ^= label;
	memset(out, 0, len);
	aes_cm(r, m->key, iv, out, len);
}

struct srtp_reader *srtp_reader_open(void)
{
	struct srtp_reader *r = calloc(1, sizeof(*r));

	must(r != NULL);
	r->aes = EVP_CIPHER_CTX_new();
	r->seen = calloc(SEEN, sizeof(*r->seen));
	must(r->aes != NULL && r->seen != NULL);
	return r;
}

void srtp_reader_close(struct srtp_reader *r)
{
	EVP_CIPHER_CTX_free(r->aes);
	free(r->seen);
	free(r);
}

void srtp_reader_key(struct srtp_reader *r, const struct srtp_master *m)
{
	struct session *s = &r->keys[r->n_keys];

	must(r->n_keys < READER_KEYS && m->suite == SRTP_AES_CM_128_HMAC_SHA1_80);
	derive(r, m, 0, s->cipher, sizeof(s->cipher));
	derive(r, m, 1, s->auth, sizeof(s->auth));
	derive(r, m, 2, s->salt, sizeof(s->salt));
	r->n_keys++;
}

static int tag_fits(const struct session *s, const uint8_t *packet, size_t len, uint32_t roc)
{
	uint8_t text[2048 + 4], digest[20];
	unsigned n = sizeof(digest);

	memcpy(text, packet, len);
	text[len] = (uint8_t)(roc >> 24);
	text[len + 1] = (uint8_t)(roc >> 16);
	text[len + 2] = (uint8_t)(roc >> 8);
	text[len + 3] = (uint8_t)roc;
	must(HMAC(EVP_sha1(), s->auth, sizeof(s->auth), text, len + 4, digest, &n) != NULL);
	return memcmp(digest, packet + len, TAG) == 0;
}

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static size_t header_len(const uint8_t *packet)
{
	size_t len = 12 + 4 * (packet[0] & 0x0fu);

	if (packet[0] & 0x10)
		len += 4 + 4 * (size_t)(packet[len + 2] << 8 | packet[len + 3]);
	return len;
}

static void decrypt(struct srtp_reader *r, struct reader_packet *out, const uint8_t *packet, size_t len)
{
	const struct session *s = &r->keys[out->key];
	uint8_t iv[16] = { 0 };

	out->hdr_len = (uint16_t)header_len(packet);
	out->len = (uint16_t)len;
	memcpy(out->bytes, packet, len);
	memcpy(iv, s->salt, 14);
	for (unsigned i = 0; i < 4; i++)
		iv[4 + i] ^= packet[8 + i];
	for (unsigned i = 0; i < 6; i++)
		iv[8 + i] ^= (uint8_t)(out->index >> (40 - 8 * i));
	aes_cm(r, s->cipher, iv, out->bytes + out->hdr_len, len - out->hdr_len);
}

static enum reader_verdict note(struct srtp_reader *r, const struct reader_packet *p)
{
	uint64_t who = (uint64_t)p->ssrc << 32 | (p->key + 1);
	uint64_t at = (who ^ p->index * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xd6e8feb86659fd93) >> 40;

	for (;; at++) {
		struct seen *seen = &r->seen[at % SEEN];

		if (seen->who == who && seen->index == p->index)
			return READER_REPEATED;
		if (seen->who != 0)
			continue;
		must(++r->n_seen < SEEN / 2);
		*seen = (struct seen){ .who = who, .index = p->index };
		return READER_FRESH;
	}
}

enum reader_verdict srtp_reader_see(struct srtp_reader *r, const uint8_t *packet, size_t len, struct reader_packet *out)
{
	struct reader_packet own;

	if (out == NULL)
		out = &own;
	if (len < 12 + TAG || len > 2048)
		return READER_UNKNOWN;
	len -= TAG;
	for (unsigned k = r->n_keys; k-- > 0;) {
		for (uint32_t roc = 0; roc < READER_ROCS; roc++) {
			if (!tag_fits(&r->keys[k], packet, len, roc))
				continue;
			out->key = k;
			out->ssrc = be32(packet + 8);
			out->index = (uint64_t)roc << 16 | (uint64_t)(packet[2] << 8 | packet[3]);
			decrypt(r, out, packet, len);
			return note(r, out);
		}
	}
	return READER_UNKNOWN;
}
