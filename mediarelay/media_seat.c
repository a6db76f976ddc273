// SPDX-License-Identifier: GPL-3.0-or-later
// media_seat.c - the stock of media port pairs: one ring of pairs for each media address, oldest first.
#include "mediarelay/media_seat.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct resting_pair {
	uint16_t port; // of RTP, even; RTCP is the next one
	mono_ns free_at;
};

struct address_stock { // all pairs of one media address of one realm
	uint16_t realm;
	struct inet_addr bind, advertise;
	struct resting_pair *ring;
	size_t size, head, count;
};

struct seat_stock {
	pthread_mutex_t lock;
	const struct env *env;
	struct address_stock *addresses;
	size_t n_addresses;
	uint32_t next_id;
};

#define PICKS 512

static int stock_shuffle(struct address_stock *as, const struct env *env)
{
	uint32_t picks[PICKS]; // drawn together: one by one it was a system call a port

	for (size_t i = as->size - 1, n = 0; i > 0; i--, n++) {
		struct resting_pair swap = as->ring[i];
		uint32_t pick;
		int err = n % PICKS == 0 ? env_random(env, picks, sizeof(picks)) : 0;

		if (err < 0)
			return err;
		pick = picks[n % PICKS] % (uint32_t)(i + 1);
		as->ring[i] = as->ring[pick];
		as->ring[pick] = swap;
	}
	return 0;
}

static int address_stock_fill(struct address_stock *as, uint16_t first, uint16_t last, const struct env *env)
{
	uint32_t port = (first + 1u) & ~1u; // RFC 3550 section 11: RTP on an even port

	if (port + 1 > last)
		return -EINVAL;
	as->size = (last - port + 1u) / 2;
	as->ring = calloc(as->size, sizeof(*as->ring));
	if (as->ring == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < as->size; i++, port += 2)
		as->ring[i].port = (uint16_t)port;
	as->count = as->size;
	return stock_shuffle(as, env);
}

static size_t count_addresses(const struct media_config *config)
{
	size_t n = 0;

	for (size_t r = 0; r < config->n_realms; r++)
		n += config->realms[r].n_addresses;
	return n;
}

static int stock_fill(struct seat_stock *stock, const struct media_config *config)
{
	stock->addresses = calloc(count_addresses(config), sizeof(*stock->addresses));
	if (stock->addresses == NULL)
		return -ENOMEM;
	for (size_t r = 0; r < config->n_realms; r++) {
		const struct media_realm *realm = &config->realms[r];

		for (size_t a = 0; a < realm->n_addresses; a++) {
			struct address_stock *as = &stock->addresses[stock->n_addresses++];
			bool other = realm->address[a].advertise.family != INET_NONE;
			int err;

			as->realm = (uint16_t)r;
			as->bind = realm->address[a].bind;
			as->advertise = other ? realm->address[a].advertise : as->bind;
			err = address_stock_fill(as, realm->address[a].first_port, realm->address[a].last_port,
						 stock->env);
			if (err < 0)
				return err;
		}
	}
	return 0;
}

int seat_stock_open(struct seat_stock **stockp, const struct media_config *config, const struct env *env)
{
	struct seat_stock *stock;
	int err;

	if (stockp == NULL || config == NULL || env == NULL)
		return -EINVAL;
	stock = calloc(1, sizeof(*stock));
	if (stock == NULL)
		return -ENOMEM;
	pthread_mutex_init(&stock->lock, NULL);
	stock->env = env;
	err = stock_fill(stock, config);
	if (err < 0)
		goto out;
	*stockp = stock;
	stock = NULL;
out:
	seat_stock_close(stock);
	return err;
}

void seat_stock_close(struct seat_stock *stock)
{
	if (stock == NULL)
		return;
	for (size_t i = 0; i < stock->n_addresses; i++)
		free(stock->addresses[i].ring);
	free(stock->addresses);
	pthread_mutex_destroy(&stock->lock);
	free(stock);
}

static void seat_fill(struct seat_stock *stock, const struct address_stock *as, uint16_t port, struct media_seat *seat)
{
	memset(seat, 0, sizeof(*seat));
	if (++stock->next_id == 0)
		stock->next_id = 1;
	seat->id = stock->next_id;
	seat->realm = as->realm;
	seat->rtp = (struct inet_endpoint){ .addr = as->bind, .port = port };
	seat->rtcp = (struct inet_endpoint){ .addr = as->bind, .port = (uint16_t)(port + 1) };
	seat->advertise = as->advertise;
}

