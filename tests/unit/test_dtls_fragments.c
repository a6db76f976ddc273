// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_fragments.c - threat D4: handshake messages cut, turned round, contradicted and never finished, records that lie about
// themselves. What a handshake may take of memory is counted at the allocator.
#include "tests/support/dtls_link.h"
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MEMORY_MAX ((size_t)64 * 1024) // that strangers may add to one handshake
#define RECORD 13
#define MESSAGE 12

// The linker sends every allocation of this program here (--wrap).
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static size_t live, peak; // octets

static void *counted(void *p)
{
	live += p != NULL ? malloc_usable_size(p) : 0;
	peak = live > peak ? live : peak;
	return p;
}

void *__wrap_malloc(size_t size)
{
	return counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	size_t before = old != NULL ? malloc_usable_size(old) : 0;
	void *p = __real_realloc(old, size);

	if (p != NULL)
		live -= before;
	return counted(p);
}

void __wrap_free(void *p)
{
	live -= p != NULL ? malloc_usable_size(p) : 0;
	__real_free(p);
}

static const enum dtls_version versions[] = { DTLS_VERSION_1_2, DTLS_VERSION_1_3 };

static void write_number(uint8_t *p, unsigned octets, uint64_t n)
{
	while (octets-- > 0) {
		p[octets] = (uint8_t)n;
		n >>= 8;
	}
}

static size_t read_number(const uint8_t *p, unsigned octets)
{
	size_t n = 0;

	while (octets-- > 0)
		n = n << 8 | *p++;
	return n;
}

struct piece { // of a handshake message, in a record of its own
	uint8_t type;
	uint16_t epoch;
	uint64_t sequence;
	size_t length, offset, len; // of the message, where in it, how much
	uint16_t message;
	const uint8_t *bytes; // NULL: zeros
};

static size_t piece_write(uint8_t *dst, const struct piece *p)
{
	memset(dst, 0, RECORD + MESSAGE + p->len);
	dst[0] = 22;
	dst[1] = 0xFE;
	dst[2] = 0xFD;
	write_number(dst + 3, 2, p->epoch);
	write_number(dst + 5, 6, p->sequence);
	write_number(dst + 11, 2, MESSAGE + p->len);
	dst[RECORD] = p->type;
	write_number(dst + 14, 3, p->length);
	write_number(dst + 17, 2, p->message);
	write_number(dst + 19, 3, p->offset);
	write_number(dst + 22, 3, p->len);
	if (p->bytes != NULL)
		memcpy(dst + RECORD + MESSAGE, p->bytes, p->len);
	return RECORD + MESSAGE + p->len;
}

static void inject(struct dtls_link *l, int to, const struct piece *p)
{
	uint8_t datagram[1400];
	size_t len = piece_write(datagram, p);

	dtls_endpoint_input(l->end[to], datagram, len, &l->out[to]);
}

// A handshake in which both have spoken: the server waits for the client's certificate (1.2) or protected flight (1.3), the client
// for what the server says next.
static struct dtls_link *half_way(enum dtls_version version)
{
	struct dtls_link *l = link_expecting(version);

	dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
	link_deliver(l, SERVER);
	return l;
}

static void assert_ends_well(struct dtls_link *l, const char *what, size_t version)
{
	link_run(l);
	if (dtls_endpoint_status(l->end[CLIENT]) != DTLS_SECURED || dtls_endpoint_status(l->end[SERVER]) != DTLS_SECURED)
		fail_msg("%s, version %zu: client %s, server %s", what, version,
			 dtls_failure_text(dtls_endpoint_failure(l->end[CLIENT])),
			 dtls_failure_text(dtls_endpoint_failure(l->end[SERVER])));
}

