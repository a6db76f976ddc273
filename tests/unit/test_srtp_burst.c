// SPDX-License-Identifier: GPL-3.0-or-later
// Bursts: what they give is what their packets give one by one, whatever is mixed in them; nothing is read or written
// beyond a packet; a kill in the middle never lets an index be used twice.
#include "tests/support/srtp_engines.h"
#include "tests/support/srtp_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define STREAMS 5 // a key
#define KEYS (SRTP_SUITE_COUNT - 1)
#define BURST 150 // longer than a crypto call
#define ROOM 400

#ifdef SALLYPORT_SANITIZE_ADDRESS
#define ROUNDS 30
#else
#define ROUNDS 300
#endif

static struct srtp_engine *engine;
static enum srtp_arch arch; // of the run

static int open_engine(void **state)
{
	return test_engine_open(&engine, arch);
}

static int close_engine(void **state)
{
	test_engine_close(engine);
	return 0;
}

static void random_key_with_mki(struct fixture_random *random, struct srtp_key *key, unsigned suite, unsigned mki_len)
{
	struct srtp_mki mki = { .len = (uint8_t)mki_len };
	struct srtp_master master;

	fixture_master(random, &master, (enum srtp_suite)suite);
	fixture_fill(random, mki.bytes, mki.len);
	assert_int_equal(srtp_key_derive(engine, key, &master, &mki, 0), 0);
	srtp_master_wipe(&master);
}

static void random_key(struct fixture_random *random, struct srtp_key *key, unsigned suite)
{
	random_key_with_mki(random, key, suite, 0);
}

static const uint8_t element_5[32] = { 1 << 5 };

struct side { // one end, or a copy of it
	struct srtp_key keys[KEYS];
	struct srtp_stream streams[KEYS][STREAMS];
};

struct net {
	struct fixture_random random;
	uint64_t sent[KEYS][STREAMS];
	struct side tx, rx, one; // `one` does singly what rx does in bursts
	uint8_t packets[BURST][ROOM], copies[BURST][ROOM];
	struct srtp_op ops[BURST], singles[BURST];
};

static struct net *net_open(uint64_t seed, uint32_t roc)
{
	struct net *net = aligned_alloc(64, (sizeof(*net) + 63) / 64 * 64);

	assert_non_null(net);
	memset(net, 0, sizeof(*net));
	net->random.state = seed;
	for (unsigned k = 0; k < KEYS; k++) {
		random_key_with_mki(&net->random, &net->tx.keys[k], k + 1, k % 3 == 0 ? 1 + (unsigned)seed % 5 : 0);
		for (unsigned s = 0; s < STREAMS; s++) {
			srtp_stream_init(&net->tx.streams[k][s], 100 * k + s, roc, 1024);
			// Near the wrap, so that it comes in the first bursts.
			net->sent[k][s] = (uint64_t)roc << 16 | (65535 - fixture_below(&net->random, 40));
		}
	}
	memcpy(&net->rx, &net->tx, sizeof(net->rx));
	for (unsigned k = 0; k < KEYS; k++) {
		for (unsigned s = 0; s < STREAMS; s++)
			srtp_stream_init(&net->rx.streams[k][s], 100 * k + s, roc, 128);
	}
	memcpy(&net->one, &net->rx, sizeof(net->one));
	return net;
}

