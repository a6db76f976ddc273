// SPDX-License-Identifier: GPL-3.0-or-later
// dp_client.c - birth, indices, and the way of a command to its worker.
#include "dataplane/client/dp_client_priv.h"
#include "base/log.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TAG "dataplane"
#define SEND_MAX 2048        // longest datagram of control's own
#define SENDS_WAITING 4096   // datagrams may be lost: beyond that many waiting commands they are
#define RETRY_NS 1000000     // waiting commands are tried again this often
#define DRAIN_NS MONO_MS(200)

// ---- birth

static int rings_attach(struct dp_client *dp)
{
	const struct dp_map *m = &dp->map;
	int err = 0;

	STAILQ_INIT(&dp->held);
	for (unsigned w = 0; w < DP_WORKERS_MAX; w++)
		STAILQ_INIT(&dp->waiting[w]);
	for (unsigned w = 0; w < m->config.n_workers && err == 0; w++) {
		err = byte_ring_attach(&dp->commands[w], m->commands[w], DP_COMMAND_RING, BYTE_RING_PRODUCER);
		for (unsigned k = 0; k < DP_CLASSES && err == 0; k++)
			err = byte_ring_attach(&dp->punts[w][k], m->punts[w][k], dp_punt_ring[k], BYTE_RING_CONSUMER);
		if (err == 0)
			err = byte_ring_attach(&dp->traces[w], m->traces[w], DP_TRACE_RING, BYTE_RING_CONSUMER);
	}
	for (unsigned w = 0; w <= m->config.n_workers && err == 0; w++)
		err = byte_ring_attach(&dp->events[w], m->events[w], DP_EVENT_RING, BYTE_RING_CONSUMER);
	return err;
}

