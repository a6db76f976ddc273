// SPDX-License-Identifier: GPL-3.0-or-later
// Whole bursts of whatever arrives at a secured leg, under every suite, with MKIs, encrypted header extensions and
// cryptex. Each packet ends at a page that may not be touched, since the crypto library is assembly that no sanitizer
// sees into. An input is a list of
//   1 octet  bits 0-3 suite, bit 4 protect it first, so that it is genuine, bit 5 the packet before once more,
//            bits 6-7: flip a bit of what was protected, in that quarter; 0: do not
//   1 octet  bits 0-1 MKI, bit 2 cryptex, bits 3-4 which header extensions are encrypted
//   2 octets length, then so many octets, or what is left
#include "tests/support/srtp_fixture.h"
#include <sys/mman.h>

#define BURST 8
#define PAGE 4096u
#define PACKET_MAX 1600

enum { SUITE_MASK = 15, GENUINE = 16, AGAIN = 32, SPOILED_SHIFT = 6 };
enum { MKI_MASK = 3, CRYPTEX = 4, ENCRYPTED_SHIFT = 3, ENCRYPTED_MASK = 3 };
#define MKIS 4
#define GROWTH_MAX (SRTP_TAG_MAX + SRTP_MKI_MAX + 4)

struct head {
	uint8_t how, what;
};

static const uint8_t mki_lens[MKIS] = { 0, 1, 4, SRTP_MKI_MAX };
static const uint8_t encrypted[4][32] = { [1] = { 0x2a, 0x40 }, [2] = { 0xff }, [3] = { [0 ... 31] = 0xff } };

