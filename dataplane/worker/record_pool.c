// SPDX-License-Identifier: GPL-3.0-or-later
// record_pool.c - free records as bits.
#include "dataplane/worker/record_pool.h"
#include <errno.h>
#include <stdlib.h>

int record_pool_open(struct record_pool *pool, uint32_t first, uint32_t n, struct dp_pool_record *record)
{
	pool->n = n;
	pool->first = first;
	pool->hint = 0;
	pool->record = record;
	pool->bits = calloc((n + 63) / 64, sizeof(*pool->bits));
	if (pool->bits == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		pool->bits[i / 64] |= UINT64_C(1) << i % 64;
	atomic_store_explicit(&record->used, 0, memory_order_relaxed);
	return 0;
}

void record_pool_close(struct record_pool *pool)
{
	free((void *)pool->bits);
	pool->bits = NULL;
}

bool record_pool_used(const struct record_pool *pool, uint32_t index)
{
	uint32_t i = index - pool->first;

	return i < pool->n && (atomic_load_explicit(&pool->bits[i / 64], memory_order_relaxed) >> i % 64 & 1) == 0;
}

void record_pool_use(struct record_pool *pool, uint32_t index)
{
	uint32_t i = index - pool->first;
	uint64_t bit = UINT64_C(1) << i % 64;

	if (i < pool->n && (atomic_fetch_and(&pool->bits[i / 64], ~bit) & bit) != 0)
		atomic_fetch_add_explicit(&pool->record->used, 1, memory_order_relaxed);
}

#include "dataplane/fastpath.h"

// DP_NONE: the word has none.
static uint32_t word_take(struct record_pool *pool, uint32_t w)
{
	uint64_t word = atomic_load_explicit(&pool->bits[w], memory_order_relaxed);

	while (word != 0) {
		uint64_t bit = word & -word;

		if (atomic_compare_exchange_weak_explicit(&pool->bits[w], &word, word & ~bit, memory_order_acquire,
							  memory_order_relaxed))
			return w * 64 + (uint32_t)__builtin_ctzll(bit);
	}
	return DP_NONE;
}

uint32_t record_pool_take(struct record_pool *pool)
{
	uint32_t words = (pool->n + 63) / 64, hint = atomic_load_explicit(&pool->hint, memory_order_relaxed);

	for (uint32_t k = 0; k < words; k++) {
		uint32_t w = (hint + k) % words, i = word_take(pool, w);

		if (i == DP_NONE)
			continue;
		if (k != 0)
			atomic_store_explicit(&pool->hint, w, memory_order_relaxed);
		atomic_fetch_add_explicit(&pool->record->used, 1, memory_order_relaxed);
		return pool->first + i;
	}
	atomic_fetch_add_explicit(&pool->record->refused, 1, memory_order_relaxed);
	return DP_NONE;
}

void record_pool_give(struct record_pool *pool, uint32_t index)
{
	uint32_t i = index - pool->first;
	uint64_t bit = UINT64_C(1) << i % 64;

	if (i >= pool->n || (atomic_fetch_or_explicit(&pool->bits[i / 64], bit, memory_order_release) & bit) != 0)
		return;
	atomic_fetch_sub_explicit(&pool->record->used, 1, memory_order_relaxed);
	if (i / 64 < atomic_load_explicit(&pool->hint, memory_order_relaxed))
		atomic_store_explicit(&pool->hint, i / 64, memory_order_relaxed);
}

bool record_pool_empty(struct record_pool *pool)
{
	if (atomic_load_explicit(&pool->record->used, memory_order_relaxed) < pool->n)
		return false;
	atomic_fetch_add_explicit(&pool->record->refused, 1, memory_order_relaxed);
	return true;
}
