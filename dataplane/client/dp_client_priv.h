// SPDX-License-Identifier: GPL-3.0-or-later
// dp_client_priv.h - what the client's files share. One thread only.
#pragma once
#include "dataplane/dp_record.h"
#include <sys/queue.h>

struct dp_waiting { // a command that did not fit its ring yet
	STAILQ_ENTRY(dp_waiting) entry;
	size_t body_len;
	struct dp_command command;
	uint8_t body[];
};

struct dp_index { // what this client knows of a transport's index
	uint32_t generation;
	uint16_t worker;
	bool used;
	uint32_t next_free;
};

struct dp_client {
	struct dp_map map;
	int relay_event, our_event, timer, epoll;
	struct dp_callbacks callbacks;
	struct byte_ring commands[DP_WORKERS_MAX];
	struct byte_ring punts[DP_WORKERS_MAX][DP_CLASSES];
	struct byte_ring events[DP_WORKERS_MAX + 1];
	STAILQ_HEAD(, dp_waiting) waiting[DP_WORKERS_MAX];
	size_t n_waiting;
	bool timer_armed;
	struct dp_index *indices;
	uint32_t free_head, free_tail; // oldest first, so that an index rests as long as it can
	uint32_t boot;                 // of control, 1..255: the top byte of every generation made here
};

bool dp_client_owns(const struct dp_client *dp, struct dp_ref ref);
void dp_client_freed(struct dp_client *dp, struct dp_ref ref);
void dp_client_flush(struct dp_client *dp); // commands that waited
