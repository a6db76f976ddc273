// SPDX-License-Identifier: GPL-3.0-or-later
// test_dp_burst.c - the relay's burst function, frame by frame: RFC 7983 over all first octets, lengths of RTP headers
// in the small, VLAN tags, source checks, statistics, the bounds of unauthenticated work.
#include "tests/support/relay_alone.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct relay_alone *ra;
static struct dp_ref rtcp_leg; // beside access_leg's, port 16385
static struct dp_ref access_leg,
	core_leg; // 198.51.100.1:4000 - 192.0.0.1:16384 | 192.0.1.1:16386 (VLAN 100) - 198.51.100.2:4000

static const struct alone_to from_access = { .network = 0, .source_port = 4000, .port = 16384, .source_last = 1 };
static const struct alone_to from_core = {
	.network = 1, .source_port = 4000, .port = 16386, .source_last = 2, .vlan = 100
};

static void give(const struct alone_to *to, const void *payload, size_t len)
{
	relay_alone_datagram(ra, to, payload, len);
}

static size_t rtp(uint8_t *dst, uint16_t seq, uint32_t ssrc, size_t payload)
{
	memset(dst, 0x55, 12 + payload);
	memcpy(dst, (uint8_t[]){ 0x80, 0, (uint8_t)(seq >> 8), (uint8_t)seq }, 4);
	memset(dst + 4, 0, 8);
	dst[6] = (uint8_t)(seq * 160 >> 8);
	dst[7] = (uint8_t)(seq * 160);
	dst[8] = (uint8_t)(ssrc >> 24);
	dst[11] = (uint8_t)ssrc;
	return 12 + payload;
}

static uint64_t drops(enum relay_drop drop)
{
	return ra->worker->record->drops[drop];
}

static int setup(void **state)
{
	ra = relay_alone_open(100);
	access_leg = relay_alone_leg(ra, 0, "192.0.0.1", 16384, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	core_leg = relay_alone_leg(ra, 1, "192.0.1.1", 16386, "198.51.100.2", DP_PLAIN, DP_MODE_RTP);
	rtcp_leg = relay_alone_leg(ra, 0, "192.0.0.1", 16385, "198.51.100.1", DP_PLAIN, DP_MODE_RTCP);
	dp_transport_edges(ra->client, access_leg, &(struct dp_edge){ .to = core_leg, .open = true }, 1);
	dp_transport_edges(ra->client, core_leg, &(struct dp_edge){ .to = access_leg, .open = true }, 1);
	relay_alone_commands(ra);
	return 0;
}

static int teardown(void **state)
{
	relay_alone_close(ra);
	return 0;
}

// RFC 7983: every first octet, several lengths, both kinds of port. The right counter moves, and no other.
static void every_first_octet_has_its_way(void **state)
{
	static const size_t lengths[] = { 0, 1, 4, 7, 8, 11, 12, 200, 1400 };
	uint8_t payload[1500] = { 0 };

	for (unsigned rtcp = 0; rtcp < 2; rtcp++) {
		struct alone_to to = from_access;

		to.port = (uint16_t)(16384 + rtcp);
		for (unsigned first = 0; first < 256; first++) {
			for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
				uint64_t ended = relay_alone_ended(ra), unknown = drops(RELAY_DROP_UNKNOWN_KIND);
				uint64_t malformed = drops(RELAY_DROP_MALFORMED);
				unsigned punts = ra->n_punts, sent = ra->n_sent;
				size_t len = lengths[l];
				bool stun = first <= 3, dtls = first >= 20 && first <= 63,
				     media = first >= 128 && first <= 191;

				memset(payload, 0, sizeof(payload));
				payload[0] = (uint8_t)first;
				payload[11] = 9;
				give(&to, payload, len);
				assert_int_equal(relay_alone_ended(ra), ended + 1);
				if (len > 0 && (stun || dtls)) {
					assert_int_equal(ra->n_punts, punts + 1);
					assert_int_equal(ra->last_punt.kind, stun ? DP_PUNT_STUN : DP_PUNT_DTLS);
				} else if (len >= 8 && media && rtcp) {
					assert_int_equal(ra->n_punts, punts + 1);
					assert_int_equal(ra->last_punt.kind, DP_PUNT_RTCP);
				} else if (len >= 8 && media) {
					assert_int_equal(ra->n_punts, punts);
					assert_int_equal(ra->n_sent - sent + drops(RELAY_DROP_MALFORMED) - malformed,
							 1);
				} else {
					assert_int_equal(drops(RELAY_DROP_UNKNOWN_KIND), unknown + 1);
				}
			}
		}
	}
}

