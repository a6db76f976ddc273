// SPDX-License-Identifier: GPL-3.0-or-later
// test_signalling_page.c - docs/signalling.md lists every header and option tag with its class, as the tables in the code have it.
#include "signaling/sip_header.h"
#include "signaling/sip_option.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PAGE "docs/signalling.md"

static const char *const header_class[] = {
	[SIP_HEADER_OURS] = "ours", [SIP_HEADER_END] = "end to end",   [SIP_HEADER_TRUST] = "by trust",
	[SIP_HEADER_RELAY] = "relayed", [SIP_HEADER_REFUSAL] = "refusal", [SIP_HEADER_DROP] = "dropped",
	[SIP_HEADER_TRANSFER] = "transfers",
};
static const char *const option_class[] = {
	[SIP_OPTION_OURS] = "ours", [SIP_OPTION_END] = "end to end", [SIP_OPTION_REFUSED] = "refused",
	[SIP_OPTION_TRANSFER] = "transfers",
};

static char *slurp(const char *path)
{
	char *text = calloc(1, 1 << 16);
	FILE *f = fopen(path, "re");

	assert_non_null(text);
	if (f == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	text[fread(text, 1, (1 << 16) - 1, f)] = '\0';
	fclose(f);
	return text;
}

// One row of the page: the class, and all that are of it, in the order of the table. Compact forms are left to the table.
static void print_row(FILE *to, const char *class, int number, bool (*at)(size_t, const char **, int *))
{
	const char *name;
	int is;

	fprintf(to, "| %s | ", class);
	for (size_t i = 0, n = 0; at(i, &name, &is); i++) {
		if (is == number && strlen(name) > 1)
			fprintf(to, "%s%s", n++ > 0 ? ", " : "", name);
	}
	fprintf(to, " |\n");
}

static bool header_at(size_t i, const char **name, int *class)
{
	enum sip_header_class is;
	bool more = sip_header_at(i, name, &is);

	*class = more ? (int)is : 0;
	return more;
}

static bool option_at(size_t i, const char **name, int *class)
{
	enum sip_option_class is;
	bool more = sip_option_at(i, name, &is);

	*class = more ? (int)is : 0;
	return more;
}

static void assert_on_page(const char *const classes[], size_t n, bool (*at)(size_t, const char **, int *))
{
	char *page = slurp(PAGE), *row = NULL;
	size_t len;

	for (size_t class = 1; class < n; class++) {
		FILE *to = open_memstream(&row, &len);

		print_row(to, classes[class], (int)class, at);
		fclose(to);
		if (strstr(page, row) == NULL)
			fail_msg("%s lacks this row:\n%s", PAGE, row);
		free(row);
	}
	free(page);
}

static void headers(void **state)
{
	assert_on_page(header_class, sizeof(header_class) / sizeof(header_class[0]), header_at);
}

static void options(void **state)
{
	assert_on_page(option_class, sizeof(option_class) / sizeof(option_class[0]), option_at);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(headers), cmocka_unit_test(options) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
