// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_listener.c - the cookie before any state: round trips, replays from elsewhere, rotation, amplification,
// floods.
#include "dtls/dtls_listener.h"
#include "tests/support/dtls_link.h"
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const enum dtls_version versions[][2] = {
	{ DTLS_VERSION_1_2, DTLS_VERSION_1_2 },
	{ DTLS_VERSION_1_3, DTLS_VERSION_1_3 },
	{ DTLS_VERSION_1_2, DTLS_VERSION_1_3 },
};
static const uint8_t alice[] = { 2, 0, 0x40, 1, 192, 0, 2, 1 }, bob[] = { 2, 0, 0x40, 1, 192, 0, 2, 2 };

struct gate {
	struct dtls_link *l;
	struct dtls_cookie *cookie;
	struct dtls_listener *listener;
	struct dtls_listener_info info;
};

static void gate_open(struct gate *g, const enum dtls_version range[2])
{
	struct dtls_listener_config config = { .min_version = range[0], .max_version = range[1] };

	*g = (struct gate){ .l = link_new(range[0], range[1]) };
	assert_int_equal(dtls_cookie_open(&g->cookie, &g->l->env, MONO_S(60)), 0);
	config.identity = g->l->identity[SERVER];
	config.env = &g->l->env;
	config.cookie = g->cookie;
	assert_int_equal(dtls_listener_open(&g->listener, &config), 0);
	link_open(g->l);
}

static void gate_close(struct gate *g)
{
	dtls_listener_close(g->listener);
	link_free(g->l);
	dtls_cookie_close(g->cookie);
}

static const struct dtls_listener_info *gate_info(struct gate *g)
{
	dtls_listener_info(g->listener, &g->info);
	return &g->info;
}

// Shows what the client has sent to the listener, as if from `peer`. The server's endpoint is opened when it says so.
static int gate_deliver(struct gate *g, const uint8_t peer[8])
{
	struct link_queue q = g->l->to[SERVER];
	struct dtls_endpoint_config config = g->l->config[SERVER];
	int proven = 0;

	g->l->to[SERVER].n = 0;
	for (size_t i = 0; i < q.n; i++) {
		struct dtls_proof proof;

		if (dtls_listener_input(g->listener, 16384, peer, 8, q.d[i].bytes, q.d[i].len, &g->l->out[SERVER],
					&proof) != 1)
			continue;
		proven++;
		config.cookie = g->cookie;
		config.cookie_generation = proof.cookie_generation;
		config.peer = peer;
		config.peer_len = 8;
		dtls_endpoint_close(g->l->end[SERVER]);
		assert_int_equal(dtls_endpoint_open(&g->l->end[SERVER], &config), 0);
		assert_int_equal(dtls_endpoint_input(g->l->end[SERVER], proof.datagram, proof.len, &g->l->out[SERVER]),
				 0);
	}
	return proven;
}

static void test_cookie_then_handshake(void **state)
{
	for (size_t i = 0; i < 6; i++) {
		struct gate g;

		gate_open(&g, versions[i / 2]);
		g.l->config[CLIENT].post_quantum = i % 2; // the hello of two datagrams, from a client without ICE
		dtls_endpoint_close(g.l->end[CLIENT]);
		assert_int_equal(dtls_endpoint_open(&g.l->end[CLIENT], &g.l->config[CLIENT]), 0);
		dtls_endpoint_start(g.l->end[CLIENT], &g.l->out[CLIENT]);
		assert_int_equal(gate_deliver(&g, alice), 0);
		assert_int_equal(gate_info(&g)->answers_out, 1);
		assert_true(g.info.bytes_out <= g.info.bytes_in);
		link_deliver(g.l, CLIENT);
		assert_int_equal(gate_deliver(&g, alice), 1);
		link_run(g.l);
		assert_int_equal(dtls_endpoint_status(g.l->end[CLIENT]), DTLS_PARKED);
		assert_int_equal(dtls_endpoint_status(g.l->end[SERVER]), DTLS_PARKED);
		gate_close(&g);
	}
}

static void test_cookie_from_elsewhere_is_refused(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		struct gate g;

		gate_open(&g, versions[i]);
		dtls_endpoint_start(g.l->end[CLIENT], &g.l->out[CLIENT]);
		gate_deliver(&g, alice);
		link_deliver(g.l, CLIENT);
		assert_int_equal(gate_deliver(&g, bob), 0);
		assert_int_equal(gate_info(&g)->drops[DTLS_LISTENER_DROP_BAD_COOKIE], 1);
		assert_int_equal(g.info.proven, 0);
		gate_close(&g);
	}
}

