// SPDX-License-Identifier: GPL-3.0-or-later
// call_record.c - fixed-size call records in shared memory, each part with one writer and a commit sequence.
#include "mediarelay/call_record.h"
#include "base/region.h"
#include "base/secret.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CALL_RECORDS_MAGIC UINT64_C(0x535043414c4c0001)
#define CALL_RECORDS_VERSION 2

struct part_head {
	_Atomic uint32_t sequence; // odd while the part is being written
	uint32_t len;              // 0: absent
};

struct call_record {
	struct part_head heads[CALL_RECORD_PARTS];
	uint8_t pending[CALL_RECORD_PENDING_SIZE];
	uint8_t sip[CALL_RECORD_SIP_SIZE];
	uint8_t media[CALL_RECORD_MEDIA_SIZE];
};

struct records_header {
	_Atomic uint64_t magic; // written last: a region is formatted wholly or not at all
	uint32_t version;
	uint32_t record_size;
	uint32_t count;
	uint32_t zero;
};

struct call_records {
	struct region region;
	struct records_header *header;
	struct call_record *records;
};

static const size_t part_room[CALL_RECORD_PARTS] = {
	[CALL_RECORD_PENDING] = CALL_RECORD_PENDING_SIZE,
	[CALL_RECORD_SIP] = CALL_RECORD_SIP_SIZE,
	[CALL_RECORD_MEDIA] = CALL_RECORD_MEDIA_SIZE,
};

static uint8_t *part_bytes(struct call_record *rec, enum call_record_part part)
{
	return part == CALL_RECORD_PENDING ? rec->pending : part == CALL_RECORD_SIP ? rec->sip : rec->media;
}

static struct call_record *record_of(const struct call_records *cr, uint32_t session)
{
	if (session == 0 || session > cr->header->count)
		return NULL;
	return &cr->records[session - 1];
}

size_t call_records_footprint(uint32_t max_sessions)
{
	return sizeof(struct records_header) + (size_t)max_sessions * sizeof(struct call_record);
}

static void records_format(struct call_records *cr, uint32_t max_sessions)
{
	cr->header->version = CALL_RECORDS_VERSION;
	cr->header->record_size = sizeof(struct call_record);
	cr->header->count = max_sessions;
	atomic_store_explicit(&cr->header->magic, CALL_RECORDS_MAGIC, memory_order_release);
}

static bool records_fit(const struct call_records *cr)
{
	const struct records_header *h = cr->header;

	return h->version == CALL_RECORDS_VERSION && h->record_size == sizeof(struct call_record) &&
	       call_records_footprint(h->count) <= cr->region.size;
}

int call_records_open(struct call_records **crp, int region_fd, uint32_t max_sessions)
{
	struct call_records *cr;
	int err;

	if (crp == NULL || max_sessions == 0)
		return -EINVAL;
	cr = calloc(1, sizeof(*cr));
	if (cr == NULL)
		return -ENOMEM;
	err = region_map(&cr->region, region_fd);
	if (err < 0)
		goto out;
	cr->header = cr->region.base;
	cr->records = (struct call_record *)(cr->header + 1);
	err = -EPROTO;
	if (call_records_footprint(max_sessions) > cr->region.size)
		goto out;
	if (atomic_load_explicit(&cr->header->magic, memory_order_acquire) != CALL_RECORDS_MAGIC)
		records_format(cr, max_sessions);
	else if (!records_fit(cr))
		goto out;
	*crp = cr;
	cr = NULL;
	err = 0;
out:
	call_records_close(cr);
	return err;
}

void call_records_close(struct call_records *cr)
{
	if (cr == NULL)
		return;
	if (cr->region.base != NULL)
		region_unmap(&cr->region);
	free(cr);
}

int call_record_write(struct call_records *cr, uint32_t session, enum call_record_part part, const void *bytes,
		      size_t len)
{
	struct call_record *rec = record_of(cr, session);
	struct part_head *head;
	uint32_t sequence;

	if (rec == NULL)
		return -ENOENT;
	if (len > part_room[part])
		return -EMSGSIZE;
	head = &rec->heads[part];
	sequence = atomic_load_explicit(&head->sequence, memory_order_relaxed) | 1; // stays odd if we were killed here before
	atomic_exchange_explicit(&head->sequence, sequence, memory_order_acq_rel); // before any byte of the part
	if (len < head->len && head->len <= part_room[part])
		secret_wipe(part_bytes(rec, part) + len, head->len - len);
	if (len > 0)
		memcpy(part_bytes(rec, part), bytes, len);
	head->len = (uint32_t)len;
	atomic_store_explicit(&head->sequence, sequence + 1, memory_order_release);
	return 0;
}

int call_record_read(const struct call_records *cr, uint32_t session, enum call_record_part part, void *bytes,
		     size_t room)
{
	struct call_record *rec = record_of(cr, session);
	struct part_head *head;
	size_t len;

	if (rec == NULL)
		return -ENOENT;
	head = &rec->heads[part];
	if (atomic_load_explicit(&head->sequence, memory_order_acquire) & 1)
		return -ENOENT;
	len = head->len;
	if (len == 0 || len > part_room[part])
		return -ENOENT;
	if (len > room)
		return -EMSGSIZE;
	memcpy(bytes, part_bytes(rec, part), len);
	return (int)len;
}

uint32_t call_records_count(const struct call_records *cr)
{
	return cr->header->count;
}
