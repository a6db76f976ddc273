// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_attack.c - what strangers may send at a handshake and at a live association: nothing of it may move
// anything.
#include "tests/support/dtls_link.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const enum dtls_version versions[] = { DTLS_VERSION_1_2, DTLS_VERSION_1_3 };

#define HEAD(type, epoch) (type), 0xFE, 0xFD, 0, (epoch), 0, 0, 0, 0, 0x77

static const struct forgery {
	const char *name;
	size_t len;
	uint8_t bytes[64];
} forgeries[] = {
	{ "fatal alert", 15, { HEAD(21, 0), 0, 0, 2, 2, 40 } },
	{ "close_notify", 15, { HEAD(21, 0), 0, 0, 2, 1, 0 } },
	{ "HelloRequest", 25, { HEAD(22, 0), 0, 0, 12, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0 } },
	{ "ClientHello of nothing", 25, { HEAD(22, 0), 0, 0, 12, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0 } },
	{ "fragment of a ClientHello", 29, { HEAD(22, 0), 0, 0, 16, 1, 0, 0, 99, 0, 9, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4 } },
	{ "application data", 17, { HEAD(23, 0), 0, 0, 4, 'o', 'o', 'p', 's' } },
	{ "ChangeCipherSpec", 14, { HEAD(20, 0), 0, 0, 1, 1 } },
	{ "protected alert with a wrong tag", 45, { HEAD(21, 1), 0, 0, 32, 0, 1, 2, 3, 4, 5, 6, 7 } },
	{ "protected handshake with a wrong tag", 45, { HEAD(22, 1), 0, 0, 32, 9 } },
	{ "record of epoch 2", 45, { HEAD(22, 2), 0, 0, 32, 9 } },
	{ "epoch 65535, sequence 2^48-1",
	  45,
	  { 22, 0xFE, 0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 32 } },
	{ "empty record", 13, { HEAD(22, 0), 0, 0, 0 } },
	{ "unified header, epoch 3", 40, { 0x2F, 0, 1, 0, 35, 1, 2, 3 } },
	{ "unified header, epoch 2", 40, { 0x2E, 0, 1, 0, 35, 1, 2, 3 } },
	{ "unified header without length", 40, { 0x2B, 0, 1, 2, 3 } },
	{ "unified header with a connection id", 40, { 0x3F, 0, 1, 0, 35, 1, 2, 3 } },
	{ "acknowledgement in plain text", 15, { HEAD(26, 0), 0, 0, 2, 0, 0 } },
	{ "length beyond the datagram", 20, { HEAD(22, 0), 0, 0xFF, 0xFF, 1 } },
	{ "version of TLS 1.2", 25, { 22, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0x77, 0, 12, 11, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0 } },
	{ "not DTLS", 12, { "hello world" } },
	{ "one byte", 1, { 22 } },
};
#define FORGERIES (sizeof(forgeries) / sizeof(forgeries[0]))

static void inject(struct dtls_link *l, int to, const struct forgery *f)
{
	dtls_endpoint_input(l->end[to], f->bytes, f->len, &l->out[to]);
}

static struct dtls_link *secured(enum dtls_version version)
{
	struct dtls_link *l = link_expecting(version);

	link_run(l);
	assert_int_equal(dtls_endpoint_status(l->end[CLIENT]), DTLS_SECURED);
	assert_int_equal(dtls_endpoint_status(l->end[SERVER]), DTLS_SECURED);
	return l;
}

// Threat D6: each a thousand times at a live association. It stays, says nothing, and still hears a real close_notify.
static void test_live_association_is_deaf_to_forgeries(void **state)
{
	for (size_t v = 0; v < 4; v++) {
		int victim = (int)(v % 2);
		struct dtls_link *l = secured(versions[v / 2]);
		struct dtls_endpoint_info info;

		for (size_t i = 0; i < FORGERIES; i++) {
			size_t sent = l->sent[victim];

			for (int n = 0; n < 1000; n++) {
				inject(l, victim, &forgeries[i]);
				if (dtls_endpoint_status(l->end[victim]) != DTLS_SECURED || l->sent[victim] != sent)
					fail_msg("%s moved the %s of version %zu", forgeries[i].name,
						 victim == CLIENT ? "client" : "server", v / 2);
			}
			assert_int_equal(dtls_endpoint_deadline(l->end[victim]), MONO_NEVER);
		}
		dtls_endpoint_info(l->end[victim], &info);
		assert_true(info.drops[DTLS_DROP_FORGED] >= 7000);
		dtls_endpoint_close_notify(l->end[!victim], &l->out[!victim]);
		link_deliver(l, victim);
		assert_int_equal(dtls_endpoint_status(l->end[victim]), DTLS_CLOSED);
		link_free(l);
	}
}

