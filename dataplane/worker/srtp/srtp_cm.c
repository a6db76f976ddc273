// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_cm.c - AES-CM or NULL with HMAC-SHA1 (RFC 3711, 6188): all tags of a burst in one call, all ciphers in another.
#include "dataplane/worker/srtp/srtp_engine_priv.h"
#include <assert.h>
#include <emmintrin.h>
#include <string.h>
#include "dataplane/fastpath.h"

static const unsigned key_octets[SRTP_CM_SIZES] = { [SRTP_CM_128] = 16, [SRTP_CM_192] = 24, [SRTP_CM_256] = 32 };

static void job_init(struct srtp_engine *engine, IMB_JOB *job, unsigned key_len)
{
	job->cipher_mode = IMB_CIPHER_CNTR;
	job->cipher_direction = IMB_DIR_ENCRYPT; // a key stream has no direction
	job->chain_order = IMB_ORDER_CIPHER_HASH;
	job->hash_alg = IMB_AUTH_NULL;
	job->key_len_in_bytes = key_len;
	job->iv_len_in_bytes = sizeof(engine->iv[0]);
}

void srtp_cm_init(struct srtp_engine *engine)
{
	for (unsigned size = 0; size < SRTP_CM_SIZES; size++) {
		engine->cipher[size].jobs = engine->jobs[size];
		for (unsigned i = 0; i < SRTP_BURST_MAX; i++)
			job_init(engine, &engine->jobs[size][i], key_octets[size]);
	}
}

static const uint8_t size_of[SRTP_SUITE_COUNT] = { // enum srtp_cm_size
	[SRTP_AES_CM_128_HMAC_SHA1_80] = SRTP_CM_128, [SRTP_AES_CM_128_HMAC_SHA1_32] = SRTP_CM_128,
	[SRTP_AES_192_CM_HMAC_SHA1_80] = SRTP_CM_192, [SRTP_AES_192_CM_HMAC_SHA1_32] = SRTP_CM_192,
	[SRTP_AES_256_CM_HMAC_SHA1_80] = SRTP_CM_256, [SRTP_AES_256_CM_HMAC_SHA1_32] = SRTP_CM_256,
	[SRTP_NULL_HMAC_SHA1_80] = SRTP_CM_NULL,      [SRTP_NULL_HMAC_SHA1_32] = SRTP_CM_NULL,
};

// The record lies in memory that another process can write: looked at once.
static inline unsigned key_size(const struct srtp_key *key)
{
	uint8_t suite = key->suite;

	return suite < SRTP_SUITE_COUNT ? size_of[suite] : (unsigned)SRTP_CM_128; // never in the clear
}

// What was added is done: the lists of jobs are empty by themselves.
static void burst_end(struct srtp_engine *engine)
{
	engine->n_cm = 0;
	engine->n_cryptex = 0;
}

// RFC 3711 4.1.1: IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16). From `start` to `len`.
static inline void cipher_add(struct srtp_engine *engine, struct srtp_op *op, unsigned slot, unsigned start, unsigned len)
{
	const struct srtp_key *key = op->key;
	uint8_t *packet = op->packet;
	unsigned size = key_size(key);
	__m128i salt = _mm_load_si128((const __m128i *)key->salt);
	uint64_t high = htobe64(rtp_ssrc(packet));
	uint64_t low = htobe64(op->index << 16);
	uint8_t *iv = engine->iv[slot];
	struct srtp_cm_list *list;
	IMB_JOB *job;

	if (len == start || size == SRTP_CM_NULL)
		return;
	_mm_store_si128((__m128i *)iv, _mm_xor_si128(salt, _mm_set_epi64x((long long)low, (long long)high)));
	if (engine_hands_over(engine) && srtp_handover_cipher(engine, op, slot, start, len))
		return;
	list = &engine->cipher[size];
	job = &list->jobs[list->n++];
	job->enc_keys = key->cm.rounds;
	job->src = packet + start;
	job->dst = packet + start;
	job->msg_len_to_cipher_in_bytes = len - start;
	job->iv = iv;
}

