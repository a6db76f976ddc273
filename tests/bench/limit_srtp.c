// SPDX-License-Identifier: GPL-3.0-or-later
// limit_srtp.c - SRTP for the limit program, straight on ipsec-mb: AES-CM as one burst of hashes and one of ciphers,
// GCM as one call a packet.
#include "tests/bench/limit_srtp.h"
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RTP 12
#define WINDOW 128

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "limit: %s\n", what);
	exit(1);
}

static bool is_gcm(const struct limit_crypto *c)
{
	return c->tag_len == 16;
}

// ---- keys, untimed

// RFC 3711 4.3.1 with key derivation rate 0: the key stream of AES-CM under the master key, from (label || 0) XOR salt.
static void derive(const struct srtp_master *master, uint8_t label, uint8_t *to, int len)
{
	const struct srtp_suite_info *info = srtp_suite_info(master->suite);
	const EVP_CIPHER *cipher = info->key_len == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t iv[16] = { 0 }, zeros[32] = { 0 };
	int done = 0;

	memcpy(iv, master->salt, info->salt_len);
	iv[7] ^= label;
	must(ctx != NULL && EVP_EncryptInit_ex(ctx, cipher, NULL, master->key, iv) == 1 &&
		     EVP_EncryptUpdate(ctx, to, &done, zeros, len) == 1 && done == len,
	     "key derivation");
	EVP_CIPHER_CTX_free(ctx);
}

static void hmac_half(IMB_MGR *mgr, const uint8_t key[20], uint8_t pad, uint32_t state[5])
{
	uint8_t block[64];

	memset(block, pad, sizeof(block));
	for (unsigned i = 0; i < 20; i++)
		block[i] ^= key[i];
	IMB_SHA1_ONE_BLOCK(mgr, block, state);
}

static void cm_expand(struct limit_crypto *c, struct limit_cm *cm, const uint8_t *key, const uint8_t auth[20])
{
	alignas(16) uint8_t unused[240], rounds[240];

	if (c->key_len == 32)
		IMB_AES_KEYEXP_256(c->mgr, key, rounds, unused);
	else
		IMB_AES_KEYEXP_128(c->mgr, key, rounds, unused);
	memcpy(cm->rounds, rounds, c->key_len == 32 ? 240 : 176);
	hmac_half(c->mgr, auth, 0x36, cm->ipad);
	hmac_half(c->mgr, auth, 0x5c, cm->opad);
}

void limit_context_set(struct limit_crypto *c, struct limit_context *ctx, const struct srtp_master *master)
{
	const struct srtp_suite_info *info = srtp_suite_info(master->suite);
	uint8_t key[32], auth[20];

	memset(ctx, 0, c->size);
	derive(master, 0, key, info->key_len);
	derive(master, 1, auth, sizeof(auth));
	derive(master, 2, ctx->salt, info->salt_len);
	if (!is_gcm(c))
		cm_expand(c, (struct limit_cm *)ctx->key, key, auth);
	else if (c->key_len == 32)
		IMB_AES256_GCM_PRE(c->mgr, key, (struct gcm_key_data *)ctx->key);
	else
		IMB_AES128_GCM_PRE(c->mgr, key, (struct gcm_key_data *)ctx->key);
}

// What is the same for all packets of AES-CM.
static void jobs_make(struct limit_crypto *c)
{
	for (unsigned i = 0; i < LIMIT_BURST; i++) {
		c->jobs[i] = (IMB_JOB){ .cipher_mode = IMB_CIPHER_CNTR,
					.hash_alg = IMB_AUTH_HMAC_SHA_1,
					.chain_order = IMB_ORDER_HASH_CIPHER,
					.cipher_direction = IMB_DIR_ENCRYPT,
					.key_len_in_bytes = c->key_len,
					.iv = c->iv[i],
					.iv_len_in_bytes = 16,
					.cipher_start_src_offset_in_bytes = RTP,
					.auth_tag_output = c->digest[i],
					.auth_tag_output_len_in_bytes = 12 };
	}
}