// A packet of a random stream; in order, apart from gaps.
static void net_plain(struct net *net, struct srtp_op *op, uint8_t *packet)
{
	unsigned k = fixture_below(&net->random, KEYS), s = fixture_below(&net->random, STREAMS);
	unsigned cc = fixture_below(&net->random, 4) == 0 ? fixture_below(&net->random, 16) : 0;
	int words = fixture_below(&net->random, 4) == 0 ? (int)fixture_below(&net->random, 9) : -1;

	net->sent[k][s] += fixture_below(&net->random, 60) == 0 ? 1 + fixture_below(&net->random, 9000) : 1;
	*op = (struct srtp_op){ .packet = packet, .room = ROOM, .key = &net->tx.keys[k],
				.stream = &net->tx.streams[k][s] };
	op->hdr_len = fixture_header(packet, cc, words, (uint16_t)net->sent[k][s], 100 * k + s);
	if (words > 1) { // an element, and padding
		memset(packet + op->hdr_len - 4 * words, 0, 4 * (size_t)words);
		memcpy(packet + op->hdr_len - 4 * words, "\x53" "Sally", 5);
		op->encrypted = fixture_below(&net->random, 2) == 0 ? element_5 : NULL;
	}
	op->cryptex = fixture_below(&net->random, 3) == 0;
	op->len = (uint16_t)(op->hdr_len + fixture_below(&net->random, 200));
	op->index = net->sent[k][s];
	op->fixed_index = true; // the tests' truth; the receiver guesses
	fixture_fill(&net->random, packet + op->hdr_len, op->len - op->hdr_len);
}

static void net_spoil(struct net *net, struct srtp_op *op)
{
	switch (fixture_below(&net->random, 12)) {
	case 0:
		op->packet[fixture_below(&net->random, op->len)] ^= (uint8_t)(1 << fixture_below(&net->random, 8));
		if (rtp_header_len(op->packet, op->len) != op->hdr_len)
			op->packet[0] = (uint8_t)(op->packet[0] & 0xdf); // P is free to be wrong
		break;
	case 1:
		op->len = (uint16_t)(op->hdr_len + fixture_below(&net->random, 17)); // cut off
		break;
	default:
		break;
	}
}

// Loss, disorder and repetition within the burst.
static void net_disturb(struct net *net, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned j = fixture_below(&net->random, n);

		if (fixture_below(&net->random, 6) == 0) {
			struct srtp_op op = net->ops[i];
			uint8_t packet[ROOM];

			memcpy(packet, net->packets[i], ROOM);
			memcpy(net->packets[i], net->packets[j], ROOM);
			memcpy(net->packets[j], packet, ROOM);
			net->ops[i] = net->ops[j];
			net->ops[j] = op;
			net->ops[i].packet = net->packets[i];
			net->ops[j].packet = net->packets[j];
		} else if (fixture_below(&net->random, 10) == 0) {
			memcpy(net->packets[i], net->packets[j], ROOM);
			net->ops[i] = net->ops[j];
			net->ops[i].packet = net->packets[i];
		}
	}
}

static void net_receive_as(struct net *net, struct srtp_op *op, struct side *side)
{
	ptrdiff_t k = op->key - net->tx.keys, s = op->stream - net->tx.streams[k];

	op->key = &side->keys[k];
	op->stream = &side->streams[k][s];
	op->index = 0;
	op->fixed_index = false;
}

static void net_compare(const struct net *net, unsigned n, unsigned count[SRTP_RESULT_COUNT])
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(net->ops[i].result, net->singles[i].result);
		assert_int_equal(net->ops[i].len, net->singles[i].len);
		assert_int_equal(net->ops[i].hdr_len, net->singles[i].hdr_len);
		assert_memory_equal(net->packets[i], net->copies[i], ROOM);
		if (net->ops[i].result == SRTP_OK)
			assert_int_equal(net->ops[i].index, net->singles[i].index);
		count[net->ops[i].result]++;
	}
	assert_memory_equal(&net->rx, &net->one, sizeof(net->rx));
}

static void net_round(struct net *net, unsigned count[SRTP_RESULT_COUNT])
{
	unsigned n = 1 + fixture_below(&net->random, BURST);

	for (unsigned i = 0; i < n; i++)
		net_plain(net, &net->ops[i], net->packets[i]);
	srtp_protect_burst(engine, net->ops, n);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(net->ops[i].result, SRTP_OK);
		net_spoil(net, &net->ops[i]);
	}
	net_disturb(net, n);
	memcpy(net->copies, net->packets, sizeof(net->packets));
	for (unsigned i = 0; i < n; i++) {
		net->singles[i] = net->ops[i];
		net->singles[i].packet = net->copies[i];
		net_receive_as(net, &net->ops[i], &net->rx);
		net_receive_as(net, &net->singles[i], &net->one);
	}
	srtp_unprotect_burst(engine, net->ops, n);
	for (unsigned i = 0; i < n; i++)
		srtp_unprotect_burst(engine, &net->singles[i], 1);
	net_compare(net, n, count);
}

