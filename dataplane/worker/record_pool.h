// SPDX-License-Identifier: GPL-3.0-or-later
// record_pool.h - which records of a kind are free: a bitmap that all workers take from and give back to, without
// locks, so that none has to hold what another may need. Low indices first: memory that was used stays warm. The bitmap
// is the relay's own; how many are in use stands in the region, for control.
#pragma once
#include "dataplane/dp_record.h"

struct record_pool {
	_Atomic uint64_t *bits; // set: free
	uint32_t n, first;      // indices first .. first + n - 1
	_Atomic uint32_t hint;  // no word before it is likely to have one
	struct dp_pool_record *record;
};

int record_pool_open(struct record_pool *pool, uint32_t first, uint32_t n, struct dp_pool_record *record);
void record_pool_close(struct record_pool *pool);
void record_pool_use(struct record_pool *pool, uint32_t index); // at start: one that is found in use
bool record_pool_used(const struct record_pool *pool, uint32_t index);

uint32_t record_pool_take(struct record_pool *pool); // DP_NONE: none is left; counted
void record_pool_give(struct record_pool *pool, uint32_t index);
bool record_pool_empty(struct record_pool *pool); // counted as if one had been wanted
