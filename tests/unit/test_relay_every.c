// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_every.c - every combination that a packet can come in and leave by: RTP and each SRTP suite on either side,
// with and without MKI, CSRCs, header extension and padding, IPv4 and IPv6, VLAN tag in or out, in one buffer, in some, as a
// jumbo frame, too long. It leaves as the RFCs have it, octet by octet (srtp_reference: OpenSSL), or ends by the drop that is named.
#include "tests/support/relay_alone.h"
#include "tests/support/srtp_reference.h"
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define VLAN 100 // of network 1
#define PAYLOAD 160
#define MTU 4152
#define JUMBO 4000    // of payload
#define TOO_LONG 4152 // of payload: fits into a buffer, but into no frame
#define SSRC 0xcafe0001

enum form { WHOLE, CHAINED, JUMBO_WHOLE, JUMBO_CHAINED, LONG_WHOLE, LONG_CHAINED, FORMS };
static const size_t payload_of[FORMS] = { PAYLOAD, PAYLOAD, JUMBO, JUMBO, TOO_LONG, TOO_LONG };

struct side {
	unsigned network;
	bool v6;
	enum srtp_suite suite; // NONE: RTP
	struct dp_ref ref;
	struct dp_keys keys;
	struct srtp_reference reference;
};

static struct relay_alone *ra;
static uint32_t epoch;
static unsigned long relayed, refused;

static int setup(void **state)
{
	ra = relay_alone_open_long(VLAN, MTU);
	return 0;
}

static int teardown(void **state)
{
	relay_alone_close(ra);
	return 0;
}

// ---- legs

static void keys_give(struct side *s, enum dp_direction direction, bool mki)
{
	if (s->suite == SRTP_SUITE_NONE)
		return;
	s->keys = (struct dp_keys){ .direction = direction, .epoch = ++epoch, .master.suite = s->suite };
	for (unsigned i = 0; i < SRTP_KEY_MAX; i++)
		s->keys.master.key[i] = (uint8_t)(rand() >> 7);
	for (unsigned i = 0; i < SRTP_SALT_MAX; i++)
		s->keys.master.salt[i] = (uint8_t)(rand() >> 7);
	if (mki)
		s->keys.mki = (struct srtp_mki){ .len = 4, .bytes = { 1, 2, 3, (uint8_t)epoch } };
	dp_transport_keys(ra->client, s->ref, &s->keys);
	srtp_reference_open(&s->reference, &s->keys.master, &s->keys.mki);
}

static void side_open(struct side *s, enum dp_direction direction, bool mki)
{
	static const char *const local[2][2] = { { "192.0.0.1", "2001:db8:0::1" }, { "192.0.1.1", "2001:db8:1::1" } };

	s->ref = relay_alone_leg(ra, s->network, local[s->network][s->v6], 16384, s->v6 ? "2001:db8:9::1" : "198.51.100.1",
				 s->suite != SRTP_SUITE_NONE ? DP_SRTP : DP_PLAIN, DP_MODE_RTP);
	keys_give(s, direction, mki);
}

// ---- packets

// What of `shape` is set: 1 CSRCs, 2 an extension, 4 padding.
static size_t rtp_make(uint8_t *to, uint16_t seq, unsigned shape, size_t payload)
{
	uint8_t *at = to + 12;

	memcpy(to, (uint8_t[]){ 0x80, 96, (uint8_t)(seq >> 8), (uint8_t)seq, 0, 0, 1, 2, 0xca, 0xfe, 0, 1 }, 12);
	if (shape & 1) {
		to[0] |= 3;
		memset(at, 0xc5, 12);
		at += 12;
	}
	if (shape & 2) {
		to[0] |= 0x10;
		memcpy(at, (uint8_t[]){ 0xbe, 0xde, 0, 1, 0x11, 7, 8, 0 }, 8);
		at += 8;
	}
	for (size_t i = 0; i < payload; i++)
		at[i] = (uint8_t)(seq + i);
	if (shape & 4) {
		to[0] |= 0x20;
		at[payload - 1] = 5;
	}
	return (size_t)(at - to) + payload;
}