static void burst_is_one_by_one(void **state)
{
	static const uint32_t rocs[] = { 0, 1, 0x7fffffff };
	unsigned count[SRTP_RESULT_COUNT] = { 0 };

	for (unsigned r = 0; r < sizeof(rocs) / sizeof(rocs[0]); r++) {
		struct net *net = net_open(1000 + r, rocs[r]);

		for (unsigned round = 0; round < ROUNDS; round++)
			net_round(net, count);
		free(net);
	}
	// Each way out was taken, and most packets were fine.
	assert_true(count[SRTP_AUTH] > ROUNDS && count[SRTP_REPLAY] > ROUNDS && count[SRTP_SHORT] > ROUNDS);
	assert_true(count[SRTP_OLD] > 10 && count[SRTP_WRONG_SSRC] > 10 && count[SRTP_MKI] > 10);
	assert_true(count[SRTP_OK] > 2 * (count[SRTP_AUTH] + count[SRTP_REPLAY] + count[SRTP_OLD]));
}

// One stream, one key, packets as asked for; used by the tests below.
struct line {
	struct srtp_key tx_key, rx_key;
	struct srtp_stream tx, rx;
	uint8_t packets[8][128];
	struct srtp_op ops[8];
};

static void line_open(struct line *line, unsigned suite, uint32_t roc)
{
	struct fixture_random random = { 4711 + suite };

	memset(line, 0, sizeof(*line));
	random_key(&random, &line->tx_key, suite);
	line->rx_key = line->tx_key;
	srtp_stream_init(&line->tx, 9, roc, 128);
	srtp_stream_init(&line->rx, 9, roc, 128);
}

static void line_plain(struct line *line, unsigned i, uint16_t seq)
{
	line->ops[i] = (struct srtp_op){ .packet = line->packets[i], .room = 128, .len = 60,
					 .key = &line->tx_key, .stream = &line->tx };
	line->ops[i].hdr_len = fixture_header(line->packets[i], 0, -1, seq, 9);
	memset(line->packets[i] + 12, seq & 255, 48);
}

static void line_receive(struct line *line, unsigned i)
{
	line->ops[i].key = &line->rx_key;
	line->ops[i].stream = &line->rx;
	line->ops[i].fixed_index = false;
}

// The first packets of a stream and the wrap in one burst: the second packet's index rests on the first one's tag.
static void wrap_inside_a_burst(void **state)
{
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		struct line line;

		line_open(&line, suite, 3);
		for (unsigned i = 0; i < 4; i++)
			line_plain(&line, i, (uint16_t)(65534 + i));
		srtp_protect_burst(engine, line.ops, 4);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(line.ops[i].result, SRTP_OK);
			assert_int_equal(line.ops[i].index, (UINT64_C(3) << 16) + 65534 + i);
			line_receive(&line, i);
		}
		srtp_unprotect_burst(engine, line.ops, 4);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(line.ops[i].result, SRTP_OK);
			assert_int_equal(line.packets[i][20], (65534 + i) & 255);
		}
		assert_int_equal(line.rx.highest, (UINT64_C(4) << 16) + 1);
	}
}

// The same packet three times, a forged one before and after: one is let through.
static void repeated_and_forged_in_a_burst(void **state)
{
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		struct line line;

		line_open(&line, suite, 0);
		line_plain(&line, 0, 100);
		srtp_protect_burst(engine, line.ops, 1);
		for (unsigned i = 1; i < 5; i++) {
			memcpy(line.packets[i], line.packets[0], 128);
			line.ops[i] = line.ops[0];
			line.ops[i].packet = line.packets[i];
		}
		line.packets[0][line.ops[0].len - 1] ^= 1;
		line.packets[4][30] ^= 0x80;
		for (unsigned i = 0; i < 5; i++)
			line_receive(&line, i);
		srtp_unprotect_burst(engine, line.ops, 5);
		assert_int_equal(line.ops[0].result, SRTP_AUTH);
		assert_int_equal(line.ops[1].result, SRTP_OK);
		for (unsigned i = 2; i < 5; i++)
			assert_int_equal(line.ops[i].result, SRTP_REPLAY);
	}
}

