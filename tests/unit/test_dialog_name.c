// SPDX-License-Identifier: GPL-3.0-or-later
// test_dialog_name.c - names of dialogs in headers, and headers in URIs.
#include "signaling/dialog_name.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void headers(void **state)
{
	assert_int_equal(dialog_naming_of("REPLACES"), DIALOG_NAMED_BY_REPLACES);
	assert_int_equal(dialog_naming_of("Join"), DIALOG_NAMED_BY_JOIN);
	assert_int_equal(dialog_naming_of("target-dialog"), DIALOG_NAMED_BY_TARGET);
	assert_int_equal(dialog_naming_of("Require"), DIALOG_NAMED_BY_NOTHING);
	assert_string_equal(dialog_naming_text(DIALOG_NAMED_BY_TARGET), "Target-Dialog");
}

static void read_and_written(void **state)
{
	static const struct {
		enum dialog_naming naming;
		const char *in, *out;
	} cases[] = {
		{ DIALOG_NAMED_BY_REPLACES, "425928@bobster.example.org;to-tag=7743;from-tag=6472", NULL },
		{ DIALOG_NAMED_BY_REPLACES, " a@b ; from-tag = 2 ;x=y; TO-TAG=1 ; early-only", "a@b;to-tag=1;from-tag=2;early-only" },
		{ DIALOG_NAMED_BY_REPLACES, "a;to-tag=0;from-tag=0", NULL },
		{ DIALOG_NAMED_BY_JOIN, "a@b;to-tag=1;from-tag=2;early-only", "a@b;to-tag=1;from-tag=2" },
		{ DIALOG_NAMED_BY_TARGET, "fa77as7dad8@host;local-tag=kkaz-;remote-tag=6544", NULL },
		{ DIALOG_NAMED_BY_TARGET, "a;remote-tag=r;local-tag=l;to-tag=x", "a;local-tag=l;remote-tag=r" },
	};
	struct dialog_name name;
	char out[1024];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *expected = cases[i].out != NULL ? cases[i].out : cases[i].in;

		assert_int_equal(dialog_name_read(&name, cases[i].naming, cases[i].in), 0);
		assert_int_equal(dialog_name_write(out, sizeof(out), cases[i].naming, &name), 0);
		assert_string_equal(out, expected);
		for (size_t room = 0; room <= strlen(expected); room++)
			assert_int_equal(dialog_name_write(out, room, cases[i].naming, &name), -ENAMETOOLONG);
	}
}

static void no_names(void **state)
{
	static const char *const cases[] = {
		"", ";to-tag=1;from-tag=2", "a", "a;to-tag=1", "a;from-tag=1", "a;to-tag=;from-tag=2", "a;to-tag=1;to-tag=2;from-tag=3",
		"a b;to-tag=1;from-tag=2", "a;to-tag=1\r\nX: y;from-tag=2", "a;to-tag=1;from-tag=2,b", "a;local-tag=1;remote-tag=2",
		"a;to-tag=\x80;from-tag=2",
	};
	struct dialog_name name;
	char longest[2 * DIALOG_NAME_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(dialog_name_read(&name, DIALOG_NAMED_BY_REPLACES, cases[i]), -EBADMSG);
	for (int len = DIALOG_NAME_MAX - 1; len <= DIALOG_NAME_MAX; len++) {
		memset(longest, 'x', (size_t)len);
		strcpy(longest + len, ";to-tag=1;from-tag=2");
		assert_int_equal(dialog_name_read(&name, DIALOG_NAMED_BY_REPLACES, longest), len < DIALOG_NAME_MAX ? 0 : -EBADMSG);
	}
}

static void in_uris(void **state)
{
	const char *headers = "Replaces=a%40b%3Bto-tag%3D1%3bfrom-tag%3D2&Require=replaces&empty=";
	char name[32], value[64], out[128];

	assert_int_equal(uri_header_next(&headers, name, sizeof(name), value, sizeof(value)), 0);
	assert_string_equal(name, "Replaces");
	assert_string_equal(value, "a@b;to-tag=1;from-tag=2");
	assert_int_equal(uri_header_write(out, sizeof(out), name, value), 0);
	assert_string_equal(out, "Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2");
	for (size_t room = 0; room < strlen(out) + 1; room++)
		assert_int_equal(uri_header_write(out, room, name, value), -ENAMETOOLONG);
	assert_int_equal(uri_header_next(&headers, name, sizeof(name), value, sizeof(value)), 0);
	assert_string_equal(value, "replaces");
	assert_int_equal(uri_header_next(&headers, name, sizeof(name), value, sizeof(value)), 0);
	assert_string_equal(value, "");
	assert_int_equal(uri_header_next(&headers, name, sizeof(name), value, sizeof(value)), -ENOENT);
	headers = NULL;
	assert_int_equal(uri_header_next(&headers, name, sizeof(name), value, sizeof(value)), -ENOENT);
}

static void not_in_uris(void **state)
{
	static const char *const cases[] = { "a", "a&b=c", "a=%4", "a=%", "a=%zz", "a=%0d%0aX", "a=%00", "%3", "a=123456789012345678" };
	char name[4], value[8];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *headers = cases[i];

		assert_int_equal(uri_header_next(&headers, name, sizeof(name), value, sizeof(value)), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers), cmocka_unit_test(read_and_written), cmocka_unit_test(no_names),
		cmocka_unit_test(in_uris), cmocka_unit_test(not_in_uris),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
