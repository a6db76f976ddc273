// SPDX-License-Identifier: GPL-3.0-or-later
// test_config_memory.c - loading a configuration while the n-th allocation fails, for every n: an error, no leak (seen by the
// sanitizers), and nothing half done.
#include "gateway/config.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

// The linker sends the configuration's allocations here (CMakeLists.txt).
void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
char *__real_strndup(const char *text, size_t len);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
char *__wrap_strndup(const char *text, size_t len);

static unsigned countdown; // 0: allocations succeed

static bool fails(void)
{
	return countdown > 0 && --countdown == 0;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

char *__wrap_strndup(const char *text, size_t len)
{
	return fails() ? NULL : __real_strndup(text, len);
}

static void every_allocation_may_fail(void **state)
{
	unsigned n = 0;
	int err;

	do {
		struct config_error why = { .line = 0 };
		struct config *cfg = NULL;

		countdown = ++n;
		err = config_load(&cfg, "tests/golden/conf/base.yaml", &why);
		if (err == 0) {
			config_free(cfg);
			break;
		}
		if (err != -ENOMEM || cfg != NULL || why.message[0] == '\0')
			fail_msg("allocation %u: %d, \"%s\"", n, err, why.message);
	} while (n < 10000);
	countdown = 0;
	assert_int_equal(err, 0);
	assert_true(n > 200); // there were as many to fail
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