// One end's flight in the clear, cut into pieces of `size` that overlap by `overlap`, in this order or the other.
static void recut(struct dtls_link *l, int to, size_t size, size_t overlap, bool backwards)
{
	static struct link_queue in, out;
	uint64_t sequence = 8; // room below for what is sent later

	in = l->to[to];
	out.n = 0;
	for (size_t i = 0; i < in.n; i++) {
		const uint8_t *p = in.d[i].bytes, *end = p + in.d[i].len;

		for (size_t record = 0; p < end; p += record) {
			size_t first = out.n;

			record = RECORD + read_number(p + 11, 2);
			if (p[0] == 22 && read_number(p + 3, 2) == 0) {
				struct piece piece = { .type = p[13], .length = read_number(p + 14, 3) };

				piece.message = (uint16_t)read_number(p + 17, 2);
				for (size_t at = 0; at < piece.length || at == 0; at += size) {
					size_t from = at > overlap ? at - overlap : 0;
					size_t to_end = piece.length - from;

					piece.offset = from;
					piece.len = to_end < size + overlap ? to_end : size + overlap;
					piece.bytes = p + RECORD + MESSAGE + from;
					piece.sequence = sequence++;
					assert_true(out.n < LINK_QUEUE);
					out.d[out.n].len = piece_write(out.d[out.n].bytes, &piece);
					out.n++;
				}
				for (size_t a = first, b = out.n - 1; backwards && a < b; a++, b--) {
					struct link_datagram swap = out.d[a];

					out.d[a] = out.d[b];
					out.d[b] = swap;
				}
				continue;
			}
			out.d[out.n].len = record;
			memcpy(out.d[out.n].bytes, p, record);
			if (read_number(p + 3, 2) == 0)
				write_number(out.d[out.n].bytes + 5, 6, sequence++);
			out.n++;
		}
	}
	l->to[to] = out;
}

// What no timer has to repair: the pieces are all there, and the library must put them together.
static void test_cut_overlapping_and_backwards(void **state)
{
	static const struct {
		size_t size, overlap;
		bool backwards;
	} rows[] = { { 50, 0, false }, { 50, 0, true }, { 50, 20, false }, { 50, 20, true }, { 200, 199, true } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dtls_link *l = half_way(DTLS_VERSION_1_2);

		for (int to = CLIENT; to <= SERVER; to++) {
			recut(l, to, rows[i].size, rows[i].overlap, rows[i].backwards);
			link_deliver(l, to);
		}
		link_pass(l);
		if (dtls_endpoint_status(l->end[SERVER]) != DTLS_SECURED)
			print_message("row %zu needs a retransmission\n", i);
		assert_ends_well(l, "cut", i);
		link_free(l);
	}
}

static void test_records_that_lie(void **state)
{
	static const struct {
		const char *name;
		size_t len;
		uint8_t bytes[48];
	} lies[] = {
		{ "empty handshake record", 13, { 22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0 } },
		{ "empty alert", 13, { 21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 201, 0, 0 } },
		{ "empty ChangeCipherSpec", 13, { 20, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 202, 0, 0 } },
		{ "empty application data of epoch 1", 13, { 23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 203, 0, 0 } },
		{ "record longer than its datagram", 30, { 22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 204, 0, 18, 11 } },
		{ "record shorter than its datagram", 40, { 22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 205, 0, 3, 11, 0, 0 } },
		{ "record of 65535", 48, { 22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 206, 0xFF, 0xFF, 11 } },
		{ "fragment beyond its message",
		  29,
		  { 22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 207, 0, 16, 11, 0, 0, 2, 0, 2, 0, 0, 0, 0, 0, 4 } },
		{ "fragment beyond its record",
		  29,
		  { 22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 208, 0, 16, 11, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 200 } },
		{ "offset of 2^24-1",
		  29,
		  { 22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 209, 0, 16, 11, 0, 1, 0, 0, 2, 0xFF, 0xFF, 0xFF, 0, 0, 4 } },
		{ "header cut off", 20, { 22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 210, 0, 7, 11, 0, 1, 0, 0, 2, 0 } },
		{ "epoch 1", 45, { 22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, 32, 1 } },
		{ "epoch 2", 45, { 22, 0xFE, 0xFD, 0, 2, 0, 0, 0, 0, 0, 0, 0, 32, 1 } },
		{ "epoch 65535", 45, { 22, 0xFE, 0xFD, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 32, 1 } },
		{ "epoch 1, sequence 2^48-1",
		  45,
		  { 22, 0xFE, 0xFD, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 32, 1 } },
		{ "DTLS 1.3 record of epoch 2", 40, { 0x2E, 0xFF, 0xFF, 0, 35, 1, 2, 3 } },
		{ "DTLS 1.3 record of length 0", 5, { 0x2E, 0, 9, 0, 0 } },
		{ "record of TLS 1.2", 25, { 22, 3, 3, 0, 0, 0, 0, 0, 0, 0, 211, 0, 12, 11, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0 } },
	};

	for (size_t v = 0; v < 2; v++) {
		for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			struct dtls_link *l = half_way(versions[v]);
			size_t before = live;

			for (int n = 0; n < 600; n++) {
				for (int to = CLIENT; to <= SERVER; to++)
					dtls_endpoint_input(l->end[to], lies[i].bytes, lies[i].len, &l->out[to]);
			}
			assert_true(live <= before + MEMORY_MAX);
			assert_ends_well(l, lies[i].name, v);
			link_free(l);
		}
	}
}