static void test_endpoint_checks_the_cookie_itself(void **state)
{
	struct gate g;
	struct dtls_proof proof;
	struct dtls_endpoint_config config;

	gate_open(&g, versions[1]);
	dtls_endpoint_start(g.l->end[CLIENT], &g.l->out[CLIENT]);
	gate_deliver(&g, alice);
	link_deliver(g.l, CLIENT);
	assert_int_equal(dtls_listener_input(g.listener, 1, alice, 8, g.l->to[SERVER].d[0].bytes,
					     g.l->to[SERVER].d[0].len, &g.l->out[SERVER], &proof),
			 1);
	config = g.l->config[SERVER];
	config.cookie = g.cookie;
	config.cookie_generation = proof.cookie_generation;
	config.peer = bob;
	config.peer_len = 8;
	dtls_endpoint_close(g.l->end[SERVER]);
	assert_int_equal(dtls_endpoint_open(&g.l->end[SERVER], &config), 0);
	g.l->sent[SERVER] = 0;
	assert_int_equal(dtls_endpoint_input(g.l->end[SERVER], proof.datagram, proof.len, &g.l->out[SERVER]), 0);
	assert_int_equal(g.l->sent[SERVER], 0); // neither a flight nor an alert
	assert_int_equal(dtls_endpoint_status(g.l->end[SERVER]), DTLS_HANDSHAKING);
	gate_close(&g);
}

static void test_secret_rotates(void **state)
{
	for (size_t i = 0; i < 9; i++) {
		mono_ns age = MONO_S(1 + 60 * (i / 3)); // within the period, in the next one, and after that
		struct gate g;

		gate_open(&g, versions[i % 3]);
		dtls_endpoint_start(g.l->end[CLIENT], &g.l->out[CLIENT]);
		gate_deliver(&g, alice);
		link_deliver(g.l, CLIENT);
		g.l->now += age;
		assert_int_equal(gate_deliver(&g, alice), i / 3 < 2);
		if (i / 3 == 1) {
			link_run(g.l);
			assert_int_equal(dtls_endpoint_status(g.l->end[SERVER]), DTLS_PARKED);
		}
		gate_close(&g);
	}
}

// One scratch object looks at all hellos: those of older clients must not make it forget what it can do.
static void test_older_and_newer_clients_in_turn(void **state)
{
	struct gate g;

	gate_open(&g, versions[2]);
	for (int i = 0; i < 6; i++) {
		struct dtls_endpoint_info info;

		g.l->config[CLIENT].max_version = i % 2 == 0 ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
		dtls_endpoint_close(g.l->end[CLIENT]);
		assert_int_equal(dtls_endpoint_open(&g.l->end[CLIENT], &g.l->config[CLIENT]), 0);
		dtls_endpoint_start(g.l->end[CLIENT], &g.l->out[CLIENT]);
		assert_int_equal(gate_deliver(&g, alice), 0);
		link_deliver(g.l, CLIENT);
		if (i < 4) { // leave it at the cookie
			link_discard(g.l, SERVER);
			continue;
		}
		assert_int_equal(gate_deliver(&g, alice), 1);
		link_run(g.l);
		assert_int_equal(dtls_endpoint_status(g.l->end[SERVER]), DTLS_PARKED);
		dtls_endpoint_info(g.l->end[SERVER], &info);
		assert_string_equal(info.version, i % 2 == 0 ? "1.2" : "1.3");
	}
	gate_close(&g);
}

// Threat D3: ten thousand single hellos from as many addresses. No state, no more bytes out than in.
static void test_flood_leaves_nothing(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		struct gate g;
		struct dtls_proof proof;
		struct link_datagram hello;
		size_t before = 0;

		gate_open(&g, versions[i]);
		dtls_endpoint_start(g.l->end[CLIENT], &g.l->out[CLIENT]);
		hello = g.l->to[SERVER].d[0];
		for (uint32_t n = 0; n < 10000; n++) {
			uint8_t peer[8] = { 2, 0, 0x40, 1 };

			memcpy(peer + 4, &n, 4);
			if (n == 100)
				before = mallinfo2().uordblks;
			assert_int_equal(dtls_listener_input(g.listener, 1, peer, 8, hello.bytes, hello.len,
							     &g.l->out[SERVER], &proof),
					 0);
		}
		assert_int_equal(gate_info(&g)->answers_out, 10000);
		assert_true(g.info.bytes_out <= g.info.bytes_in);
		assert_true(mallinfo2().uordblks <= before + 1024);
		print_message("%zu bytes in, %zu out a hello\n", hello.len, (size_t)(g.info.bytes_out / 10000));
		gate_close(&g);
	}
}

// Hellos of no one, from other addresses, on the same port.
static void spray(struct gate *g, const struct link_datagram *real, unsigned *seed)
{
	struct link_datagram d = *real;
	struct dtls_proof proof;
	uint8_t peer[8] = { 2, 0, 0x40, 1 };

	for (int i = 0; i < 200; i++) {
		uint32_t from = (uint32_t)rand_r(seed);

		memcpy(peer + 4, &from, 4);
		d = *real;
		d.bytes[25 + (size_t)rand_r(seed) % (d.len - 25)] ^= (uint8_t)(1 + rand_r(seed) % 255);
		if (i % 4 == 0) // half of it
			d.bytes[24] ^= (uint8_t)(1 + rand_r(seed) % 255);
		if (i % 4 == 1)
			d.bytes[26] = 0xFF; // DTLS 1.0
		assert_int_equal(dtls_listener_input(g->listener, 16384, peer, 8, d.bytes,
						     i % 4 == 2 ? d.len / 2 : d.len, &g->l->out[CLIENT], &proof),
				 0);
		g->l->to[SERVER].n = 0; // where the answers to strangers went
	}
}

