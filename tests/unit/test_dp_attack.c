// SPDX-License-Identifier: GPL-3.0-or-later
// test_dp_attack.c - what a peer or a stranger may throw at the packet path (threats M3, M4, M5, M7, M9, M12): nothing
// that is not authentic leaves, changes a leg or takes memory, and each packet is counted once, by its name. Each
// attack is shown beside the packet that does pass, with the same instrument.
//
// SALLYPORT_FULL: a million bad tags and all header spaces; else a tenth of it.
#include "tests/support/relay_alone.h"
#include "tests/support/srtp_peer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#define SSRC 0xcafe0001
#define PAYLOAD 160

static struct relay_alone *ra;
static struct srtp_engine *engine; // of the peers
static struct dp_ref a, b;         // both secured, joined
static struct srtp_peer a_sends, b_hears;
static bool full;

static const struct alone_to from_a = { .network = 0, .source_port = 4000, .port = 16384, .source_last = 1 };
static const struct alone_to stranger = { .network = 0, .source_port = 666, .port = 16384, .source_last = 66 };

static struct dp_keys key_make(enum dp_direction direction, uint8_t octet, enum srtp_suite suite, uint32_t epoch)
{
	struct dp_keys keys = { .direction = direction, .epoch = epoch, .master.suite = suite };

	memset(keys.master.key, octet, sizeof(keys.master.key));
	memset(keys.master.salt, octet + 1, sizeof(keys.master.salt));
	return keys;
}

static void key_give(struct dp_ref ref, const struct dp_keys *keys)
{
	dp_transport_keys(ra->client, ref, keys);
	relay_alone_commands(ra);
}

// Octet of the keys: the same for both legs, or not.
static void legs_open(enum srtp_suite suite, uint8_t octet_a, uint8_t octet_b)
{
	struct dp_keys rx = key_make(DP_RX, octet_a, suite, 1), tx = key_make(DP_TX, octet_b, suite, 1);

	a = relay_alone_leg(ra, 0, "192.0.0.1", 16384, "198.51.100.1", DP_SRTP, DP_MODE_RTP);
	b = relay_alone_leg(ra, 1, "192.0.1.1", 16386, "198.51.100.2", DP_SRTP, DP_MODE_RTP);
	dp_transport_edges(ra->client, a, &(struct dp_edge){ .to = b, .open = true }, 1);
	dp_transport_edges(ra->client, b, &(struct dp_edge){ .to = a, .open = true }, 1);
	srtp_peer_open(&a_sends, engine, &rx);
	srtp_peer_open(&b_hears, engine, &tx);
	key_give(a, &rx);
	key_give(b, &tx);
	rx.direction = DP_TX; // SDES between equals: each side its own in either direction
	tx.direction = DP_RX;
	key_give(a, &rx);
	key_give(b, &tx);
}

static void legs_close(void)
{
	dp_transport_remove(ra->client, a);
	dp_transport_remove(ra->client, b);
	relay_alone_commands(ra);
	srtp_peer_close(&a_sends);
	srtp_peer_close(&b_hears);
}

static int setup(void **state)
{
	full = getenv("SALLYPORT_FULL") != NULL;
	ra = relay_alone_open(0);
	return srtp_engine_open(&engine, SRTP_ARCH_AUTO);
}

static int teardown(void **state)
{
	srtp_engine_close(engine);
	relay_alone_close(ra);
	return 0;
}

static uint64_t drops(struct dp_ref ref, enum relay_drop drop)
{
	return ra->relay.map.transports[ref.index].counters.drops[drop];
}

static uint64_t drops_all(struct dp_ref ref)
{
	uint64_t n = 0;

	for (unsigned i = 1; i < RELAY_DROP_COUNT; i++)
		n += drops(ref, i);
	return n;
}

