// SPDX-License-Identifier: GPL-3.0-or-later
// test_base_log.c - lines as a reader gets them; no outside byte breaks one.
#include "base/log.h"
#include "base/log_limit.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static char seen[64 * 1024];
static int saved_stderr, capture;

static void capture_begin(void)
{
	capture = memfd_create("log", MFD_CLOEXEC);
	saved_stderr = dup(STDERR_FILENO);
	dup2(capture, STDERR_FILENO);
}

static const char *capture_end(void)
{
	ssize_t n;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	n = pread(capture, seen, sizeof(seen) - 1, 0);
	close(capture);
	assert_true(n >= 0);
	seen[n] = '\0';
	return seen;
}

static const char *after_time(const char *line)
{
	// 2026-11-21T05:10:01.123456Z
	assert_true(strlen(line) > 28 && line[10] == 'T' && line[19] == '.' && line[26] == 'Z');
	return line + 28;
}

static void text_line(void **state)
{
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "control");
	capture_begin();
	log_info("sip", "call started", LOG_STR("call_id_a", "abc@192.0.2.1"), LOG_INT("n", -3), LOG_UINT("u", 7),
		 LOG_BOOL("ok", 1), LOG_REAL("loss", 0.25), LOG_STR("cause", "two words"), LOG_STR("none", NULL),
		 LOG_STR("empty", ""), LOG_ERRNO(-ENOENT));
	log_debug("sip", "too fine");
	log_warning("sip", "no fields");
	capture_end();
	assert_string_equal(strtok(seen, "\n") + 28,
			    "info control sip: call started call_id_a=abc@192.0.2.1 n=-3 u=7 ok=true loss=0.25 "
			    "cause=\"two words\" none=- empty=\"\" error=\"No such file or directory\"");
	assert_string_equal(after_time(strtok(NULL, "\n")), "warning control sip: no fields");
	assert_null(strtok(NULL, "\n"));
}

static void json_line(void **state)
{
	log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, "relay");
	capture_begin();
	log_error("media", "keying failed", LOG_STR("cause", "a \"b\" \\c"), LOG_INT("n", -3), LOG_BOOL("ok", 0),
		  LOG_REAL("bad", NAN), LOG_STR("none", NULL));
	capture_end();
	assert_string_equal(strstr(seen, "\"level\""),
			    "\"level\":\"error\",\"process\":\"relay\",\"tag\":\"media\",\"event\":\"keying failed\","
			    "\"cause\":\"a \\\"b\\\" \\\\c\",\"n\":-3,\"ok\":false,\"bad\":null,\"none\":null}\n");
}

// What a hostile header may hold, and how it is shown, in both formats.
static void outside_bytes_are_escaped(void **state)
{
	static const struct {
		const char *bytes, *shown;
	} rows[] = {
		{ "a\r\nfake line", "\"a\\u000d\\u000afake line\"" },
		{ "\x1b[2Jgone", "\"\\u001b[2Jgone\"" },
		{ "\x7f", "\"\\u007f\"" },
		{ "\xc2\x9b" "31m", "\"\\u009b31m\"" },             // C1 CSI
		{ "\xe2\x80\xae" "evil", "\"\\u202eevil\"" },       // right-to-left override
		{ "\xe2\x80\xa8", "\"\\u2028\"" },                  // line separator
		{ "J\xc3\xbcrgen", "\"J\xc3\xbcrgen\"" },           // fine UTF-8 stays
		{ "\xf0\x9f\x93\x9e", "\"\xf0\x9f\x93\x9e\"" },
		{ "\xff", "\"\\ufffd\"" },
		{ "\xc0\x8a", "\"\\ufffd\\ufffd\"" },               // overlong newline
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },    // surrogate
		{ "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" }, // above U+10FFFF
		{ "cut\xe2\x82", "\"cut\\ufffd\\ufffd\"" },         // ends within a character
		{ "k=v", "\"k=v\"" },                               // must not look like a further field
		{ "a\"b", "\"a\\\"b\"" },
		{ "a\\nb", "\"a\\\\nb\"" },
	};

	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
		log_setup(LOG_LEVEL_INFO, format, "control");
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			capture_begin();
			log_info("sip", "x", LOG_STR("v", rows[i].bytes));
			capture_end();
			if (strstr(seen, rows[i].shown) == NULL)
				fail_msg("row %zu: %s", i, seen);
			assert_ptr_equal(strchr(seen, '\n'), seen + strlen(seen) - 1);
		}
	}
}

static void long_values_and_lines_are_cut(void **state)
{
	char *big = malloc(100001);

	memset(big, 'x', 100000);
	big[100000] = '\0';
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
		log_setup(LOG_LEVEL_INFO, format, "control");
		capture_begin();
		log_info("sip", "x", LOG_STR("a", big), LOG_STR("b", "kept"));
		capture_end();
		assert_non_null(strstr(seen, "...\""));
		assert_non_null(strstr(seen, "kept"));
		memset(big, '\n', 1000); // six bytes each when escaped
		capture_begin();
		log_info("sip", "x", LOG_STR("a", big), LOG_STR("b", "not reached"));
		capture_end();
		assert_null(strstr(seen, "not reached"));
		assert_null(strstr(seen, "u000a")); // a field is there wholly or not at all
		assert_non_null(strstr(seen, format == LOG_FORMAT_JSON ? "\"truncated\":true}\n" : "truncated=true\n"));
		assert_true(strlen(seen) <= PIPE_BUF);
		memset(big, 'x', 1000);
	}
	free(big);
}

static void errno_survives(void **state)
{
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "control");
	capture_begin();
	errno = ESTALE;
	log_info("sip", "x");
	assert_int_equal(errno, ESTALE);
	capture_end();
	assert_string_equal(log_errno(-99999), "unknown error");
}

static void limit_counts_what_it_leaves_out(void **state)
{
	struct log_limit limit = { .since = 0 };
	uint64_t left_out = 99;
	unsigned passed = 0;

	for (unsigned i = 0; i < 1000; i++) // within one second
		passed += log_limit_pass(&limit, MONO_S(50) + MONO_MS(1) * (i / 2), 5, &left_out);
	assert_int_equal(passed, 5);
	assert_int_equal(left_out, 0);
	assert_true(log_limit_pass(&limit, MONO_S(51), 5, &left_out));
	assert_int_equal(left_out, 995);
	assert_true(log_limit_pass(&limit, MONO_S(51), 5, &left_out));
	assert_int_equal(left_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_line),
		cmocka_unit_test(json_line),
		cmocka_unit_test(outside_bytes_are_escaped),
		cmocka_unit_test(long_values_and_lines_are_cut),
		cmocka_unit_test(errno_survives),
		cmocka_unit_test(limit_counts_what_it_leaves_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
