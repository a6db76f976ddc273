// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_load.c - what a relay costs and keeps: idle CPU, delay beside a silent port, many publications, a crash of
// control, more queues and workers, af_packet.
#include "tests/dataplane/bed_call.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct bed *bed;
static struct bed_call call;

static void start(void (*change)(struct dp_config *config), void (*links)(void))
{
	bed = calloc(1, sizeof(*bed));
	assert_non_null(bed);
	bed_networks(bed);
	if (links != NULL)
		links();
	bed_config(&bed->config);
	if (change != NULL)
		change(&bed->config);
	bed_start(bed);
	bed_call_sockets(&call, bed);
	bed_call_legs(&call, DP_PLAIN);
	bed_pump(bed, 150);
}

static int stop(void **state)
{
	if (bed == NULL)
		return 0;
	bed_call_close(&call);
	bed_stop(bed);
	free(bed);
	bed = NULL;
	return 0;
}

static void exchange(unsigned n)
{
	uint8_t pkt[512], got[2048];

	for (unsigned i = 0; i < n; i++) {
		size_t len = bed_rtp(pkt, 0x1111, (uint16_t)i, 160);

		bed_send(call.a, &call.gw_a, pkt, len);
		assert_int_equal(bed_receive(call.b, got, sizeof(got), 2000, NULL), len);
		assert_memory_equal(got, pkt, len);
		bed_send(call.b, &call.gw_b, pkt, len);
		assert_int_equal(bed_receive(call.a, got, sizeof(got), 2000, NULL), len);
	}
}

// ---- rest