static size_t rtp(uint8_t *dst, uint32_t ssrc, uint16_t seq)
{
	memset(dst, (uint8_t)seq, 12 + PAYLOAD);
	memcpy(dst, (uint8_t[]){ 0x80, 0, (uint8_t)(seq >> 8), (uint8_t)seq, 0, 0, 0, 0, (uint8_t)(ssrc >> 24),
				 (uint8_t)(ssrc >> 16), (uint8_t)(ssrc >> 8), (uint8_t)ssrc }, 12);
	return 12 + PAYLOAD;
}

static size_t srtp(uint8_t *dst, uint32_t ssrc, uint32_t index)
{
	return srtp_peer_secure(&a_sends, dst, rtp(dst, ssrc, (uint16_t)index), index >> 16, NULL);
}

// True: it left, and the far end can open it.
static bool passes(const uint8_t *packet, size_t len)
{
	const struct alone_frame *f = &ra->sent[ra->n_sent % ALONE_FRAMES];
	unsigned sent = ra->n_sent;
	uint8_t got[2048];

	relay_alone_datagram(ra, &from_a, packet, len);
	if (ra->n_sent == sent)
		return false;
	memcpy(got, f->bytes + 42, f->len - 42u);
	assert_int_equal(srtp_peer_open_packet(&b_hears, got, f->len - 42u, 0, NULL), 12 + PAYLOAD);
	return true;
}

// ---- M3

// Both legs have the very same keys, so that a relay which passes packets on unseen would look as if it worked.
static void equal_keys_are_no_short_cut(void **state)
{
	for (enum srtp_suite suite = SRTP_AES_CM_128_HMAC_SHA1_80; suite < SRTP_SUITE_COUNT; suite++) {
		unsigned tag = srtp_suite_info(suite)->tag_len, events;
		uint8_t packet[512], bad[512];
		size_t len;

		legs_open(suite, 7, 7);
		events = ra->n_events;
		for (unsigned bit = 0; bit < tag * 8; bit++) {
			struct alone_to to = bit % 2 ? from_a : stranger;
			unsigned sent = ra->n_sent;

			len = srtp(packet, SSRC, 100 + bit);
			memcpy(bad, packet, len);
			bad[len - 1 - bit / 8] ^= (uint8_t)(1 << bit % 8);
			relay_alone_datagram(ra, &to, bad, len);
			assert_int_equal(ra->n_sent, sent);
			assert_int_equal(drops(a, RELAY_DROP_AUTH), bit + 1);
			assert_true(passes(packet, len)); // as it was, it passes
		}
		assert_int_equal(ra->n_events - events, 1); // EPOCH; nobody was told of a source
		assert_int_equal(drops_all(a), tag * 8);
		legs_close();
	}
}

// ---- M4

static void bad_tags_and_runts_cost_the_call_nothing(void **state)
{
	unsigned n = full ? 1000000 : 100000, runts = 0, bad = 0, good = 0, passed = 0;
	unsigned punts = ra->n_punts, events;
	uint8_t packet[512];
	uint32_t streams;

	legs_open(SRTP_AES_CM_128_HMAC_SHA1_80, 1, 2);
	assert_true(passes(packet, srtp(packet, SSRC, 0)));
	streams = relay_alone_free_streams(ra);
	events = ra->n_events;
	srand(4);
	for (unsigned i = 1; i <= n; i++) {
		size_t len = rtp(packet, i % 3 ? SSRC : (uint32_t)rand(), (uint16_t)(i / 50 + 2 + i % 7)) + 10;

		if (i % 10 == 0) { // the advisory's
			len = 14;
			runts++;
		} else {
			for (unsigned k = 12; k < len; k++)
				packet[k] = (uint8_t)rand();
			bad++;
		}
		relay_alone_datagram(ra, i % 2 ? &from_a : &stranger, packet, len);
		if (i % 50 != 0)
			continue;
		good++;
		passed += passes(packet, srtp(packet, SSRC, i / 50));
	}
	print_message("%u bad tags, %u runts of 14 octets, %u of %u good packets passed\n", bad, runts, passed, good);
	assert_int_equal(passed, good);
	assert_int_equal(drops(a, RELAY_DROP_AUTH), bad);
	assert_int_equal(drops(a, RELAY_DROP_MALFORMED), runts);
	assert_int_equal(drops_all(a), bad + runts);
	assert_int_equal(drops_all(b), 0);
	assert_int_equal(relay_alone_free_streams(ra), streams);
	assert_int_equal(ra->n_punts, punts); // control heard nothing of it: no log line, no move
	assert_int_equal(ra->n_events, events);
	legs_close();
}