static void cipher_run(struct srtp_engine *engine)
{
	if (engine_hands_over(engine))
		srtp_handover_cipher_run(engine);
	for (unsigned size = 0; size < SRTP_CM_SIZES; size++) {
		struct srtp_cm_list *list = &engine->cipher[size];
		unsigned done;

		if (list->n == 0)
			continue;
		done = IMB_SUBMIT_CIPHER_BURST_NOCHECK(engine->mgr, list->jobs, list->n, IMB_CIPHER_CNTR,
						       IMB_DIR_ENCRYPT, (IMB_KEY_SIZE_BYTES)key_octets[size]);
		assert(done == list->n);
		list->n = 0;
	}
}

// Leaves the roll-over counter in the packet: behind what is left of one that is good. Any other: rx_hash_undo().
static inline void rx_hash(struct srtp_engine *engine, struct srtp_op *op, unsigned slot, unsigned trailer)
{
	const struct srtp_key *key = op->key;
	unsigned len = op->len - trailer;

	srtp_tag_copy(engine->tag[slot], op->packet + len + key->mki_len, key->tag_len);
	memcpy(engine->under_roc[slot], op->packet + len, 4);
	srtp_hash_add(engine, op, slot, len);
}

static void rx_hash_undo(struct srtp_engine *engine, const struct srtp_op *op, unsigned slot)
{
	memcpy(op->packet + op->len - srtp_trailer_len(op->key), engine->under_roc[slot], 4);
}

// The index as the stream stands at the burst's begin, and the tag for it unless the index is known to be bad.
void srtp_cm_unprotect_add(struct srtp_engine *engine, struct srtp_op *op)
{
	unsigned trailer = srtp_trailer_len(op->key), slot = engine->n_cm++;

	engine->cm[slot] = op;
	engine->hashed[slot] = false;
	op->result = srtp_rx_check(engine, op, trailer);
	if (op->result != SRTP_OK)
		return;
	op->index = srtp_op_index(op);
	if (srtp_index_check(op) != SRTP_OK)
		return;
	rx_hash(engine, op, slot, trailer);
	engine->hashed[slot] = true;
	engine->remaining[slot] = op->key->remaining;
}

// Packets before this one in the burst may have moved its stream on, so that the index is another one than at first.
static enum srtp_result rx_again(struct srtp_engine *engine, struct srtp_op *op, unsigned slot)
{
	rx_hash(engine, op, slot, srtp_trailer_len(op->key));
	engine->hashed[slot] = true;
	srtp_hash_run(engine);
	return op->result;
}

// Authentic: now its header may be touched. Where the cipher begins.
static unsigned rx_header(struct srtp_engine *engine, struct srtp_op *op, unsigned header)
{
	if (header == SRTP_HEADER_ELEMENTS)
		srtp_header_elements(engine, op);
	if (header != SRTP_HEADER_CRYPTEX)
		return op->hdr_len;
	srtp_cryptex_rx(op);
	engine->cryptex[engine->n_cryptex++] = op;
	return SRTP_CRYPTEX_START;
}

// As if the packet had come alone: its index now, its window now, its tag. False: op->result says why not.
static __attribute__((noinline)) bool rx_look_again(struct srtp_engine *engine, struct srtp_op *op, unsigned slot)
{
	uint64_t index;

	if (op->result != SRTP_OK)
		return false;
	index = srtp_op_index(op);
	if (index != op->index && engine->hashed[slot]) {
		rx_hash_undo(engine, op, slot);
		engine->hashed[slot] = false;
	}
	op->index = index;
	op->result = srtp_index_check(op);
	if (op->result != SRTP_OK)
		return false;
	return engine->hashed[slot] || rx_again(engine, op, slot) == SRTP_OK;
}

// It was hashed, also where a device does that, and nothing under this key was accepted since the index was looked at: then
// no stream of it has moved either.
static inline bool rx_stands(const struct srtp_engine *engine, const struct srtp_op *op, unsigned slot)
{
	return op->result == SRTP_OK && engine->hashed[slot] && op->key->remaining == engine->remaining[slot];
}

