// SPDX-License-Identifier: GPL-3.0-or-later
// call_record.h - the calls as control must find them again after its own death: fixed-size records in the call region.
// One record a media session, same index. The sip thread writes two of its parts, the media thread one; each part is committed
// by its own sequence number, which is odd while it is being written: a part that was torn by a crash is reported as absent.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_RECORD_PENDING_SIZE 4096 // INVITEs without a final response; the sip thread's
#define CALL_RECORD_SIP_SIZE 24576 // dialogs, descriptions; what a call does not need of it is never touched
#define CALL_RECORD_MEDIA_SIZE 14848

enum call_record_part { CALL_RECORD_PENDING, CALL_RECORD_SIP, CALL_RECORD_MEDIA, CALL_RECORD_PARTS };

struct call_records; // the mapped region

size_t call_records_footprint(uint32_t max_sessions);
int call_records_open(struct call_records **crp, int region_fd, uint32_t max_sessions); // formats an empty region
void call_records_close(struct call_records *cr);

// Replaces one part of the session's record. len 0 erases (with wipe).
int call_record_write(struct call_records *cr, uint32_t session, enum call_record_part part, const void *bytes, size_t len);
// Copies a part out: its length, or -ENOENT when it is absent or torn.
int call_record_read(const struct call_records *cr, uint32_t session, enum call_record_part part, void *bytes, size_t room);
uint32_t call_records_count(const struct call_records *cr); // sessions are numbered 1..count
