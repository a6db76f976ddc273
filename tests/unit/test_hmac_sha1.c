// SPDX-License-Identifier: GPL-3.0-or-later
// HMAC-SHA1 in lanes against OpenSSL's, for every length around a block's end, every number of jobs, and lengths mixed;
// messages lie at the end of what may be read.
#define OPENSSL_SUPPRESS_DEPRECATED // SHA_CTX shows the state after a block
#include "dataplane/worker/srtp/hmac_sha1.h"
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#define JOBS 64
#define ROOM 12288 // of a message; a page that may not be read follows
#define PAGE 4096
#define BEYOND 0xa5

static struct {
	uint8_t *ends[JOBS]; // of messages
	uint8_t secrets[JOBS][20];
	struct hmac_sha1_key keys[JOBS];
	uint8_t out[JOBS][HMAC_SHA1_OUT + 4];
	struct hmac_sha1_job jobs[JOBS];
} t;

static void state_after(const uint8_t secret[20], uint8_t pad, uint32_t state[5])
{
	uint8_t block[SHA_CBLOCK];
	SHA_CTX sha;

	memset(block, pad, sizeof(block));
	for (unsigned i = 0; i < 20; i++)
		block[i] ^= secret[i];
	SHA1_Init(&sha);
	SHA1_Update(&sha, block, sizeof(block));
	memcpy(state, (uint32_t[]){ sha.h0, sha.h1, sha.h2, sha.h3, sha.h4 }, 20);
}

static int set_up(void **state)
{
	srandom(7);
	for (unsigned i = 0; i < JOBS; i++) {
		uint8_t *room = mmap(NULL, ROOM + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (room == MAP_FAILED || mprotect(room + ROOM, PAGE, PROT_NONE) < 0)
			return -1;
		for (unsigned at = 0; at < ROOM; at++)
			room[at] = (uint8_t)random();
		t.ends[i] = room + ROOM;
		for (unsigned at = 0; at < 20; at++)
			t.secrets[i][at] = (uint8_t)random();
		state_after(t.secrets[i], 0x36, t.keys[i].inner);
		state_after(t.secrets[i], 0x5c, t.keys[i].outer);
	}
	return 0;
}

static int clear(void **state)
{
	for (unsigned i = 0; i < JOBS; i++)
		munmap(t.ends[i] - ROOM, ROOM + PAGE);
	return 0;
}

static void look(unsigned n, const uint32_t *len)
{
	if (!__builtin_cpu_supports("avx512bw"))
		skip(); // nothing here would run: ipsec-mb hashes on such a CPU
	memset(t.out, BEYOND, sizeof(t.out));
	for (unsigned i = 0; i < n; i++)
		t.jobs[i] = (struct hmac_sha1_job){ &t.keys[i], t.ends[i] - len[i], t.out[i], len[i] };
	hmac_sha1_run(t.jobs, n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t want[20];

		HMAC(EVP_sha1(), t.secrets[i], 20, t.ends[i] - len[i], len[i], want, NULL);
		assert_memory_equal(t.out[i], want, HMAC_SHA1_OUT);
		for (unsigned at = HMAC_SHA1_OUT; at < sizeof(t.out[i]); at++)
			assert_int_equal(t.out[i][at], BEYOND);
	}
}

static void every_length(void **state)
{
	for (uint32_t len = 0; len < 260; len++) {
		uint32_t all[JOBS];

		for (unsigned i = 0; i < JOBS; i++)
			all[i] = len;
		look(16, all);
	}
}

static void every_number_of_jobs(void **state)
{
	for (unsigned n = 0; n <= JOBS; n++) {
		uint32_t all[JOBS];

		for (unsigned i = 0; i < JOBS; i++)
			all[i] = 176;
		look(n, all);
	}
}

static void lengths_mixed(void **state)
{
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t all[JOBS];

		for (unsigned i = 0; i < JOBS; i++)
			all[i] = (uint32_t)random() % (random() % 8 == 0 ? ROOM : 400);
		look(1 + (unsigned)random() % JOBS, all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length),
		cmocka_unit_test(every_number_of_jobs),
		cmocka_unit_test(lengths_mixed),
	};

	return cmocka_run_group_tests(tests, set_up, clear);
}
