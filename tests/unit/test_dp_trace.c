// SPDX-License-Identifier: GPL-3.0-or-later
// test_dp_trace.c - copies of traced transports' packets: as they came and as they went, whole or without content, those of others
// not at all; a full ring loses them and counts, and media does not notice.
#include "tests/support/relay_alone.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SEEN 4096
#define IN_HEADERS 28 // IPv4, UDP

static struct relay_alone *ra;
static struct dp_ref access_leg, core_leg, other_leg;
static struct seen {
	struct dp_ref transport;
	bool out;
	size_t len, original;
	uint8_t bytes[256];
} seen[SEEN];
static unsigned n_seen;

static const struct alone_to from_access = { .network = 0, .source_port = 4000, .port = 16384, .source_last = 1 };
static const struct alone_to from_core = { .network = 1, .source_port = 4000, .port = 16386, .source_last = 2, .vlan = 100 };
static const struct alone_to from_other = { .network = 0, .source_port = 4000, .port = 16388, .source_last = 1 };

static void on_traced(const struct dp_traced *packet)
{
	struct seen *s = &seen[n_seen++ % SEEN];

	*s = (struct seen){ .transport = packet->transport, .out = packet->out, .len = packet->len, .original = packet->original };
	memcpy(s->bytes, packet->bytes, packet->len < sizeof(s->bytes) ? packet->len : sizeof(s->bytes));
	assert_true(packet->time > 0);
}