static unsigned long cpu_ticks(pid_t pid)
{
	unsigned long user, system;
	char path[64];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	in = fopen(path, "r");
	assert_non_null(in);
	assert_int_equal(fscanf(in, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
	fclose(in);
	return user + system;
}

static void an_idle_relay_rests(void **state)
{
	unsigned long before;
	double percent;

	start(NULL, NULL);
	before = cpu_ticks(bed->relay);
	bed_pump(bed, 3000);
	percent = (double)(cpu_ticks(bed->relay) - before) * 100 / (double)sysconf(_SC_CLK_TCK) / 3;
	print_message("idle: %.2f %% of a core\n", percent);
	assert_true(percent <= 5);
}

static int by_value(const void *x, const void *y)
{
	mono_ns p = *(const mono_ns *)x, q = *(const mono_ns *)y;

	return p < q ? -1 : p > q;
}

// The access port is silent; from core to core a packet takes what it takes. A busy machine may delay any process, so
// the median speaks for the relay.
static void a_silent_port_delays_nobody(void **state)
{
	struct inet_endpoint back = bed_endpoint("10.77.2.2", 5002);
	mono_ns took[200];
	struct dp_ref out;
	uint8_t pkt[512];
	int c;

	start(NULL, NULL);
	c = bed_socket(bed, BED_B, "10.77.2.2", 5002);
	out = bed_transport(bed, 1, "10.77.2.1", 16400, DP_MODE_RTP, DP_PLAIN, &back);
	dp_transport_edges(bed->dp, call.leg_b, &(struct dp_edge){ .to = out, .open = true }, 1);
	bed_pump(bed, 150);
	for (unsigned i = 0; i < 200; i++) {
		mono_ns sent;

		usleep(3000); // long enough for the relay to rest
		sent = clock_now();
		bed_send(call.b, &call.gw_b, pkt, bed_rtp(pkt, 0x2222, (uint16_t)i, 160));
		assert_true(bed_receive(c, pkt, sizeof(pkt), 1000, NULL) > 0);
		took[i] = clock_now() - sent;
	}
	qsort(took, 200, sizeof(took[0]), by_value);
	print_message("beside a silent port: median %llu us, 95th percentile %llu us, longest %llu us\n",
		      (unsigned long long)took[100] / 1000, (unsigned long long)took[190] / 1000,
		      (unsigned long long)took[199] / 1000);
	assert_true(took[100] < MONO_MS(1));
	close(c);
}

// ---- records

static void keys_are_wiped(void)
{
	const uint8_t *bytes;
	struct dp_map map;
	size_t left = 0;
	unsigned used = 0;

	assert_int_equal(dp_map_open(&map, dup(bed->region.fd)), 0);
	for (bytes = map.keys_cm; bytes < map.streams; bytes++) // of both kinds
		left += *bytes;
	for (uint32_t i = 0; i < map.n_transports; i++)
		used += map.transports[i].state != DP_STATE_FREE;
	dp_map_close(&map);
	assert_int_equal(left, 0);
	assert_int_equal(used, 2); // the plain pair
}

static void ten_thousand_publications_leave_nothing(void **state)
{
	struct dp_keys keys = { .epoch = 1, .master.suite = SRTP_AEAD_AES_128_GCM };
	unsigned removed = 0, made = 0;
	struct dp_ref refs[128];

	start(NULL, NULL);
	while (made < 10000) {
		unsigned n = 0;

		for (; n < 128 && made < 10000; n++, made++) {
			refs[n] = bed_transport(bed, 0, "10.77.1.1", (uint16_t)(16500 + n), DP_MODE_RTP, DP_SRTP,
						&call.peer_a);
			keys.direction = DP_RX;
			dp_transport_keys(bed->dp, refs[n], &keys);
			keys.direction = DP_TX;
			dp_transport_keys(bed->dp, refs[n], &keys);
			keys.epoch = 2;
			keys.master.key[0]++;
			dp_transport_keys(bed->dp, refs[n], &keys);
			keys.epoch = 1;
			dp_transport_edges(bed->dp, refs[n], &(struct dp_edge){ .to = call.leg_b, .open = true }, 1);
		}
		for (unsigned i = 0; i < n; i++)
			dp_transport_remove(bed->dp, refs[i]);
		while (bed_event(bed, DP_EVENT_REMOVED, removed < made ? 2000 : 0, NULL))
			removed++;
		assert_int_equal(removed, made);
	}
	keys_are_wiped();
	exchange(5); // and it still relays
}
static void count_found(void *ctx, const struct dp_found *f)
{
	unsigned *n = ctx;

	(*n)++;
	assert_int_equal(f->security, DP_PLAIN);
	assert_int_equal(f->n_edges, 1);
	assert_true(f->edges[0].open);
	assert_true(inet_endpoint_equal(&f->path.remote, f->conf.network == 0 ? &call.peer_a : &call.peer_b));
}

static void nothing_event(void *ctx, const struct dp_event *event)
{
}

static void nothing_punt(void *ctx, const struct dp_punt *punt)
{
}

static void a_new_control_finds_what_is_there(void **state)
{
	const struct dp_callbacks callbacks = { .punt = nothing_punt, .event = nothing_event };
	struct dp_client *next;
	unsigned found = 0;
	struct dp_ref ref;

	start(NULL, NULL);
	dp_client_close(bed->dp); // dies without a word
	exchange(5);
	assert_int_equal(dp_client_open(&next, dup(bed->region.fd), bed->relay_event, bed->control_event, &callbacks),
			 0);
	bed->dp = next;
	dp_client_walk(next, count_found, &found);
	assert_int_equal(found, 2);
	assert_int_equal(dp_transport_alloc(next, &ref), 0);
	assert_true(ref.index != call.leg_a.index && ref.index != call.leg_b.index);
	exchange(5);
}

// ---- links

static void two_workers(struct dp_config *c)
{
	c->n_workers = 2;
}

static void two_queues(void)
{
	bed_run("ip netns exec %s ethtool -L acc rx 2 tx 2", bed->ns_name[BED_GW]);
	bed_run("ip netns exec %s ethtool -L cor rx 2 tx 2", bed->ns_name[BED_GW]);
}

// Whatever queue a packet comes in by, its transport's worker gets it.
static void two_workers_share_two_queues(void **state)
{
	uint8_t pkt[512], got[2048];

	start(two_workers, two_queues);
	exchange(20);
	for (unsigned i = 0; i < 16; i++) { // transports on both workers
		struct dp_transport_conf conf = { .network = 0, .worker = (uint16_t)(i % 2), .mode = DP_MODE_RTP };
		struct inet_endpoint to = bed_endpoint("10.77.1.1", (uint16_t)(16600 + i));
		struct inet_endpoint back = bed_endpoint("10.77.1.1", (uint16_t)(16700 + i));
		struct dp_ref in, out;
		size_t len;

		assert_int_equal(dp_transport_alloc(bed->dp, &in), 0);
		assert_int_equal(dp_transport_alloc(bed->dp, &out), 0);
		conf.local = to;
		dp_transport_publish(bed->dp, in, &conf);
		conf.local = back;
		dp_transport_publish(bed->dp, out, &conf);
		dp_transport_secure(bed->dp, in, DP_PLAIN);
		dp_transport_secure(bed->dp, out, DP_PLAIN);
		dp_transport_path(bed->dp, in, &(struct dp_path){ .remote = call.peer_a });
		dp_transport_path(bed->dp, out, &(struct dp_path){ .remote = call.peer_a });
		dp_transport_edges(bed->dp, in, &(struct dp_edge){ .to = out, .open = true }, 1);
		bed_pump(bed, 50);
		len = bed_rtp(pkt, 0x3333, (uint16_t)i, 160);
		bed_send(call.a, &to, pkt, len);
		assert_int_equal(bed_receive(call.a, got, sizeof(got), 2000, NULL), len);
		assert_memory_equal(got, pkt, len);
	}
}

static void af_packet(struct dp_config *c)
{
	c->ports[0].driver = c->ports[1].driver = DP_DRIVER_AF_PACKET;
}

static void relays_by_af_packet(void **state)
{
	start(af_packet, NULL);
	exchange(20);
}

// A card pulled: the other one goes on, and the relay does not spin.
static void a_lost_interface_harms_no_other(void **state)
{
	struct inet_endpoint back = bed_endpoint("10.77.2.2", 5002);
	unsigned long before;
	struct dp_ref out;
	double percent;
	uint8_t pkt[512];
	int c;

	start(NULL, NULL);
	c = bed_socket(bed, BED_B, "10.77.2.2", 5002);
	out = bed_transport(bed, 1, "10.77.2.1", 16400, DP_MODE_RTP, DP_PLAIN, &back);
	dp_transport_edges(bed->dp, call.leg_b, &(struct dp_edge){ .to = out, .open = true }, 1);
	bed_pump(bed, 150);
	bed_run("ip -n %s link del acc", bed->ns_name[BED_GW]);
	bed_pump(bed, 100);
	before = cpu_ticks(bed->relay);
	bed_pump(bed, 2000);
	percent = (double)(cpu_ticks(bed->relay) - before) * 100 / (double)sysconf(_SC_CLK_TCK) / 2;
	print_message("one interface gone: %.2f %% of a core\n", percent);
	assert_true(percent <= 10);
	bed_send(call.b, &call.gw_b, pkt, bed_rtp(pkt, 0x2222, 1, 160));
	assert_true(bed_receive(c, pkt, sizeof(pkt), 1000, NULL) > 0);
	close(c);
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_teardown(f, stop)
	const struct CMUnitTest tests[] = {
		TEST(an_idle_relay_rests),
		TEST(a_silent_port_delays_nobody),
		TEST(ten_thousand_publications_leave_nothing),
		TEST(a_new_control_finds_what_is_there),
		TEST(two_workers_share_two_queues),
		TEST(relays_by_af_packet),
		TEST(a_lost_interface_harms_no_other),
	};

	if (argc > 1)
		bed_relay_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
