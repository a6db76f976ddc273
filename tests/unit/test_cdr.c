// SPDX-License-Identifier: GPL-3.0-or-later
// test_cdr.c - call records: what a line says, that nobody outside can forge one, and that the file stays whole whatever is done
// to it.
#include "gateway/cdr.h"
#include "gateway/cdr_file.h"
#include "gateway/cdr_line.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

static char folder[64], path[128];
static mono_ns fake_now = MONO_S(1000);

static int set_up(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/sallyport-cdr-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/calls.jsonl", folder);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static const char *content(const char *file)
{
	static char text[256 * 1024];
	FILE *f = fopen(file, "r");
	size_t n = 0;

	if (f != NULL) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	return f != NULL ? text : NULL;
}

static const char *rotated(unsigned n)
{
	static char name[160];

	snprintf(name, sizeof(name), "%s.%u", path, n);
	return content(name);
}

// Lines

static struct sip_call_report *call_report(uint32_t session)
{
	struct sip_call_report *r = calloc(1, sizeof(*r) + 2 * sizeof(r->legs[0]));

	assert_non_null(r);
	r->number = 12;
	r->session = session;
	r->started = MONO_S(900);
	r->rung = MONO_S(901);
	r->answered = MONO_MS(905250);
	r->ended = MONO_S(1000);
	r->by = SIP_SIDE_CALLEE;
	strcpy(r->by_realm, "core");
	r->status = 200;
	strcpy(r->cause, "BYE");
	strcpy(r->called, "sip:100@192.0.2.1");
	r->routed = true;
	r->n_legs = 2;
	r->legs[0] = (struct sip_leg_report){ .side = SIP_SIDE_CALLER, .dialog = 21, .realm = "access", .peer = "phones",
					      .profile = "secure", .call_id = "a@x", .uri = "sip:alice@192.0.2.7" };
	r->legs[1] = (struct sip_leg_report){ .side = SIP_SIDE_CALLEE, .dialog = 22, .realm = "core", .peer = "pbx",
					      .profile = "plain", .call_id = "b@x", .uri = "sip:100@192.0.2.1" };
	return r;
}

static struct media_report *media_report(uint32_t session)
{
	struct media_report *r = calloc(1, sizeof(*r) + sizeof(r->lines[0]));

	assert_non_null(r);
	r->session = session;
	r->n_lines = 1;
	r->lines[0] = (struct media_line_report){ .dialog = 22, .realm = "core", .mechanism = KEYING_DTLS_SRTP, .suite = "AEAD_AES_128_GCM",
						  .keyed = true, .dtls_version = "1.3", .rx_packets = 500, .mos = { true, 421 },
						  .drops = { { "", "auth", 3 }, { "rtcp_port_", "auth", 1 } }, .n_drops = 2 };
	return r;
}

static json_t *line_of(const struct sip_call_report *call, const struct media_report *media)
{
	struct timespec wall = { .tv_sec = 1795283100, .tv_nsec = 100000000 }; // 2026-11-21T17:45:00.1Z
	size_t len;
	char *line = cdr_line(call, media, MONO_S(1000), &wall, &len);
	json_t *record;

	assert_non_null(line);
	assert_int_equal(len, strlen(line));
	assert_ptr_equal(strchr(line, '\n'), line + len - 1);
	for (size_t i = 0; i + 1 < len; i++)
		assert_true(line[i] >= 0x20 && line[i] < 0x7f);
	record = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(record);
	free(line);
	return record;
}

static const char *text_at(json_t *record, const char *outer, const char *key)
{
	return json_string_value(json_object_get(outer != NULL ? json_object_get(record, outer) : record, key));
}

static void what_a_line_says(void **state)
{
	struct sip_call_report *call = call_report(4);
	struct media_report *media = media_report(4);
	json_t *record = line_of(call, media), *line = json_array_get(json_object_get(record, "media"), 0);
	json_t *times = json_object_get(record, "times"), *drops = json_object_get(line, "drops");

	assert_string_equal(text_at(record, NULL, "result"), "answered");
	assert_string_equal(text_at(record, "times", "start"), "2026-11-21T17:43:20.100Z");
	assert_string_equal(text_at(record, "times", "answer"), "2026-11-21T17:43:25.350Z");
	assert_string_equal(text_at(record, "times", "end"), "2026-11-21T17:45:00.100Z");
	assert_int_equal(json_integer_value(json_object_get(times, "duration_ms")), 94750);
	assert_int_equal(json_integer_value(json_object_get(times, "setup_ms")), 5250);
	assert_string_equal(text_at(record, "ended", "by"), "callee");
	assert_int_equal(json_integer_value(json_object_get(line, "leg")), 1);
	assert_int_equal(json_integer_value(json_object_get(drops, "rtcp_port_auth")), 1);
	assert_true(json_is_true(json_object_get(json_object_get(json_object_get(line, "keying"), "dtls"), "fingerprint_checked")));
	assert_int_equal((int)(100 * json_real_value(json_object_get(json_object_get(line, "received"), "mos")) + 0.5), 421);
	json_decref(record);
	free(media);
	free(call);
}

static void results(void **state)
{
	struct sip_call_report *call = call_report(4);
	static const struct {
		uint32_t session;
		bool routed;
		int status;
		const char *result;
	} cases[] = { { 4, true, 487, "cancelled" }, { 4, true, 486, "failed" }, { 4, false, 488, "refused" },
		      { 0, false, 404, "refused" } };

	call->answered = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		call->session = cases[i].session;
		call->routed = cases[i].routed;
		call->status = cases[i].status;
		json_t *record = line_of(call, NULL);

		assert_string_equal(text_at(record, NULL, "result"), cases[i].result);
		assert_true(json_is_null(json_object_get(json_object_get(record, "times"), "answer")));
		// Nothing to expect of media, or nothing that came.
		assert_int_equal(json_is_null(json_object_get(record, "media")), cases[i].session != 0);
		json_decref(record);
	}
	free(call);
}