// Whether the packet is good, and what of its header is encrypted; op->result says why not.
static inline bool rx_good(struct srtp_engine *engine, struct srtp_op *op, unsigned slot, unsigned *header)
{
	if (!rx_stands(engine, op, slot) && !rx_look_again(engine, op, slot))
		return false;
	if (!srtp_tag_equal(engine->digest[slot], engine->tag[slot], op->key->tag_len)) {
		op->result = SRTP_AUTH;
		return false;
	}
	if (srtp_header_concerned(op))
		*header = srtp_header_rx(op);
	if (*header == SRTP_HEADER_BROKEN)
		op->result = SRTP_EXTENSION;
	return op->result == SRTP_OK;
}

static inline void rx_decide(struct srtp_engine *engine, struct srtp_op *op, unsigned slot)
{
	unsigned header = SRTP_HEADER_CLEAR;

	if (!rx_good(engine, op, slot, &header)) {
		if (engine->hashed[slot])
			rx_hash_undo(engine, op, slot);
		return;
	}
	srtp_rx_accept(op, srtp_trailer_len(op->key));
	cipher_add(engine, op, slot, header != SRTP_HEADER_CLEAR ? rx_header(engine, op, header) : op->hdr_len, op->len);
}

void srtp_cm_unprotect_run(struct srtp_engine *engine)
{
	unsigned n = engine->n_cm;

	srtp_hash_run(engine);
	for (unsigned i = 0; i < n; i++)
		rx_decide(engine, engine->cm[i], i);
	cipher_run(engine);
	for (unsigned i = 0; i < engine->n_cryptex; i++)
		srtp_cryptex_rx_done(engine->cryptex[i], true);
	burst_end(engine);
}

// The header's part of the packet. Where the cipher begins.
static unsigned tx_header(struct srtp_engine *engine, struct srtp_op *op, unsigned header)
{
	if (header == SRTP_HEADER_ELEMENTS)
		srtp_header_elements(engine, op);
	if (!srtp_header_is_cryptex(header))
		return op->hdr_len;
	srtp_cryptex_tx(op, (enum srtp_header)header);
	engine->cryptex[engine->n_cryptex++] = op;
	return SRTP_CRYPTEX_START;
}

// RFC 3711 3.1: behind the payload the MKI, and then the tag.
static void tx_trailer(struct srtp_op *op, const uint8_t *digest)
{
	const struct srtp_key *key = op->key;

	if (key->mki_len != 0)
		memcpy(op->packet + op->len, key->mki, key->mki_len);
	srtp_tag_copy(op->packet + op->len + key->mki_len, digest, key->tag_len);
	op->len += (uint16_t)srtp_trailer_len(key);
}

void srtp_cm_protect_add(struct srtp_engine *engine, struct srtp_op *op)
{
	unsigned header, start, slot = engine->n_cm;

	op->result = srtp_tx_take(engine, op, &header);
	if (op->result != SRTP_OK)
		return;
	engine->cm[engine->n_cm++] = op;
	start = header != SRTP_HEADER_CLEAR ? tx_header(engine, op, header) : op->hdr_len;
	cipher_add(engine, op, slot, start, op->len);
}

void srtp_cm_protect_run(struct srtp_engine *engine)
{
	unsigned n = engine->n_cm;

	cipher_run(engine);
	for (unsigned i = 0; i < engine->n_cryptex; i++)
		srtp_cryptex_tx_done(engine->cryptex[i]);
	for (unsigned i = 0; i < n; i++)
		srtp_hash_add(engine, engine->cm[i], i, engine->cm[i]->len);
	srtp_hash_run(engine);
	for (unsigned i = 0; i < n; i++) {
		struct srtp_op *op = engine->cm[i];

		if (op->result == SRTP_OK)
			tx_trailer(op, engine->digest[i]);
	}
	burst_end(engine);
}
