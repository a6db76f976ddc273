// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_leak.c - memory: a thousand handshakes of each kind leave nothing, and no failed allocation breaks or
// leaks.
#include "dtls/dtls_listener.h"
#include "tests/support/dtls_link.h"
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

// The linker sends every allocation of this program here (--wrap): counted, and failed on demand.
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static long live;    // blocks
static long fail_in; // allocations until one fails; 0: none does

static bool failing(void)
{
	return fail_in > 0 && --fail_in == 0;
}

void *__wrap_malloc(size_t size)
{
	void *p = failing() ? NULL : __real_malloc(size);

	live += p != NULL;
	return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
	void *p = failing() ? NULL : __real_calloc(n, size);

	live += p != NULL;
	return p;
}

void *__wrap_realloc(void *old, size_t size)
{
	void *p = failing() ? NULL : __real_realloc(old, size);

	live += old == NULL && p != NULL;
	return p;
}

void __wrap_free(void *p)
{
	live -= p != NULL;
	__real_free(p);
}

static const enum dtls_version versions[] = { DTLS_VERSION_1_2, DTLS_VERSION_1_3, DTLS_VERSION_ANY };

static void reopen(struct dtls_link *l)
{
	for (int end = CLIENT; end <= SERVER; end++) {
		dtls_endpoint_close(l->end[end]);
		l->end[end] = NULL;
		l->to[end].n = 0;
	}
}

static void test_thousand_handshakes_leave_nothing(void **state)
{
	for (size_t v = 0; v < 3; v++) {
		struct dtls_link *l = link_new(versions[v], versions[v]);
		long before = 0;
		size_t bytes = 0;

		for (int i = 0; i < 1000; i++) {
			struct dtls_srtp_keys rx, tx;
			struct dtls_fingerprints right;

			if (i == 20) {
				before = live;
				bytes = mallinfo2().uordblks;
			}
			link_open(l);
			link_run(l);
			assert_int_equal(dtls_endpoint_status(l->end[SERVER]), DTLS_PARKED);
			link_expect(l, CLIENT, &right, DTLS_HASH_SHA256);
			if (i % 3 == 0) {
				assert_int_equal(dtls_endpoint_claim(l->end[SERVER], &right), 0);
				assert_int_equal(dtls_endpoint_take_keys(l->end[SERVER], &rx, &tx), 0);
			}
			if (i % 3 == 1) {
				dtls_endpoint_close_notify(l->end[CLIENT], &l->out[CLIENT]);
				link_pass(l);
			}
			if (i == 20)
				print_message("version %zu: %zu bytes an endpoint\n", v,
					      (size_t)(mallinfo2().uordblks - bytes) / 2);
			reopen(l);
		}
		assert_int_equal(live, before);
		assert_true(mallinfo2().uordblks <= bytes + 4096);
		link_free(l);
	}
}

// Handshakes broken off at every point: lost, refused, with half a ClientHello.
static void test_broken_off_handshakes_leave_nothing(void **state)
{
	for (size_t v = 0; v < 3; v++) {
		struct dtls_link *l = link_new(versions[v], versions[v]);
		struct dtls_fingerprints wrong;
		long before = 0;

		for (int i = 0; i < 300; i++) {
			if (i == 10)
				before = live;
			link_expect(l, SERVER, &wrong, DTLS_HASH_SHA256);
			l->config[SERVER].expected = i % 2 ? &wrong : NULL;
			l->config[CLIENT].mtu = i % 5 == 0 ? 256 : 1200;
			link_open(l);
			dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
			for (int step = 0; step < i % 7; step++)
				link_deliver(l, step % 2 == 0 ? SERVER : CLIENT);
			if (i % 11 == 0)
				link_wait(l, MONO_S(20));
			reopen(l);
		}
		assert_int_equal(live, before);
		link_free(l);
	}
}