void limit_crypto_open(struct limit_crypto *c, enum srtp_suite suite)
{
	const struct srtp_suite_info *info = srtp_suite_info(suite);
	size_t key;

	memset(c, 0, sizeof(*c));
	c->suite = suite;
	c->key_len = info->key_len;
	c->tag_len = info->tag_len;
	c->mgr = alloc_mb_mgr(0);
	must(c->mgr != NULL, "no ipsec-mb");
	init_mb_mgr_auto(c->mgr, NULL);
	if (is_gcm(c))
		key = sizeof(struct gcm_key_data);
	else
		key = sizeof(struct limit_cm) - (c->key_len == 32 ? 0 : 64);
	c->size = (sizeof(struct limit_context) + key + 63) / 64 * 64;
	c->lines = (unsigned)c->size / 64; // of a GCM key, too: the powers of H that a packet of voice takes come last
	jobs_make(c);
}

// ---- packets

static inline uint16_t be16_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

// RFC 3711 3.3.1: the index closest to the highest one.
static inline uint64_t index_guess(const struct limit_context *ctx, uint16_t seq)
{
	uint64_t roc = ctx->highest >> 16;
	uint16_t newest = (uint16_t)ctx->highest;

	if (newest < 0x8000 && seq - newest > 0x8000 && roc > 0)
		roc--;
	else if (newest >= 0x8000 && newest - 0x8000 > seq)
		roc++;
	return roc << 16 | seq;
}

static inline bool index_new(const struct limit_context *ctx, uint64_t index)
{
	uint64_t behind = ctx->highest - index;

	if (!ctx->started || index > ctx->highest)
		return true;
	return behind < WINDOW && (ctx->window[behind / 64] >> behind % 64 & 1) == 0;
}

static inline void index_take(struct limit_context *ctx, uint64_t index)
{
	unsigned __int128 bits = (unsigned __int128)ctx->window[1] << 64 | ctx->window[0];

	if (ctx->started && index <= ctx->highest) {
		bits |= (unsigned __int128)1 << (ctx->highest - index);
	} else {
		bits = index - ctx->highest < WINDOW ? bits << (index - ctx->highest) | 1 : 1;
		ctx->highest = index;
		ctx->started = 1;
	}
	ctx->window[0] = (uint64_t)bits;
	ctx->window[1] = (uint64_t)(bits >> 64);
}

static inline void index_find(struct limit_packet *p)
{
	p->index = index_guess(p->context, be16_at(p->rtp + 2));
	p->bad = !index_new(p->context, p->index);
}

static unsigned indices_take(struct limit_packet *p, unsigned n)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < n; i++) {
		if (p[i].bad)
			bad++;
		else
			index_take(p[i].context, p[i].index);
	}
	return bad;
}

// RFC 3711 4.1.1: salt * 2^16 XOR SSRC * 2^64 XOR index * 2^16. One store of 16 octets: the library reads it at once.
static inline void cm_iv(const struct limit_packet *p, uint8_t iv[16])
{
	uint64_t low, high, ssrc = 0;

	memcpy((uint8_t *)&ssrc + 4, p->rtp + 8, 4);
	memcpy(&high, p->context->salt, 8);
	memcpy(&low, p->context->salt + 8, 8);
	high ^= ssrc;
	low ^= __builtin_bswap64(p->index << 16);
	memcpy(iv, &high, 8);
	memcpy(iv + 8, &low, 8);
}

// The packet as the hash sees it: with the roll-over counter behind it, where the tag is or will be.
static inline void cm_prepare(struct limit_crypto *c, struct limit_packet *p, unsigned i)
{
	struct limit_cm *cm = (struct limit_cm *)p->context->key;
	uint32_t roc = htonl((uint32_t)(p->index >> 16));
	IMB_JOB *job = &c->jobs[i];

	cm_iv(p, c->iv[i]);
	memcpy(p->rtp + RTP + p->payload, &roc, 4);
	job->enc_keys = cm->rounds;
	job->dec_keys = cm->rounds;
	job->src = p->rtp;
	job->dst = p->rtp + RTP;
	job->msg_len_to_cipher_in_bytes = p->payload;
	job->msg_len_to_hash_in_bytes = RTP + p->payload + 4u;
	job->u.HMAC._hashed_auth_key_xor_ipad = (uint8_t *)cm->ipad;
	job->u.HMAC._hashed_auth_key_xor_opad = (uint8_t *)cm->opad;
}