// The same before each datagram of a handshake, at both ends: it must go through, as if nothing had been.
static void test_handshake_survives_forgeries(void **state)
{
	for (size_t v = 0; v < 2; v++) {
		for (size_t i = 0; i < FORGERIES; i++) {
			struct dtls_link *l = link_new(versions[v], versions[v]);

			link_open(l);
			dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
			for (int round = 0; round < 12; round++) {
				for (int end = CLIENT; end <= SERVER; end++) {
					inject(l, end, &forgeries[i]);
					link_deliver(l, end);
				}
			}
			link_wait(l, MONO_S(2));
			link_run(l);
			if (dtls_endpoint_status(l->end[CLIENT]) != DTLS_PARKED ||
			    dtls_endpoint_status(l->end[SERVER]) != DTLS_PARKED)
				print_message("version %zu, %s: client %s, server %s\n", v, forgeries[i].name,
					      dtls_failure_text(dtls_endpoint_failure(l->end[CLIENT])),
					      dtls_failure_text(dtls_endpoint_failure(l->end[SERVER])));
			assert_int_equal(dtls_endpoint_status(l->end[CLIENT]), DTLS_PARKED);
			assert_int_equal(dtls_endpoint_status(l->end[SERVER]), DTLS_PARKED);
			link_free(l);
		}
	}
}

// A real ClientHello of someone else, in the middle of a handshake and after it.
static void test_other_hello_changes_nothing(void **state)
{
	for (size_t v = 0; v < 2; v++) {
		struct dtls_link *l = link_new(versions[v], versions[v]), *other = link_new(versions[v], versions[v]);
		struct dtls_endpoint_info info;
		struct link_datagram hello;

		link_open(l);
		link_open(other);
		dtls_endpoint_start(other->end[CLIENT], &other->out[CLIENT]);
		hello = other->to[SERVER].d[0];
		dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
		for (int round = 0; round < 12; round++) {
			link_deliver(l, SERVER);
			if (dtls_endpoint_status(l->end[SERVER]) != DTLS_HANDSHAKING || round > 1)
				assert_int_equal(
					dtls_endpoint_input(l->end[SERVER], hello.bytes, hello.len, &l->out[SERVER]),
					0);
			link_deliver(l, CLIENT);
		}
		link_run(l);
		assert_int_equal(dtls_endpoint_status(l->end[CLIENT]), DTLS_PARKED);
		assert_int_equal(dtls_endpoint_status(l->end[SERVER]), DTLS_PARKED);
		dtls_endpoint_info(l->end[SERVER], &info);
		assert_true(info.drops[DTLS_DROP_FORGED] > 0);
		link_free(l);
		link_free(other);
	}
}

// A hello that is nothing but TLS_NULL_WITH_NULL_NULL (CVE-2023-49786 and kin), and one without use_srtp.
static void test_hostile_hellos_fail_their_candidate_only(void **state)
{
	uint8_t bytes[200] = { 22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_3);
	uint8_t *body = bytes + 25;

	bytes[12] = 12 + 42; // record
	bytes[13] = 1;
	bytes[16] = bytes[24] = 42;
	memcpy(body, "\xFE\xFD", 2);
	body[37] = 2; // suites
	body[40] = 1; // compression
	link_open(l);
	assert_int_equal(dtls_endpoint_input(l->end[SERVER], bytes, 25 + 42, &l->out[SERVER]), -EPERM);
	assert_int_equal(dtls_endpoint_failure(l->end[SERVER]), DTLS_FAILURE_NO_CIPHER);
	assert_int_equal(l->sent[SERVER], 0);
	assert_int_equal(dtls_endpoint_input(l->end[SERVER], bytes, 25 + 42, &l->out[SERVER]), 0); // failed once
	dtls_endpoint_close(l->end[SERVER]);
	assert_int_equal(dtls_endpoint_open(&l->end[SERVER], &l->config[SERVER]), 0);
	memcpy(body + 38, "\xC0\x2B", 2);
	assert_int_equal(dtls_endpoint_input(l->end[SERVER], bytes, 25 + 42, &l->out[SERVER]), -EPERM);
	assert_int_equal(dtls_endpoint_failure(l->end[SERVER]), DTLS_FAILURE_NO_SRTP);
	assert_int_equal(l->sent[SERVER], 0);
	link_free(l);
}

static void test_plain_alert_is_remembered(void **state)
{
	struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_3);
	struct dtls_endpoint_info info;

	link_open(l);
	dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
	inject(l, CLIENT, &forgeries[0]);
	assert_int_equal(dtls_endpoint_status(l->end[CLIENT]), DTLS_HANDSHAKING);
	link_wait(l, MONO_S(30));
	assert_int_equal(dtls_endpoint_failure(l->end[CLIENT]), DTLS_FAILURE_ALERT);
	dtls_endpoint_info(l->end[CLIENT], &info);
	assert_int_equal(info.plain_alert, 40);
	link_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_live_association_is_deaf_to_forgeries),
		cmocka_unit_test(test_handshake_survives_forgeries),
		cmocka_unit_test(test_other_hello_changes_nothing),
		cmocka_unit_test(test_hostile_hellos_fail_their_candidate_only),
		cmocka_unit_test(test_plain_alert_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