// RFC 5761: 64 to 95 are RTCP, with and without the marker bit.
static void payload_types_tell_rtcp(void **state)
{
	uint8_t payload[200];
	size_t len = rtp(payload, 1, 1, 160);

	for (unsigned type = 0; type < 256; type++) {
		unsigned punts = ra->n_punts, sent = ra->n_sent;
		bool is_rtcp = (type & 0x7f) >= 64 && (type & 0x7f) <= 95;

		payload[1] = (uint8_t)type;
		payload[3]++;
		give(&from_access, payload, len);
		assert_int_equal(ra->n_punts - punts, is_rtcp);
		assert_int_equal(ra->n_sent - sent, !is_rtcp);
	}
}

// A stranger's plain RTCP goes to control only on a port of RTCP's own, and only while that may learn its peer's.
static void plain_rtcp_of_strangers(void **state)
{
	struct alone_to stranger = { .source_port = 4999, .source_last = 9 };
	uint8_t report[8] = { 0x80, 201, 0, 1 };
	struct dp_path path = { .learn = false };

	inet_endpoint_parse(&path.remote, "198.51.100.1:4000");
	for (unsigned learn = 0; learn < 2; learn++) {
		path.learn = learn;
		dp_transport_path(ra->client, rtcp_leg, &path);
		relay_alone_commands(ra);
		for (unsigned rtcp = 0; rtcp < 2; rtcp++) {
			uint64_t wrong = drops(RELAY_DROP_WRONG_SOURCE);
			unsigned punts = ra->n_punts;

			stranger.port = (uint16_t)(16384 + rtcp);
			give(&stranger, report, sizeof(report));
			assert_int_equal(ra->n_punts - punts, learn && rtcp);
			assert_int_equal(drops(RELAY_DROP_WRONG_SOURCE) - wrong, !(learn && rtcp));
			if (learn && rtcp)
				assert_false(ra->last_punt.proven);
		}
	}
}

// Every short length with every CSRC count and extension: what does not fit is malformed, what fits goes.
static void rtp_headers_must_fit(void **state)
{
	static const uint16_t words[] = { 0, 1, 3, 0xffff };
	uint8_t payload[128];

	for (size_t len = 8; len < 100; len++) {
		for (unsigned cc = 0; cc < 16; cc++) {
			for (unsigned x = 0; x < 5; x++) {
				size_t need = 12 + 4 * cc;
				uint64_t malformed = drops(RELAY_DROP_MALFORMED);
				unsigned sent = ra->n_sent;

				memset(payload, 0, sizeof(payload));
				payload[0] = (uint8_t)(0x80 | cc | (x > 0 ? 0x10 : 0));
				payload[11] = 3;
				if (x > 0) {
					payload[need + 2] = (uint8_t)(words[x - 1] >> 8);
					payload[need + 3] = (uint8_t)words[x - 1];
					need += 4 + 4 * (size_t)words[x - 1];
				}
				give(&from_access, payload, len);
				assert_int_equal(ra->n_sent - sent, need <= len);
				assert_int_equal(drops(RELAY_DROP_MALFORMED) - malformed, need > len);
			}
		}
	}
}

static void vlan_tags_come_and_go(void **state)
{
	uint8_t payload[200];
	const struct alone_frame *f;
	struct alone_to to = from_core;
	uint64_t ignored;
	size_t len = rtp(payload, 500, 7, 160);

	give(&from_access, payload, len);
	f = &ra->sent[(ra->n_sent - 1) % ALONE_FRAMES];
	assert_int_equal(f->port, 1);
	assert_int_equal(f->len, 14 + 4 + 28 + len);
	assert_memory_equal(f->bytes + 6, "\x02\x00\x00\x00\x00\x02\x81\x00\x00\x64\x08\x00", 12);
	give(&from_core, payload, len);
	f = &ra->sent[(ra->n_sent - 1) % ALONE_FRAMES];
	assert_int_equal(f->port, 0);
	assert_int_equal(f->len, 14 + 28 + len);
	assert_memory_equal(f->bytes + 12, "\x08\x00\x45", 3);

	ignored = ra->worker->record->ignored; // another VLAN, no VLAN, the other port: not this address
	to.vlan = 101;
	give(&to, payload, len);
	to.vlan = 0;
	give(&to, payload, len);
	to.vlan = 100;
	to.network = 0;
	give(&to, payload, len);
	assert_int_equal(ra->worker->record->ignored, ignored + 3);
}

static void only_the_peer_may_speak_plain(void **state)
{
	uint64_t wrong = drops(RELAY_DROP_WRONG_SOURCE);
	struct alone_to to = from_access;
	uint8_t payload[200];
	size_t len = rtp(payload, 600, 7, 160);
	unsigned sent = ra->n_sent, told;

	to.source_port = 4001;
	give(&to, payload, len);
	to.source_port = 4000;
	to.source_last = 3;
	told = ra->n_events;
	for (unsigned i = 0; i < 1000; i++) // a second of it
		give(&to, payload, len);
	assert_int_equal(drops(RELAY_DROP_WRONG_SOURCE), wrong + 1001);
	assert_int_equal(ra->n_sent, sent);
	assert_in_range(ra->n_events - told, 15, 25); // control is told every 50 ms, no oftener
}

