// SPDX-License-Identifier: GPL-3.0-or-later
// test_dp_return.c - hellos of addresses that nothing has proven: an answer goes back the way its hello came, once, and the
// relay asks for no next hop; whose next hop is known gets it by that.
#include "dataplane/worker/nexthop_priv.h"
#include "tests/support/relay_alone.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SOURCES 5000

static struct relay_alone *ra;
static struct dp_ref leg;
static unsigned answers_each; // that the listener tries
static struct dp_punt kept;   // a punt, after its time

static const uint8_t hello[64] = { 22, 254, 253 };

static void answer(const struct dp_punt *punt)
{
	kept = *punt;
	for (unsigned i = 0; i < answers_each; i++)
		dp_transport_answer(ra->client, punt, hello, sizeof(hello));
}

static int setup(void **state)
{
	ra = relay_alone_open(100);
	ra->punted = answer;
	answers_each = 1;
	leg = relay_alone_leg(ra, 1, "192.0.1.1", 16386, "198.51.100.2", DP_SRTP, DP_MODE_RTP);
	relay_alone_commands(ra);
	return 0;
}

static int teardown(void **state)
{
	relay_alone_close(ra);
	return 0;
}

// A hello by port 1, VLAN 100, of the number-th address, each with a MAC of its own.
static size_t hello_make(uint8_t *frame, unsigned number)
{
	const struct alone_to to = { .network = 1, .source_port = 5000, .port = 16386, .source_last = 7, .vlan = 100 };
	size_t len = relay_alone_frame_make(frame, &to, hello, sizeof(hello));
	uint8_t *ip = frame + 18;
	uint32_t sum = 0;

	memcpy(frame + 6, (uint8_t[]){ 2, 9, 9, 9, (uint8_t)(number >> 8), (uint8_t)number }, 6);
	memcpy(ip + 12, (uint8_t[]){ 198, 18, (uint8_t)(number >> 8), (uint8_t)number }, 4);
	ip[10] = ip[11] = 0;
	for (unsigned i = 0; i < 20; i += 2)
		sum += (unsigned)(ip[i] << 8 | ip[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	return len;
}

static const struct alone_frame *newest(void)
{
	return &ra->sent[(ra->n_sent - 1) % ALONE_FRAMES];
}

static void come(unsigned number)
{
	uint8_t frame[256];
	size_t len = hello_make(frame, number);

	relay_alone_frame(ra, 1, frame, len);
	relay_alone_commands(ra);
}

static unsigned queries(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NEXTHOP_QUERIES; i++)
		n += ra->relay.hops->queries[i].serial != 0;
	return n;
}

static void a_flood_asks_for_no_neighbour(void **state)
{
	ra->worker->keeper_wants_wake = false; // of the leg itself
	for (unsigned i = 0; i < SOURCES; i++) {
		unsigned sent = ra->n_sent;
		const struct alone_frame *f;

		come(i);
		assert_int_equal(ra->n_sent, sent + 1);
		f = newest();
		assert_int_equal(f->port, 1);
		assert_memory_equal(f->bytes, ((uint8_t[]){ 2, 9, 9, 9, (uint8_t)(i >> 8), (uint8_t)i }), 6);
		assert_memory_equal(f->bytes + 6, ra->ports[1].mac, 6);
		assert_memory_equal(f->bytes + 12, ((uint8_t[]){ 0x81, 0, 0, 100, 8, 0 }), 6);
		assert_memory_equal(f->bytes + 34, ((uint8_t[]){ 198, 18, (uint8_t)(i >> 8), (uint8_t)i }), 4);
		assert_memory_equal(f->bytes + 46, hello, sizeof(hello));
	}
	assert_int_equal(queries(), 0);
	assert_int_equal(ra->worker->n_waiting, 0);
	assert_false(ra->worker->keeper_wants_wake);
}

// What a handshake goes on with is asked for, as ever, and slots are there for it.
static void the_proven_are_asked_for(void **state)
{
	struct inet_endpoint to = { .port = 5000 };

	come(1);
	assert_int_equal(queries(), 0);
	assert_int_equal(inet_addr_parse(&to.addr, "198.18.0.1"), 0);
	dp_transport_send(ra->client, leg, &to, hello, sizeof(hello));
	relay_alone_commands(ra);
	assert_int_equal(queries(), 1);
	assert_int_equal(ra->worker->n_waiting, 1);
}

static void a_known_next_hop_is_taken(void **state)
{
	struct nexthop hop = { .kind = NEXTHOP_ETHER, .port = 0, .mtu = 1400, .mac = { 2, 1, 1, 1, 1, 1 } };
	struct inet_endpoint to = { .port = 5000 };
	unsigned slot;

	assert_int_equal(inet_addr_parse(&to.addr, "198.18.0.3"), 0);
	dp_transport_send(ra->client, leg, &to, hello, sizeof(hello));
	relay_alone_commands(ra);
	slot = queries() - 1; // the newest
	nexthop_set(ra->relay.hops, ra->relay.map.n_transports + slot, ra->relay.hops->queries[slot].serial, &hop);
	come(3);
	assert_int_equal(ra->last_punt.mtu, 1400);
	assert_int_equal(newest()->port, 0);
	assert_memory_equal(newest()->bytes, hop.mac, 6);
}

static void there_is_one_answer_and_in_time(void **state)
{
	unsigned sent = ra->n_sent;

	answers_each = 3;
	come(1);
	assert_int_equal(ra->n_sent, sent + 1);
	dp_transport_answer(ra->client, &kept, hello, sizeof(hello)); // too late
	relay_alone_commands(ra);
	assert_int_equal(ra->n_sent, sent + 1);
}

// Port and VLAN are the leg's own; a group's address is nobody's.
static void the_way_back_is_not_control_s_to_choose(void **state)
{
	struct dp_return by = { .known = true, .mac = { 1, 0, 0x5e, 0, 0, 1 } };
	struct inet_endpoint to = { .port = 5000 };
	unsigned sent = ra->n_sent, asked = queries();

	assert_int_equal(inet_addr_parse(&to.addr, "198.18.0.9"), 0);
	relay_answer(ra->worker, leg.index, &to, &by, hello, sizeof(hello));
	relay_flush(ra->worker);
	assert_int_equal(ra->n_sent, sent);
	assert_int_equal(queries(), asked + 1); // it was asked for, as any other
	by.mac[0] = 2;
	to.addr.bytes[3]++;
	atomic_store(&ra->relay.map.header->absent, UINT64_C(1)); // an address went to another host
	relay_answer(ra->worker, leg.index, &to, &by, hello, sizeof(hello));
	relay_flush(ra->worker);
	assert_int_equal(ra->n_sent, sent);
	atomic_store(&ra->relay.map.header->absent, 0);
	to.addr.bytes[3]++;
	relay_answer(ra->worker, leg.index, &to, &by, hello, sizeof(hello));
	relay_flush(ra->worker);
	assert_int_equal(ra->n_sent, sent + 1);
	assert_int_equal(newest()->port, 1);
	assert_memory_equal(newest()->bytes + 12, ((uint8_t[]){ 0x81, 0, 0, 100 }), 4);
}

int main(void)
{
#define TEST(f) cmocka_unit_test(f)
	const struct CMUnitTest tests[] = {
		TEST(a_flood_asks_for_no_neighbour),
		TEST(there_is_one_answer_and_in_time),
		TEST(the_proven_are_asked_for),
		TEST(a_known_next_hop_is_taken),
		TEST(the_way_back_is_not_control_s_to_choose),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