// ---- M5

#define RECORDED 2000

static struct {
	size_t len;
	uint8_t bytes[256];
} recorded[RECORDED];

static void replay(const struct alone_to *to, struct dp_ref at, unsigned from, unsigned n, bool backwards,
		   enum relay_drop one, enum relay_drop two)
{
	uint64_t before = drops(at, one) + (one != two ? drops(at, two) : 0), all = drops_all(at);
	unsigned sent = ra->n_sent;

	for (unsigned i = 0; i < n; i++) {
		unsigned k = backwards ? from + n - 1 - i : from + i;

		relay_alone_datagram(ra, to, recorded[k].bytes, recorded[k].len);
	}
	assert_int_equal(ra->n_sent, sent);
	assert_int_equal(drops(at, one) + (one != two ? drops(at, two) : 0) - before, n);
	assert_int_equal(drops_all(at) - all, n);
}

static void replay_in_every_form(void **state)
{
	static const struct alone_to to_callee = { .network = 1, .source_port = 4000, .port = 16386, .source_last = 2 };
	struct dp_keys next = key_make(DP_RX, 9, SRTP_AEAD_AES_128_GCM, 2);
	uint64_t replayed;

	legs_open(SRTP_AEAD_AES_128_GCM, 1, 2);
	for (unsigned i = 0; i < RECORDED; i++) {
		recorded[i].len = srtp(recorded[i].bytes, SSRC, 64000 + i);
		relay_alone_datagram(ra, &from_a, recorded[i].bytes, recorded[i].len);
	}
	assert_int_equal(drops_all(a), 0);
	replay(&from_a, a, 0, RECORDED, false, RELAY_DROP_REPLAY, RELAY_DROP_OLD);
	replay(&from_a, a, 0, RECORDED, true, RELAY_DROP_REPLAY, RELAY_DROP_OLD);
	replayed = drops(a, RELAY_DROP_REPLAY);
	replay(&from_a, a, RECORDED - 64, 64, false, RELAY_DROP_REPLAY, RELAY_DROP_OLD);
	assert_int_equal(drops(a, RELAY_DROP_REPLAY), replayed + 64); // within the window, so known and not guessed
	replay(&stranger, a, RECORDED - 64, 64, true, RELAY_DROP_REPLAY, RELAY_DROP_OLD);
	replay(&to_callee, b, 0, RECORDED, false, RELAY_DROP_AUTH, RELAY_DROP_AUTH); // across legs
	relay_alone_reopen(ra);
	replay(&from_a, a, 0, RECORDED, false, RELAY_DROP_REPLAY, RELAY_DROP_OLD);
	key_give(a, &next); // after a change of key: the one before is still good, its window too
	replay(&from_a, a, 0, RECORDED, false, RELAY_DROP_REPLAY, RELAY_DROP_OLD);
	dp_transport_retire(ra->client, a, DP_RX, 2);
	relay_alone_commands(ra);
	replay(&from_a, a, 0, RECORDED, false, RELAY_DROP_AUTH, RELAY_DROP_AUTH);
	legs_close();
}