static size_t secured(const struct side *s, uint8_t *to, const uint8_t *rtp, size_t len, uint16_t seq)
{
	if (s->suite != SRTP_SUITE_NONE)
		return srtp_reference_protect(&s->reference, to, rtp, len, seq, NULL, false);
	memcpy(to, rtp, len);
	return len;
}

static size_t frame_make(const struct side *s, uint8_t *f, const uint8_t *payload, size_t len)
{
	const struct alone_to to = { .network = s->network, .source_port = 4000, .port = 16384, .source_last = 1,
				     .vlan = s->network == 1 ? VLAN : 0 };
	size_t ether = to.vlan != 0 ? 18 : 14;
	uint8_t *ip = f + ether;

	if (!s->v6)
		return relay_alone_frame_make(f, &to, payload, len);
	relay_alone_frame_make(f, &to, NULL, 0);
	memcpy(ip - 2, (uint8_t[]){ 0x86, 0xdd }, 2);
	memcpy(ip, (uint8_t[]){ 0x60, 0, 0, 0, (uint8_t)((len + 8) >> 8), (uint8_t)(len + 8), IPPROTO_UDP, 64 }, 8);
	memcpy(ip + 8, (uint8_t[16]){ 0x20, 1, 0x0d, 0xb8, 0, 9, [15] = 1 }, 16);
	memcpy(ip + 24, (uint8_t[16]){ 0x20, 1, 0x0d, 0xb8, 0, (uint8_t)s->network, [15] = 1 }, 16);
	memcpy(ip + 40, (uint8_t[]){ 4000 >> 8, 4000 & 255, 16384 >> 8, 0, (uint8_t)((len + 8) >> 8), (uint8_t)(len + 8), 0, 0 }, 8);
	memcpy(ip + 48, payload, len);
	return ether + 48 + len;
}

static struct rte_mbuf *buffer(unsigned port, const uint8_t *bytes, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(ra->relay.pool);

	assert_non_null(m);
	assert_true(len <= rte_pktmbuf_tailroom(m));
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), bytes, len);
	m->port = (uint16_t)port;
	m->vlan_tci = 0;
	return m;
}

// In buffers of some lengths: the headers in more than one, too.
static struct rte_mbuf *chain(unsigned port, const uint8_t *bytes, size_t len)
{
	size_t first = 30, second = (len - first) / 2;
	struct rte_mbuf *m = buffer(port, bytes, first);

	assert_int_equal(rte_pktmbuf_chain(m, buffer(port, bytes + first, second)), 0);
	assert_int_equal(rte_pktmbuf_chain(m, buffer(port, bytes + first + second, len - first - second)), 0);
	return m;
}

static uint64_t drops(enum relay_drop drop)
{
	return ra->worker->record->drops[drop];
}

static uint64_t sum16(uint64_t sum, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint64_t)at[i] << (i % 2 == 0 ? 8 : 0);
	return sum;
}

static bool sum_good(uint64_t sum)
{
	return sum % 0xffff == 0;
}

// The frame that left: by this side's port, tagged or not, right in its lengths and sums, with this payload.
static void left_by(const struct side *s, const uint8_t *payload, size_t len)
{
	static const uint8_t ethertype[2][2] = { { 0x08, 0x00 }, { 0x86, 0xdd } };
	const struct alone_frame *f = &ra->sent[(ra->n_sent - 1) % ALONE_FRAMES];
	size_t ether = s->network == 1 ? 18 : 14, header = s->v6 ? 40 : 20;
	const uint8_t *ip = f->bytes + ether, *udp = ip + header;
	uint64_t pseudo = IPPROTO_UDP + len + 8;

	assert_int_equal(f->port, s->network);
	assert_int_equal(f->len, ether + header + 8 + len);
	if (s->network == 1)
		assert_memory_equal(f->bytes + 12, ((uint8_t[]){ 0x81, 0, 0, VLAN }), 4);
	assert_memory_equal(ip - 2, ethertype[s->v6], 2);
	if (s->v6) {
		assert_int_equal(ip[4] << 8 | ip[5], len + 8);
		pseudo = sum16(pseudo, ip + 8, 32);
	} else {
		assert_int_equal(ip[2] << 8 | ip[3], len + 28);
		assert_true(sum_good(sum16(0, ip, 20)));
		pseudo = sum16(pseudo, ip + 12, 8);
	}
	assert_memory_equal(udp, ((uint8_t[]){ 16384 >> 8, 0, 4000 >> 8, 4000 & 255, (uint8_t)((len + 8) >> 8), (uint8_t)(len + 8) }), 6);
	assert_true(sum_good(sum16(pseudo, udp, len + 8)));
	assert_memory_equal(udp + 8, payload, len);
}