static void never_twice_on_the_way_out(void **state)
{
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		struct line line;

		line_open(&line, suite, 0);
		line_plain(&line, 0, 5000);
		line_plain(&line, 1, 5000); // repeated in the burst
		line_plain(&line, 2, 5001);
		line_plain(&line, 3, 4990); // late, but new
		line_plain(&line, 4, 4000); // nobody knows any more
		srtp_protect_burst(engine, line.ops, 5);
		assert_int_equal(line.ops[0].result, SRTP_OK);
		assert_int_equal(line.ops[1].result, SRTP_TX_REPEAT);
		assert_int_equal(line.packets[1][20], 5000 & 255); // left as it was
		assert_int_equal(line.ops[2].result, SRTP_OK);
		assert_int_equal(line.ops[3].result, SRTP_OK);
		assert_int_equal(line.ops[4].result, SRTP_TX_REPEAT);
		line_plain(&line, 0, 4990);
		srtp_protect_burst(engine, line.ops, 1);
		assert_int_equal(line.ops[0].result, SRTP_TX_REPEAT);
	}
}

// A packet that a key refused is what it was, and another key or roll-over counter may take it.
static void another_key_may_be_tried(void **state)
{
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		struct line line;
		struct srtp_key other;
		struct srtp_stream scratch, before;
		uint8_t secured[128];
		struct fixture_random random = { 99 };

		random_key(&random, &other, suite);
		line_open(&line, suite, 6);
		line_plain(&line, 0, 50);
		srtp_protect_burst(engine, line.ops, 1);
		memcpy(secured, line.packets[0], sizeof(secured));
		line_receive(&line, 0);
		srtp_stream_init(&scratch, 9, 0, 128);
		before = scratch;
		line.ops[0].key = &other; // the wrong key
		line.ops[0].stream = &scratch;
		srtp_unprotect_burst(engine, line.ops, 1);
		assert_int_equal(line.ops[0].result, SRTP_AUTH);
		line.ops[0].key = &line.rx_key; // the wrong roll-over counter
		srtp_unprotect_burst(engine, line.ops, 1);
		assert_int_equal(line.ops[0].result, SRTP_AUTH);
		assert_memory_equal(line.packets[0], secured, sizeof(secured));
		assert_memory_equal(&scratch, &before, sizeof(before));
		assert_int_equal(other.remaining, SRTP_INDEX_LIMIT);
		line.ops[0].fixed_index = true; // told; the sequence number counts, not what stands below it
		line.ops[0].index = UINT64_C(6) << 16 | 0xffff;
		srtp_unprotect_burst(engine, line.ops, 1);
		assert_int_equal(line.ops[0].result, SRTP_OK);
		assert_int_equal(line.ops[0].index, UINT64_C(6) << 16 | 50);
		assert_int_equal(scratch.highest, UINT64_C(6) << 16 | 50);
		assert_int_equal(line.packets[0][20], 50);
	}
}

static void keys_expire(void **state)
{
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		struct line line;

		line_open(&line, suite, 0);
		line.tx_key.remaining = 2;
		line.rx_key.remaining = 1;
		for (unsigned i = 0; i < 3; i++)
			line_plain(&line, i, (uint16_t)i);
		srtp_protect_burst(engine, line.ops, 3);
		assert_int_equal(line.ops[1].result, SRTP_OK);
		assert_int_equal(line.ops[2].result, SRTP_KEY_EXPIRED);
		line_receive(&line, 0);
		line_receive(&line, 1);
		srtp_unprotect_burst(engine, line.ops, 2);
		assert_int_equal(line.ops[0].result, SRTP_OK);
		assert_int_equal(line.ops[1].result, SRTP_KEY_EXPIRED);
		assert_int_equal(line.rx_key.remaining, 0);
		// The last index, and none after it.
		line_open(&line, suite, UINT32_MAX);
		line_plain(&line, 0, 65535);
		line_plain(&line, 1, 0);
		srtp_protect_burst(engine, line.ops, 2);
		assert_int_equal(line.ops[0].result, SRTP_OK);
		assert_int_equal(line.ops[1].result, SRTP_KEY_EXPIRED);
		for (unsigned i = 0; i < 2; i++)
			line_receive(&line, i);
		srtp_unprotect_burst(engine, line.ops, 2);
		assert_int_equal(line.ops[0].result, SRTP_OK);
		assert_int_equal(line.ops[1].result, SRTP_KEY_EXPIRED);
	}
}