static void the_window_is_as_wide_as_it_is_set(void **state)
{
	static const uint16_t windows[] = { 64, 128, 1024 };

	for (unsigned i = 0; i < 3; i++) {
		unsigned late = windows[i] - 1;
		uint8_t packet[512];

		ra->relay.map.config.replay_window = windows[i];
		legs_open(SRTP_AES_CM_128_HMAC_SHA1_80, 1, 2);
		assert_true(passes(packet, srtp(packet, SSRC, 5000)));
		assert_int_equal(passes(packet, srtp(packet, SSRC, 5000 - 900)), windows[i] > 900);
		assert_true(passes(packet, srtp(packet, SSRC, 5000 - late)));
		assert_false(passes(packet, srtp(packet, SSRC, 5000 - late - 1)));
		assert_false(passes(packet, srtp(packet, SSRC, 5000 - late)));
		assert_int_equal(drops(a, RELAY_DROP_REPLAY), 1);
		assert_int_equal(drops(a, RELAY_DROP_OLD), windows[i] > 900 ? 1 : 2);
		legs_close();
	}
	ra->relay.map.config.replay_window = 128;
}

// ---- M7

static void buffer_done(void *addr, void *opaque)
{
}

#define ROOM 16384

// The frame's last octet is the last one of a page, behind which none may be touched.
static void give_at_guard(uint8_t *end, const struct alone_to *to, const uint8_t *payload, size_t len)
{
	static struct rte_mbuf_ext_shared_info shared;
	struct rte_mbuf *m = rte_pktmbuf_alloc(ra->relay.pool);
	uint8_t frame[2048];
	size_t n = relay_alone_frame_make(frame, to, payload, len);

	assert_non_null(m);
	shared.free_cb = buffer_done;
	rte_mbuf_ext_refcnt_set(&shared, 1);
	rte_pktmbuf_attach_extbuf(m, end - ROOM, 0, ROOM, &shared);
	memcpy(end - n, frame, n);
	m->data_off = (uint16_t)(ROOM - n);
	m->data_len = (uint16_t)n;
	m->pkt_len = (uint32_t)n;
	m->port = (uint16_t)to->network;
	m->vlan_tci = 0;
	ra->worker->now += MONO_MS(1);
	relay_burst(ra->worker, &m, 1);
	relay_flush(ra->worker);
}

// Every length to 64 with every CSRC count, extension and padding. What is no RTP is malformed; what is, ends at its
// tag.
static void every_header_at_the_end_of_a_page(void **state)
{
	static const uint16_t words[] = { 0, 1, 0xffff, 12 };
	uint8_t *room = mmap(NULL, ROOM + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t n = 0, malformed = 0;
	unsigned sent;

	assert_true(room != MAP_FAILED);
	assert_int_equal(mprotect(room + ROOM, 4096, PROT_NONE), 0);
	for (enum srtp_suite suite = SRTP_AES_CM_128_HMAC_SHA1_80; suite < SRTP_SUITE_COUNT; suite++) {
		size_t tag = srtp_suite_info(suite)->tag_len;

		legs_open(suite, 1, 2);
		n = malformed = 0;
		for (size_t len = 8; len <= 64; len++) {
			for (unsigned k = 0; k < 16 * 5 * 5; k++) {
				unsigned cc = k % 16, x = k / 16 % 5, pad = k / 80;
				size_t need = 12 + 4 * cc;
				uint8_t p[128] = { 0 };

				p[0] = (uint8_t)(0x80 | (pad ? 0x20 : 0) | (x ? 0x10 : 0) | cc);
				if (x > 0) {
					p[need + 2] = (uint8_t)(words[x - 1] >> 8);
					p[need + 3] = (uint8_t)words[x - 1];
					need += 4 + 4 * (size_t)words[x - 1];
				}
				if (pad > 0)
					p[len - 1] = (uint8_t[]){ 0, 1, (uint8_t)len, 255 }[pad - 1];
				malformed += need + tag > len;
				n++;
				give_at_guard(room + ROOM, &from_a, p, len);
			}
		}
		assert_int_equal(drops(a, RELAY_DROP_MALFORMED), malformed);
		assert_int_equal(drops(a, RELAY_DROP_AUTH), n - malformed);
		assert_int_equal(drops_all(a), n);
		sent = ra->n_sent;
		for (unsigned i = 0; i < 64;
		     i++) { // good ones are opened there, and have just the room for the other tag
			uint8_t p[512];
			size_t plain = 12 + i;

			rtp(p, SSRC, (uint16_t)(1 + i));
			give_at_guard(room + ROOM, &from_a, p, srtp_peer_secure(&a_sends, p, plain, 0, NULL));
		}
		assert_int_equal(ra->n_sent - sent, 64);
		legs_close();
	}
	print_message("%llu packets a suite, %llu of them malformed\n", (unsigned long long)n,
		      (unsigned long long)malformed);
	munmap(room, ROOM + 4096);
}

// A frame in several buffers: the first is `step` long, further ones `rest`.
static void give_split(const uint8_t *frame, size_t n, size_t step, size_t rest)
{
	struct rte_mbuf *first = NULL;

	for (size_t at = 0, part; at < n; at += part) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(ra->relay.pool);

		part = first == NULL ? step : rest;
		part = part < n - at ? part : n - at;
		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)part), frame + at, part);
		m->port = 0;
		m->vlan_tci = 0;
		if (first == NULL)
			first = m;
		else
			assert_int_equal(rte_pktmbuf_chain(first, m), 0);
	}
	ra->worker->now += MONO_MS(1);
	relay_burst(ra->worker, &first, 1);
	relay_flush(ra->worker);
}

