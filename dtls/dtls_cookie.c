// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_cookie.c - rotating secrets, made when they are first asked for: no timer turns them.
#include "dtls/dtls_cookie.h"
#include "base/secret.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DTLS_COOKIE_SECRET 32
#define PEER_MAX 28

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

static int cookie_secret(struct dtls_cookie *cookie, uint64_t generation, uint8_t secret[DTLS_COOKIE_SECRET])
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

// DTLS 1.2 and 1.3 keep their secrets apart in the library; the latter is refused by objects that do only 1.2.
int dtls_cookie_use(struct dtls_cookie *cookie, uint64_t generation, WOLFSSL *ssl, const void *peer, size_t peer_len)
{
	uint8_t secret[DTLS_COOKIE_SECRET], address[PEER_MAX];
	int err;

	if (peer_len > sizeof(address))
		return -EINVAL;
	memcpy(address, peer, peer_len); // the library copies it too, but says so without const
	err = cookie_secret(cookie, generation, secret);
	if (err < 0)
		return err;
	if (wolfSSL_DTLS_SetCookieSecret(ssl, secret, sizeof(secret)) != 0 ||
	    wolfSSL_dtls_set_peer(ssl, address, (unsigned)peer_len) != WOLFSSL_SUCCESS ||
	    (wolfSSL_GetVersion(ssl) == WOLFSSL_DTLSV1_3 &&
	     wolfSSL_send_hrr_cookie(ssl, secret, sizeof(secret)) != WOLFSSL_SUCCESS))
		err = -ENOMEM;
	secret_wipe(secret, sizeof(secret));
	return err;
}
