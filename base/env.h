// SPDX-License-Identifier: GPL-3.0-or-later
// env.h - the world that protocol cores may see: clock and random, injected so that tests choose them.
#pragma once
#include "base/clock.h"
#include <stddef.h>

struct env {
	mono_ns (*now)(void *ctx);
	int (*random)(void *ctx, uint8_t *dst, size_t len); // 0 or negative errno; secure bytes
	void *ctx;
};

extern const struct env env_real;

static inline mono_ns env_now(const struct env *env)
{
	return env->now(env->ctx);
}

static inline int env_random(const struct env *env, void *dst, size_t len)
{
	return env->random(env->ctx, dst, len);
}