static int seat_tls_id(const struct env *env, struct media_seat *seat)
{
	uint8_t bytes[(sizeof(seat->tls_id) - 1) / 2];
	int err = env_random(env, bytes, sizeof(bytes));

	if (err < 0)
		return err;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(&seat->tls_id[2 * i], 3, "%02x", bytes[i]);
	return 0;
}

static bool address_take(struct address_stock *as, mono_ns now, uint16_t *port)
{
	struct resting_pair *oldest = &as->ring[as->head];

	if (as->count == 0 || oldest->free_at > now)
		return false;
	*port = oldest->port;
	as->head = (as->head + 1) % as->size;
	as->count--;
	return true;
}

// A pair that was never live goes to the front: it must not wait behind those that rest.
static void address_give(struct address_stock *as, uint16_t port, mono_ns free_at, bool front)
{
	size_t at = (as->head + as->count) % as->size;

	if (as->count == as->size)
		return;
	if (front)
		at = as->head = (as->head + as->size - 1) % as->size;
	as->ring[at] = (struct resting_pair){ .port = port, .free_at = free_at };
	as->count++;
}

static bool address_serves(const struct address_stock *as, uint16_t realm, enum inet_family family)
{
	return as->realm == realm && as->bind.family == family;
}

// The addresses stand in the order of the configuration, in which the relay numbers them, too.
static bool address_absent(uint64_t absent, size_t index)
{
	return index < 64 && (absent >> index & 1) != 0;
}

int seat_stock_take(struct seat_stock *stock, uint64_t absent, uint16_t realm, enum inet_family family,
		    struct media_seat *seat)
{
	mono_ns now = env_now(stock->env);
	bool away = false, here = false;
	int err = -ENOSPC;

	pthread_mutex_lock(&stock->lock);
	for (size_t i = 0; i < stock->n_addresses && err < 0; i++) {
		struct address_stock *as = &stock->addresses[i];
		uint16_t port;

		if (!address_serves(as, realm, family))
			continue;
		if (address_absent(absent, i)) {
			away = true;
			continue;
		}
		here = true;
		if (!address_take(as, now, &port))
			continue;
		seat_fill(stock, as, port, seat);
		err = 0;
	}
	pthread_mutex_unlock(&stock->lock);
	if (away && !here)
		return -EADDRNOTAVAIL;
	if (err < 0)
		return err;
	err = seat_tls_id(stock->env, seat);
	if (err < 0)
		seat_stock_give(stock, seat, true);
	return err;
}

static struct address_stock *stock_find(struct seat_stock *stock, uint16_t realm, const struct inet_addr *bind)
{
	for (size_t i = 0; i < stock->n_addresses; i++) {
		if (stock->addresses[i].realm == realm && inet_addr_equal(&stock->addresses[i].bind, bind))
			return &stock->addresses[i];
	}
	return NULL;
}

void seat_stock_give(struct seat_stock *stock, const struct media_seat *seat, bool rested)
{
	mono_ns now = env_now(stock->env);
	struct address_stock *as;

	if (seat->id == 0)
		return;
	pthread_mutex_lock(&stock->lock);
	as = stock_find(stock, seat->realm, &seat->rtp.addr);
	if (as != NULL)
		address_give(as, seat->rtp.port, rested ? now : now + SEAT_REST, rested);
	pthread_mutex_unlock(&stock->lock);
}

static bool address_claim(struct address_stock *as, uint16_t port)
{
	for (size_t i = 0; i < as->count; i++) {
		size_t at = (as->head + i) % as->size;

		if (as->ring[at].port != port)
			continue;
		for (; i > 0; i--, at = (at + as->size - 1) % as->size) // close the gap towards the head
			as->ring[at] = as->ring[(at + as->size - 1) % as->size];
		as->head = (as->head + 1) % as->size;
		as->count--;
		return true;
	}
	return false;
}

int seat_stock_claim(struct seat_stock *stock, const struct media_seat *seat)
{
	struct address_stock *as;
	int err = -ENOENT;

	pthread_mutex_lock(&stock->lock);
	as = stock_find(stock, seat->realm, &seat->rtp.addr);
	if (as != NULL && address_claim(as, seat->rtp.port))
		err = 0;
	pthread_mutex_unlock(&stock->lock);
	return err;
}