// Line breaks, escapes, half characters, a terminal's words: one line of plain ASCII all the same.
static void nothing_forges_a_line(void **state)
{
	static const char *const evil[] = { "x\"}\n{\"version\":1}\n", "\x1b[2J\r\n", "\xff\xfe half \xe2\x82", "a\\u000ab\\\"", "\xe2\x80\xa8\xe2\x80\xae" };

	for (size_t i = 0; i < sizeof(evil) / sizeof(evil[0]); i++) {
		struct sip_call_report *call = call_report(4);

		strcpy(call->caller_name, evil[i]);
		strcpy(call->legs[0].uri, evil[i]);
		strcpy(call->legs[1].call_id, evil[i]);
		strcpy(call->cause, evil[i]);
		json_t *record = line_of(call, NULL);

		if (evil[i][0] != '\xff')
			assert_string_equal(text_at(record, NULL, "caller_name"), evil[i]);
		else
			assert_string_equal(text_at(record, NULL, "caller_name"), "\xef\xbf\xbd\xef\xbf\xbd half \xef\xbf\xbd\xef\xbf\xbd");
		json_decref(record);
		free(call);
	}
}

// The file

static struct cdr_file *file_open(uint64_t max_size, uint32_t keep)
{
	struct cdr_file *f;

	assert_int_equal(cdr_file_open(&f, path, max_size, keep), 0);
	return f;
}

static void add(struct cdr_file *f, const char *line)
{
	cdr_file_add(f, line, strlen(line), fake_now);
}

static void renamed_by_somebody(void **state)
{
	struct cdr_file *f = file_open(0, 1);
	char to[160];

	add(f, "one\n");
	snprintf(to, sizeof(to), "%s.1", path);
	assert_int_equal(rename(path, to), 0);
	add(f, "two\n");
	assert_string_equal(rotated(1), "one\n");
	assert_string_equal(content(path), "two\n");
	assert_int_equal(unlink(path), 0);
	add(f, "three\n");
	assert_string_equal(content(path), "three\n");
	assert_int_equal(truncate(path, 0), 0); // copytruncate
	add(f, "four\n");
	assert_string_equal(content(path), "four\n");
	cdr_file_close(f);
}

static void rotated_by_size(void **state)
{
	struct cdr_file *f = file_open(8, 2);

	for (char c = 'a'; c <= 'g'; c++)
		add(f, (char[]){ c, c, c, '\n', '\0' });
	assert_string_equal(content(path), "ggg\n");
	assert_string_equal(rotated(1), "eee\nfff\n");
	assert_string_equal(rotated(2), "ccc\nddd\n");
	assert_null(rotated(3));
	cdr_file_close(f);
}

static void torn_line_is_cut_off(void **state)
{
	FILE *f = fopen(path, "w");

	fputs("whole\nhal", f);
	fclose(f);
	struct cdr_file *file = file_open(0, 1);

	add(file, "next\n");
	assert_string_equal(content(path), "whole\nnext\n");
	cdr_file_close(file);
}

// The limit of a file's size is as good as a disk that is full: a write is cut short, or fails.
static void full_disk(void **state)
{
	struct cdr_file *f = file_open(0, 1);
	struct rlimit before, small;
	struct cdr_file_counts counts;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 10;
	add(f, "first\n");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	add(f, "second\n");
	add(f, "third\n");
	cdr_file_retry(f, fake_now);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_string_equal(content(path), "first\n"); // not a part of a line
	cdr_file_counts(f, &counts);
	assert_int_equal(counts.buffered, strlen("second\nthird\n"));
	assert_int_equal(counts.failures, 2);
	add(f, "fourth\n"); // behind those that wait
	cdr_file_retry(f, fake_now);
	assert_string_equal(content(path), "first\nsecond\nthird\nfourth\n");
	cdr_file_counts(f, &counts);
	assert_int_equal(counts.written, 4);
	assert_int_equal(counts.lost + counts.buffered, 0);
	cdr_file_close(f);
}

