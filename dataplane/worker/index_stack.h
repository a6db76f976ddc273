// SPDX-License-Identifier: GPL-3.0-or-later
// index_stack.h - indices of records that workers give to another one: any of them pushes, one takes all there are.
// Without locks; a chain that is pushed is there wholly or not at all.
#pragma once
#include "dataplane/dp_record.h"
#include <stdatomic.h>

struct index_stack {
	_Atomic uint32_t head; // DP_NONE: empty
	uint32_t *links;       // of each record: the next one
};

// `links` from first to last are set by the caller, who alone has these records.
static inline void index_stack_push(struct index_stack *s, uint32_t first, uint32_t last)
{
	uint32_t head = atomic_load_explicit(&s->head, memory_order_relaxed);

	do {
		s->links[last] = head;
	} while (!atomic_compare_exchange_weak_explicit(&s->head, &head, first, memory_order_release,
							memory_order_relaxed));
}

static inline uint32_t index_stack_take(struct index_stack *s) // the first; the others by its links
{
	if (atomic_load_explicit(&s->head, memory_order_relaxed) == DP_NONE)
		return DP_NONE;
	return atomic_exchange_explicit(&s->head, DP_NONE, memory_order_acquire);
}
