// SPDX-License-Identifier: GPL-3.0-or-later
// fake_dp.c - dp_client.h in memory.
#include "tests/support/fake_dp.h"
#include "dataplane/drops.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define QUEUE 256
#define DATAGRAM 2048

struct datagram {
	bool is_event;
	struct dp_event event;
	enum dp_punt_kind kind;
	struct inet_endpoint local, remote; // of the transport, and the other end
	size_t len;
	uint8_t bytes[DATAGRAM];
};

struct queue {
	struct datagram items[QUEUE];
	unsigned head, count;
};

struct shared {
	struct fake_transport transports[FAKE_TRANSPORTS];
	mono_ns last_rx[FAKE_TRANSPORTS];
	uint32_t heard[FAKE_TRANSPORTS]; // the newest epoch that was said to be
	uint32_t generation;
};

struct dp_client {
	struct dp_callbacks callbacks;
	int fd;
};

static struct shared *shared, kept;
static struct queue inward, outward;
static struct dp_client *client;
static bool hold_removals;
static unsigned lose;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;

static struct shared *state(void)
{
	if (shared == NULL)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared;
}

void fake_dp_reset(void)
{
	memset(state(), 0, sizeof(*shared));
	memset(&inward, 0, sizeof(inward));
	memset(&outward, 0, sizeof(outward));
	hold_removals = false;
	lose = 0;
}

void fake_dp_keep(void)
{
	kept = *state();
}

void fake_dp_back(void)
{
	fake_dp_reset();
	*state() = kept;
}

void fake_dp_hold_removals(bool hold)
{
	hold_removals = hold;
}

void fake_dp_lose(unsigned n)
{
	lose = n;
}

static struct fake_transport *of_ref(struct dp_ref ref)
{
	struct fake_transport *t = &state()->transports[ref.index % FAKE_TRANSPORTS];

	return t->live && t->ref.generation == ref.generation ? t : NULL;
}

static struct fake_transport *of_local(const struct inet_endpoint *local)
{
	for (size_t i = 0; i < FAKE_TRANSPORTS; i++) {
		struct fake_transport *t = &state()->transports[i];

		if (t->live && inet_endpoint_equal(&t->conf.local, local))
			return t;
	}
	return NULL;
}

// As the relay does it: of several on a port the one whose peer it is, else the newest.
static struct fake_transport *of_peer(const struct inet_endpoint *local, const struct inet_endpoint *peer)
{
	struct fake_transport *newest = NULL;

	for (size_t i = 0; i < FAKE_TRANSPORTS; i++) {
		struct fake_transport *t = &state()->transports[i];

		if (!t->live || !inet_endpoint_equal(&t->conf.local, local))
			continue;
		if (inet_endpoint_equal(&t->path.remote, peer))
			return t;
		if (newest == NULL || t->ref.generation > newest->ref.generation)
			newest = t;
	}
	return newest;
}

static void push(struct queue *q, const struct datagram *d)
{
	if (q->count == QUEUE)
		abort();
	q->items[(q->head + q->count++) % QUEUE] = *d;
	pthread_cond_broadcast(&came);
}

static bool pop(struct queue *q, struct datagram *d)
{
	if (q->count == 0)
		return false;
	*d = q->items[q->head];
	q->head = (q->head + 1) % QUEUE;
	q->count--;
	return true;
}

static void wake(void)
{
	uint64_t one = 1;

	if (client != NULL && write(client->fd, &one, sizeof(one)) < 0)
		abort();
}

bool fake_dp_of(uint32_t owner_tag, struct fake_transport *copy)
{
	struct fake_transport *found = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < FAKE_TRANSPORTS && found == NULL; i++) {
		struct fake_transport *t = &state()->transports[i];

		if (t->live && t->conf.mode == DP_MODE_RTP && t->conf.owner_tag == owner_tag)
			found = t;
	}
	if (found != NULL)
		*copy = *found;
	pthread_mutex_unlock(&lock);
	return found != NULL;
}