static void what_does_not_fit_is_refused(void **state)
{
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		struct line line;
		struct srtp_key key;
		uint8_t tag_len;

		line_open(&line, suite, 0);
		key = line.tx_key;
		tag_len = key.tag_len;
		line_plain(&line, 0, 1);
		line.ops[0].room = (uint16_t)(60 + tag_len - 1);
		line_plain(&line, 1, 2);
		line.tx.ssrc = 9;
		line_plain(&line, 2, 3);
		line.packets[2][11] ^= 1;
		line_plain(&line, 3, 4);
		line.ops[3].hdr_len = 0; // rtp_header_len() said so
		line_plain(&line, 4, 5);
		line.ops[4].len = 11;
		srtp_protect_burst(engine, line.ops, 5);
		assert_int_equal(line.ops[0].result, SRTP_NO_ROOM);
		assert_int_equal(line.ops[1].result, SRTP_OK);
		assert_int_equal(line.ops[2].result, SRTP_WRONG_SSRC);
		assert_int_equal(line.ops[3].result, SRTP_SHORT);
		assert_int_equal(line.ops[4].result, SRTP_SHORT);
		line_plain(&line, 0, 1); // was not taken
		srtp_protect_burst(engine, line.ops, 1);
		assert_int_equal(line.ops[0].result, SRTP_OK);
		srtp_key_wipe(engine, &key);
		line_plain(&line, 0, 6);
		line.ops[0].key = &key;
		srtp_protect_burst(engine, line.ops, 1);
		assert_int_equal(line.ops[0].result, SRTP_NO_KEY);
		srtp_unprotect_burst(engine, line.ops, 1);
		assert_int_equal(line.ops[0].result, SRTP_NO_KEY);
	}
}

// Two pages between two that may not be touched.
static uint8_t *guarded;
static const size_t guarded_len = 4096 * 2;

