// SPDX-License-Identifier: GPL-3.0-or-later
// Whole bursts of whatever arrives at a secured leg, under every suite. Each packet ends at a page that may not be
// touched, since the crypto library is assembly that no sanitizer sees into. An input is a list of
//   1 octet  bits 0-2 suite, bit 3 protect it first, so that it is genuine, bit 4 the packet before once more,
//            bit 5 flip a bit of what was protected
//   2 octets length, then so many octets, or what is left
#include "tests/support/srtp_fixture.h"
#include <sys/mman.h>

#define BURST 8
#define PAGE 4096u
#define PACKET_MAX 1600

enum { SUITE_MASK = 7, GENUINE = 8, AGAIN = 16, SPOILED = 32 };

struct fuzz {
	struct srtp_engine *engine;
	struct srtp_key tx_keys[SRTP_SUITE_COUNT], rx_keys[SRTP_SUITE_COUNT];
	struct srtp_stream tx[BURST], rx[BURST];
	uint8_t *ends[BURST]; // of the places for packets
	uint8_t before[BURST][PACKET_MAX];
	struct srtp_op ops[BURST];
	unsigned n;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint8_t *guarded_end(void)
{
	uint8_t *place = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(place != MAP_FAILED && mprotect(place + PAGE, PAGE, PROT_NONE) == 0);
	return place + PAGE;
}

static struct fuzz *fuzz_open(void)
{
	static struct fuzz fuzz;
	struct fixture_random random = { 42 };
	struct srtp_master master;

	if (fuzz.engine != NULL)
		return &fuzz;
	must(srtp_engine_open(&fuzz.engine, SRTP_ARCH_AUTO) == 0);
	for (unsigned s = 1; s < SRTP_SUITE_COUNT; s++) {
		fixture_master(&random, &master, (enum srtp_suite)s);
		must(srtp_key_derive(fuzz.engine, &fuzz.rx_keys[s], &master, NULL, 0) == 0);
		fuzz.tx_keys[s] = fuzz.rx_keys[s];
	}
	for (unsigned i = 0; i < BURST; i++)
		fuzz.ends[i] = guarded_end();
	return &fuzz;
}

// The stream of an earlier packet with that SSRC and suite, or a new one, beginning right before the wrap or after it.
static struct srtp_stream *stream_of(struct fuzz *fuzz, const struct srtp_op *op)
{
	uint32_t ssrc = rtp_ssrc(op->packet);

	for (unsigned i = 0; i < fuzz->n; i++) {
		if (fuzz->ops[i].key == op->key && fuzz->ops[i].stream->ssrc == ssrc)
			return fuzz->ops[i].stream;
	}
	srtp_stream_init(&fuzz->rx[fuzz->n], ssrc, ssrc & 1, 64 + (ssrc & 0x3c0));
	srtp_stream_init(&fuzz->tx[fuzz->n], ssrc, ssrc & 1, 1024);
	return &fuzz->rx[fuzz->n];
}

static void make_genuine(struct fuzz *fuzz, struct srtp_op *op, uint8_t head)
{
	struct srtp_op tx = *op;
	uint8_t tag_len = op->key->tag_len;
	uint8_t *packet = op->packet - tag_len;

	memmove(packet, op->packet, op->len);
	tx.packet = packet;
	tx.room = (uint16_t)(op->len + tag_len);
	tx.key = &fuzz->tx_keys[op->key->suite];
	tx.stream = &fuzz->tx[op->stream - fuzz->rx];
	srtp_protect_burst(fuzz->engine, &tx, 1);
	if (tx.result != SRTP_OK) {
		memmove(op->packet, packet, op->len);
		return;
	}
	must(tx.len == tx.room);
	op->packet = packet;
	op->len = tx.len;
	if (head & SPOILED)
		packet[op->len * (head >> 6) / 4u] ^= 1;
}

static void add_packet(struct fuzz *fuzz, uint8_t head, const uint8_t *bytes, size_t len)
{
	struct srtp_op *op = &fuzz->ops[fuzz->n];

	*op = (struct srtp_op){ .packet = fuzz->ends[fuzz->n] - len, .len = (uint16_t)len };
	memcpy(op->packet, bytes, len);
	op->hdr_len = rtp_header_len(op->packet, len);
	if (op->hdr_len == 0)
		return; // the worker drops it before
	must(op->hdr_len <= len);
	op->key = &fuzz->rx_keys[1 + (head & SUITE_MASK) % (SRTP_SUITE_COUNT - 1)];
	op->stream = stream_of(fuzz, op);
	if (head & GENUINE)
		make_genuine(fuzz, op, head);
	memcpy(fuzz->before[fuzz->n], op->packet, op->len);
	fuzz->n++;
}

static void add_again(struct fuzz *fuzz)
{
	struct srtp_op *op = &fuzz->ops[fuzz->n];

	*op = fuzz->ops[fuzz->n - 1];
	op->packet = fuzz->ends[fuzz->n] - op->len;
	memcpy(op->packet, fuzz->ops[fuzz->n - 1].packet, op->len);
	memcpy(fuzz->before[fuzz->n], op->packet, op->len);
	fuzz->n++;
}

static void receive(struct fuzz *fuzz)
{
	uint16_t lens[BURST];

	for (unsigned i = 0; i < fuzz->n; i++)
		lens[i] = fuzz->ops[i].len;
	srtp_unprotect_burst(fuzz->engine, fuzz->ops, fuzz->n);
	for (unsigned i = 0; i < fuzz->n; i++) {
		const struct srtp_op *op = &fuzz->ops[i];

		if (op->result != SRTP_OK) {
			must(op->len == lens[i] && memcmp(op->packet, fuzz->before[i], op->len) == 0);
			continue;
		}
		must(op->len == lens[i] - op->key->tag_len && op->len >= op->hdr_len);
		must(memcmp(op->packet, fuzz->before[i], op->hdr_len) == 0);
		must(srtp_window_check(op->stream, op->index) != SRTP_OK);
		must(op->stream->highest >= op->index && op->stream->highest < SRTP_INDEX_LIMIT);
		// The same once more: not under this index, nor under the one that is guessed now.
		for (unsigned j = 0; j < i; j++)
			must(fuzz->ops[j].result != SRTP_OK || fuzz->ops[j].stream != op->stream ||
			     fuzz->ops[j].index != op->index);
	}
	fuzz->n = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *fuzz = fuzz_open();

	fuzz->n = 0;
	while (size >= 3) {
		uint8_t head = data[0];
		size_t len = (data[1] | (size_t)data[2] << 8) % (PACKET_MAX - SRTP_TAG_MAX);

		data += 3;
		size -= 3;
		if (len > size)
			len = size;
		if ((head & AGAIN) && fuzz->n > 0)
			add_again(fuzz);
		else
			add_packet(fuzz, head, data, len);
		data += len;
		size -= len;
		if (fuzz->n == BURST)
			receive(fuzz);
	}
	receive(fuzz);
	return 0;
}