bool fake_dp_at(const struct inet_endpoint *local, struct fake_transport *copy)
{
	struct fake_transport *t;

	pthread_mutex_lock(&lock);
	t = of_local(local);
	if (t != NULL)
		*copy = *t;
	pthread_mutex_unlock(&lock);
	return t != NULL;
}

unsigned fake_dp_live(void)
{
	unsigned n = 0;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < FAKE_TRANSPORTS; i++)
		n += state()->transports[i].live;
	pthread_mutex_unlock(&lock);
	return n;
}

void fake_dp_set_last_rx(const struct inet_endpoint *local, mono_ns last_rx)
{
	pthread_mutex_lock(&lock);
	state()->last_rx[of_local(local)->ref.index] = last_rx;
	pthread_mutex_unlock(&lock);
}

void fake_dp_punt(const struct inet_endpoint *local, const struct inet_endpoint *source, enum dp_punt_kind kind,
		  const void *bytes, size_t len)
{
	struct datagram d = { .kind = kind, .local = *local, .remote = *source, .len = len };

	memcpy(d.bytes, bytes, len);
	pthread_mutex_lock(&lock);
	push(&inward, &d);
	pthread_mutex_unlock(&lock);
	wake();
}

void fake_dp_source(const struct inet_endpoint *local, const struct inet_endpoint *source, bool authenticated)
{
	struct datagram d = { .is_event = true };

	pthread_mutex_lock(&lock);
	d.event = (struct dp_event){
		.kind = DP_EVENT_SOURCE,
		.transport = of_local(local)->ref,
		.source = *source,
		.authenticated = authenticated,
	};
	push(&inward, &d);
	pthread_mutex_unlock(&lock);
	wake();
}

void fake_dp_heard(const struct inet_endpoint *local, uint32_t epoch)
{
	pthread_mutex_lock(&lock);
	state()->heard[of_local(local)->ref.index] = epoch;
	pthread_mutex_unlock(&lock);
}

void fake_dp_epoch(const struct inet_endpoint *local, uint32_t epoch)
{
	struct datagram d = { .is_event = true, .event = { .kind = DP_EVENT_EPOCH, .epoch = epoch } };

	fake_dp_heard(local, epoch);
	pthread_mutex_lock(&lock);
	d.event.transport = of_local(local)->ref;
	push(&inward, &d);
	pthread_mutex_unlock(&lock);
	wake();
}

void fake_dp_refuse(const struct inet_endpoint *local, enum dp_direction direction, uint32_t epoch)
{
	struct datagram d = { .is_event = true, .event = { .kind = DP_EVENT_KEY_REFUSED, .epoch = epoch } };

	d.event.direction = direction;
	pthread_mutex_lock(&lock);
	d.event.transport = of_local(local)->ref;
	push(&inward, &d);
	pthread_mutex_unlock(&lock);
	wake();
}

void fake_dp_set_ssrc_maps(const struct inet_endpoint *local, const struct dp_ssrc_map *maps, size_t n)
{
	struct fake_transport *t;

	pthread_mutex_lock(&lock);
	t = of_local(local);
	t->n_ssrc_maps = n < 8 ? n : 8;
	memcpy(t->ssrc_maps, maps, t->n_ssrc_maps * sizeof(*maps));
	pthread_mutex_unlock(&lock);
}

int fake_dp_sent(struct inet_endpoint *to, void *bytes, size_t room)
{
	struct timespec until;
	struct datagram d;
	bool got;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 2;
	pthread_mutex_lock(&lock);
	while (!(got = pop(&outward, &d)) && pthread_cond_timedwait(&came, &lock, &until) == 0)
		;
	pthread_mutex_unlock(&lock);
	if (!got || d.len > room)
		return -1;
	*to = d.remote;
	memcpy(bytes, d.bytes, d.len);
	return (int)d.len;
}

void fake_dp_forget_sent(void)
{
	pthread_mutex_lock(&lock);
	outward.count = 0;
	pthread_mutex_unlock(&lock);
}

// dp_client.h

int dp_client_open(struct dp_client **dpp, int region_fd, int relay_eventfd, int our_eventfd,
		   const struct dp_callbacks *callbacks)
{
	(void)region_fd, (void)relay_eventfd, (void)our_eventfd;
	state();
	client = calloc(1, sizeof(*client));
	client->callbacks = *callbacks;
	client->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	*dpp = client;
	return 0;
}

