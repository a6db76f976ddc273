// SPDX-License-Identifier: GPL-3.0-or-later
// test_dp_client.c - the media region's layout and control's half against a relay that the test plays: order of
// commands when the ring is full, generations, late words about old ones, budgets, figures.
#include "dataplane/client/dp_client.h"
#include "dataplane/dp_record.h"
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

static struct region region;
static struct dp_map map;
static struct dp_client *dp;
static int relay_event, control_event;
static struct byte_ring commands, punts[DP_CLASSES], events;
static unsigned n_events, n_punts[DP_CLASSES + 1];
static struct dp_event last_event;

static void config_make(struct dp_config *c)
{
	*c = (struct dp_config){ .n_ports = 1, .n_networks = 1, .n_addresses = 1, .n_workers = 1, .max_transports = 64,
				 .replay_window = 128 };
	c->addresses[0] = (struct dp_address){ .first_port = 16384,
					       .last_port = 16484,
					       .addr = { .family = INET_V4, .bytes = { 192, 0, 2, 1 } } };
}

static void on_event(void *ctx, const struct dp_event *event)
{
	n_events++;
	last_event = *event;
}

static void on_punt(void *ctx, const struct dp_punt *punt)
{
	n_punts[punt->kind]++;
	assert_true(punt->len == 3 && memcmp(punt->payload, "abc", 3) == 0);
}

static int setup(void **state)
{
	const struct dp_callbacks callbacks = { .punt = on_punt, .event = on_event };
	struct dp_config config;

	config_make(&config);
	assert_int_equal(region_create(&region, "test", dp_region_size(&config), false), 0);
	assert_int_equal(dp_region_format(region.base, region.size, &config), 0);
	assert_int_equal(dp_map_open(&map, dup(region.fd)), 0);
	assert_int_equal(byte_ring_attach(&commands, map.commands[0], DP_COMMAND_RING, BYTE_RING_CONSUMER), 0);
	for (unsigned k = 0; k < DP_CLASSES; k++)
		assert_int_equal(byte_ring_attach(&punts[k], map.punts[0][k], dp_punt_ring[k], BYTE_RING_PRODUCER), 0);
	assert_int_equal(byte_ring_attach(&events, map.events[0], DP_EVENT_RING, BYTE_RING_PRODUCER), 0);
	relay_event = eventfd(0, EFD_NONBLOCK);
	control_event = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(dp_client_open(&dp, dup(region.fd), relay_event, control_event, &callbacks), 0);
	n_events = 0;
	memset(n_punts, 0, sizeof(n_punts));
	return 0;
}

static int teardown(void **state)
{
	dp_client_close(dp);
	dp_map_close(&map);
	region_unmap(&region);
	close(relay_event);
	close(control_event);
	return 0;
}

static void a_foreign_region_is_refused(void **state)
{
	struct dp_config config;
	struct region other;
	struct dp_map m;

	config_make(&config);
	assert_int_equal(region_create(&other, "other", dp_region_size(&config), false), 0);
	assert_int_equal(dp_map_open(&m, dup(other.fd)), -EPROTO); // not formatted
	assert_int_equal(dp_region_format(other.base, other.size, &config), 0);
	((struct dp_region_header *)other.base)->version++;
	assert_int_equal(dp_map_open(&m, dup(other.fd)), -EPROTONOSUPPORT);
	((struct dp_region_header *)other.base)->version--;
	((struct dp_region_header *)other.base)->layout ^= 1; // the same version, and records of another build
	assert_int_equal(dp_map_open(&m, dup(other.fd)), -EPROTONOSUPPORT);
	((struct dp_region_header *)other.base)->layout ^= 1;
	((struct dp_region_header *)other.base)->config.max_transports = 1000000; // more than the region holds
	assert_int_equal(dp_map_open(&m, dup(other.fd)), -EPROTO);
	((struct dp_region_header *)other.base)->config.n_networks = 255;
	assert_int_equal(dp_map_open(&m, dup(other.fd)), -EPROTO);
	config.n_workers = 0;
	assert_int_equal(dp_region_size(&config), 0);
	config.n_workers = 1;
	assert_int_equal(dp_region_format(other.base, 4096, &config), -EINVAL);
	region_unmap(&other);
}