static void one(const struct side *in, const struct side *out, uint16_t seq, unsigned shape, enum form form)
{
	uint8_t rtp[ALONE_LONGEST], came[ALONE_LONGEST], want[ALONE_LONGEST], frame[ALONE_LONGEST];
	size_t len = rtp_make(rtp, seq, shape, payload_of[form]), came_len, want_len, frame_len;
	uint64_t sent = ra->n_sent, ended = relay_alone_ended(ra), too_big = drops(RELAY_DROP_TOO_BIG);
	struct rte_mbuf *m;

	came_len = secured(in, came, rtp, len, seq);
	want_len = secured(out, want, rtp, len, seq);
	frame_len = frame_make(in, frame, came, came_len);
	m = form % 2 == CHAINED ? chain(in->network, frame, frame_len) : buffer(in->network, frame, frame_len);
	ra->worker->now += MONO_MS(1);
	relay_burst(ra->worker, &m, 1);
	relay_flush(ra->worker);
	assert_int_equal(relay_alone_ended(ra), ended + 1);
	if (form >= LONG_WHOLE) {
		assert_int_equal(drops(RELAY_DROP_TOO_BIG), too_big + 1);
		refused++;
		return;
	}
	assert_int_equal(ra->n_sent, sent + 1);
	left_by(out, want, want_len);
	relayed++;
}

// ---- all of them

static void pair(struct side *in, struct side *out, bool mki)
{
	unsigned free_packets = rte_mempool_avail_count(ra->relay.pool);
	uint16_t seq = 1;

	side_open(in, DP_RX, mki);
	side_open(out, DP_TX, mki);
	dp_transport_edges(ra->client, in->ref, &(struct dp_edge){ .to = out->ref, .open = true }, 1);
	relay_alone_commands(ra);
	for (unsigned shape = 0; shape < 8; shape++) {
		for (unsigned form = 0; form < (shape % 7 == 0 ? FORMS : JUMBO_WHOLE); form++) // of the long: least and most
			one(in, out, seq++, shape, form);
	}
	dp_transport_remove(ra->client, in->ref);
	dp_transport_remove(ra->client, out->ref);
	relay_alone_commands(ra);
	assert_int_equal(rte_mempool_avail_count(ra->relay.pool), free_packets);
}

static void every_combination(void **state)
{
	for (unsigned i = 0; i < SRTP_SUITE_COUNT * SRTP_SUITE_COUNT * 16; i++) {
		unsigned suites = i / 16, direction = i & 1;
		struct side in = { .network = direction, .v6 = i & 2, .suite = suites / SRTP_SUITE_COUNT };
		struct side out = { .network = !direction, .v6 = i & 4, .suite = suites % SRTP_SUITE_COUNT };

		pair(&in, &out, i & 8);
	}
	assert_int_equal(relayed, SRTP_SUITE_COUNT * SRTP_SUITE_COUNT * 16 * (8 * 2 + 2 * 2));
	assert_int_equal(refused, SRTP_SUITE_COUNT * SRTP_SUITE_COUNT * 16 * 2 * 2);
}

// More than a buffer holds: what comes in pieces ends by name, and gives back each of them.
static void too_long_for_a_buffer(void **state)
{
	unsigned free_packets = rte_mempool_avail_count(ra->relay.pool);
	uint64_t malformed = drops(RELAY_DROP_MALFORMED);
	static uint8_t frame[2500];
	struct rte_mbuf *m = buffer(0, frame, sizeof(frame));

	assert_int_equal(rte_pktmbuf_chain(m, buffer(0, frame, sizeof(frame))), 0);
	relay_burst(ra->worker, &m, 1);
	assert_int_equal(drops(RELAY_DROP_MALFORMED), malformed + 1);
	assert_int_equal(rte_mempool_avail_count(ra->relay.pool), free_packets);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_combination), cmocka_unit_test(too_long_for_a_buffer) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
