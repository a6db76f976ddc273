// SPDX-License-Identifier: GPL-3.0-or-later
// test_base_region.c - a region is shared, sealed, kept out of core files; what is no region is refused. And secrets.
#include "base/region.h"
#include "base/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

// The mapping at `base` has the flag in /proc/self/smaps: "dd" is MADV_DONTDUMP.
static bool smaps_flag(const void *base, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	bool here = false, found = false;
	char line[512], start[32];

	snprintf(start, sizeof(start), "%lx-", (unsigned long)(uintptr_t)base);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, start, strlen(start)) == 0)
			here = true;
		else if (here && strncmp(line, "VmFlags:", 8) == 0) {
			found = strstr(line, flag) != NULL;
			break;
		}
	}
	fclose(f);
	return found;
}

static void shared_with_a_child(void **state)
{
	struct region r, again;
	int status;
	pid_t pid;

	assert_int_equal(region_create(&r, "test", 10000, false), 0);
	assert_int_equal(r.size % 4096, 0);
	assert_true(r.size >= 10000 && !r.huge);
	pid = fork();
	if (pid == 0) {
		struct region mine;

		if (region_map(&mine, dup(r.fd)) < 0 || mine.size != r.size)
			_exit(1);
		strcpy(mine.base, "from the child");
		region_unmap(&mine);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(r.base, "from the child");
	assert_int_equal(region_map(&again, dup(r.fd)), 0);
	assert_string_equal(again.base, "from the child");
	region_unmap(&again);
	region_unmap(&r);
	region_unmap(&r);
}

static void sealed_and_not_dumped(void **state)
{
	struct region r;

	assert_int_equal(region_create(&r, "test", 8192, true), 0);
	assert_int_equal(ftruncate(r.fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(r.fd, (off_t)r.size * 2), -1);
	assert_int_equal(errno, EPERM);
	assert_true(smaps_flag(r.base, " dd"));
	region_unmap(&r);
}

static void what_is_no_region(void **state)
{
	struct region r;
	int fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(region_map(&r, fd), -EPERM);
	close(fd);
	fd = open("/dev/zero", O_RDWR);
	assert_true(region_map(&r, fd) < 0);
	close(fd);
	assert_int_equal(region_map(&r, -1), -EBADF);
	assert_int_equal(region_create(&r, "none", 0, false), -EINVAL);
	assert_int_equal(region_create(&r, "vast", SIZE_MAX, true), -EINVAL);
}

static void secrets(void **state)
{
	uint8_t a[300] = { 0 }, b[300] = { 0 };

	assert_int_equal(secret_random(a, sizeof(a)), 0);
	assert_false(secret_equal(a, b, sizeof(a))); // 2^-2400
	assert_false(secret_equal(a + 284, b, 16));  // the end was filled, too
	memcpy(b, a, sizeof(a));
	assert_true(secret_equal(a, b, sizeof(a)));
	b[299] ^= 0x80;
	assert_false(secret_equal(a, b, sizeof(a)));
	assert_true(secret_equal(a, b, 0));
	secret_wipe(a, sizeof(a));
	memset(b, 0, sizeof(b));
	assert_memory_equal(a, b, sizeof(a));
	secret_wipe(NULL, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_with_a_child),
		cmocka_unit_test(sealed_and_not_dumped),
		cmocka_unit_test(what_is_no_region),
		cmocka_unit_test(secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
