// SPDX-License-Identifier: GPL-3.0-or-later
// test_dp_beside.c - several transports of one session on one port, each with a peer and keys of its own: answerers of one offer.
// Whose a packet is, who has the strangers', what is left when one goes, and after a restart; no index twice under a shared key.
#include "tests/support/relay_alone.h"
#include "tests/support/srtp_reader.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PORT 16384
#define PEERS 3

static struct relay_alone *ra;
static struct dp_ref peers[PEERS], here; // on one port; they lead to `here`, and it leads to each

static const char *const hosts[PEERS] = { "198.51.100.11", "198.51.100.12", "198.51.100.13" };

static void open_with(enum dp_security security)
{
	struct dp_edge back[PEERS];

	if (ra == NULL)
		ra = relay_alone_open(0);
	here = relay_alone_leg(ra, 1, "192.0.1.1", 16386, "198.51.100.2", DP_PLAIN, DP_MODE_RTP);
	for (unsigned i = 0; i < PEERS; i++) {
		peers[i] = relay_alone_leg(ra, 0, "192.0.0.1", PORT, hosts[i], security, DP_MODE_RTP);
		dp_transport_edges(ra->client, peers[i], &(struct dp_edge){ .to = here, .open = true }, 1);
		back[i] = (struct dp_edge){ .to = peers[i], .open = true };
	}
	dp_transport_edges(ra->client, here, back, PEERS);
	relay_alone_commands(ra);
}

static int setup(void **state)
{
	open_with(DP_PLAIN);
	return 0;
}

static int setup_secured(void **state)
{
	open_with(DP_SRTP);
	return 0;
}

static void gone(unsigned i)
{
	dp_transport_remove(ra->client, peers[i]);
	relay_alone_commands(ra);
}

static int teardown(void **state)
{
	for (unsigned i = 0; i < PEERS; i++)
		gone(i);
	dp_transport_remove(ra->client, here);
	relay_alone_commands(ra);
	return 0;
}

static size_t rtp(uint8_t *dst, uint32_t ssrc, uint16_t seq)
{
	memset(dst, (int)seq, 12 + 40);
	memcpy(dst, (uint8_t[]){ 0x80, 0, (uint8_t)(seq >> 8), (uint8_t)seq, 0, 0, 0, 0, 0, 0, 0, (uint8_t)ssrc }, 12);
	return 12 + 40;
}

static uint64_t came(unsigned i)
{
	struct dp_stats stats;

	return dp_transport_stats(ra->client, peers[i], &stats) == 0 ? stats.rx_packets : 0;
}

static uint64_t strangers(unsigned i)
{
	struct dp_stats stats;

	return dp_transport_stats(ra->client, peers[i], &stats) == 0 ? stats.drops[RELAY_DROP_WRONG_SOURCE] : 0;
}

static void say(uint8_t host, uint16_t seq)
{
	const struct alone_to to = { .network = 0, .source_port = 4000, .port = PORT, .source_last = host };
	uint8_t payload[64];

	relay_alone_datagram(ra, &to, payload, rtp(payload, host, seq));
}

// Bit n: peer n's packet is its own transport's.
static unsigned heard(uint16_t seq)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < PEERS; i++) {
		uint64_t before = came(i);

		say((uint8_t)(11 + i), seq);
		bits |= (unsigned)(came(i) == before + 1) << i;
	}
	return bits;
}

static void each_has_its_peers_packets(void **state)
{
	for (uint16_t seq = 1; seq < 20; seq++)
		assert_int_equal(heard(seq), 7);
}

static void the_newest_has_the_strangers(void **state)
{
	say(99, 1);
	assert_int_equal(strangers(2), 1);
	gone(2);
	say(99, 2);
	assert_int_equal(strangers(1), 1);
	assert_int_equal(strangers(0), 0);
}

static void any_one_may_go(void **state)
{
	static const unsigned orders[6][PEERS] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	uint64_t nobody = ra->worker->record->drops[RELAY_DROP_NO_TRANSPORT];

	for (unsigned k = 0; k < 6; k++) {
		unsigned left = 7;

		assert_int_equal(heard(1), 7);
		for (unsigned i = 0; i < PEERS; i++) {
			gone(orders[k][i]);
			left &= ~(1u << orders[k][i]);
			assert_int_equal(heard((uint16_t)(2 + i)), left);
		}
		say(11, 9);
		assert_int_equal(ra->worker->record->drops[RELAY_DROP_NO_TRANSPORT], nobody += PEERS + 1);
		teardown(NULL);
		open_with(DP_PLAIN);
	}
}

static void after_a_restart(void **state)
{
	assert_int_equal(heard(1), 7);
	relay_alone_reopen(ra);
	assert_int_equal(heard(2), 7);
	say(99, 1);
	assert_int_equal(strangers(2), 1); // still the newest
	gone(2);
	relay_alone_reopen(ra);
	assert_int_equal(heard(3), 3);
}

static void dtls_is_the_peers(void **state)
{
	struct alone_to to = { .network = 0, .source_port = 4000, .port = PORT, .source_last = 11 };
	uint8_t hello[] = { 22, 0xfe, 0xfd, 0 };

	relay_alone_datagram(ra, &to, hello, sizeof(hello));
	assert_int_equal(ra->last_punt.transport.index, peers[0].index);
	assert_true(ra->last_punt.proven);
	to.source_last = 99;
	relay_alone_datagram(ra, &to, hello, sizeof(hello));
	assert_int_equal(ra->last_punt.transport.index, peers[2].index);
	assert_false(ra->last_punt.proven);
}

// SDES: what the offer said is sent with to each of them. The streams wrap for one before the next one is there.
static void a_shared_key_uses_no_index_twice(void **state)
{
	const struct alone_to to = { .network = 1, .source_port = 4000, .port = 16386, .source_last = 2 };
	struct dp_keys keys = { .direction = DP_TX, .epoch = 1, .master.suite = SRTP_AES_CM_128_HMAC_SHA1_80 };
	struct srtp_reader *reader = srtp_reader_open();
	unsigned seq = 0, fresh = 0;

	memset(keys.master.key, 7, 16);
	srtp_reader_key(reader, &keys.master);
	for (unsigned n = 0; n < PEERS; n++) {
		keys.apart = n > 0;
		dp_transport_keys(ra->client, peers[n], &keys);
		relay_alone_commands(ra);
		for (unsigned i = 0; i < 40000; i++) {
			uint8_t payload[64];
			unsigned sent = ra->n_sent;
			struct reader_packet got;

			relay_alone_datagram(ra, &to, payload, rtp(payload, 5, (uint16_t)seq++));
			assert_int_equal(ra->n_sent, sent + n + 1);
			for (; sent < ra->n_sent; sent++, fresh++) {
				const struct alone_frame *f = &ra->sent[sent % ALONE_FRAMES];

				assert_int_equal(srtp_reader_see(reader, f->bytes + 42, f->len - 42u, &got), READER_FRESH);
			}
		}
	}
	assert_int_equal(fresh, 40000 * (1 + 2 + 3));
	srtp_reader_close(reader);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_has_its_peers_packets),
		T(the_newest_has_the_strangers),
		T(any_one_may_go),
		T(after_a_restart),
		T(dtls_is_the_peers),
		cmocka_unit_test_setup_teardown(a_shared_key_uses_no_index_twice, setup_secured, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