static void cm_hash(struct limit_crypto *c, unsigned n)
{
	IMB_SUBMIT_HASH_BURST_NOCHECK(c->mgr, c->jobs, (int)n, IMB_AUTH_HMAC_SHA_1);
}

static void cm_cipher(struct limit_crypto *c, unsigned n)
{
	IMB_SUBMIT_CIPHER_BURST_NOCHECK(c->mgr, c->jobs, (int)n, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT, (int)c->key_len);
}

static unsigned cm_open(struct limit_crypto *c, struct limit_packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		index_find(&p[i]);
		memcpy(p[i].tag, p[i].rtp + RTP + p[i].payload, 10);
		cm_prepare(c, &p[i], i);
	}
	cm_hash(c, n);
	for (unsigned i = 0; i < n; i++)
		p[i].bad |= memcmp(p[i].tag, c->digest[i], 10) != 0;
	cm_cipher(c, n);
	return indices_take(p, n);
}

static unsigned cm_seal(struct limit_crypto *c, struct limit_packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		index_find(&p[i]);
		cm_prepare(c, &p[i], i);
	}
	cm_cipher(c, n);
	cm_hash(c, n);
	for (unsigned i = 0; i < n; i++)
		memcpy(p[i].rtp + RTP + p[i].payload, c->digest[i], 10);
	return indices_take(p, n);
}

// RFC 7714 8.1.
static inline void gcm_iv(const struct limit_packet *p, uint8_t iv[16])
{
	uint64_t ssrc = be16_at(p->rtp + 8), high, low, salt[2];

	ssrc = ssrc << 16 | be16_at(p->rtp + 10);
	memcpy(salt, p->context->salt, 16);
	high = __builtin_bswap64(ssrc << 16 | p->index >> 32) ^ salt[0];
	low = __builtin_bswap64(p->index << 32) ^ salt[1];
	memcpy(iv, &high, 8);
	memcpy(iv + 8, &low, 8);
}

static unsigned gcm_open(struct limit_crypto *c, struct limit_packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct gcm_key_data *key = (const struct gcm_key_data *)p[i].context->key;
		uint8_t *payload = p[i].rtp + RTP;

		index_find(&p[i]);
		gcm_iv(&p[i], c->iv[i]);
		if (c->key_len == 16)
			IMB_AES128_GCM_DEC(c->mgr, key, &c->gcm, payload, payload, p[i].payload, c->iv[i], p[i].rtp,
					   RTP, c->digest[i], 16);
		else
			IMB_AES256_GCM_DEC(c->mgr, key, &c->gcm, payload, payload, p[i].payload, c->iv[i], p[i].rtp,
					   RTP, c->digest[i], 16);
		p[i].bad |= memcmp(c->digest[i], payload + p[i].payload, 16) != 0;
	}
	return indices_take(p, n);
}

static unsigned gcm_seal(struct limit_crypto *c, struct limit_packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct gcm_key_data *key = (const struct gcm_key_data *)p[i].context->key;
		uint8_t *payload = p[i].rtp + RTP;

		index_find(&p[i]);
		gcm_iv(&p[i], c->iv[i]);
		if (c->key_len == 16)
			IMB_AES128_GCM_ENC(c->mgr, key, &c->gcm, payload, payload, p[i].payload, c->iv[i], p[i].rtp,
					   RTP, payload + p[i].payload, 16);
		else
			IMB_AES256_GCM_ENC(c->mgr, key, &c->gcm, payload, payload, p[i].payload, c->iv[i], p[i].rtp,
					   RTP, payload + p[i].payload, 16);
	}
	return indices_take(p, n);
}

unsigned limit_open(struct limit_crypto *c, struct limit_packet *p, unsigned n)
{
	return is_gcm(c) ? gcm_open(c, p, n) : cm_open(c, p, n);
}

unsigned limit_seal(struct limit_crypto *c, struct limit_packet *p, unsigned n)
{
	return is_gcm(c) ? gcm_seal(c, p, n) : cm_seal(c, p, n);
}