void dp_client_close(struct dp_client *dp)
{
	if (dp == NULL)
		return;
	close(dp->fd);
	free(dp);
	client = NULL;
}

int dp_client_fd(const struct dp_client *dp)
{
	return dp->fd;
}

static void deliver(struct dp_client *dp, const struct datagram *d)
{
	struct dp_punt punt = { .kind = d->kind, .source = d->remote, .payload = d->bytes, .len = d->len };
	struct fake_transport *t;

	if (d->is_event) {
		dp->callbacks.event(dp->callbacks.ctx, &d->event);
		return;
	}
	pthread_mutex_lock(&lock);
	t = of_peer(&d->local, &d->remote);
	if (t != NULL) {
		punt.transport = t->ref;
		punt.proven = inet_endpoint_equal(&t->path.remote, &d->remote);
	}
	pthread_mutex_unlock(&lock);
	if (t != NULL)
		dp->callbacks.punt(dp->callbacks.ctx, &punt);
}

void dp_client_dispatch(struct dp_client *dp)
{
	struct datagram d;
	uint64_t count;
	bool more = read(dp->fd, &count, sizeof(count)) >= 0 || errno == EAGAIN;

	while (more) {
		pthread_mutex_lock(&lock);
		more = pop(&inward, &d);
		pthread_mutex_unlock(&lock);
		if (more)
			deliver(dp, &d);
	}
}