struct fuzz {
	struct srtp_engine *engine;
	struct srtp_key tx_keys[MKIS][SRTP_SUITE_COUNT], rx_keys[MKIS][SRTP_SUITE_COUNT];
	struct srtp_stream tx[BURST], rx[BURST];
	uint8_t *ends[BURST]; // of the places for packets
	uint8_t before[BURST][PACKET_MAX], plain[BURST][PACKET_MAX];
	uint16_t plain_len[BURST]; // 0: not known
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
	for (unsigned m = 0; m < MKIS; m++) {
		for (unsigned s = 1; s < SRTP_SUITE_COUNT; s++) {
			struct srtp_mki mki = { .len = mki_lens[m], .bytes = { (uint8_t)m } };

			fixture_master(&random, &master, (enum srtp_suite)s);
			must(srtp_key_derive(fuzz.engine, &fuzz.rx_keys[m][s], &master, &mki, 0) == 0);
			fuzz.tx_keys[m][s] = fuzz.rx_keys[m][s];
		}
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

// What is no RTP any more, the worker drops before.
static void spoil(struct srtp_op *op, unsigned at)
{
	uint16_t hdr_len;

	op->packet[at] ^= 1;
	hdr_len = rtp_header_len(op->packet, op->len);
	if (hdr_len == 0)
		op->packet[at] ^= 1;
	else
		op->hdr_len = hdr_len;
}

// A packet as its sender would make it, ending where the other one did.
static void make_genuine(struct fuzz *fuzz, struct srtp_op *op, struct head head)
{
	bool adds = op->cryptex && srtp_suite_info((enum srtp_suite)op->key->suite)->encrypts &&
		    (op->packet[0] & 0x10) == 0 && (op->packet[0] & 0x0f) != 0;
	unsigned growth = op->key->tag_len + op->key->mki_len + (adds ? 4u : 0);
	struct srtp_op tx = *op;
	uint8_t *packet = op->packet - growth;

	memmove(packet, op->packet, op->len);
	tx.packet = packet;
	tx.room = (uint16_t)(op->len + growth);
	tx.key = op->key - &fuzz->rx_keys[0][0] + &fuzz->tx_keys[0][0];
	tx.stream = &fuzz->tx[op->stream - fuzz->rx];
	srtp_protect_burst(fuzz->engine, &tx, 1);
	if (tx.result != SRTP_OK) {
		must(tx.len == op->len && tx.hdr_len == op->hdr_len);
		must(memcmp(packet, fuzz->before[fuzz->n], op->len) == 0);
		memmove(op->packet, packet, op->len);
		return;
	}
	must(tx.len == tx.room && tx.hdr_len == op->hdr_len + (adds ? 4 : 0));
	must(tx.hdr_len == rtp_header_len(packet, tx.len));
	memcpy(fuzz->plain[fuzz->n], fuzz->before[fuzz->n], op->len);
	fuzz->plain_len[fuzz->n] = op->len;
	op->packet = packet;
	op->len = tx.len;
	op->hdr_len = tx.hdr_len;
	if (head.how >> SPOILED_SHIFT != 0)
		spoil(op, op->len * (head.how >> SPOILED_SHIFT) / 4u);
}

static void add_packet(struct fuzz *fuzz, struct head head, const uint8_t *bytes, size_t len)
{
	struct srtp_op *op = &fuzz->ops[fuzz->n];
	unsigned ids = head.what >> ENCRYPTED_SHIFT & ENCRYPTED_MASK;

	*op = (struct srtp_op){ .packet = fuzz->ends[fuzz->n] - len,
				.len = (uint16_t)len,
				.cryptex = (head.what & CRYPTEX) != 0,
				.encrypted = ids != 0 ? encrypted[ids] : NULL };
	memcpy(op->packet, bytes, len);
	op->hdr_len = rtp_header_len(op->packet, len);
	if (op->hdr_len == 0)
		return; // the worker drops it before
	must(op->hdr_len <= len);
	op->key = &fuzz->rx_keys[head.what & MKI_MASK][1 + (head.how & SUITE_MASK) % (SRTP_SUITE_COUNT - 1)];
	op->stream = stream_of(fuzz, op);
	fuzz->plain_len[fuzz->n] = 0;
	memcpy(fuzz->before[fuzz->n], op->packet, op->len);
	if (head.how & GENUINE)
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
	fuzz->plain_len[fuzz->n] = fuzz->plain_len[fuzz->n - 1];
	memcpy(fuzz->plain[fuzz->n], fuzz->plain[fuzz->n - 1], fuzz->plain_len[fuzz->n]);
	fuzz->n++;
}

// What its sender had, but for an empty extension that cryptex added, or what the two bits of "appbits" lose by it.
static void is_plain(const struct fuzz *fuzz, unsigned i)
{
	const struct srtp_op *op = &fuzz->ops[i];
	const uint8_t *plain = fuzz->plain[i];
	unsigned at = 12 + 4 * (plain[0] & 0x0f);
	bool added = op->len != fuzz->plain_len[i];
	uint8_t want[PACKET_MAX + 4];

	memcpy(want, plain, fuzz->plain_len[i]);
	if (added) {
		must(op->cryptex && op->len == fuzz->plain_len[i] + 4);
		want[0] |= 0x10;
		memcpy(want + at, "\xbe\xde\0\0", 4);
		memcpy(want + at + 4, plain + at, fuzz->plain_len[i] - at);
	} else if (op->cryptex && (plain[0] & 0x10) != 0 && plain[at] == 0x10 && plain[at + 1] < 0x10 &&
		   srtp_suite_info((enum srtp_suite)op->key->suite)->encrypts) {
		want[at + 1] = 0;
	}
	must(memcmp(op->packet, want, op->len) == 0);
}

static bool was_encrypted_header(const uint8_t *packet, uint16_t hdr_len) // RFC 9335: by what its extension says
{
	unsigned at = 12 + 4 * (packet[0] & 0x0f);

	return (packet[0] & 0x10) != 0 && at + 2 <= hdr_len && (packet[at] == 0xc0 || packet[at] == 0xc2) &&
	       packet[at + 1] == 0xde;
}

// What nobody protected, but its tag is the right one: fuzzers see what a tag is compared with.
static bool is_well_forged(struct fuzz *fuzz, unsigned i, uint16_t len)
{
	const struct srtp_op *op = &fuzz->ops[i];
	uint8_t packet[PACKET_MAX];
	struct srtp_stream stream;
	struct srtp_op tx = *op;

	srtp_stream_init(&stream, rtp_ssrc(op->packet), (uint32_t)(op->index >> 16), 1024);
	memcpy(packet, op->packet, op->len);
	tx.packet = packet;
	tx.room = sizeof(packet);
	tx.key = op->key - &fuzz->rx_keys[0][0] + &fuzz->tx_keys[0][0];
	tx.stream = &stream;
	tx.cryptex = was_encrypted_header(fuzz->before[i], op->hdr_len);
	srtp_protect_burst(fuzz->engine, &tx, 1);
	return tx.result == SRTP_OK && tx.len == len && memcmp(packet, fuzz->before[i], len) == 0;
}

static void receive(struct fuzz *fuzz)
{
	uint16_t lens[BURST], hdr_lens[BURST];

	for (unsigned i = 0; i < fuzz->n; i++) {
		lens[i] = fuzz->ops[i].len;
		hdr_lens[i] = fuzz->ops[i].hdr_len;
	}
	srtp_unprotect_burst(fuzz->engine, fuzz->ops, fuzz->n);
	for (unsigned i = 0; i < fuzz->n; i++) {
		const struct srtp_op *op = &fuzz->ops[i];

		must(op->hdr_len == hdr_lens[i]);
		if (op->result != SRTP_OK) {
			must(op->len == lens[i] && memcmp(op->packet, fuzz->before[i], op->len) == 0);
			continue;
		}
		must(op->len == lens[i] - op->key->tag_len - op->key->mki_len && op->len >= op->hdr_len);
		must(memcmp(op->packet, fuzz->before[i], RTP_HEADER_MIN) == 0);
		must(op->hdr_len == rtp_header_len(op->packet, op->len));
		if (!op->cryptex && op->encrypted == NULL)
			must(memcmp(op->packet, fuzz->before[i], op->hdr_len) == 0);
		if (fuzz->plain_len[i] != 0)
			is_plain(fuzz, i);
		else
			must(is_well_forged(fuzz, i, lens[i]));
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
	while (size >= 4) {
		struct head head = { data[0], data[1] };
		size_t len = (data[2] | (size_t)data[3] << 8) % (PACKET_MAX - GROWTH_MAX);

		data += 4;
		size -= 4;
		if (len > size)
			len = size;
		if ((head.how & AGAIN) && fuzz->n > 0)
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