static void wrong_lengths_and_sums_are_named(void **state)
{
	uint64_t malformed = drops(RELAY_DROP_MALFORMED), sums = drops(RELAY_DROP_CHECKSUM),
		 frags = drops(RELAY_DROP_FRAGMENT);
	uint8_t payload[200], frame[512], bad[512];
	size_t n = relay_alone_frame_make(frame, &from_access, payload, rtp(payload, 700, 7, 160));

	memcpy(bad, frame, n);
	bad[14 + 20 + 5]++; // UDP says one more than IP
	relay_alone_frame(ra, 0, bad, n);
	assert_int_equal(drops(RELAY_DROP_MALFORMED), ++malformed);
	bad[14 + 20 + 4] = 0;
	bad[14 + 20 + 5] = 7; // less than its own header
	relay_alone_frame(ra, 0, bad, n);
	assert_int_equal(drops(RELAY_DROP_MALFORMED), ++malformed);
	relay_alone_frame(ra, 0, frame, n - 1); // IP says more than there is
	assert_int_equal(drops(RELAY_DROP_MALFORMED), ++malformed);
	memcpy(bad, frame, n);
	bad[14 + 8]--; // the hop limit, without the checksum
	relay_alone_frame(ra, 0, bad, n);
	assert_int_equal(drops(RELAY_DROP_CHECKSUM), ++sums);
	memcpy(bad, frame, n);
	bad[14 + 6] = 0x20;
	relay_alone_frame(ra, 0, bad, n);
	assert_int_equal(drops(RELAY_DROP_FRAGMENT), ++frags);
}