// Cut anywhere, it is as if it had come in one; what fits into none is malformed.
static void split_buffers_are_one_frame(void **state)
{
	uint8_t packet[512], frame[16384], big[9000] = { 0x80 };
	uint64_t malformed = ra->worker->record->drops[RELAY_DROP_MALFORMED];
	size_t n;

	legs_open(SRTP_AES_CM_128_HMAC_SHA1_80, 1, 2);
	for (size_t cut = 1; cut < 220; cut++) {
		unsigned sent = ra->n_sent;

		n = relay_alone_frame_make(frame, &from_a, packet, srtp(packet, SSRC, (uint32_t)cut));
		assert_true(cut < n);
		give_split(frame, n, cut, 1000);
		assert_int_equal(ra->n_sent, sent + 1);
		if (cut < 20) // many small ones
			give_split(frame, n, cut, 20);
	}
	assert_int_equal(drops(a, RELAY_DROP_REPLAY), 19);
	for (size_t size = 100; size <= sizeof(big); size += 100) {
		n = relay_alone_frame_make(frame, &from_a, big, size);
		give_split(frame, n, 1400, 1400);
	}
	assert_int_equal(ra->worker->record->drops[RELAY_DROP_MALFORMED] - malformed + drops(a, RELAY_DROP_AUTH), 90);
	assert_true(drops(a, RELAY_DROP_AUTH) >= 18);
	assert_int_equal(rte_mempool_in_use_count(ra->relay.pool), 0); // nor is a buffer lost
	legs_close();
}

// ---- M9

