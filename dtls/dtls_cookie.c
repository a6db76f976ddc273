// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_cookie.c - rotating secrets, made when they are first asked for: no timer turns them.
#include "dtls/dtls_cookie.h"
#include "base/secret.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct dtls_cookie {
	const struct env *env;
	mono_ns period, born;
	pthread_mutex_t lock;
	uint64_t made[2]; // generation of each secret; 0: none yet
	uint8_t secret[2][DTLS_COOKIE_SECRET];
};

int dtls_cookie_open(struct dtls_cookie **cookiep, const struct env *env, mono_ns period)
{
	struct dtls_cookie *cookie;

	if (cookiep == NULL)
		return -EINVAL;
	cookie = calloc(1, sizeof(*cookie));
	if (cookie == NULL)
		return -ENOMEM;
	cookie->env = env != NULL ? env : &env_real;
	cookie->period = period != 0 ? period : MONO_S(60);
	cookie->born = env_now(cookie->env);
	pthread_mutex_init(&cookie->lock, NULL);
	*cookiep = cookie;
	return 0;
}

void dtls_cookie_close(struct dtls_cookie *cookie)
{
	if (cookie == NULL)
		return;
	pthread_mutex_destroy(&cookie->lock);
	secret_wipe(cookie, sizeof(*cookie));
	free(cookie);
}

uint64_t dtls_cookie_generation(struct dtls_cookie *cookie)
{
	return 1 + (env_now(cookie->env) - cookie->born) / cookie->period;
}

int dtls_cookie_secret(struct dtls_cookie *cookie, uint64_t generation, uint8_t secret[DTLS_COOKIE_SECRET])
{
	uint64_t now = dtls_cookie_generation(cookie);
	size_t slot = generation & 1;
	int err = 0;

	if (generation != now && generation + 1 != now)
		return -ESTALE;
	pthread_mutex_lock(&cookie->lock);
	if (cookie->made[slot] != generation) {
		err = generation == now ? env_random(cookie->env, cookie->secret[slot], DTLS_COOKIE_SECRET) : -ESTALE;
		if (err == 0)
			cookie->made[slot] = generation;
	}
	if (err == 0)
		memcpy(secret, cookie->secret[slot], DTLS_COOKIE_SECRET);
	pthread_mutex_unlock(&cookie->lock);
	return err;
}