static void guarded_open(void)
{
	guarded = mmap(NULL, guarded_len + 2 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(guarded != MAP_FAILED);
	guarded += 4096;
	assert_int_equal(mprotect(guarded, guarded_len, PROT_READ | PROT_WRITE), 0);
}

static void guarded_close(void)
{
	munmap(guarded - 4096, guarded_len + 2 * 4096);
}

static uint8_t *guarded_place(bool end, size_t len)
{
	return end ? guarded + guarded_len - len : guarded;
}

// Anything as received: no key takes it, and its bytes stay.
static void refused_at_the_guard(struct line *line, const uint8_t *bytes, uint16_t len, bool end)
{
	uint8_t *packet = guarded_place(end, len);
	struct srtp_op op = { .packet = packet, .len = len, .room = len, .key = &line->rx_key,
			      .stream = &line->rx };

	memcpy(packet, bytes, len);
	op.hdr_len = rtp_header_len(packet, len);
	if (op.hdr_len == 0)
		return;
	assert_true(op.hdr_len <= len);
	srtp_stream_init(&line->rx, 9, 0, 128);
	srtp_unprotect_burst(engine, &op, 1);
	assert_int_equal(op.result, len < op.hdr_len + line->rx_key.tag_len ? SRTP_SHORT : SRTP_AUTH);
	assert_memory_equal(packet, bytes, len);
	srtp_protect_burst(engine, &op, 1); // no room behind it
	assert_int_equal(op.result, SRTP_NO_ROOM);
	assert_memory_equal(packet, bytes, len);
}

// Made with the tag ending at the guard, and taken apart there.
static void accepted_at_the_guard(struct line *line, const uint8_t *bytes, uint16_t len, bool end)
{
	uint16_t room = (uint16_t)(len + line->tx_key.tag_len);
	uint8_t *packet = guarded_place(end, room);
	struct srtp_op op = { .packet = packet, .len = len, .room = room, .key = &line->tx_key,
			      .stream = &line->tx };

	memcpy(packet, bytes, len);
	op.hdr_len = rtp_header_len(packet, len);
	if (op.hdr_len == 0)
		return;
	srtp_stream_init(&line->tx, 9, 0, 128);
	srtp_protect_burst(engine, &op, 1);
	assert_int_equal(op.result, SRTP_OK);
	assert_int_equal(op.len, room);
	op.stream = &line->rx;
	srtp_stream_init(&line->rx, 9, 0, 128);
	srtp_unprotect_burst(engine, &op, 1);
	assert_int_equal(op.result, SRTP_OK);
	assert_int_equal(op.len, len);
	assert_memory_equal(packet, bytes, len);
}

static void every_short_length(void **state)
{
	static const int ext_words[] = { -1, 0, 1, 2, 0xffff, -2 }; // -2: ends one word behind the packet
	struct fixture_random random = { 5 };

	guarded_open();
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		struct line line;

		line_open(&line, suite, 0);
		for (unsigned shape = 0; shape < 16 * 6; shape++) {
			unsigned cc = shape % 16;

			for (unsigned len = 0; len <= 64; len++) {
				int words = ext_words[shape / 16];
				uint8_t bytes[64 + 80];

				fixture_fill(&random, bytes, sizeof(bytes));
				if (words == -2)
					words = len > 16 + 4 * cc ? (int)(len - 16 - 4 * cc) / 4 + 1 : 1;
				bytes[12 + 4 * cc + 2] = (uint8_t)(words >> 8);
				bytes[12 + 4 * cc + 3] = (uint8_t)words;
				fixture_header(bytes, 0, -1, 1, 9);
				bytes[0] = (uint8_t)(0x80 | (words >= 0 ? 0x10 : 0) | cc | (random.state & 0x20));
				for (unsigned end = 0; end < 2; end++) {
					refused_at_the_guard(&line, bytes, (uint16_t)len, end);
					accepted_at_the_guard(&line, bytes, (uint16_t)len, end);
				}
			}
		}
	}
	guarded_close();
}

static void header_lengths(void **state)
{
	uint8_t packet[100] = { 0x80 };

	assert_int_equal(rtp_header_len(packet, 11), 0);
	assert_int_equal(rtp_header_len(packet, 12), 12);
	packet[0] = 0x40; // version 1
	assert_int_equal(rtp_header_len(packet, 100), 0);
	packet[0] = 0x8f;
	assert_int_equal(rtp_header_len(packet, 71), 0);
	assert_int_equal(rtp_header_len(packet, 72), 72);
	packet[0] = 0x92; // 2 CSRCs, extension of 3 words
	packet[23] = 3;
	assert_int_equal(rtp_header_len(packet, 23), 0);
	assert_int_equal(rtp_header_len(packet, 35), 0);
	assert_int_equal(rtp_header_len(packet, 36), 36);
}

// Jumbo frames, and the longest that the interface can name; every alignment of the end.
static void long_packets(void **state)
{
	static const unsigned lens[] = { 1500, 8999, 9000, 9001, 16384, 65535 - 16 };
	uint8_t *packet = malloc(65536), *plain = malloc(65536);

	assert_true(packet != NULL && plain != NULL);
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			struct fixture_random random = { i + 1 };
			struct line line;
			struct srtp_op op = { .packet = packet, .room = UINT16_MAX, .len = (uint16_t)lens[i],
					      .key = &line.tx_key, .stream = &line.tx };

			line_open(&line, suite, 0);
			fixture_fill(&random, packet, lens[i]);
			op.hdr_len = fixture_header(packet, 0, -1, 7, 9);
			memcpy(plain, packet, lens[i]);
			srtp_protect_burst(engine, &op, 1);
			assert_int_equal(op.result, SRTP_OK);
			op.key = &line.rx_key;
			op.stream = &line.rx;
			packet[lens[i] / 2] ^= 4;
			srtp_unprotect_burst(engine, &op, 1);
			assert_int_equal(op.result, SRTP_AUTH);
			packet[lens[i] / 2] ^= 4;
			srtp_unprotect_burst(engine, &op, 1);
			assert_int_equal(op.result, SRTP_OK);
			assert_memory_equal(packet, plain, lens[i]);
		}
	}
	free(packet);
	free(plain);
}

