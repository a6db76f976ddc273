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
	bool traced;
	bool published, removing, moving; // as this client said; moving: until DP_EVENT_MOVED
	uint32_t next_free;
};

struct dp_load { // of one worker, for the choice of one
	uint64_t busy, idle; // of its record, when we looked last
	double share;        // of its time that it was busy
	uint32_t n;          // transports that this client has there
	uint32_t n_new;      // of these: since we looked
};

struct dp_client {
	struct dp_map map;
	int relay_event, our_event, timer, epoll;
	struct dp_callbacks callbacks;
	struct byte_ring commands[DP_WORKERS_MAX];
	struct byte_ring punts[DP_WORKERS_MAX][DP_CLASSES];
	struct byte_ring events[DP_WORKERS_MAX + 1];
	struct byte_ring traces[DP_WORKERS_MAX];
	unsigned n_traced;
	STAILQ_HEAD(dp_waiting_list, dp_waiting) waiting[DP_WORKERS_MAX];
	struct dp_waiting_list held; // commands about transports that are moving
	struct dp_load load[DP_WORKERS_MAX];
	mono_ns load_at;
	size_t n_waiting;
	bool timer_armed;
	const struct dp_punt *punt; // that is being delivered and has no answer yet; NULL: none
	struct dp_index *indices;
	uint32_t free_head, free_tail; // oldest first, so that an index rests as long as it can
	uint32_t boot;                 // of control, 1..255: the top byte of every generation made here
};

bool dp_client_owns(const struct dp_client *dp, struct dp_ref ref);
void dp_client_freed(struct dp_client *dp, struct dp_ref ref);
void dp_client_flush(struct dp_client *dp); // commands that waited
void dp_client_command(struct dp_client *dp, const struct dp_command *command, const void *body, size_t body_len);
struct dp_waiting *dp_waiting_new(const struct dp_command *command, const void *body, size_t body_len); // never NULL
void dp_waiting_free(struct dp_waiting *wait);

// dp_trace.c
void dp_client_traced(struct dp_client *dp, uint32_t index, bool traced); // as the workers are told
void dp_traces_forget(struct dp_client *dp); // of a control before this one

// dp_move.c
void dp_client_moved(struct dp_client *dp, struct dp_ref ref, uint16_t worker);

// dp_worker.c
void dp_load_add(struct dp_client *dp, uint16_t worker);
void dp_load_remove(struct dp_client *dp, uint16_t worker);