static bool next_command(struct dp_command *c)
{
	const void *message;
	size_t len;

	if (byte_ring_peek(&commands, &message, &len) < 0)
		return false;
	assert_true(len >= sizeof(*c));
	memcpy(c, message, sizeof(*c));
	byte_ring_next(&commands);
	return true;
}

static bool readable(int fd, int ms)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, ms) == 1;
}

// Nobody reads: what does not fit waits, and comes in order when there is room.
static void commands_keep_their_order(void **state)
{
	const struct dp_transport_conf conf = { .local.port = 16384 };
	struct dp_command c;
	struct dp_ref ref;
	unsigned seen = 0;

	assert_int_equal(dp_transport_alloc(dp, &ref), 0);
	dp_transport_publish(dp, ref, &conf);
	for (unsigned i = 0; i < 5000; i++)
		dp_transport_path(dp, ref, &(struct dp_path){ .mtu = (uint16_t)i });
	assert_true(next_command(&c));
	assert_int_equal(c.kind, DP_COMMAND_PUBLISH);
	while (seen < 5000) {
		while (next_command(&c)) {
			assert_int_equal(c.kind, DP_COMMAND_PATH);
			assert_int_equal(c.path.mtu, seen++);
		}
		if (seen < 5000) {
			assert_true(readable(dp_client_fd(dp), 100)); // by its timer
			dp_client_dispatch(dp);
		}
	}
	dp_client_dispatch(dp);
	usleep(3000);
	dp_client_dispatch(dp);
	assert_false(readable(dp_client_fd(dp), 5)); // and then it is quiet
}

static void a_sleeping_relay_is_woken_once(void **state)
{
	eventfd_t ticks;
	struct dp_ref ref;

	assert_int_equal(dp_transport_alloc(dp, &ref), 0);
	dp_transport_remove(dp, ref);
	assert_int_not_equal(eventfd_read(relay_event, &ticks), 0);
	byte_ring_set_sleeping(&commands);
	dp_transport_remove(dp, ref);
	dp_transport_remove(dp, ref);
	assert_int_equal(eventfd_read(relay_event, &ticks), 0);
	assert_int_equal(ticks, 1);
}

static void say(enum dp_event_kind kind, struct dp_ref ref)
{
	struct dp_event event = { .kind = kind, .transport = ref };

	assert_int_equal(byte_ring_push2(&events, &event, sizeof(event), NULL, 0), 0);
}

static void late_words_are_ignored(void **state)
{
	struct dp_ref refs[64], more;

	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(dp_transport_alloc(dp, &refs[i]), 0);
	assert_int_equal(dp_transport_alloc(dp, &more), -ENOSPC);
	say(DP_EVENT_REMOVED, refs[5]);
	dp_client_dispatch(dp);
	assert_int_equal(n_events, 1);
	assert_int_equal(dp_transport_alloc(dp, &more), 0);
	assert_int_equal(more.index, refs[5].index);
	assert_int_not_equal(more.generation, refs[5].generation);
	say(DP_EVENT_REMOVED, refs[5]); // said twice by a relay that was killed in between
	say(DP_EVENT_SOURCE, refs[5]);
	say(DP_EVENT_SOURCE, (struct dp_ref){ .index = 4000, .generation = 1 });
	dp_client_dispatch(dp);
	assert_int_equal(n_events, 1);
	say(DP_EVENT_SOURCE, more);
	dp_client_dispatch(dp);
	assert_int_equal(n_events, 2);
	assert_int_equal(last_event.kind, DP_EVENT_SOURCE);
}