// 20 ms of 8000 Hz a packet by its timestamps; they come 1 ms apart, so each is 19 ms early: RFC 3550 A.8 goes there.
static void loss_and_jitter_are_counted(void **state)
{
	struct dp_ref leg = relay_alone_leg(ra, 0, "192.0.0.1", 16390, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	struct alone_to to = from_access;
	struct dp_stats stats;
	uint8_t payload[200];

	to.port = 16390;
	for (unsigned i = 0; i < 1000; i++) {
		size_t len = rtp(payload, (uint16_t)(65000 + i), 0x0a000001, 160);
		uint32_t stamp = htonl(i * 160);

		memcpy(payload + 4, &stamp, 4);
		if (i % 10 == 3)
			continue; // lost
		ra->worker->now += MONO_MS(19); // with the millisecond of each frame: 20 ms apart
		give(&to, payload, len);
		if (i % 100 == 50)
			give(&to, payload, len); // twice
	}
	assert_int_equal(dp_transport_stats(ra->client, leg, &stats), 0);
	assert_int_equal(stats.rx_packets, 910);
	assert_int_equal(stats.lost, 1000 - 910); // duplicates count as received: RFC 3550 A.3
	assert_in_range(stats.jitter_us, 0, 6000);
	dp_transport_remove(ra->client, leg);
	relay_alone_commands(ra);
}

// Forged packets: one tag check each, but for a few tries of another roll-over counter.
static void forged_packets_bind_nothing(void **state)
{
	struct dp_keys keys = { .direction = DP_RX, .epoch = 1, .master.suite = SRTP_AEAD_AES_128_GCM };
	struct dp_ref leg = relay_alone_leg(ra, 0, "192.0.0.1", 16392, "198.51.100.1", DP_SRTP, DP_MODE_RTP);
	uint32_t streams = relay_alone_free_streams(ra);
	uint64_t bad = drops(RELAY_DROP_AUTH);
	struct alone_to to = from_access;
	uint8_t payload[200];

	to.port = 16392;
	dp_transport_keys(ra->client, leg, &keys);
	relay_alone_commands(ra);
	for (unsigned i = 0; i < 2000; i++) {
		size_t len = rtp(payload, (uint16_t)i, i << 24 | (i & 0xff), 160);

		give(&to, payload, len);
	}
	assert_int_equal(drops(RELAY_DROP_AUTH), bad + 2000);
	assert_int_equal(relay_alone_free_streams(ra), streams);
	dp_transport_remove(ra->client, leg);
	relay_alone_commands(ra);
}

// What is full or used up says so, and what comes afterwards passes again.

static uint16_t device_takes_nothing(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	return 0;
}

static void a_device_that_takes_nothing(void **state)
{
	const struct dp_queue_ops *usual = ra->queues[1][0].queue.ops;
	struct dp_queue_ops stuck = *usual;
	uint8_t packet[256];
	size_t len = rtp(packet, 1, 7, 160);
	uint64_t before = drops(RELAY_DROP_TX_FULL);
	unsigned sent = ra->n_sent;

	stuck.tx = device_takes_nothing;
	ra->queues[1][0].queue.ops = &stuck;
	give(&from_access, packet, len);
	assert_int_equal(drops(RELAY_DROP_TX_FULL), before + 1);
	assert_int_equal(ra->n_sent, sent);
	ra->queues[1][0].queue.ops = usual;
	give(&from_access, packet, rtp(packet, 2, 7, 160));
	assert_int_equal(drops(RELAY_DROP_TX_FULL), before + 1);
	assert_int_equal(ra->n_sent, sent + 1);
}

static void a_next_hop_that_is_not_known(void **state)
{
	struct dp_path elsewhere = { .remote.port = 4000 };
	uint64_t before = drops(RELAY_DROP_NO_NEXTHOP);
	unsigned sent = ra->n_sent;
	uint8_t packet[256];

	assert_int_equal(inet_addr_parse(&elsewhere.remote.addr, "198.51.100.9"), 0);
	dp_transport_path(ra->client, core_leg, &elsewhere);
	relay_alone_commands(ra);
	give(&from_access, packet, rtp(packet, 1, 7, 160));
	assert_int_equal(drops(RELAY_DROP_NO_NEXTHOP), before + 1);
	assert_int_equal(ra->n_sent, sent);
}

static void packet_memory_used_up(void **state)
{
	const struct inet_endpoint *to = &ra->relay.map.transports[access_leg.index].path.remote;
	uint64_t before = drops(RELAY_DROP_NO_MBUF);
	struct rte_mbuf *all[1024];
	unsigned n = 0, sent = ra->n_sent;

	while (n < 1024 && (all[n] = rte_pktmbuf_alloc(ra->relay.pool)) != NULL)
		n++;
	relay_datagram(ra->worker, access_leg.index, to, "\x16\xfe\xfd", 3);
	assert_int_equal(drops(RELAY_DROP_NO_MBUF), before + 1);
	while (n > 0)
		rte_pktmbuf_free(all[--n]);
	relay_datagram(ra->worker, access_leg.index, to, "\x16\xfe\xfd", 3);
	relay_flush(ra->worker);
	assert_int_equal(drops(RELAY_DROP_NO_MBUF), before + 1);
	assert_int_equal(ra->n_sent, sent + 1);
}

// Control does not read: the ring of the unproven fills up; when it is read, what comes next is heard.
static void a_ring_to_control_that_is_full(void **state)
{
	struct alone_to stranger = from_access;
	uint8_t hello[1200] = { 0x16, 0xfe, 0xfd }, frame[2048];
	uint64_t before = drops(RELAY_DROP_PUNT_FULL);
	unsigned given = 0, heard = ra->n_punts;
	size_t len;

	stranger.source_port = 4444;
	len = relay_alone_frame_make(frame, &stranger, hello, sizeof(hello));
	for (; drops(RELAY_DROP_PUNT_FULL) == before && given < 10000; given++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(ra->relay.pool);

		assert_non_null(m); // none is lost on the way
		memcpy(rte_pktmbuf_mtod(m, void *), frame, len);
		m->data_len = (uint16_t)len;
		m->pkt_len = (uint32_t)len;
		m->port = 0;
		m->vlan_tci = 0;
		ra->worker->now += MONO_S(1); // no rate limit is meant here
		relay_burst(ra->worker, &m, 1);
		relay_flush(ra->worker);
	}
	assert_int_equal(drops(RELAY_DROP_PUNT_FULL), before + 1);
	assert_int_equal(ra->n_punts, heard);
	for (unsigned last = heard - 1; last != ra->n_punts;) { // a turn has a budget
		last = ra->n_punts;
		dp_client_dispatch(ra->client);
	}
	assert_int_equal(ra->n_punts, heard + given - 1);
	give(&stranger, hello, sizeof(hello));
	assert_int_equal(ra->n_punts, heard + given);
	assert_int_equal(drops(RELAY_DROP_PUNT_FULL), before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_first_octet_has_its_way),
		cmocka_unit_test(payload_types_tell_rtcp),
		cmocka_unit_test(plain_rtcp_of_strangers),
		cmocka_unit_test(rtp_headers_must_fit),
		cmocka_unit_test(vlan_tags_come_and_go),
		cmocka_unit_test(only_the_peer_may_speak_plain),
		cmocka_unit_test(wrong_lengths_and_sums_are_named),
		cmocka_unit_test(loss_and_jitter_are_counted),
		cmocka_unit_test(forged_packets_bind_nothing),
		cmocka_unit_test(a_device_that_takes_nothing),
		cmocka_unit_test(packet_memory_used_up),
		cmocka_unit_test(a_ring_to_control_that_is_full),
		cmocka_unit_test(a_next_hop_that_is_not_known), // last: it leaves a path that leads nowhere
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
