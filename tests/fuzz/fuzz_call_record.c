// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_call_record.c - the call region as a control that died may leave it: the record of a call with SDES keys, damaged
// anywhere, is what the next control takes its session from, beside flows of the relay's that are whole.
//
// Input: patches of the record, each an offset (2 octets), a length (1 octet) and what is put there. The new control takes
// the session up or drops it, carries RTCP if it can, and ends; nothing crashes and the port stock still works.
#include "base/log.h"
#include "base/region.h"
#include "mediarelay/call_record.h"
#include "tests/support/media_stand.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SESSION 1

static const uint8_t receiver_report[] = { 0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef };

static struct call_records *records;
static uint8_t whole[CALL_RECORD_MEDIA_SIZE]; // as it was written
static int whole_len;
static struct media_plan plan;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_call_record: %s\n", what);
	abort();
}

// In a process of its own, that leaves records and flows as a killed one does.
static void live_and_die(int out)
{
	uint32_t session;

	media = stand_open();
	must(media_session_open(media, &session) == 0 && session == SESSION, "session");
	plan = two_legs(session);
	agree_sdes(&plan.legs[0].lines[0], "192.0.2.50:4000");
	agree_plain(&plan.legs[1].lines[0], "10.0.0.9:5000");
	apply(&plan);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
	_exit(write(out, &plan, sizeof(plan)) == sizeof(plan) ? 0 : 1);
}

static void start(void)
{
	int status, fd = memfd_create("plan", 0);
	void *state = NULL;
	pid_t pid;

	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, "fuzz");
	must(stand_group_setup(&state) == 0 && stand_setup(&state) == 0, "stand");
	media_close(media);
	pid = fork();
	if (pid == 0)
		live_and_die(fd);
	must(waitpid(pid, &status, 0) == pid && status == 0, "the control that dies");
	must(pread(fd, &plan, sizeof(plan), 0) == sizeof(plan), "plan");
	records = stand_records();
	whole_len = call_record_read(records, SESSION, CALL_RECORD_MEDIA, whole, sizeof(whole));
	must(whole_len > 0, "record");
	fake_dp_keep();
}

static size_t damage(uint8_t *record, const uint8_t *data, size_t size)
{
	while (size >= 3) {
		size_t at = (size_t)(data[0] << 8 | data[1]) % (size_t)whole_len, n = data[2];

		data += 3, size -= 3;
		n = n < size ? n : size;
		n = n < (size_t)whole_len - at ? n : (size_t)whole_len - at;
		memcpy(record + at, data, n);
		data += n, size -= n;
	}
	return (size_t)whole_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t record[CALL_RECORD_MEDIA_SIZE];
	struct media_seat seats[2];

	if (records == NULL)
		start();
	if (size > 4096)
		return 0;
	memcpy(record, whole, sizeof(record));
	fake_dp_back();
	must(call_record_write(records, SESSION, CALL_RECORD_MEDIA, record, damage(record, data, size)) == 0, "write");
	media = stand_open();
	media_session_adopt(media, SESSION);
	media_session_count(media);
	fake_dp_punt(&plan.legs[1].lines[0].seat.rtcp, &plan.legs[1].lines[0].remote_rtcp, DP_PUNT_RTCP, receiver_report,
		     sizeof(receiver_report));
	for (uint16_t realm = 0; realm < 2; realm++) {
		if (media_seat_take(media, realm, INET_V4, &seats[realm]) == 0)
			media_seat_return(media, &seats[realm]);
	}
	media_close(media);
	stand_forget_events();
	return 0;
}
