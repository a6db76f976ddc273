// SPDX-License-Identifier: GPL-3.0-or-later
// event_ring.h - the latest events, numbered, as server-sent text: what a reader that comes back may still have. The oldest give way
// by number or by octets. No I/O; one thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define EVENT_ID_STRLEN 40

// What a stream tells. X(NAME, word)
#define EVENT_TYPES(X)                              \
	X(CALL_STARTED, "call_started")             \
	X(CALL_ANSWERED, "call_answered")           \
	X(CALL_ENDED, "call_ended")                 \
	X(LINE_SECURED, "line_secured")             \
	X(LINE_REKEYED, "line_rekeyed")             \
	X(MEDIA_SILENT, "media_silent")             \
	X(MEDIA_FLOWS, "media_flows")               \
	X(ATTACK, "attack")                         \
	X(PROCESS_RESTARTED, "process_restarted")   \
	X(CALLS_RESTORED, "calls_restored")         \
	X(CONFIG_CHANGED, "config_changed")         \
	X(DRAIN_BEGUN, "drain_begun")               \
	X(DRAIN_ENDED, "drain_ended")               \
	X(GAP, "gap")

#define X(name, word) EVENT_##name,
enum event_type { EVENT_TYPES(X) EVENT_TYPE_COUNT };
#undef X
extern const char *const event_type_word[EVENT_TYPE_COUNT];

struct event_ring;

struct event_entry {
	struct event_entry *next;
	uint64_t number;      // from 1, without a hole
	enum event_type type;
	uint32_t call;        // 0: none
	size_t len;
	char text[];          // id, event and data, and the empty line
};

// life: of this process; numbers of another one mean nothing here.
int event_ring_open(struct event_ring **ringp, uint64_t life, size_t entries, size_t octets);
void event_ring_close(struct event_ring *ring); // NULL is fine
// data: one line of JSON. NULL: no memory. Good until the next one is added.
const struct event_entry *event_ring_add(struct event_ring *ring, enum event_type type, uint32_t call, const char *data);
const struct event_entry *event_ring_after(const struct event_ring *ring, uint64_t number); // the first behind it; NULL: none
uint64_t event_ring_last(const struct event_ring *ring); // 0: there was none

char *event_ring_id(const struct event_ring *ring, uint64_t number, char id[EVENT_ID_STRLEN]);
// 0: *number is one that this life has given; -ESTALE: it is another life's; -EINVAL: it is none.
int event_ring_read_id(const struct event_ring *ring, const char *id, uint64_t *number);