static void buffer_is_bounded(void **state)
{
	struct cdr_file_counts counts;
	static char line[65536];
	struct cdr_file *f;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	snprintf(path, sizeof(path), "%s/not/there", folder);
	f = file_open(0, 1);
	for (int i = 0; i < 100; i++)
		cdr_file_add(f, line, sizeof(line), fake_now);
	cdr_file_counts(f, &counts);
	assert_int_equal(counts.buffered, CDR_BUFFER_MAX);
	assert_int_equal(counts.lost, 100 - CDR_BUFFER_MAX / sizeof(line));
	cdr_file_close(f);
}

static void no_link_and_no_pipe(void **state)
{
	struct cdr_file_counts counts;
	struct cdr_file *f = file_open(0, 1);
	char other[160];

	snprintf(other, sizeof(other), "%s/other", folder);
	assert_int_equal(symlink(other, path), 0);
	add(f, "one\n");
	assert_null(content(other));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	cdr_file_retry(f, fake_now); // would wait for a reader for ever
	cdr_file_counts(f, &counts);
	assert_int_equal(counts.written, 0);
	assert_int_equal(unlink(path), 0);
	cdr_file_retry(f, fake_now);
	assert_string_equal(content(path), "one\n");
	cdr_file_close(f);
}

// The two halves

static mono_ns now_of(void *ctx)
{
	return fake_now;
}

static struct cdr *cdr_of(struct event_base *base)
{
	static const struct env env = { .now = now_of };
	struct cdr_config config = { .keep = 1 };
	struct cdr *cdr;

	strcpy(config.file, path);
	assert_int_equal(cdr_open(&cdr, &(struct cdr_start){ &config, base, &env, 10 }), 0);
	return cdr;
}

static unsigned lines(void)
{
	const char *text = content(path);
	unsigned n = 0;

	for (; text != NULL && *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void halves_meet(void **state)
{
	struct event_base *base = event_base_new();
	struct cdr *cdr = cdr_of(base);
	struct cdr_counts counts;

	for (uint32_t session = 1; session <= 3; session++)
		cdr_call(cdr, call_report(session));
	cdr_media(cdr, media_report(2)); // not the first that waits
	cdr_media(cdr, media_report(9)); // nobody's
	cdr_call(cdr, call_report(0));   // refused: nothing to wait for
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(lines(), 2);
	cdr_media(cdr, media_report(3)); // the last that waits
	cdr_media(cdr, media_report(1));
	cdr_call(cdr, call_report(4)); // the queue is sound after that
	cdr_media(cdr, media_report(4));
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(lines(), 5);
	cdr_counts(cdr, &counts);
	assert_int_equal(counts.records, 5);
	assert_int_equal(counts.alone, 0);
	cdr_close(cdr);
	event_base_free(base);
}

static void media_never_comes(void **state)
{
	struct event_base *base = event_base_new();
	struct cdr *cdr = cdr_of(base);
	struct cdr_counts counts;

	cdr_call(cdr, call_report(1));
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(lines(), 0);
	fake_now += MONO_S(6);
	while (lines() == 0) // the next tick
		event_base_loop(base, EVLOOP_ONCE);
	cdr_counts(cdr, &counts);
	assert_int_equal(counts.alone, 1);
	cdr_call(cdr, call_report(2)); // at the end nobody waits
	cdr_call(cdr, call_report(3));
	cdr_media(cdr, media_report(3));
	cdr_close(cdr);
	assert_int_equal(lines(), 3);
	event_base_free(base);
}

static void switched_off_and_on(void **state)
{
	struct event_base *base = event_base_new();
	struct cdr *cdr = cdr_of(base);
	struct cdr_config config = { .keep = 1 };
	struct cdr_counts counts;

	cdr_call(cdr, call_report(0));
	event_base_loop(base, EVLOOP_NONBLOCK);
	cdr_configure(cdr, &config);
	cdr_call(cdr, call_report(0));
	event_base_loop(base, EVLOOP_NONBLOCK);
	strcpy(config.file, path);
	cdr_configure(cdr, &config);
	cdr_call(cdr, call_report(0));
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(lines(), 2);
	cdr_counts(cdr, &counts);
	assert_int_equal(counts.records, 2);
	cdr_close(cdr);
	event_base_free(base);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_a_line_says),  TEST(results),          TEST(nothing_forges_a_line), TEST(renamed_by_somebody),
		TEST(rotated_by_size),   TEST(torn_line_is_cut_off), TEST(full_disk),        TEST(buffer_is_bounded),
		TEST(no_link_and_no_pipe), TEST(halves_meet),    TEST(media_never_comes),     TEST(switched_off_and_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