// Threat D1: a port under a spray of bogus hellos still meets its real peer, in the same two round trips.
static void test_real_peer_is_met_in_a_spray(void **state)
{
	unsigned seed = 7;

	for (size_t i = 0; i < 3; i++) {
		struct link_datagram hello;
		struct link_queue held;
		struct gate g;

		gate_open(&g, versions[i]);
		dtls_endpoint_start(g.l->end[CLIENT], &g.l->out[CLIENT]);
		for (int round = 0; round < 2; round++) {
			held = g.l->to[SERVER];
			hello = held.d[0];
			spray(&g, &hello, &seed);
			g.l->to[SERVER] = held;
			assert_int_equal(gate_deliver(&g, alice), round);
			if (round == 0)
				link_deliver(g.l, CLIENT);
		}
		link_run(g.l);
		assert_int_equal(dtls_endpoint_status(g.l->end[CLIENT]), DTLS_PARKED);
		assert_int_equal(dtls_endpoint_status(g.l->end[SERVER]), DTLS_PARKED);
		assert_int_equal(gate_info(&g)->proven, 1);
		gate_close(&g);
	}
}

static void test_half_hellos_are_bounded(void **state)
{
	struct gate g;
	struct dtls_proof proof;
	struct link_datagram half;
	size_t before;

	gate_open(&g, versions[2]);
	dtls_endpoint_close(g.l->end[CLIENT]);
	g.l->config[CLIENT].mtu = 256;
	assert_int_equal(dtls_endpoint_open(&g.l->end[CLIENT], &g.l->config[CLIENT]), 0);
	half = (struct link_datagram){ 13 + 12 + 1000, { 22, 0xFE, 0xFF, 0,    0, 0, 0, 0, 0, 0, 0,    0x03, 0xF4,
							 1,  0,    0x0F, 0x00, 0, 0, 0, 0, 0, 0, 0x03, 0xE8 } };
	before = mallinfo2().uordblks;
	for (uint32_t n = 0; n < 20000; n++) {
		uint8_t peer[8] = { 2, 0, 0x40, 1 };

		memcpy(peer + 4, &n, 4);
		assert_int_equal(dtls_listener_input(g.listener, n % 3000, peer, 8, half.bytes, half.len,
						     &g.l->out[SERVER], &proof),
				 0);
	}
	print_message("20,000 halves: %zu bytes kept, %zu gave way\n", mallinfo2().uordblks - before,
		      (size_t)gate_info(&g)->drops[DTLS_LISTENER_DROP_OVERWRITTEN]);
	assert_true(mallinfo2().uordblks - before <= 1024 * 4400);
	assert_int_equal(g.info.answers_out, 0);
	gate_close(&g);
}

static void test_nonsense_is_dropped(void **state)
{
	static const uint8_t bytes[][16] = { { 22 },
					     { 23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3 },
					     { 0x2F, 1 } };
	struct gate g;
	struct dtls_proof proof;
	struct link_datagram hello;

	gate_open(&g, versions[2]);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(dtls_listener_input(g.listener, 1, alice, 8, bytes[i], 16, &g.l->out[SERVER], &proof),
				 0);
	assert_int_equal(gate_info(&g)->drops[DTLS_LISTENER_DROP_NOT_HELLO], 3);
	dtls_endpoint_start(g.l->end[CLIENT], &g.l->out[CLIENT]);
	hello = g.l->to[SERVER].d[0];
	for (size_t cut = 1; cut < hello.len; cut++)
		assert_int_equal(dtls_listener_input(g.listener, 1, alice, 8, hello.bytes, hello.len - cut,
						     &g.l->out[SERVER], &proof),
				 0);
	for (size_t at = 0; at < 8 * hello.len; at++) { // every bit turned once
		hello.bytes[at / 8] ^= (uint8_t)(1 << at % 8);
		assert_int_equal(
			dtls_listener_input(g.listener, 1, alice, 8, hello.bytes, hello.len, &g.l->out[SERVER], &proof),
			0);
		hello.bytes[at / 8] ^= (uint8_t)(1 << at % 8);
	}
	assert_true(gate_info(&g)->bytes_out <= g.info.bytes_in);
	assert_int_equal(g.info.proven, 0);
	gate_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookie_then_handshake),
		cmocka_unit_test(test_cookie_from_elsewhere_is_refused),
		cmocka_unit_test(test_endpoint_checks_the_cookie_itself),
		cmocka_unit_test(test_secret_rotates),
		cmocka_unit_test(test_older_and_newer_clients_in_turn),
		cmocka_unit_test(test_flood_leaves_nothing),
		cmocka_unit_test(test_real_peer_is_met_in_a_spray),
		cmocka_unit_test(test_half_hellos_are_bounded),
		cmocka_unit_test(test_nonsense_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
