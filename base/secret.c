// SPDX-License-Identifier: GPL-3.0-or-later
// secret.c - wipe, compare, make.
#include "base/secret.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>

// Never part of its caller: at link time the compiler took a structure for its first member, and warned of writing behind it.
__attribute__((noipa)) void secret_wipe(void *secret, size_t len)
{
	if (secret != NULL)
		explicit_bzero(secret, len);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;
	volatile uint8_t differs = 0; // volatile: no early end may be invented

	for (size_t i = 0; i < len; i++)
		differs |= x[i] ^ y[i];
	return differs == 0;
}

int secret_random(void *dst, size_t len)
{
	uint8_t *at = dst;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}