static void ssrcs_without_a_good_tag_leave_nothing(void **state)
{
	uint8_t packet[512];
	uint32_t streams;
	unsigned bound = 0;

	legs_open(SRTP_AES_CM_128_HMAC_SHA1_80, 1, 2);
	streams = relay_alone_free_streams(ra);
	srand(9);
	for (unsigned i = 0; i < 100000; i++) {
		size_t len = rtp(packet, (uint32_t)rand() << 1 ^ (uint32_t)rand(), (uint16_t)rand()) + 10;

		relay_alone_datagram(ra, i % 2 ? &from_a : &stranger, packet, len);
	}
	assert_int_equal(drops(a, RELAY_DROP_AUTH), 100000);
	assert_int_equal(relay_alone_free_streams(ra), streams);
	for (unsigned i = 0; i < 1000; i++) // the peer itself, with good tags
		bound += passes(packet, srtp(packet, 0x70000000 + i, 1));
	assert_int_equal(bound, DP_RX_SSRCS);
	assert_int_equal(drops(a, RELAY_DROP_SSRC_LIMIT), 1000 - DP_RX_SSRCS);
	assert_int_equal(streams - relay_alone_free_streams(ra), 2 * DP_RX_SSRCS);
	ra->worker->now += MONO_S(50);
	for (unsigned i = 1; i < DP_RX_SSRCS; i++) // all but the first speak again
		assert_true(passes(packet, srtp(packet, 0x70000000 + i, 2)));
	ra->worker->now += MONO_S(11);
	assert_true(passes(packet, srtp(packet, 0x71000000, 1)));  // takes the place of the longest silent
	assert_false(passes(packet, srtp(packet, 0x72000000, 1))); // of no other
	assert_true(passes(packet, srtp(packet, 0x70000001, 3)));
	legs_close();
}

// ---- M12

// A port used again: the dead call's peer is not heard, its generation's commands do nothing, and an edge that still
// leads to it leads nowhere.
static void a_dead_call_is_not_heard_on_its_port(void **state)
{
	struct dp_keys late = key_make(DP_RX, 1, SRTP_AES_CM_128_HMAC_SHA1_80, 9);
	uint8_t packet[512];
	struct dp_ref old_a, old_b, c;
	uint32_t streams = relay_alone_free_streams(ra);

	legs_open(SRTP_AES_CM_128_HMAC_SHA1_80, 1, 2);
	assert_true(passes(packet, srtp(packet, SSRC, 1)));
	old_a = a;
	old_b = b;
	c = relay_alone_leg(ra, 0, "192.0.0.1", 16390, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	dp_transport_edges(ra->client, c, &(struct dp_edge){ .to = old_b, .open = true }, 1);
	relay_alone_commands(ra);
	legs_close();
	assert_int_equal(relay_alone_free_streams(ra), streams);

	legs_open(SRTP_AES_CM_128_HMAC_SHA1_80, 3, 4); // the next call, on the same two ports
	assert_true(a.index != old_a.index || a.generation != old_a.generation);
	{
		struct srtp_peer dead;
		struct alone_to to_c = from_a;

		srtp_peer_open(&dead, engine, &late);
		for (unsigned i = 2; i < 100; i++) {
			size_t len = srtp_peer_secure(&dead, packet, rtp(packet, SSRC, (uint16_t)i), 0, NULL);

			assert_false(passes(packet, len));
		}
		assert_int_equal(drops(a, RELAY_DROP_AUTH), 98);
		dp_transport_keys(ra->client, old_a, &late); // a command that was under way
		dp_transport_secure(ra->client, old_a, DP_PLAIN);
		relay_alone_commands(ra);
		assert_false(passes(packet, srtp_peer_secure(&dead, packet, rtp(packet, SSRC, 200), 0, NULL)));
		to_c.port = 16390;
		relay_alone_datagram(ra, &to_c, packet, rtp(packet, SSRC, 1));
		assert_int_equal(drops(c, RELAY_DROP_NO_EDGE), 1);
		srtp_peer_close(&dead);
	}
	assert_true(passes(packet, srtp(packet, SSRC, 1))); // the call itself is heard
	dp_transport_remove(ra->client, c);
	legs_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_keys_are_no_short_cut),
		cmocka_unit_test(bad_tags_and_runts_cost_the_call_nothing),
		cmocka_unit_test(replay_in_every_form),
		cmocka_unit_test(the_window_is_as_wide_as_it_is_set),
		cmocka_unit_test(every_header_at_the_end_of_a_page),
		cmocka_unit_test(split_buffers_are_one_frame),
		cmocka_unit_test(ssrcs_without_a_good_tag_leave_nothing),
		cmocka_unit_test(a_dead_call_is_not_heard_on_its_port),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
