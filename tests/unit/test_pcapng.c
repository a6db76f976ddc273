// SPDX-License-Identifier: GPL-3.0-or-later
// test_pcapng.c - a capture file, read back block by block; and the headers that are made for what it has.
#include "gateway/trace/pcapng.h"
#include "gateway/trace/trace_headers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint32_t word(const struct pcapng *p, size_t at)
{
	uint32_t value;

	assert_true(at % 4 == 0 && at + 4 <= p->len);
	memcpy(&value, p->bytes + at, sizeof(value));
	return value;
}

// An option of the block at `at` whose options begin at `from`; returns its length, *value.
static size_t option(const struct pcapng *p, size_t from, size_t end, uint16_t code, const uint8_t **value)
{
	while (from + 4 <= end) {
		uint16_t is = (uint16_t)(word(p, from) & 0xffff), len = (uint16_t)(word(p, from) >> 16);

		assert_true(from + 4 + len <= end);
		*value = p->bytes + from + 4;
		if (is == code)
			return len;
		assert_int_not_equal(is, 0);
		from += 4 + (len + 3u) / 4 * 4;
	}
	fail();
	return 0;
}

// Blocks have one length before and behind, and fill the file.
static size_t block(const struct pcapng *p, size_t at, uint32_t type)
{
	uint32_t len = word(p, at + 4);

	assert_int_equal(word(p, at), type);
	assert_int_equal(word(p, at + len - 4), len);
	return at + len;
}

static void blocks_are_whole(void **state)
{
	struct pcapng p = { 0 };
	const uint64_t time = UINT64_C(1795295771735401878);
	static const uint8_t packet[5] = { 0x60, 1, 2, 3, 4 };
	const uint8_t *value;
	size_t interface, first, second, lost, end;

	pcapng_section(&p, "Sallyport", "trace 1");
	interface = p.len;
	pcapng_interface(&p, "access");
	first = p.len;
	pcapng_packet(&p, &(struct pcapng_packet){ .time = time, .out = true, .head = packet, .head_len = 2, .body = packet + 2, .body_len = 3,
						   .original = 105, .comment = "call 7" });
	second = p.len;
	pcapng_packet(&p, &(struct pcapng_packet){ .interface = 0, .time = time, .head = "\x45", .head_len = 1, .original = 1, .comment = "" });
	lost = p.len;
	pcapng_lost(&p, 0, time, 3);
	assert_false(p.failed);
	assert_int_equal(block(&p, 0, 0x0a0d0d0a), interface);
	assert_int_equal(word(&p, 8), 0x1a2b3c4d);
	assert_int_equal(block(&p, interface, 1), first);
	assert_int_equal(word(&p, interface + 8) & 0xffff, 1); // Ethernet
	assert_int_equal(option(&p, interface + 16, first, 2, &value), 6);
	assert_memory_equal(value, "access", 6);
	assert_int_equal(option(&p, interface + 16, first, 9, &value), 1);
	assert_int_equal(value[0], 9); // nanoseconds
	end = block(&p, first, 6);
	assert_int_equal(end, second);
	assert_true(((uint64_t)word(&p, first + 12) << 32 | word(&p, first + 16)) == time);
	assert_int_equal(word(&p, first + 20), 14 + 5);
	assert_int_equal(word(&p, first + 24), 14 + 105);
	assert_memory_equal(p.bytes + first + 28 + 12, "\x86\xdd", 2);
	assert_memory_equal(p.bytes + first + 28 + 14, packet, 5);
	assert_int_equal(option(&p, first + 28 + 20, end, 1, &value), 6);
	assert_memory_equal(value, "call 7", 6);
	assert_int_equal(option(&p, first + 28 + 20, end, 2, &value), 4);
	assert_int_equal(value[0], 2); // out
	assert_int_equal(block(&p, second, 6), lost);
	assert_memory_equal(p.bytes + second + 28 + 12, "\x08\x00\x45", 3);
	assert_int_equal(option(&p, second + 28 + 16, lost, 2, &value), 4);
	assert_int_equal(value[0], 1); // in
	assert_int_equal(block(&p, lost, 5), p.len);
	assert_int_equal(option(&p, lost + 20, p.len, 7, &value), 8);
	assert_int_equal(value[0], 3);
	free(p.bytes);
}

static unsigned sum_of(const uint8_t *at, size_t len, uint64_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint64_t)at[i] << (i % 2 == 0 ? 8 : 0);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned)sum;
}

// Over pseudo header, header and payload a good checksum sums up to all ones (RFC 1071).
static void headers_are_good(void **state)
{
	static const char *const ends[][2] = { { "192.0.2.1:5060", "192.0.2.2:5061" }, { "[2001:db8::1]:5060", "[2001:db8::2]:40000" } };
	uint8_t packet[TRACE_HEADERS_MAX + 301];

	for (unsigned i = 0; i < 4; i++) {
		struct trace_way way = { .tcp = i % 2 != 0, .seq = 1000, .ack = 7, .push = true };
		bool v6 = i >= 2;
		size_t n, ip = v6 ? 40 : 20;

		assert_int_equal(inet_endpoint_parse(&way.from, ends[v6][0]), 0);
		assert_int_equal(inet_endpoint_parse(&way.to, ends[v6][1]), 0);
		for (size_t len = 0; len <= 301; len++) {
			uint8_t payload[301];

			memset(payload, 'a', sizeof(payload));
			n = trace_headers(packet, &way, payload, len);
			assert_int_equal(n, ip + (way.tcp ? 20 : 8));
			memcpy(packet + n, payload, len);
			if (!v6)
				assert_int_equal(sum_of(packet, 20, 0), 0xffff);
			assert_int_equal(sum_of(packet + (v6 ? 8 : 12), n + len - (v6 ? 8 : 12), (way.tcp ? 6 : 17) + n - ip + len), 0xffff);
			assert_int_equal(packet[ip] << 8 | packet[ip + 1], 5060);
			assert_int_equal(v6 ? packet[4] << 8 | packet[5] : (packet[2] << 8 | packet[3]) - 20, n - ip + len);
		}
		assert_int_equal(trace_headers(packet, &way, packet, 65536), 0);
		way.to.addr.family = INET_NONE;
		assert_int_equal(trace_headers(packet, &way, packet, 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(blocks_are_whole), cmocka_unit_test(headers_are_good) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
