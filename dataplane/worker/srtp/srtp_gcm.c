// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_gcm.c - AES-GCM (RFC 7714): one call a packet; the library's burst interface brings nothing here.
#include "dataplane/worker/srtp/srtp_engine_priv.h"
#include <emmintrin.h>

// RFC 7714 8.1: IV = (00 00 || SSRC || ROC || SEQ) XOR salt. One store: the library reads it at once, as a whole.
static void gcm_iv(const struct srtp_op *op, uint8_t iv[16])
{
	uint64_t ssrc = rtp_ssrc(op->packet);
	uint64_t high = htobe64(ssrc << 16 | op->index >> 32);
	uint64_t low = htobe64(op->index << 32);
	__m128i salt = _mm_load_si128((const __m128i *)op->key->salt);

	_mm_store_si128((__m128i *)iv, _mm_xor_si128(salt, _mm_set_epi64x((long long)low, (long long)high)));
}

static void gcm_encrypt(struct srtp_engine *engine, const struct srtp_op *op, unsigned len, uint8_t *tag)
{
	const struct gcm_key_data *key = (const struct gcm_key_data *)op->key->gcm.data;
	uint8_t *payload = op->packet + op->hdr_len;
	alignas(16) uint8_t iv[16];

	gcm_iv(op, iv);
	if (op->key->suite == SRTP_AEAD_AES_128_GCM)
		IMB_AES128_GCM_ENC(engine->mgr, key, &engine->gcm, payload, payload, len - op->hdr_len, iv,
				   op->packet, op->hdr_len, tag, SRTP_TAG_MAX);
	else
		IMB_AES256_GCM_ENC(engine->mgr, key, &engine->gcm, payload, payload, len - op->hdr_len, iv,
				   op->packet, op->hdr_len, tag, SRTP_TAG_MAX);
}

static void gcm_decrypt(struct srtp_engine *engine, const struct srtp_op *op, unsigned len, uint8_t *tag)
{
	const struct gcm_key_data *key = (const struct gcm_key_data *)op->key->gcm.data;
	uint8_t *payload = op->packet + op->hdr_len;
	alignas(16) uint8_t iv[16];

	gcm_iv(op, iv);
	if (op->key->suite == SRTP_AEAD_AES_128_GCM)
		IMB_AES128_GCM_DEC(engine->mgr, key, &engine->gcm, payload, payload, len - op->hdr_len, iv,
				   op->packet, op->hdr_len, tag, SRTP_TAG_MAX);
	else
		IMB_AES256_GCM_DEC(engine->mgr, key, &engine->gcm, payload, payload, len - op->hdr_len, iv,
				   op->packet, op->hdr_len, tag, SRTP_TAG_MAX);
}

void srtp_gcm_unprotect(struct srtp_engine *engine, struct srtp_op *op)
{
	uint8_t *digest = engine->digest[0];
	unsigned len;

	op->result = srtp_op_check(engine, op, op->hdr_len + op->key->tag_len);
	if (op->result != SRTP_OK)
		return;
	op->index = srtp_op_index(op);
	op->result = srtp_index_check(op);
	if (op->result != SRTP_OK)
		return;
	len = op->len - op->key->tag_len;
	gcm_decrypt(engine, op, len, digest);
	if (!srtp_tag_equal(digest, op->packet + len, SRTP_TAG_MAX)) {
		// Decryption and tag are one pass over the packet. Encrypted again it is what it was, bit for bit; so a
		// good packet costs nothing extra, and nobody sees what was made of a bad one.
		gcm_encrypt(engine, op, len, digest);
		op->result = SRTP_AUTH;
		return;
	}
	srtp_rx_accept(op);
}

void srtp_gcm_protect(struct srtp_engine *engine, struct srtp_op *op)
{
	op->result = srtp_tx_take(engine, op);
	if (op->result != SRTP_OK)
		return;
	gcm_encrypt(engine, op, op->len, op->packet + op->len);
	op->len += op->key->tag_len;
}
