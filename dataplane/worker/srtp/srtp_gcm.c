// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_gcm.c - AES-GCM (RFC 7714): one call a packet; the library's burst interface brings nothing here.
#include "dataplane/worker/srtp/srtp_engine_priv.h"
#include <emmintrin.h>
#include "dataplane/fastpath.h"

// RFC 7714 8.1: IV = (00 00 || SSRC || ROC || SEQ) XOR salt. One store: the library reads it at once, as a whole.
void srtp_gcm_iv(const struct srtp_op *op, uint8_t iv[16])
{
	uint64_t ssrc = rtp_ssrc(op->packet);
	uint64_t high = htobe64(ssrc << 16 | op->index >> 32);
	uint64_t low = htobe64(op->index << 32);
	__m128i salt = _mm_load_si128((const __m128i *)op->key->salt);

	_mm_store_si128((__m128i *)iv, _mm_xor_si128(salt, _mm_set_epi64x((long long)low, (long long)high)));
}

// From `start` to `len`; what is before is authenticated.
static void gcm_encrypt(struct srtp_engine *engine, const struct srtp_op *op, unsigned start, unsigned len,
			uint8_t *tag)
{
	const struct gcm_key_data *key = (const struct gcm_key_data *)op->key->gcm.data;
	uint8_t *payload = op->packet + start;
	alignas(16) uint8_t iv[16];

	srtp_gcm_iv(op, iv);
	if (op->key->suite == SRTP_AEAD_AES_128_GCM)
		IMB_AES128_GCM_ENC(engine->mgr, key, &engine->gcm, payload, payload, len - start, iv,
				   op->packet, start, tag, SRTP_TAG_MAX);
	else
		IMB_AES256_GCM_ENC(engine->mgr, key, &engine->gcm, payload, payload, len - start, iv,
				   op->packet, start, tag, SRTP_TAG_MAX);
}

static void gcm_decrypt(struct srtp_engine *engine, const struct srtp_op *op, unsigned start, unsigned len,
			uint8_t *tag)
{
	const struct gcm_key_data *key = (const struct gcm_key_data *)op->key->gcm.data;
	uint8_t *payload = op->packet + start;
	alignas(16) uint8_t iv[16];

	srtp_gcm_iv(op, iv);
	if (op->key->suite == SRTP_AEAD_AES_128_GCM)
		IMB_AES128_GCM_DEC(engine->mgr, key, &engine->gcm, payload, payload, len - start, iv,
				   op->packet, start, tag, SRTP_TAG_MAX);
	else
		IMB_AES256_GCM_DEC(engine->mgr, key, &engine->gcm, payload, payload, len - start, iv,
				   op->packet, start, tag, SRTP_TAG_MAX);
}

void srtp_gcm_unprotect(struct srtp_engine *engine, struct srtp_op *op)
{
	unsigned header = SRTP_HEADER_CLEAR, start = op->hdr_len, trailer = srtp_trailer_len(op->key), len;
	uint8_t *digest = engine->digest[0];
	bool good;

	op->result = srtp_rx_check(engine, op, trailer);
	if (op->result != SRTP_OK)
		return;
	op->index = srtp_op_index(op);
	op->result = srtp_index_check(op);
	if (op->result != SRTP_OK)
		return;
	if (srtp_header_concerned(op))
		header = srtp_header_rx(op);
	if (header == SRTP_HEADER_CRYPTEX) {
		srtp_cryptex_rx(op);
		start = SRTP_CRYPTEX_START;
	}
	len = op->len - trailer;
	gcm_decrypt(engine, op, start, len, digest);
	good = srtp_tag_equal(digest, op->packet + len, SRTP_TAG_MAX);
	if (!good)
		op->result = SRTP_AUTH;
	else if (header == SRTP_HEADER_BROKEN)
		op->result = SRTP_EXTENSION;
	if (op->result != SRTP_OK) {
		// Decryption and tag are one pass over the packet. Encrypted again it is what it was, bit for bit; so a
		// good packet costs nothing extra, and nobody sees what was made of a bad one.
		gcm_encrypt(engine, op, start, len, digest);
	} else {
		srtp_rx_accept(op, trailer);
		if (header == SRTP_HEADER_ELEMENTS)
			srtp_header_elements(engine, op);
	}
	if (header == SRTP_HEADER_CRYPTEX)
		srtp_cryptex_rx_done(op, op->result == SRTP_OK);
}

void srtp_gcm_seal(struct srtp_engine *engine, const struct srtp_op *op, unsigned start)
{
	gcm_encrypt(engine, op, start, op->len, op->packet + op->len);
}

void srtp_gcm_protect(struct srtp_engine *engine, struct srtp_op *op)
{
	enum srtp_header header;
	unsigned start;

	if (!srtp_gcm_tx_begin(engine, op, &header, &start))
		return;
	srtp_gcm_seal(engine, op, start);
	srtp_gcm_tx_end(op, header);
}
