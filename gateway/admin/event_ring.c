// SPDX-License-Identifier: GPL-3.0-or-later
// event_ring.c - a list with two bounds.
#include "gateway/admin/event_ring.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X(name, word) [EVENT_##name] = word,
const char *const event_type_word[EVENT_TYPE_COUNT] = { EVENT_TYPES(X) };
#undef X

struct event_ring {
	uint64_t life, last;
	size_t most_entries, most_octets, n, octets;
	struct event_entry *first, **end;
};

int event_ring_open(struct event_ring **ringp, uint64_t life, size_t entries, size_t octets)
{
	struct event_ring *ring = calloc(1, sizeof(*ring));

	if (ring == NULL)
		return -ENOMEM;
	*ring = (struct event_ring){ .life = life, .most_entries = entries, .most_octets = octets, .end = &ring->first };
	*ringp = ring;
	return 0;
}

static void drop_first(struct event_ring *ring)
{
	struct event_entry *entry = ring->first;

	ring->first = entry->next;
	if (ring->first == NULL)
		ring->end = &ring->first;
	ring->n--;
	ring->octets -= entry->len;
	free(entry);
}

void event_ring_close(struct event_ring *ring)
{
	while (ring != NULL && ring->first != NULL)
		drop_first(ring);
	free(ring);
}

char *event_ring_id(const struct event_ring *ring, uint64_t number, char id[EVENT_ID_STRLEN])
{
	snprintf(id, EVENT_ID_STRLEN, "%" PRIx64 "-%" PRIu64, ring->life, number);
	return id;
}

int event_ring_read_id(const struct event_ring *ring, const char *id, uint64_t *number)
{
	uint64_t life, n;
	char again[EVENT_ID_STRLEN];
	struct event_ring theirs;

	if (sscanf(id, "%16" SCNx64 "-%19" SCNu64, &life, &n) != 2)
		return -EINVAL;
	theirs.life = life;
	if (strcmp(event_ring_id(&theirs, n, again), id) != 0) // spaces, signs, leading zeros, something behind it
		return -EINVAL;
	if (life != ring->life)
		return -ESTALE;
	if (n > ring->last)
		return -EINVAL;
	*number = n;
	return 0;
}

const struct event_entry *event_ring_add(struct event_ring *ring, enum event_type type, uint32_t call, const char *data)
{
	size_t room = strlen(data) + EVENT_ID_STRLEN + 64;
	struct event_entry *entry = malloc(sizeof(*entry) + room);
	char id[EVENT_ID_STRLEN];

	if (entry == NULL)
		return NULL;
	*entry = (struct event_entry){ .number = ++ring->last, .type = type, .call = call };
	entry->len = (size_t)snprintf(entry->text, room, "id: %s\nevent: %s\ndata: %s\n\n", event_ring_id(ring, entry->number, id),
				      event_type_word[type], data);
	*ring->end = entry;
	ring->end = &entry->next;
	ring->n++;
	ring->octets += entry->len;
	while (ring->first != entry && (ring->n > ring->most_entries || ring->octets > ring->most_octets))
		drop_first(ring);
	return entry;
}

const struct event_entry *event_ring_after(const struct event_ring *ring, uint64_t number)
{
	const struct event_entry *entry = ring->first;

	while (entry != NULL && entry->number <= number)
		entry = entry->next;
	return entry;
}

uint64_t event_ring_last(const struct event_ring *ring)
{
	return ring->last;
}
