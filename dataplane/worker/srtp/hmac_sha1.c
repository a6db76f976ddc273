// SPDX-License-Identifier: GPL-3.0-or-later
// hmac_sha1.c - sixteen HMAC-SHA1 at a time: word i of all sixteen messages is one vector.
#include "dataplane/worker/srtp/hmac_sha1.h"
#include <immintrin.h>
#include <stdalign.h>
#include <stdbool.h>
#include "dataplane/fastpath.h"

#define LANES 16
#define BLOCK 64
#define INLINE static inline __attribute__((always_inline))

struct lanes { // of one call
	__m512i state[5], outer[5];
	const uint8_t *message[LANES];
	uint32_t len[LANES];
	alignas(64) uint32_t blocks[LANES]; // with the padding
	alignas(64) uint32_t bits[LANES];   // of what SHA-1 has hashed at the end: the padded key, too
};

// Word i of row l becomes word l of row i.
INLINE void transpose(__m512i r[16])
{
	__m512i t[16];

#pragma GCC unroll 8
	for (unsigned i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
#pragma GCC unroll 4
	for (unsigned i = 0; i < 16; i += 4) {
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	// r[4 q + k] has, in its quarter c, word 4 c + k of rows 4 q to 4 q + 3.
#pragma GCC unroll 4
	for (unsigned k = 0; k < 4; k++) {
		__m512i even_low = _mm512_shuffle_i32x4(r[k], r[k + 4], 0x88);
		__m512i odd_low = _mm512_shuffle_i32x4(r[k], r[k + 4], 0xdd);
		__m512i even_high = _mm512_shuffle_i32x4(r[k + 8], r[k + 12], 0x88);
		__m512i odd_high = _mm512_shuffle_i32x4(r[k + 8], r[k + 12], 0xdd);

		t[k] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
		t[k + 4] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
		t[k + 8] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
		t[k + 12] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
	}
#pragma GCC unroll 16
	for (unsigned i = 0; i < 16; i++)
		r[i] = t[i];
}

INLINE __m512i swap(__m512i words) // big-endian in messages and digests
{
	return _mm512_shuffle_epi8(words, _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203));
}

INLINE uint32_t blocks_of(uint32_t len) // 0x80 and the length of 8 octets come behind the message
{
	return (len + 8) / BLOCK + 1;
}

// A block of one message: octets, 0x80 where they end, and zeros.
INLINE __m512i block_load(const struct lanes *lanes, unsigned lane, uint32_t at)
{
	const uint8_t *from = lanes->message[lane] + at;
	int32_t left = (int32_t)(lanes->len[lane] - at);
	uint64_t end;

	if (left >= BLOCK)
		return _mm512_loadu_si512(from);
	end = left >= 0 ? UINT64_C(1) << left : 0;
	return _mm512_mask_mov_epi8(_mm512_maskz_loadu_epi8(left >= 0 ? end - 1 : 0, from), end,
				    _mm512_set1_epi8((char)0x80));
}

INLINE void words_load(const struct lanes *lanes, uint32_t block, __m512i w[16])
{
	__mmask16 last = _mm512_cmpeq_epi32_mask(_mm512_load_si512(lanes->blocks), _mm512_set1_epi32((int)block + 1));

#pragma GCC unroll 16
	for (unsigned lane = 0; lane < LANES; lane++)
		w[lane] = swap(block_load(lanes, lane, block * BLOCK));
	transpose(w);
	w[15] = _mm512_mask_mov_epi32(w[15], last, _mm512_load_si512(lanes->bits));
}

// FIPS 180-4 6.1.1: Ch, Parity and Maj, as tables of truth. Arguments of an instruction: a function's would not do.
#define CHOICE 0xca
#define PARITY 0x96
#define MAJORITY 0xe8

// FIPS 180-4 6.1.2: the word of a round from those of 3, 8, 14 and 16 rounds before. The last lies where it will.
INLINE __m512i word_next(const __m512i w[16], unsigned t)
{
	__m512i three = _mm512_ternarylogic_epi32(w[(t + 13) % 16], w[(t + 8) % 16], w[(t + 2) % 16], PARITY);

	return _mm512_rol_epi32(_mm512_xor_si512(three, w[t % 16]), 1);
}

// The sum of what has long been known comes first: each round waits for the round before it with two instructions
// alone. (The compiler must not order sums by its own taste: CMakeLists.txt.)
#define ROUNDS(from, to, logic, constant)                                                            \
	_Pragma("GCC unroll 20") for (unsigned t = (from); t < (to); t++)                            \
	{                                                                                            \
		__m512i sum, *x = &w[t % 16];                                                        \
                                                                                                     \
		if (t >= 16)                                                                         \
			*x = word_next(w, t);                                                        \
		sum = _mm512_add_epi32(_mm512_add_epi32(e, *x), _mm512_set1_epi32((int)(constant))); \
		sum = _mm512_add_epi32(sum, _mm512_ternarylogic_epi32(b, c, d, (logic)));            \
		e = d;                                                                               \
		d = c;                                                                               \
		c = _mm512_rol_epi32(b, 30);                                                         \
		b = a;                                                                               \
		a = _mm512_add_epi32(sum, _mm512_rol_epi32(a, 5));                                   \
	}

// Only lanes of the mask move on.
INLINE void compress(__m512i state[5], __m512i w[16], __mmask16 lanes)
{
	__m512i a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

	ROUNDS(0, 20, CHOICE, 0x5a827999)
	ROUNDS(20, 40, PARITY, 0x6ed9eba1)
	ROUNDS(40, 60, MAJORITY, 0x8f1bbcdc)
	ROUNDS(60, 80, PARITY, 0xca62c1d6)
	state[0] = _mm512_mask_add_epi32(state[0], lanes, state[0], a);
	state[1] = _mm512_mask_add_epi32(state[1], lanes, state[1], b);
	state[2] = _mm512_mask_add_epi32(state[2], lanes, state[2], c);
	state[3] = _mm512_mask_add_epi32(state[3], lanes, state[3], d);
	state[4] = _mm512_mask_add_epi32(state[4], lanes, state[4], e);
}

// Lanes for which there is no job repeat the first one's. Returns the blocks of the longest.
INLINE uint32_t lanes_open(struct lanes *lanes, const struct hmac_sha1_job *jobs, unsigned n)
{
	__m512i rows[16];
	uint32_t most = 0;

#pragma GCC unroll 16
	for (unsigned i = 0; i < LANES; i++) {
		const struct hmac_sha1_job *job = &jobs[i < n ? i : 0];

		lanes->message[i] = job->message;
		lanes->len[i] = job->len;
		lanes->blocks[i] = blocks_of(job->len);
		lanes->bits[i] = (BLOCK + job->len) * 8;
		most = lanes->blocks[i] > most ? lanes->blocks[i] : most;
		rows[i] = _mm512_maskz_loadu_epi32(0x3ff, job->key);
	}
	transpose(rows);
#pragma GCC unroll 5
	for (unsigned i = 0; i < 5; i++) {
		lanes->state[i] = rows[i];
		lanes->outer[i] = rows[i + 5];
	}
	return most;
}

INLINE void inner(struct lanes *lanes, uint32_t blocks)
{
	__m512i w[16];

	for (uint32_t block = 0; block < blocks; block++) {
		words_load(lanes, block, w);
		compress(lanes->state, w,
			 _mm512_cmpgt_epu32_mask(_mm512_load_si512(lanes->blocks), _mm512_set1_epi32((int)block)));
	}
}

// The inner digest behind the other padded key: one block.
INLINE void outer(struct lanes *lanes)
{
	__m512i w[16];

#pragma GCC unroll 16
	for (unsigned i = 0; i < 16; i++)
		w[i] = i < 5 ? lanes->state[i] : _mm512_setzero_si512();
	w[5] = _mm512_set1_epi32((int)0x80000000);
	w[15] = _mm512_set1_epi32((BLOCK + 20) * 8);
	compress(lanes->outer, w, 0xffff);
}

INLINE void lanes_close(const struct lanes *lanes, const struct hmac_sha1_job *jobs, unsigned n)
{
	__m512i a = swap(lanes->outer[0]), b = swap(lanes->outer[1]);
	__m512i c = swap(lanes->outer[2]), d = swap(lanes->outer[3]);
	__m512i ab = _mm512_unpacklo_epi32(a, b), cd = _mm512_unpacklo_epi32(c, d);
	__m512i ab_high = _mm512_unpackhi_epi32(a, b), cd_high = _mm512_unpackhi_epi32(c, d);
	alignas(64) uint8_t out[4][4][HMAC_SHA1_OUT]; // of lane l: out[l % 4][l / 4]

	_mm512_store_si512(out[0], _mm512_unpacklo_epi64(ab, cd));
	_mm512_store_si512(out[1], _mm512_unpackhi_epi64(ab, cd));
	_mm512_store_si512(out[2], _mm512_unpacklo_epi64(ab_high, cd_high));
	_mm512_store_si512(out[3], _mm512_unpackhi_epi64(ab_high, cd_high));
	for (unsigned i = 0; i < n; i++)
		_mm_storeu_si128((__m128i *)jobs[i].out, _mm_load_si128((const __m128i *)out[i % 4][i / 4]));
}

static void lanes_run(const struct hmac_sha1_job *jobs, unsigned n)
{
	struct lanes lanes;
	uint32_t blocks = lanes_open(&lanes, jobs, n);

	inner(&lanes, blocks);
	outer(&lanes);
	lanes_close(&lanes, jobs, n);
}

static bool alike(const struct hmac_sha1_job *jobs, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		if (blocks_of(jobs[i].len) != blocks_of(jobs[0].len))
			return false;
	}
	return true;
}

// The shorter first: lanes of a call take as long as its longest.
static void jobs_sort(struct hmac_sha1_job *jobs, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct hmac_sha1_job job = jobs[i];
		unsigned at = i;

		for (; at > 0 && jobs[at - 1].len > job.len; at--)
			jobs[at] = jobs[at - 1];
		jobs[at] = job;
	}
}

void hmac_sha1_run(struct hmac_sha1_job *jobs, unsigned n)
{
	if (n > LANES && !alike(jobs, n))
		jobs_sort(jobs, n);
	for (; n > LANES; n -= LANES, jobs += LANES)
		lanes_run(jobs, LANES);
	if (n > 0)
		lanes_run(jobs, n);
}