// Threat D5: addresses that are proven, and then silence. The listener, the endpoint of each, and its end.
static void test_proven_and_silent_leaves_nothing(void **state)
{
	for (size_t v = 0; v < 3; v++) {
		struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_3);
		struct dtls_listener_config config = { .identity = l->identity[SERVER], .env = &l->env };
		struct dtls_listener *listener;
		struct dtls_cookie *cookie;
		size_t bytes = 0;
		long before = 0;

		l->config[CLIENT].min_version = l->config[CLIENT].max_version = versions[v];
		assert_int_equal(dtls_cookie_open(&cookie, &l->env, 0), 0);
		config.cookie = cookie;
		assert_int_equal(dtls_listener_open(&listener, &config), 0);
		for (int i = 0; i < 2000; i++) {
			struct dtls_endpoint_config server = l->config[SERVER];
			uint8_t peer[8] = { 2, 0, (uint8_t)(i >> 8), (uint8_t)i };
			int proven = 0;

			if (i == 20) {
				before = live;
				bytes = mallinfo2().uordblks;
			}
			assert_int_equal(dtls_endpoint_open(&l->end[CLIENT], &l->config[CLIENT]), 0);
			dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
			for (int round = 0; round < 2; round++) {
				struct link_datagram hello = l->to[SERVER].d[0];
				struct dtls_proof proof;

				l->to[SERVER].n = 0;
				proven = dtls_listener_input(listener, 1, peer, sizeof(peer), hello.bytes, hello.len,
							     &l->out[SERVER], &proof);
				if (proven == 1) {
					server.cookie = cookie;
					server.cookie_generation = proof.cookie_generation;
					server.peer = peer;
					server.peer_len = sizeof(peer);
					assert_int_equal(dtls_endpoint_open(&l->end[SERVER], &server), 0);
					dtls_endpoint_input(l->end[SERVER], proof.datagram, proof.len, &l->out[SERVER]);
				}
				link_deliver(l, CLIENT);
			}
			assert_int_equal(proven, 1);
			reopen(l);
		}
		print_message("version %zu: %ld blocks, %ld octets after 1,980\n", v, live - before,
			      (long)(mallinfo2().uordblks - bytes));
		assert_int_equal(live, before);
		dtls_listener_close(listener);
		dtls_cookie_close(cookie);
		link_free(l);
	}
}

// The n-th allocation fails, for every n of a whole handshake: no crash, no leak, never secured without a certificate.
static void test_every_allocation_may_fail(void **state)
{
	for (size_t v = 0; v < 2; v++) {
		struct dtls_link *l = link_new(versions[v], versions[v]);
		int secured = 0, failed = 0;

		for (long n = 1; n < 4000; n++) {
			long before = live;
			bool opened = true, exhausted;

			fail_in = n;
			for (int end = CLIENT; end <= SERVER && opened; end++)
				opened = dtls_endpoint_open(&l->end[end], &l->config[end]) == 0;
			if (opened) {
				dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
				for (int i = 0; i < 12; i++) {
					struct link_queue *q = &l->to[i % 2 == 0 ? SERVER : CLIENT];
					int to = i % 2 == 0 ? SERVER : CLIENT;
					static struct link_queue copy;

					copy = *q;
					q->n = 0;
					for (size_t d = 0; d < copy.n; d++)
						dtls_endpoint_input(l->end[to], copy.d[d].bytes, copy.d[d].len,
								    &l->out[to]);
				}
				for (int end = CLIENT; end <= SERVER; end++) {
					enum dtls_status status = dtls_endpoint_status(l->end[end]);
					struct dtls_fingerprint fp;

					if (status == DTLS_PARKED)
						assert_int_equal(dtls_endpoint_peer_fingerprint(l->end[end], &fp), 0);
					secured += status == DTLS_PARKED;
					failed += status == DTLS_FAILED;
				}
			}
			exhausted = fail_in > 0;
			fail_in = 0;
			reopen(l);
			assert_int_equal(live, before);
			if (exhausted)
				break;
			assert_true(n < 3999);
		}
		print_message("version %zu: %d ends done, %d failed\n", v, secured, failed);
		link_free(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thousand_handshakes_leave_nothing),
		cmocka_unit_test(test_broken_off_handshakes_leave_nothing),
		cmocka_unit_test(test_proven_and_silent_leaves_nothing),
		cmocka_unit_test(test_every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