static void the_unproven_are_served_last_and_least(void **state)
{
	struct dp_punt_head head = { 0 };
	struct dp_ref ref;

	assert_int_equal(dp_transport_alloc(dp, &ref), 0);
	head.transport = ref;
	for (unsigned i = 0; i < 200; i++) {
		head.kind = DP_PUNT_DTLS;
		assert_int_equal(byte_ring_push2(&punts[DP_CLASS_UNPROVEN], &head, sizeof(head), "abc", 3), 0);
		head.kind = DP_PUNT_RTCP;
		assert_int_equal(byte_ring_push2(&punts[DP_CLASS_RTCP], &head, sizeof(head), "abc", 3), 0);
	}
	dp_client_dispatch(dp);
	assert_int_equal(n_punts[DP_PUNT_RTCP], 200);
	assert_int_equal(n_punts[DP_PUNT_DTLS], 64);
	while (readable(dp_client_fd(dp), 5)) // the rest follows without anybody's wake
		dp_client_dispatch(dp);
	assert_int_equal(n_punts[DP_PUNT_DTLS], 200);
	byte_ring_push2(&punts[DP_CLASS_RTCP], &head, 4, NULL, 0); // cut: ignored
	dp_client_dispatch(dp);
	assert_int_equal(n_punts[DP_PUNT_RTCP], 200);
}

static void figures_are_read_from_the_records(void **state)
{
	struct dp_ref ref;
	struct dp_transport *tp;
	struct dp_stats stats;

	assert_int_equal(dp_transport_alloc(dp, &ref), 0);
	assert_int_equal(dp_transport_stats(dp, ref, &stats), -ENOENT); // not published yet
	tp = &map.transports[ref.index];
	tp->generation = ref.generation;
	tp->state = DP_STATE_PUBLISHED;
	tp->rx_more[0] = 1; // a chunk of further SSRCs
	tp->rx_more[1] = 1u << 30;
	for (unsigned i = 0; i < DP_RX_SSRCS; i++)
		dp_rx_slot(&map, tp, 0, i)->stream = DP_NONE;
	dp_rx_slot(&map, tp, 0, 3)->stream = 7;
	dp_rx_slot(&map, tp, 0, 4)->stream = 1u << 30;
	tp->rx[1].first.stream = 8; // somebody else's: a record half written
	*dp_stream_at(&map, 7) = (struct dp_stream){ .owner = ref.index,
						     .received = 90,
						     .octets = 14400,
						     .first_index = 1000,
						     .highest_index = 1099,
						     .last_time = 7,
						     .clock = 1,
						     .jitter_ns16 = 16 * 2500000 };
	dp_stream_at(&map, 7)->srtp.ssrc = 77;
	dp_stream_at(&map, 8)->owner = ref.index + 1;
	dp_stream_at(&map, 8)->received = 1;
	tp->counters = (struct dp_counters){
		.packets_before = 10, .octets_before = 1600, .lost_before = 5, .last_before = 6, .ssrc_before = 66
	};
	tp->counters.drops[RELAY_DROP_AUTH] = 3;
	assert_int_equal(dp_transport_stats(dp, ref, &stats), 0);
	assert_int_equal(stats.lost, 15);
	assert_int_equal(stats.jitter_us, 2500);
	assert_int_equal(stats.clock_hz, 8000);
	assert_int_equal(stats.rx_packets, 100);
	assert_int_equal(stats.rx_octets, 16000);
	assert_int_equal(stats.rx_ssrc, 77);
	assert_int_equal(stats.last_rx, 7);
	assert_int_equal(stats.drops[RELAY_DROP_AUTH], 3);
	dp_stream_at(&map, 7)->received = 200; // duplicates: never below 0
	assert_int_equal(dp_transport_stats(dp, ref, &stats), 0);
	assert_int_equal(stats.lost, 5);
}

static void drops_have_names(void **state)
{
	assert_string_equal(relay_drop_name[RELAY_OK], "ok");
	for (unsigned i = 0; i < RELAY_DROP_COUNT; i++) {
		assert_non_null(relay_drop_name[i]);
		assert_non_null(relay_drop_text[i]);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(relay_drop_name[i], relay_drop_name[k]);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_foreign_region_is_refused),
		TEST(commands_keep_their_order),
		TEST(a_sleeping_relay_is_woken_once),
		TEST(late_words_are_ignored),
		TEST(the_unproven_are_served_last_and_least),
		TEST(figures_are_read_from_the_records),
		cmocka_unit_test(drops_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
