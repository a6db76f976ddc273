// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_ports.c - what the settings of a port make of it, and what its line at the start says: queues of its own
// number, fewer than workers, busy polling, checksums, and starts that are refused with the reason.
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

#define FLOWS 64

static struct bed *bed;
static struct bed_call call;

static void start(void (*change)(struct dp_config *config))
{
	bed = calloc(1, sizeof(*bed));
	assert_non_null(bed);
	bed_networks(bed);
	bed_run("ip -n %s link del acc && ip -n %s link add acc numrxqueues 4 numtxqueues 4 type veth peer name eth0 "
		"numrxqueues 4 numtxqueues 4 netns %s", bed->ns_name[BED_GW], bed->ns_name[BED_GW], bed->ns_name[BED_A]);
	bed_run("ip -n %s addr add 10.77.1.1/24 dev acc && ip -n %s link set acc up", bed->ns_name[BED_GW],
		bed->ns_name[BED_GW]);
	bed_run("ip -n %s addr add 10.77.1.2/24 dev eth0 && ip -n %s link set eth0 up", bed->ns_name[BED_A],
		bed->ns_name[BED_A]);
	snprintf(bed->log, sizeof(bed->log), "/tmp/sallyport-ports-%d.log", getpid());
	bed_config(&bed->config);
	change(&bed->config);
	bed_start(bed);
	bed_call_sockets(&call, bed);
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

static void said(const char *port, const char *one, const char *two)
{
	const char *line = bed_log_line(bed, 1000, "port ready", port, one, two, NULL);

	if (line[0] == '\0')
		fail_msg("no line with %s, %s, %s", port, one, two);
}

// A leg on each worker in turn, from A to B, each flow from a port of its own; the queue that it comes in by is the
// hash's to say. Every packet must arrive.
static void flows_pass(void)
{
	unsigned n_workers = bed->config.n_workers;
	struct dp_ref in[FLOWS], out[FLOWS];

	for (unsigned i = 0; i < FLOWS; i++) {
		struct dp_transport_conf conf = { .network = 0, .worker = (uint16_t)(i % n_workers), .mode = DP_MODE_RTP,
						  .session = i + 1 };
		struct inet_endpoint a = bed_endpoint("10.77.1.2", (uint16_t)(6000 + i));

		assert_int_equal(dp_transport_alloc(bed->dp, &in[i]), 0);
		assert_int_equal(dp_transport_alloc(bed->dp, &out[i]), 0);
		conf.local = bed_endpoint("10.77.1.1", (uint16_t)(16400 + 2 * i));
		dp_transport_publish(bed->dp, in[i], &conf);
		conf.network = 1;
		conf.local = bed_endpoint("10.77.2.1", (uint16_t)(16400 + 2 * i));
		dp_transport_publish(bed->dp, out[i], &conf);
		dp_transport_secure(bed->dp, in[i], DP_PLAIN);
		dp_transport_secure(bed->dp, out[i], DP_PLAIN);
		dp_transport_path(bed->dp, in[i], &(struct dp_path){ .remote = a });
		dp_transport_path(bed->dp, out[i], &(struct dp_path){ .remote = call.peer_b });
		dp_transport_edges(bed->dp, in[i], &(struct dp_edge){ .to = out[i], .open = true }, 1);
	}
	bed_pump(bed, 100);
	for (unsigned i = 0; i < FLOWS; i++) {
		int fd = bed_socket(bed, BED_A, "10.77.1.2", (uint16_t)(6000 + i));
		struct inet_endpoint to = bed_endpoint("10.77.1.1", (uint16_t)(16400 + 2 * i)), from;
		uint8_t pkt[512], got[2048];

		for (uint16_t seq = 0; seq < 4; seq++) {
			size_t len = bed_rtp(pkt, 0x1000 + i, seq, 160);

			bed_send(fd, &to, pkt, len);
			assert_int_equal(bed_receive(call.b, got, sizeof(got), 2000, &from), len);
			assert_memory_equal(got, pkt, len);
			assert_int_equal(from.port, 16400 + 2 * i);
		}
		close(fd);
	}
}

static uint64_t received(unsigned worker, unsigned port)
{
	return dp_counter(&bed->map.workers[worker].rx_packets[port]);
}

// ---- queues

static void three_queues_two_workers(struct dp_config *c)
{
	c->n_workers = 2;
	c->ports[0].queues = 3;
}

static void more_queues_than_workers(void **state)
{
	start(three_queues_two_workers);
	said("port=acc", "queues=3", "queues_by=settings");
	bed_run("ip netns exec %s ethtool -l acc | tail -5 | grep -q 'RX:.*3'", bed->ns_name[BED_GW]);
	flows_pass();
	assert_true(received(0, 0) > 0 && received(1, 0) > 0); // both poll queues of this port
	assert_int_equal(received(0, 0) + received(1, 0), FLOWS * 4);
}

static void one_queue_three_workers(struct dp_config *c)
{
	c->n_workers = 3;
	c->ports[0].queues = c->ports[1].queues = 1;
}

static unsigned of_line(const char *line, const char *field)
{
	const char *at = strstr(line, field);

	return at == NULL ? 0 : (unsigned)strtoul(at + strlen(field), NULL, 10);
}

// What two of them send goes by the first one's queue. At the end the relay says how much came in at the wrong worker.
static void fewer_queues_than_workers(void **state)
{
	const char *line;

	start(one_queue_three_workers);
	said("port=cor", "queues=1", "queues_by=settings");
	flows_pass();
	assert_int_equal(received(0, 0), FLOWS * 4);
	assert_int_equal(received(1, 0) + received(2, 0), 0);
	for (unsigned w = 0; w < 3; w++) // each one sent its share, the first all
		assert_true(dp_counter(&bed->map.workers[w].tx_packets[1]) >= FLOWS / 3 * 4);
	bed_relay_kill(bed, SIGTERM);
	line = bed_log_line(bed, 1000, "worker stopped", "worker=0", NULL);
	assert_int_equal(of_line(line, "received="), FLOWS * 4);
	assert_int_equal(of_line(line, "share_percent="), 100 * (FLOWS - (FLOWS + 2) / 3) / FLOWS); // of three, two
	line = bed_log_line(bed, 1000, "worker stopped", "worker=2", NULL);
	assert_int_equal(of_line(line, "taken_over="), FLOWS / 3 * 4);
}

static void af_packet_two_workers(struct dp_config *c)
{
	c->n_workers = 2;
	c->ports[0].driver = c->ports[1].driver = DP_DRIVER_AF_PACKET;
}

static void af_packet_has_a_queue_a_worker(void **state)
{
	start(af_packet_two_workers);
	said("port=acc driver=net_af_packet", "queues=2", "queues_by=workers");
	said("port=acc", "linux_by=\"Linux sees every frame as well\"", "tx_checksum=software");
	flows_pass();
	assert_int_equal(received(0, 0) > 0 && received(1, 0) > 0, 1);
}

// ---- busy polling, checksums, memory

static void busy(struct dp_config *c)
{
	for (unsigned i = 0; i < 2; i++) {
		c->ports[i].busy_poll = 64;
		c->ports[i].busy_poll_us = 20;
		c->ports[i].zero_copy = DP_ZERO_COPY_OFF;
		c->ports[i].tx_checksum = DP_TX_CHECKSUM_ZERO;
	}
}

static void busy_polling_is_set(void **state)
{
	start(busy);
	said("port=acc", "busy_poll=64", "zero_copy=no zero_copy_why=settings");
	said("port=acc", "tx_checksum=zero", "tx_checksum_why=settings");
	flows_pass();
}

static void nothing(struct dp_config *c)
{
}

// The record of a port: what control reads of it.
static void a_port_keeps_its_record(void **state)
{
	struct dp_port_stats s = { 0 };
	mono_ns end = clock_now() + MONO_S(10);

	start(nothing);
	said("port=acc", "zero_copy=no", "zero_copy_why=\"the driver cannot: Operation not supported\"");
	said("port=acc", "queues=4", "pool=45056"); // 8,192 each of four and one queues, 4,096 of a worker
	while (s.pool_size == 0 && clock_now() < end) {
		bed_pump(bed, 10);
		assert_int_equal(dp_port_stats(bed->dp, 0, &s), 0);
	}
	assert_int_equal(s.pool_size, 45056);
	assert_true(s.pool_free > 30000 && s.pool_free < 45056);
	assert_true(s.up && s.changes == 0 && s.pool_empty == 0 && s.missed == 0 && s.to_linux == 0);
	assert_int_equal(dp_port_stats(bed->dp, 2, &s), -ENOENT);
	bed_run("ip -n %s link set eth0 down", bed->ns_name[BED_A]);
	assert_string_not_equal(bed_log_line(bed, 5000, "port down port=acc", NULL), "");
	assert_int_equal(dp_port_stats(bed->dp, 0, &s), 0);
	assert_false(s.up);
	bed_run("ip -n %s link set eth0 up", bed->ns_name[BED_A]);
	assert_string_not_equal(bed_log_line(bed, 5000, "port up port=acc", NULL), "");
	assert_int_equal(dp_port_stats(bed->dp, 0, &s), 0);
	assert_int_equal(s.changes, 2);
	flows_pass();
}

// ---- refused

static void refuses(const char *one, const char *two)
{
	const char *line;

	assert_false(bed_relay_try(bed));
	line = bed_log_line(bed, 0, "port cannot be opened", one, two, NULL);
	if (line[0] == '\0')
		fail_msg("not said: %s ... %s", one, two);
}

static void starts_are_refused_with_the_reason(void **state)
{
	struct dp_port_config *pc;
	char why[256] = "";
	struct steering *st;

	start(nothing);
	bed_relay_kill(bed, SIGTERM);
	pc = &bed->map.header->config.ports[0];
	pc->zero_copy = DP_ZERO_COPY_ON;
	refuses("queue 0 of 4 cannot be bound for zero-copy", "Operation not supported");
	pc->zero_copy = DP_ZERO_COPY_AUTO;
	pc->queues = 7; // somebody changed it behind the supervisor's back
	refuses("interface acc has 4 receive queues, the settings say 7", "ethtool -L acc combined 7");
	pc->queues = 0;
	pc->driver = DP_DRIVER_PCI;
	snprintf(pc->device, sizeof(pc->device), "0000:ff:1f.7");
	refuses("device \\\"0000:ff:1f.7\\\" cannot be opened", "dpdk-devbind.py -b vfio-pci ADDRESS");
	pc->driver = DP_DRIVER_AF_XDP;
	assert_true(bed_relay_try(bed));
	bed_relay_kill(bed, SIGTERM);
	steering_close(bed->steering);
	bed->steering = NULL;
	bed->config.ports[0].queues = 9;
	assert_true(steering_open(&st, &bed->config, why) < 0);
	assert_non_null(strstr(why, "interface acc: 9 queues:"));
	assert_non_null(strstr(why, "(it can have 4): ethtool -L acc rx 9"));
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_teardown(f, stop)
	const struct CMUnitTest tests[] = {
		TEST(more_queues_than_workers), TEST(fewer_queues_than_workers),
		TEST(af_packet_has_a_queue_a_worker), TEST(busy_polling_is_set),
		TEST(a_port_keeps_its_record), TEST(starts_are_refused_with_the_reason),
	};

	if (argc > 1)
		bed_relay_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
