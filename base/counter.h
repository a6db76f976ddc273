// SPDX-License-Identifier: GPL-3.0-or-later
// counter.h - figures that one thread writes and any thread reads, without a lock: counters and histograms of times.
// A reader may see a histogram's sum one sample behind its buckets; nothing else can be torn.
#pragma once
#include "base/clock.h"
#include <stdatomic.h>
#include <stddef.h>

// By the one writer.
static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void counter_set(_Atomic uint64_t *counter, uint64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

static inline uint64_t counter_read(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#define HISTOGRAM_BOUNDS 14

// Upper bounds, inclusive, rising, in units of the writer's; those beyond n_bounds are not used.
struct histogram_scale {
	uint64_t bound[HISTOGRAM_BOUNDS];
	size_t n_bounds;
};

struct histogram {
	_Atomic uint64_t bucket[HISTOGRAM_BOUNDS + 1]; // not cumulative; the one behind the last bound is for all above
	_Atomic uint64_t sum;
};

static inline void histogram_add(struct histogram *h, const struct histogram_scale *scale, uint64_t value)
{
	size_t i = 0;

	while (i < scale->n_bounds && value > scale->bound[i])
		i++;
	counter_add(&h->bucket[i], 1);
	counter_add(&h->sum, value);
}