int dp_transport_alloc(struct dp_client *dp, struct dp_ref *ref)
{
	int err = -ENOSPC;

	(void)dp;
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < FAKE_TRANSPORTS && err < 0; i++) {
		struct fake_transport *t = &state()->transports[i];

		if (t->ref.generation != 0)
			continue;
		*ref = (struct dp_ref){ .index = i, .generation = ++shared->generation };
		*t = (struct fake_transport){ .ref = *ref };
		shared->last_rx[i] = 0;
		err = 0;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

#define WITH_TRANSPORT(ref, t)                                          \
	pthread_mutex_lock(&lock);                                      \
	for (struct fake_transport *t = of_ref(ref); t != NULL; t = NULL)

void dp_transport_publish(struct dp_client *dp, struct dp_ref ref, const struct dp_transport_conf *conf)
{
	struct fake_transport *t = &state()->transports[ref.index];

	(void)dp;
	pthread_mutex_lock(&lock);
	t->conf = *conf;
	t->live = true;
	pthread_mutex_unlock(&lock);
}

void dp_transport_secure(struct dp_client *dp, struct dp_ref ref, enum dp_security security)
{
	(void)dp;
	WITH_TRANSPORT(ref, t)
	{
		if (t->security != DP_SRTP) // security only rises, as in the relay
			t->security = security;
	}
	pthread_mutex_unlock(&lock);
}

void dp_transport_path(struct dp_client *dp, struct dp_ref ref, const struct dp_path *path)
{
	(void)dp;
	WITH_TRANSPORT(ref, t) {
		t->path = *path;
		t->n_paths++;
	}
	pthread_mutex_unlock(&lock);
}

void dp_transport_keys(struct dp_client *dp, struct dp_ref ref, const struct dp_keys *keys)
{
	(void)dp;
	WITH_TRANSPORT(ref, t) {
		*(keys->direction == DP_RX ? &t->rx : &t->tx) = *keys;
		(*(keys->direction == DP_RX ? &t->n_rx : &t->n_tx))++;
	}
	pthread_mutex_unlock(&lock);
}

void dp_transport_retire(struct dp_client *dp, struct dp_ref ref, enum dp_direction dir, uint32_t below_epoch)
{
	(void)dp;
	WITH_TRANSPORT(ref, t)
		t->retired[dir] = below_epoch;
	pthread_mutex_unlock(&lock);
}

void dp_transport_trace(struct dp_client *dp, struct dp_ref ref, enum dp_trace trace)
{
	(void)dp;
	WITH_TRANSPORT(ref, t)
		t->trace = trace;
	pthread_mutex_unlock(&lock);
}

void dp_client_traces(struct dp_client *dp)
{
	(void)dp;
}

unsigned dp_client_tracing(const struct dp_client *dp)
{
	(void)dp;
	return 0;
}

void dp_transport_extensions(struct dp_client *dp, struct dp_ref ref, const struct dp_extensions *extensions)
{
	(void)dp;
	WITH_TRANSPORT(ref, t)
		t->extensions = *extensions;
	pthread_mutex_unlock(&lock);
}

uint16_t dp_worker_choose(struct dp_client *dp)
{
	(void)dp;
	return 0;
}

size_t dp_transport_ssrc_maps(const struct dp_client *dp, struct dp_ref out_transport, struct dp_ssrc_map *maps,
			      size_t max)
{
	size_t n = 0;

	(void)dp;
	WITH_TRANSPORT(out_transport, t) {
		for (; n < max && n < t->n_ssrc_maps; n++)
			maps[n] = t->ssrc_maps[n];
	}
	pthread_mutex_unlock(&lock);
	return n;
}

void dp_transport_edges(struct dp_client *dp, struct dp_ref ref, const struct dp_edge *edges, size_t n)
{
	(void)dp;
	WITH_TRANSPORT(ref, t) {
		memcpy(t->edges, edges, n * sizeof(*edges));
		t->n_edges = n;
	}
	pthread_mutex_unlock(&lock);
}

void dp_transport_remove(struct dp_client *dp, struct dp_ref ref)
{
	struct datagram d = { .is_event = true, .event = { .kind = DP_EVENT_REMOVED, .transport = ref } };

	(void)dp;
	WITH_TRANSPORT(ref, t) {
		memset(t, 0, sizeof(*t));
		if (!hold_removals)
			push(&inward, &d);
	}
	pthread_mutex_unlock(&lock);
	wake();
}

void dp_transport_send(struct dp_client *dp, struct dp_ref ref, const struct inet_endpoint *to, const void *bytes,
		       size_t len)
{
	struct datagram d = { .len = len };

	(void)dp;
	WITH_TRANSPORT(ref, t) {
		struct fake_transport *other = of_local(to);

		if (len > sizeof(d.bytes))
			abort();
		memcpy(d.bytes, bytes, len);
		if (other != NULL && lose > 0) {
			lose--;
		} else if (other != NULL) {
			uint8_t first = d.bytes[0];

			d.kind = first >= 20 && first <= 63 ? DP_PUNT_DTLS : DP_PUNT_RTCP;
			d.local = *to;
			d.remote = t->conf.local;
			push(&inward, &d);
		} else {
			d.remote = *to;
			push(&outward, &d);
		}
	}
	pthread_mutex_unlock(&lock);
	wake();
}

void dp_transport_answer(struct dp_client *dp, const struct dp_punt *punt, const void *bytes, size_t len)
{
	dp_transport_send(dp, punt->transport, &punt->source, bytes, len);
}

uint16_t dp_transport_way_mtu(const struct dp_client *dp, struct dp_ref ref, const struct inet_endpoint *to)
{
	return 0;
}

int dp_transport_stats(const struct dp_client *dp, struct dp_ref ref, struct dp_stats *stats)
{
	int err = -ENOENT;

	(void)dp;
	memset(stats, 0, sizeof(*stats));
	WITH_TRANSPORT(ref, t) {
		stats->last_rx = shared->last_rx[ref.index];
		err = 0;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

uint64_t dp_client_absent(const struct dp_client *dp)
{
	return 0;
}

void dp_client_walk(struct dp_client *dp, void (*found)(void *ctx, const struct dp_found *f), void *ctx)
{
	(void)dp;
	for (size_t i = 0; i < FAKE_TRANSPORTS; i++) {
		const struct fake_transport *t = &state()->transports[i];
		struct dp_found f = { .transport = t->ref, .conf = t->conf, .security = t->security, .path = t->path,
				      .rx_epoch = t->rx.epoch, .rx_heard = state()->heard[i] == t->rx.epoch };

		if (t->live)
			found(ctx, &f);
	}
}