// Records far ahead of what is due, in every order, and messages of which only the head ever comes.
static void test_unfinished_is_bounded(void **state)
{
	static const uint16_t epochs[] = { 0, 1, 2, 3 };

	for (size_t i = 0; i < 2 * 2 * sizeof(epochs) / sizeof(epochs[0]); i++) {
		int to = (int)(i % 2);
		struct dtls_link *l = half_way(versions[i / 2 % 2]);
		struct piece p = { .type = 11, .epoch = epochs[i / 4], .length = 0x4000, .len = 1024 };
		size_t before = live;

		peak = live;
		for (unsigned n = 0; n < 1000; n++) {
			p.sequence = 2000 - n; // out of order, all of them
			p.message = (uint16_t)(3 + n * 7 % 1000);
			inject(l, to, &p);
			p.sequence = 4000 + n;
			p.message = 3;
			p.offset = n % 16 * 1024; // or one message, never complete
			p.len = 1000;
			inject(l, to, &p);
			p.offset = 0;
			p.len = 1024;
		}
		print_message("version %zu, %s, epoch %u: %zu octets more, %zu at most\n", i / 2 % 2,
			      to == CLIENT ? "client" : "server", epochs[i / 4], live - before, peak - before);
		assert_true(peak <= before + MEMORY_MAX);
		link_free(l);
	}
}

// The same message twice with two lengths. Who is right is nobody's to know; nothing may be secured by the wrong one, and the first
// certificate to be put together must be the right one's.
static void test_contradictory_lengths(void **state)
{
	static const size_t lengths[] = { 1, 24, 400, 5000, 0x4000, 0xFFFFFF };

	for (size_t i = 0; i < 2 * sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct dtls_link *l = half_way(DTLS_VERSION_1_2);
		struct piece p = { .type = 11, .sequence = 50, .length = lengths[i / 2], .message = (uint16_t)(1 + i % 2) };
		int to = i % 2 == 0 ? CLIENT : SERVER;
		size_t before = live;

		peak = live;
		for (unsigned n = 0; n < 100; n++) {
			p.sequence++;
			p.length = lengths[(i / 2 + n) % (sizeof(lengths) / sizeof(lengths[0]))];
			p.len = p.length < 24 ? p.length : 24;
			inject(l, to, &p);
		}
		assert_true(peak <= before + MEMORY_MAX);
		link_run(l);
		if (dtls_endpoint_status(l->end[to]) != DTLS_SECURED)
			print_message("length %zu at the %s: %s\n", lengths[i / 2], to == CLIENT ? "client" : "server",
				      dtls_failure_text(dtls_endpoint_failure(l->end[to])));
		assert_int_not_equal(dtls_endpoint_status(l->end[to]), DTLS_HANDSHAKING);
		link_free(l);
	}
}

// An unprotected record that claims a far sequence number makes the real ones look old: who can write in the peer's name within the
// handshake's moments can spoil that handshake, in DTLS as such. It must end in time then, and give nothing out.
static void test_sequence_number_jumps(void **state)
{
	static const uint64_t numbers[] = { 1000, UINT64_C(1) << 32, (UINT64_C(1) << 48) - 1 };

	for (size_t i = 0; i < 4 * sizeof(numbers) / sizeof(numbers[0]); i++) {
		int to = (int)(i % 2);
		struct dtls_link *l = half_way(versions[i / 2 % 2]);
		struct piece p = { .type = 11, .sequence = numbers[i / 4], .length = 0x4000, .len = 4, .message = 9 };

		inject(l, to, &p);
		link_run(l);
		assert_int_not_equal(dtls_endpoint_status(l->end[to]), DTLS_HANDSHAKING);
		assert_int_equal(dtls_endpoint_deadline(l->end[to]), MONO_NEVER);
		link_free(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_overlapping_and_backwards),
		cmocka_unit_test(test_records_that_lie),
		cmocka_unit_test(test_unfinished_is_bounded),
		cmocka_unit_test(test_contradictory_lengths),
		cmocka_unit_test(test_sequence_number_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