static int setup(void **state)
{
	ra = relay_alone_open(100);
	ra->traced = on_traced;
	access_leg = relay_alone_leg(ra, 0, "192.0.0.1", 16384, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	core_leg = relay_alone_leg(ra, 1, "192.0.1.1", 16386, "198.51.100.2", DP_PLAIN, DP_MODE_RTP);
	other_leg = relay_alone_leg(ra, 0, "192.0.0.1", 16388, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	dp_transport_edges(ra->client, access_leg, &(struct dp_edge){ .to = core_leg, .open = true }, 1);
	dp_transport_edges(ra->client, core_leg, &(struct dp_edge){ .to = access_leg, .open = true }, 1);
	dp_transport_edges(ra->client, other_leg, &(struct dp_edge){ .to = other_leg, .open = true }, 1);
	relay_alone_commands(ra);
	return 0;
}

static int teardown(void **state)
{
	relay_alone_close(ra);
	return 0;
}

static size_t rtp(uint8_t *dst, uint16_t seq, size_t payload)
{
	memset(dst, 0x55, 12 + payload);
	memcpy(dst, (uint8_t[]){ 0x80, 0, (uint8_t)(seq >> 8), (uint8_t)seq, 0, 0, 0, 0, 0, 0, 0, 9 }, 12);
	return 12 + payload;
}

static void give(const struct alone_to *to, const void *payload, size_t len)
{
	uint8_t frame[ALONE_LONGEST];
	size_t n = relay_alone_frame_make(frame, to, payload, len);

	relay_alone_put(ra, to->network, 0, frame, n);
	relay_alone_round(ra, 0);
}

static void trace(struct dp_ref ref, enum dp_trace what)
{
	dp_transport_trace(ra->client, ref, what);
	relay_alone_commands(ra);
}

static int nothing_is_traced(void **state)
{
	trace(access_leg, DP_TRACE_NONE);
	trace(core_leg, DP_TRACE_NONE);
	dp_client_traces(ra->client);
	n_seen = 0;
	return 0;
}

static uint64_t lost(void)
{
	struct dp_ring_fill fill;

	assert_int_equal(dp_client_ring(ra->client, 0, DP_RING_TRACES, &fill), 0);
	assert_string_equal(fill.name, "traces");
	return fill.refused;
}

static void both_ways_of_the_traced_alone(void **state)
{
	uint8_t payload[200];
	size_t len = rtp(payload, 1, 160);

	give(&from_access, payload, len);
	dp_client_traces(ra->client);
	assert_int_equal(n_seen, 0);
	assert_int_equal(dp_client_tracing(ra->client), 0);
	trace(core_leg, DP_TRACE_ALL);
	assert_int_equal(dp_client_tracing(ra->client), 1);
	payload[3]++;
	give(&from_access, payload, len); // leaves by the traced leg
	payload[3] = 100;
	give(&from_core, payload, len); // comes by it, with a VLAN tag
	give(&from_other, payload, len);
	dp_client_traces(ra->client);
	assert_int_equal(n_seen, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(seen[i].transport.index, core_leg.index);
		assert_int_equal(seen[i].out, i == 0);
		assert_int_equal(seen[i].len, IN_HEADERS + len);
		assert_int_equal(seen[i].original, IN_HEADERS + len);
		assert_int_equal(seen[i].bytes[0], 0x45);
		assert_int_equal(seen[i].bytes[IN_HEADERS + 3], i == 0 ? 2 : 100);
		assert_memory_equal(seen[i].bytes + IN_HEADERS + 12, payload + 12, 160);
	}
	trace(core_leg, DP_TRACE_NONE);
	payload[3] = 101;
	give(&from_core, payload, len);
	dp_client_traces(ra->client);
	assert_int_equal(n_seen, 2);
	assert_int_equal(dp_client_tracing(ra->client), 0);
}

static void without_content(void **state)
{
	static const struct {
		uint8_t first, second;
		size_t len, kept;
	} rows[] = {
		{ 0x80, 0, 172, 12 }, { 0x82, 0, 172, 20 }, { 0x90, 0, 172, 12 + 4 + 4 * 2 }, { 0x80, 0x80 | 96, 172, 12 }, // RTP
		{ 0x90, 0, 20, 0 },                                                                                         // too short for its extension
		{ 0x80, 200, 60, 60 }, { 0x80, 72, 60, 60 },                                                                // RTCP
		{ 0, 1, 60, 60 }, { 22, 254, 100, 100 },                                                                    // STUN, DTLS
		{ 4, 0, 60, 0 }, { 0xff, 0, 60, 0 }, { 0x80, 0, 7, 0 },                                                     // nobody knows
	};

	trace(access_leg, DP_TRACE_HEADERS);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t payload[200];

		rtp(payload, (uint16_t)i, 160);
		payload[0] = rows[i].first;
		payload[1] = rows[i].second;
		payload[14] = 0;
		payload[15] = 2; // words of extension, where there is one
		n_seen = 0;
		give(&from_access, payload, rows[i].len);
		dp_client_traces(ra->client);
		assert_int_equal(n_seen, 1);
		assert_int_equal(seen[0].out, false);
		assert_int_equal(seen[0].original, IN_HEADERS + rows[i].len);
		assert_int_equal(seen[0].len, IN_HEADERS + rows[i].kept);
	}
}

static void a_full_ring_loses_and_counts(void **state)
{
	uint8_t payload[1000];
	unsigned sent = ra->n_sent, n = 0;

	trace(access_leg, DP_TRACE_ALL);
	for (; lost() < 10; n++) {
		size_t len = rtp(payload, (uint16_t)n, 900);

		assert_true(n < 100000);
		give(&from_access, payload, len);
	}
	assert_int_equal(ra->n_sent - sent, n); // media went on
	dp_client_traces(ra->client);
	assert_int_equal(n_seen + lost(), n);
	n_seen = 0;
	give(&from_access, payload, rtp(payload, (uint16_t)n, 900)); // there is room again
	dp_client_traces(ra->client);
	assert_int_equal(n_seen, 1);
}

// Of the port's next use, and of another life of the relay or of control.
static void ends_with_the_transport(void **state)
{
	uint8_t payload[200];

	trace(access_leg, DP_TRACE_ALL);
	relay_alone_reopen(ra); // a trace goes on: control lives
	give(&from_access, payload, rtp(payload, 1, 160));
	dp_client_traces(ra->client);
	assert_int_equal(n_seen, 1);
	dp_transport_remove(ra->client, access_leg);
	relay_alone_commands(ra);
	for (unsigned i = 0; i < 10 && dp_client_tracing(ra->client) > 0; i++) {
		relay_alone_round(ra, 0);
		dp_client_dispatch(ra->client);
	}
	assert_int_equal(dp_client_tracing(ra->client), 0);
	access_leg = relay_alone_leg(ra, 0, "192.0.0.1", 16384, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	trace(core_leg, DP_TRACE_ALL);
	n_seen = 0;
	give(&from_access, payload, rtp(payload, 1, 160));
	dp_client_traces(ra->client);
	assert_int_equal(n_seen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(both_ways_of_the_traced_alone, nothing_is_traced),
		cmocka_unit_test_setup(without_content, nothing_is_traced),
		cmocka_unit_test_setup(a_full_ring_loses_and_counts, nothing_is_traced),
		cmocka_unit_test_setup(ends_with_the_transport, nothing_is_traced),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
