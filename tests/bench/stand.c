// SPDX-License-Identifier: GPL-3.0-or-later
// stand.c - region, ports, tables, workers and sessions of a relay that a bench has in its own process.
#include "tests/bench/stand.h"
#include "dataplane/worker/relay_trial.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PACKETS 16383
#define COMMANDS_WAIT 10000 // ms

static void must(int err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void nothing_event(void *ctx, const struct dp_event *event) {}

static void nothing_punt(void *ctx, const struct dp_punt *punt) {}

// ---- the relay

static unsigned frames_megabytes(const struct stand_plan *plan)
{
	uint64_t octets = 0;

	for (unsigned w = 0; w < plan->workers; w++) {
		const struct frames_plan *f = &plan->frames[w].plan;

		octets += (uint64_t)f->sessions * f->passes * (f->payload + 128);
	}
	return (unsigned)(octets >> 20);
}

// The media addresses of the first port are those that the frames go to.
static void addresses_make(struct dp_config *c, const struct frames_plan *plan)
{
	unsigned n = plan->addresses;

	c->n_addresses = (uint8_t)(2 * n);
	for (unsigned i = 0; i < 2 * n; i++) {
		uint32_t addr = htonl(frames_address(plan, i % n) + (i < n ? 0 : 128));

		c->addresses[i] = (struct dp_address){ .network = i >= n,
						       .first_port = FRAMES_FIRST_PORT,
						       .last_port = FRAMES_FIRST_PORT + FRAMES_PORTS - 1 };
		c->addresses[i].addr.family = INET_V4;
		memcpy(c->addresses[i].addr.bytes, &addr, 4);
	}
}

static void config_make(struct dp_config *c, const struct stand *s)
{
	*c = (struct dp_config){ .n_ports = 2,
				 .n_networks = 2,
				 .n_workers = (uint8_t)s->plan.workers,
				 .replay_window = 128,
				 .poll = DP_POLL_BUSY,
				 .max_transports = 2 * s->sessions,
				 .memory_mb = 128 + frames_megabytes(&s->plan),
				 .hugepages = s->plan.no_huge ? DP_HUGEPAGES_OFF : DP_HUGEPAGES_AUTO };
	for (unsigned i = 0; i < 2; i++) {
		snprintf(c->ports[i].name, sizeof(c->ports[i].name), "bench%u", i);
		snprintf(c->ports[i].devargs, sizeof(c->ports[i].devargs), "%s",
			 s->plan.devargs[i] != NULL ? s->plan.devargs[i] : "");
		c->ports[i].driver = s->plan.driver;
		c->networks[i].port = (uint8_t)i;
	}
	addresses_make(c, &s->plan.frames[0].plan);
	memcpy(c->worker_cpu, s->plan.cpu, sizeof(c->worker_cpu));
}

void stand_open(struct stand *s, const struct stand_plan *plan)
{
	const struct dp_callbacks callbacks = { .event = nothing_event, .punt = nothing_punt };
	struct dp_config config;
	char why[256] = "";

	*s = (struct stand){ .plan = *plan };
	for (unsigned w = 0; w < plan->workers; w++)
		s->sessions += plan->frames[w].plan.sessions;
	s->in = calloc(s->sessions, sizeof(s->in[0]));
	s->out = calloc(s->sessions, sizeof(s->out[0]));
	must(s->in != NULL && s->out != NULL ? 0 : -ENOMEM, "sessions");
	config_make(&config, s);
	must(relay_trial_open(&s->relay, &s->region, &config, PACKETS, why), why);
	must(dp_client_open(&s->dp, dup(s->region.fd), s->relay.control_event, s->relay.control_event, &callbacks),
	     "client");
}

void stand_start(struct stand *s)
{
	s->relay.stop = false;
	for (unsigned w = 0; w < s->plan.workers; w++)
		must(relay_worker_start(s->relay.workers[w]), "worker's thread");
	s->running = true;
}

void stand_stop(struct stand *s)
{
	s->relay.stop = true;
	for (unsigned w = 0; w < s->plan.workers; w++) {
		relay_worker_wake(s->relay.workers[w]);
		relay_worker_join(s->relay.workers[w]);
	}
	s->running = false;
}

// ---- sessions

static bool told_all(const struct stand *s)
{
	for (unsigned w = 0; w < s->plan.workers; w++) {
		if (byte_ring_used(&s->relay.workers[w]->commands) > 0)
			return false;
	}
	return true;
}

// What was said is done. Without threads by commands alone: a round would also take net_null's endless packets.
static void apply(struct stand *s)
{
	for (unsigned ms = 0; s->running && !told_all(s); ms++) {
		must(ms < COMMANDS_WAIT ? 0 : -ETIMEDOUT, "commands");
		dp_client_dispatch(s->dp);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	for (unsigned w = 0; w < s->plan.workers && !s->running; w++) {
		while (relay_commands(s->relay.workers[w]) > 0)
			dp_client_dispatch(s->dp);
	}
	dp_client_dispatch(s->dp);
}

static void keys_give(struct stand *s, struct dp_ref ref, enum dp_direction direction, const struct srtp_master *master)
{
	const struct dp_keys keys = { .direction = direction, .epoch = 1, .master = *master };

	if (master->suite != SRTP_SUITE_NONE)
		dp_transport_keys(s->dp, ref, &keys);
}

static struct dp_ref leg_make(struct stand *s, unsigned worker, unsigned network, unsigned session)
{
	const struct frames_plan *plan = &s->plan.frames[worker].plan;
	struct dp_transport_conf conf = { .network = (uint16_t)network,
					  .mode = DP_MODE_RTP,
					  .worker = (uint16_t)worker };
	unsigned address = (plan->first + session) % plan->addresses + network * plan->addresses;
	enum srtp_suite suite = network == 0 ? plan->in : plan->out;
	struct dp_path path = { .remote.port = 4000 };
	struct dp_ref ref;

	conf.local.addr = s->relay.map.config.addresses[address].addr;
	conf.local.port = frames_port(plan, session);
	path.remote.addr.family = INET_V4;
	memcpy(path.remote.addr.bytes, (uint8_t[]){ 198, 51, 100, (uint8_t)(1 + network) }, 4);
	must(dp_transport_alloc(s->dp, &ref), "alloc");
	dp_transport_publish(s->dp, ref, &conf);
	dp_transport_secure(s->dp, ref, suite != SRTP_SUITE_NONE ? DP_SRTP : DP_PLAIN);
	dp_transport_path(s->dp, ref, &path);
	return ref;
}

static void session_make(struct stand *s, unsigned worker, unsigned session, struct dp_ref *in, struct dp_ref *out)
{
	const struct frames *f = &s->plan.frames[worker];

	*in = leg_make(s, worker, 0, session);
	*out = leg_make(s, worker, 1, session);
	keys_give(s, *in, DP_RX, &f->in[session]);
	keys_give(s, *out, DP_TX, &f->out[session]);
	dp_transport_edges(s->dp, *in, &(struct dp_edge){ .to = *out, .open = true }, 1);
}

static void hops_set(struct stand *s)
{
	const struct nexthop hop = { .kind = NEXTHOP_ETHER, .port = 1, .mtu = 1500, .mac = { 2, 0, 0, 0, 0, 2 } };

	for (unsigned i = 0; i < s->sessions; i++)
		nexthop_set(s->relay.hops, s->out[i].index, s->relay.map.transports[s->out[i].index].out.path_serial,
			    &hop);
}

#define AT_ONCE 64 // sessions: what the command rings hold

void stand_sessions_make(struct stand *s)
{
	unsigned k = 0;

	for (unsigned w = 0; w < s->plan.workers; w++) {
		for (unsigned i = 0; i < s->plan.frames[w].plan.sessions; i++, k++) {
			session_make(s, w, i, &s->in[k], &s->out[k]);
			if (k % AT_ONCE == AT_ONCE - 1)
				apply(s);
		}
	}
	apply(s);
	hops_set(s);
}

void stand_sessions_forget(struct stand *s)
{
	for (unsigned i = 0; i < s->sessions; i++) {
		dp_transport_remove(s->dp, s->in[i]);
		dp_transport_remove(s->dp, s->out[i]);
		if (i % AT_ONCE == AT_ONCE - 1)
			apply(s);
	}
	apply(s);
}

// ---- what became of the packets

uint64_t stand_sent(const struct stand *s)
{
	uint64_t sent = 0;

	for (unsigned i = 0; i < s->sessions; i++) {
		struct dp_stats stats;

		must(dp_transport_stats(s->dp, s->out[i], &stats), "stats");
		sent += stats.tx_packets;
	}
	return sent;
}

uint64_t stand_dropped(const struct stand *s)
{
	uint64_t dropped = 0;

	for (unsigned w = 0; w < s->plan.workers; w++) {
		for (unsigned d = 1; d < RELAY_DROP_COUNT; d++) {
			uint64_t n = s->relay.workers[w]->record->drops[d];

			dropped += n;
			if (n > 0)
				fprintf(stderr, "bench: worker %u dropped %llu: %s\n", w, (unsigned long long)n,
					relay_drop_name[d]);
		}
	}
	return dropped;
}