// What is done to a header: an element encrypted (0), all of it (1), an extension added (2).
static void line_dress(struct line *line, unsigned i)
{
	struct srtp_op *op = &line->ops[i];

	op->hdr_len = fixture_header(op->packet, i == 0 ? 0 : 3, i == 2 ? -1 : 2, rtp_seq(op->packet), 9);
	if (i != 2)
		memcpy(op->packet + op->hdr_len - 8, "\x53" "Sally\0", 8);
	op->encrypted = element_5;
	op->cryptex = i != 0;
}

// A sender is stepped through a burst instruction by instruction. Whenever a packet of the burst differs from what it
// was, the index that its bytes may have been made under is already taken: were it killed here, nobody would use it.
static void killed_while_sending(unsigned suite, bool dressed)
{
	struct line *line = mmap(NULL, sizeof(*line), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned steps = 0, changed = 0;
	uint8_t plain[3][128];
	pid_t child;
	int status;

	assert_true(line != MAP_FAILED);
	line_open(line, suite, 0);
	for (unsigned i = 0; i < 3; i++) {
		line_plain(line, i, (uint16_t)(65534 + i));
		if (dressed)
			line_dress(line, i);
		memcpy(plain[i], line->packets[i], sizeof(plain[i]));
	}
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(1);
		raise(SIGSTOP);
		srtp_protect_burst(engine, line->ops, 3);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	for (; WIFSTOPPED(status); steps++) {
		for (unsigned i = 0; i < 3; i++) {
			if (memcmp(plain[i], line->packets[i], sizeof(plain[i])) == 0)
				continue;
			changed++;
			assert_int_not_equal(srtp_window_check(&line->tx, 65534 + i), SRTP_OK);
		}
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(steps > 500 && changed > 100);
	assert_int_equal(line->ops[2].result, SRTP_OK);
	munmap(line, sizeof(*line));
}

static void killed_at_every_instruction(void **state)
{
	killed_while_sending(SRTP_AES_CM_128_HMAC_SHA1_80, false);
	killed_while_sending(SRTP_AES_192_CM_HMAC_SHA1_32, true);
	killed_while_sending(SRTP_NULL_HMAC_SHA1_80, true);
	killed_while_sending(SRTP_AEAD_AES_256_GCM, false);
	killed_while_sending(SRTP_AEAD_AES_128_GCM, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_lengths),
		cmocka_unit_test(burst_is_one_by_one),
		cmocka_unit_test(wrap_inside_a_burst),
		cmocka_unit_test(repeated_and_forged_in_a_burst),
		cmocka_unit_test(never_twice_on_the_way_out),
		cmocka_unit_test(another_key_may_be_tried),
		cmocka_unit_test(keys_expire),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(every_short_length),
		cmocka_unit_test(long_packets),
		cmocka_unit_test(killed_at_every_instruction),
	};
	int failed = 0;

	// The code of each CPU level that this machine has: others have no more than that one.
	for (arch = TEST_ARCH_FIRST; arch <= TEST_ARCH_LAST; arch++) {
		if (test_engine_open(&engine, arch) < 0) {
			printf("level %d is not for this machine\n", arch);
			continue;
		}
		printf("%s\n", srtp_engine_arch(engine));
		test_engine_close(engine);
		failed += cmocka_run_group_tests(tests, open_engine, close_engine);
	}
	return failed;
}