// What a control before us pushed must be acted upon before we look: else the records would change under our walk.
static void wait_for_old_commands(const struct dp_client *dp)
{
	mono_ns deadline = clock_now() + DRAIN_NS;

	for (unsigned w = 0; w < dp->map.config.n_workers; w++) {
		while (byte_ring_used(&dp->commands[w]) > 0 && clock_now() < deadline)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

static void index_free(struct dp_client *dp, uint32_t index)
{
	dp->indices[index].used = dp->indices[index].published = dp->indices[index].removing = false;
	dp->indices[index].moving = false;
	dp_client_traced(dp, index, false);
	dp->indices[index].next_free = DP_NONE;
	if (dp->free_tail == DP_NONE)
		dp->free_head = index;
	else
		dp->indices[dp->free_tail].next_free = index;
	dp->free_tail = index;
}

static int indices_load(struct dp_client *dp)
{
	dp->indices = calloc(dp->map.n_transports, sizeof(*dp->indices));
	if (dp->indices == NULL)
		return -ENOMEM;
	dp->free_head = dp->free_tail = DP_NONE;
	for (uint32_t i = 0; i < dp->map.n_transports; i++) {
		const struct dp_transport *tp = &dp->map.transports[i];

		dp->indices[i].generation = tp->generation;
		dp->indices[i].worker = dp_worker_of(tp) < dp->map.config.n_workers ? dp_worker_of(tp) : 0;
		if (tp->state == DP_STATE_FREE) {
			index_free(dp, i);
			continue;
		}
		dp->indices[i].used = true;
		dp->indices[i].published = tp->state == DP_STATE_PUBLISHED;
		dp->indices[i].removing = tp->state == DP_STATE_REMOVING;
		dp_load_add(dp, dp->indices[i].worker);
	}
	return 0;
}

static int watch(struct dp_client *dp, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(dp->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int wakes_open(struct dp_client *dp)
{
	int err;

	dp->epoll = epoll_create1(EPOLL_CLOEXEC);
	dp->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (dp->epoll < 0 || dp->timer < 0)
		return -errno;
	err = watch(dp, dp->our_event);
	return err < 0 ? err : watch(dp, dp->timer);
}

int dp_client_open(struct dp_client **dpp, int region_fd, int relay_eventfd, int our_eventfd,
		   const struct dp_callbacks *callbacks)
{
	struct dp_client *dp;
	int err;

	if (dpp == NULL || callbacks == NULL)
		return -EINVAL;
	dp = calloc(1, sizeof(*dp));
	if (dp == NULL)
		return -ENOMEM;
	dp->relay_event = relay_eventfd;
	dp->our_event = our_eventfd;
	dp->callbacks = *callbacks;
	dp->timer = dp->epoll = -1;
	err = dp_map_open(&dp->map, region_fd);
	if (err == -EPROTONOSUPPORT)
		log_error(TAG, "the media region is of another build", LOG_UINT("layout", dp_region_layout()));
	if (err < 0)
		goto out;
	err = rings_attach(dp);
	if (err < 0)
		goto out;
	wait_for_old_commands(dp);
	err = indices_load(dp);
	if (err < 0)
		goto out;
	err = wakes_open(dp);
	if (err < 0)
		goto out;
	dp->boot = atomic_fetch_add(&dp->map.header->control_boot, 1) % 255 + 1;
	dp_traces_forget(dp);
	eventfd_write(our_eventfd, 1); // look at what came while nobody listened
	*dpp = dp;
	dp = NULL;
out:
	dp_client_close(dp);
	return err;
}

static void waiting_clear(struct dp_waiting_list *list)
{
	struct dp_waiting *wait;

	while ((wait = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, entry);
		dp_waiting_free(wait);
	}
}

void dp_client_close(struct dp_client *dp)
{
	if (dp == NULL)
		return;
	for (unsigned w = 0; w < dp->map.config.n_workers; w++)
		waiting_clear(&dp->waiting[w]);
	waiting_clear(&dp->held);
	if (dp->timer >= 0)
		close(dp->timer);
	if (dp->epoll >= 0)
		close(dp->epoll);
	free(dp->indices);
	if (dp->map.header != NULL)
		dp_map_close(&dp->map);
	free(dp);
}

int dp_client_fd(const struct dp_client *dp)
{
	return dp->epoll;
}

// ---- indices

int dp_transport_alloc(struct dp_client *dp, struct dp_ref *ref)
{
	uint32_t index = dp->free_head;
	struct dp_index *ix;

	if (index == DP_NONE)
		return -ENOSPC;
	ix = &dp->indices[index];
	dp->free_head = ix->next_free;
	if (dp->free_head == DP_NONE)
		dp->free_tail = DP_NONE;
	ix->used = true;
	ix->worker = 0;
	ix->generation = dp->boot << 24 | ((ix->generation + 1) & 0xffffff);
	*ref = (struct dp_ref){ .index = index, .generation = ix->generation };
	return 0;
}

bool dp_client_owns(const struct dp_client *dp, struct dp_ref ref)
{
	return ref.index < dp->map.n_transports && dp->indices[ref.index].used &&
	       dp->indices[ref.index].generation == ref.generation;
}

void dp_client_freed(struct dp_client *dp, struct dp_ref ref)
{
	const struct dp_index *ix = &dp->indices[ref.index];

	if (ix->published || ix->removing)
		dp_load_remove(dp, ix->worker);
	index_free(dp, ref.index);
}

// ---- commands

static void relay_wake(struct dp_client *dp, unsigned worker)
{
	if (byte_ring_take_sleeping(&dp->commands[worker]))
		eventfd_write(dp->relay_event, 1);
}

static void timer_set(struct dp_client *dp, bool on)
{
	struct itimerspec its = { .it_value.tv_nsec = on ? RETRY_NS : 0, .it_interval.tv_nsec = on ? RETRY_NS : 0 };

	if (dp->timer_armed == on)
		return;
	timerfd_settime(dp->timer, 0, &its, NULL);
	dp->timer_armed = on;
}

void dp_client_flush(struct dp_client *dp)
{
	for (unsigned w = 0; w < dp->map.config.n_workers; w++) {
		struct dp_waiting *wait;

		while ((wait = STAILQ_FIRST(&dp->waiting[w])) != NULL) {
			if (byte_ring_push2(&dp->commands[w], &wait->command, sizeof(wait->command), wait->body,
					    wait->body_len) == -ENOSPC)
				break;
			STAILQ_REMOVE_HEAD(&dp->waiting[w], entry);
			dp->n_waiting--;
			dp_waiting_free(wait);
		}
		relay_wake(dp, w);
	}
	timer_set(dp, dp->n_waiting > 0);
}

struct dp_waiting *dp_waiting_new(const struct dp_command *command, const void *body, size_t body_len)
{
	struct dp_waiting *wait = malloc(sizeof(*wait) + body_len);

	if (wait == NULL) {
		// A lost command would leave the relay's records wrong for good. A new control finds them as they are.
		log_error(TAG, "no memory for a command of the relay");
		abort();
	}
	wait->command = *command;
	wait->body_len = body_len;
	if (body_len > 0)
		memcpy(wait->body, body, body_len);
	return wait;
}

void dp_waiting_free(struct dp_waiting *wait)
{
	secret_wipe(&wait->command, sizeof(wait->command));
	free(wait);
}

static void command_wait(struct dp_client *dp, unsigned worker, const struct dp_command *command, const void *body,
			 size_t body_len)
{
	struct dp_waiting *wait;

	if (command->kind == DP_COMMAND_SEND && dp->n_waiting >= SENDS_WAITING)
		return;
	wait = dp_waiting_new(command, body, body_len);
	STAILQ_INSERT_TAIL(&dp->waiting[worker], wait, entry);
	dp->n_waiting++;
	timer_set(dp, true);
}

void dp_client_command(struct dp_client *dp, const struct dp_command *command, const void *body, size_t body_len)
{
	const struct dp_index *ix = &dp->indices[command->transport.index];
	unsigned worker;

	if (!dp_client_owns(dp, command->transport))
		return;
	if (ix->moving) { // for the next worker, when it has the transport
		struct dp_waiting *wait = dp_waiting_new(command, body, body_len);

		STAILQ_INSERT_TAIL(&dp->held, wait, entry);
		return;
	}
	worker = ix->worker;
	if (!STAILQ_EMPTY(&dp->waiting[worker]) ||
	    byte_ring_push2(&dp->commands[worker], command, sizeof(*command), body, body_len) == -ENOSPC)
		command_wait(dp, worker, command, body, body_len);
	relay_wake(dp, worker);
}

void dp_transport_publish(struct dp_client *dp, struct dp_ref ref, const struct dp_transport_conf *conf)
{
	struct dp_command c = { .kind = DP_COMMAND_PUBLISH, .transport = ref, .publish = *conf };

	if (!dp_client_owns(dp, ref) || conf->worker >= dp->map.config.n_workers)
		return;
	if (!dp->indices[ref.index].published)
		dp_load_add(dp, conf->worker);
	dp->indices[ref.index].worker = conf->worker;
	dp->indices[ref.index].published = true;
	dp_client_command(dp, &c, NULL, 0);
}

void dp_transport_secure(struct dp_client *dp, struct dp_ref ref, enum dp_security security)
{
	struct dp_command c = { .kind = DP_COMMAND_SECURE, .transport = ref, .secure = security };

	dp_client_command(dp, &c, NULL, 0);
}

void dp_transport_path(struct dp_client *dp, struct dp_ref ref, const struct dp_path *path)
{
	struct dp_command c = { .kind = DP_COMMAND_PATH, .transport = ref, .path = *path };

	dp_client_command(dp, &c, NULL, 0);
}

void dp_transport_keys(struct dp_client *dp, struct dp_ref ref, const struct dp_keys *keys)
{
	struct dp_command c = { .kind = DP_COMMAND_KEYS, .transport = ref, .keys = *keys };

	dp_client_command(dp, &c, NULL, 0);
	secret_wipe(&c, sizeof(c));
}

void dp_transport_retire(struct dp_client *dp, struct dp_ref ref, enum dp_direction dir, uint32_t below_epoch)
{
	struct dp_command c = { .kind = DP_COMMAND_RETIRE, .transport = ref };

	c.retire.direction = dir;
	c.retire.below_epoch = below_epoch;
	dp_client_command(dp, &c, NULL, 0);
}

void dp_transport_extensions(struct dp_client *dp, struct dp_ref ref, const struct dp_extensions *extensions)
{
	struct dp_command c = { .kind = DP_COMMAND_EXTENSIONS, .transport = ref, .extensions = *extensions };

	dp_client_command(dp, &c, NULL, 0);
}

void dp_transport_edges(struct dp_client *dp, struct dp_ref ref, const struct dp_edge *edges, size_t n)
{
	struct dp_command c = { .kind = DP_COMMAND_EDGES, .transport = ref };

	c.edges.n = n < DP_EDGES_MAX ? (uint32_t)n : DP_EDGES_MAX;
	for (uint32_t i = 0; i < c.edges.n; i++)
		c.edges.list[i] = edges[i];
	dp_client_command(dp, &c, NULL, 0);
}

void dp_transport_remove(struct dp_client *dp, struct dp_ref ref)
{
	struct dp_command c = { .kind = DP_COMMAND_REMOVE, .transport = ref };

	if (dp_client_owns(dp, ref))
		dp->indices[ref.index].removing = true;
	dp_client_command(dp, &c, NULL, 0);
}

void dp_transport_answer(struct dp_client *dp, const struct dp_punt *punt, const void *bytes, size_t len)
{
	struct dp_command c = {
		.kind = DP_COMMAND_SEND, .transport = punt->transport, .send = { .to = punt->source, .by = punt->back }
	};

	if (punt != dp->punt || len == 0 || len > SEND_MAX)
		return;
	dp->punt = NULL;
	dp_client_command(dp, &c, bytes, len);
}

void dp_transport_send(struct dp_client *dp, struct dp_ref ref, const struct inet_endpoint *to, const void *bytes,
		       size_t len)
{
	struct dp_command c = { .kind = DP_COMMAND_SEND, .transport = ref, .send.to = *to };

	if (len > 0 && len <= SEND_MAX)
		dp_client_command(dp, &c, bytes, len);
}
