// SPDX-License-Identifier: GPL-3.0-or-later
// env.c - the real world.
#include "base/env.h"
#include "base/secret.h"

static mono_ns real_now(void *ctx)
{
	return clock_now();
}

static int real_random(void *ctx, uint8_t *dst, size_t len)
{
	return secret_random(dst, len);
}

const struct env env_real = { .now = real_now, .random = real_random };
