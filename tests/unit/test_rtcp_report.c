// SPDX-License-Identifier: GPL-3.0-or-later
// test_rtcp_report.c - RTCP at the end of a guard page: every count with every length, every block length, every padding;
// what is read, and which SSRCs change.
#include "mediarelay/rtcp_report.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define PAGE 4096u
#define ROOM 1600u

static uint8_t *place_end; // behind it is a page that may not be touched

static int setup_group(void **state)
{
	uint8_t *place = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (place == MAP_FAILED || mprotect(place + PAGE, PAGE, PROT_NONE) < 0)
		return -1;
	place_end = place + PAGE;
	return 0;
}

// The instrument itself: a parser that reads an octet too far would not live.
static void test_the_guard_page_bites(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(*(volatile uint8_t *)place_end);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static uint8_t *at_the_edge(const void *bytes, size_t len)
{
	return memcpy(place_end - len, bytes, len);
}

static int parse(const void *bytes, size_t len, struct rtcp_facts *facts)
{
	return rtcp_parse(at_the_edge(bytes, len), len, facts);
}

static bool takes(const void *bytes, size_t len)
{
	static const struct rtcp_ssrc_map map = { 0x01010101, 0x02020202 };
	struct rtcp_facts facts;
	bool taken = parse(bytes, len, &facts) == 0;

	rtcp_map(place_end - len, len, RTCP_ROLE_SENDER, &map, 1); // whatever it is, the walk ends in time
	rtcp_map(place_end - len, len, RTCP_ROLE_MEDIA, &map, 1);
	return taken;
}

static size_t header(uint8_t *p, unsigned count, unsigned type, size_t len)
{
	p[0] = (uint8_t)(0x80 | count);
	p[1] = (uint8_t)type;
	p[2] = (uint8_t)((len / 4 - 1) >> 8);
	p[3] = (uint8_t)(len / 4 - 1);
	return len;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// Is a packet of this count and length, filled with zeros, well formed? The RFC's arithmetic once more.
static bool zeros_are_fine(unsigned type, unsigned count, size_t len)
{
	switch (type) {
	case 200:
		return len >= 28 + 24 * count;
	case 201:
		return len >= 8 + 24 * count;
	case 202: // chunks of an SSRC and a word of nulls; the last one's may be missing
		return len >= 4 + 8 * count - (count > 0 ? 4 : 0);
	case 203: // what follows is a reason of no length
		return len >= 4 + 4 * count;
	case 204:
		return len >= 12;
	case 205:
		if (count == 3 || count == 4)
			return len >= 12 && (len - 12) % 8 == 0;
		return len >= (count == 1 ? 16 : 12);
	case 206:
		if (count >= 4 && count <= 6)
			return len >= 12 && (len - 12) % 8 == 0;
		return len >= 12 && (count != 7 || (len - 12) % 8 == 0);
	default:
		return true;
	}
}

// Every type, every count, every length in words and octets: what is there, and what the header says there is.
static void test_every_count_and_length(void **state)
{
	unsigned taken = 0, tried = 0;

	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		for (unsigned count = 0; count < 32; count++) {
			for (size_t len = 0; len <= 200; len++) {
				for (int said = -4; said <= 4; said += 4) {
					bool fits = said == 0 && len >= 8 && len % 4 == 0;
					uint8_t p[ROOM] = { 0 };
					bool fine;

					if ((int)len + said < 4)
						continue;
					header(p, count, type, (size_t)((int)len + said));
					fine = fits && type >= 192 && type <= 223 && zeros_are_fine(type, count, len);
					if (type < 192 && len > 40)
						continue; // refused by type; no need of every length
					tried++;
					taken += fine;
					if (takes(p, len) != fine)
						fail_msg("type %u count %u length %zu said %d", type, count, len, said);
				}
			}
		}
	}
	assert_true(taken > 10000 && taken < tried / 2);
	print_message("%u packets, %u of them well formed\n", tried, taken);
}

static void test_every_length_word(void **state)
{
	(void)state;
	for (unsigned words = 0; words < 65536; words++) {
		for (size_t len = 4; len <= 64; len += 4) {
			uint8_t p[64] = { 0x80, 201, (uint8_t)(words >> 8), (uint8_t)words };

			assert_int_equal(takes(p, len), words > 0 && len == 4 * (words + 1));
			if (words > 64)
				break; // far behind the end, whatever the length
		}
	}
}

static void test_second_packet_is_checked_like_the_first(void **state)
{
	(void)state;
	for (unsigned type = 190; type < 226; type++) {
		for (unsigned count = 0; count < 32; count++) {
			for (size_t len = 4; len <= 132; len += 4) {
				uint8_t p[8 + 132] = { 0 };
				bool fine = type >= 192 && type <= 223 && zeros_are_fine(type, count, len) &&
					    (len >= 8 || type < 200 || type > 207 || type == 202 || type == 203);

				header(p, 0, 201, 8);
				header(p + 8, count, type, len);
				assert_int_equal(takes(p, 8 + len), fine);
				p[8] ^= 0x40; // another version
				assert_false(takes(p, 8 + len));
			}
		}
	}
}

static void test_every_padding(void **state)
{
	(void)state;
	for (size_t len = 8; len <= 64; len += 4) {
		for (unsigned padding = 0; padding < 256; padding++) {
			uint8_t p[72] = { 0 };
			bool fine = padding != 0 && padding % 4 == 0 && padding + 8 <= len;

			header(p, 0, 201, len);
			p[0] |= 0x20;
			p[len - 1] = (uint8_t)padding;
			assert_int_equal(takes(p, len), fine);
			header(p + len, 0, 201, 8);
			assert_false(takes(p, len + 8)); // padding amid a compound
		}
	}
}

// Chunks whose items end where they may not: each length of each item, each place of the end.
static void test_every_sdes_item_length(void **state)
{
	(void)state;
	for (size_t len = 12; len <= 40; len += 4) {
		for (unsigned item = 0; item < 256; item++) {
			uint8_t p[40] = { 0 };
			bool fine = 10 + item <= len;

			header(p, 1, 202, len);
			p[8] = 1; // CNAME
			p[9] = (uint8_t)item;
			assert_int_equal(takes(p, len), fine);
			p[0]++; // another chunk behind it: an SSRC, and no items
			if (fine) {
				size_t end = 10 + item < len ? ((10 + item) / 4 + 1) * 4 : len;

				assert_int_equal(takes(p, len), end + 4 <= len);
			}
		}
	}
}

static void test_every_bye_reason(void **state)
{
	(void)state;
	for (size_t len = 8; len <= 32; len += 4) {
		for (unsigned reason = 0; reason < 256; reason++) {
			uint8_t p[32] = { 0 };

			header(p, 1, 203, len);
			if (len > 8)
				p[8] = (uint8_t)reason;
			assert_int_equal(takes(p, len), len == 8 || 9 + reason <= len);
		}
	}
}

static void test_every_xr_block(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		for (size_t len = 12; len <= 64; len += 4) {
			for (unsigned words = 0; words < 20; words++) {
				size_t block = 4 * (words + 1), rest = len - 8 - block;
				uint8_t p[64] = { 0 };
				bool fine = block + 8 <= len;

				header(p, 0, 207, len);
				p[8] = (uint8_t)type;
				p[11] = (uint8_t)words;
				if ((type >= 1 && type <= 3) || type == 6 || type == 7)
					fine = fine && block >= 12;
				else if (type == 4)
					fine = fine && block == 12;
				else if (type == 5)
					fine = fine && (block - 4) % 12 == 0;
				(void)rest; // zeros: blocks of type 0, a word each
				assert_int_equal(takes(p, len), fine);
			}
		}
	}
}

static void test_remb_and_vbcm_lengths(void **state)
{
	(void)state;
	for (size_t len = 20; len <= 60; len += 4) {
		for (unsigned n = 0; n < 256; n++) {
			uint8_t p[60] = { 0 };

			header(p, 15, 206, len);
			memcpy(p + 12, "REMB", 4);
			p[16] = (uint8_t)n;
			assert_int_equal(takes(p, len), 20 + 4 * n <= len);
			header(p, 7, 206, len);
			memset(p + 12, 0, 8);
			p[19] = (uint8_t)n; // bits, as octets
			if (len == 20 + (n + 3) / 4 * 4)
				assert_true(takes(p, len));
			else if (len < 20 + (n + 3) / 4 * 4)
				assert_false(takes(p, len));
		}
	}
}

// What is read

static const uint8_t compound[] = {
	0x81, 200, 0, 12, 0x11, 0x11, 0x11, 0x11,                   // SR
	0xe0, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,             // NTP
	0, 0, 0, 160, 0, 0, 0, 1, 0, 0, 0, 160,                     // RTP, packets, octets
	0x22, 0x22, 0x22, 0x22, 64, 0xff, 0xff, 0xfe,               // about 2222, a quarter lost, in all -2
	0, 1, 0, 2, 0, 0, 0, 80, 0xaa, 0xbb, 0xcc, 0xdd, 0, 1, 0, 0, // highest, jitter, LSR, DLSR
	0x81, 202, 0, 3, 0x11, 0x11, 0x11, 0x11, 1, 3, 'a', '@', 'b', 0, 0, 0, // SDES
	0x81, 203, 0, 1, 0x11, 0x11, 0x11, 0x11,                    // BYE
};

static void test_reads_a_compound(void **state)
{
	struct rtcp_facts facts;
	const struct rtcp_block *block = &facts.blocks[0];

	(void)state;
	assert_int_equal(parse(compound, sizeof(compound), &facts), 0);
	assert_false(facts.reduced);
	assert_int_equal(facts.n_senders, 1);
	assert_int_equal(facts.senders[0].ssrc, 0x11111111);
	assert_int_equal(facts.senders[0].ntp_middle, 0x02030405);
	assert_int_equal(facts.n_blocks, 1);
	assert_int_equal(block->ssrc, 0x22222222);
	assert_int_equal(block->fraction, 64);
	assert_int_equal(block->lost, -2);
	assert_int_equal(block->highest, 0x10002);
	assert_int_equal(block->jitter, 80);
	assert_int_equal(block->lsr, 0xaabbccdd);
	assert_int_equal(block->dlsr, 65536);
	for (size_t len = 0; len < sizeof(compound); len++) // cut anywhere but between two packets
		assert_int_equal(parse(compound, len, &facts) == 0, len == 52 || len == 68);
}

static void test_reduced_size(void **state)
{
	static const uint8_t pli[] = { 0x81, 206, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8 };
	struct rtcp_facts facts;

	(void)state;
	assert_int_equal(parse(pli, sizeof(pli), &facts), 0);
	assert_true(facts.reduced);
	assert_int_equal(facts.n_senders + facts.n_blocks, 0);
}

static void test_more_than_is_kept(void **state)
{
	uint8_t p[28 * 6 + 8 + 24 * 31 * 2] = { 0 };
	struct rtcp_facts facts;
	size_t len = 0;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		len += header(p + len, 0, 200, 28);
	len += header(p + len, 31, 201, 8 + 24 * 31);
	header(p + len, 30, 201, 24 * 31);
	len += 24 * 31;
	assert_int_equal(parse(p, len, &facts), 0);
	assert_int_equal(facts.n_senders, RTCP_SENDERS_MAX);
	assert_int_equal(facts.n_blocks, RTCP_BLOCKS_MAX);
}

// SSRCs

struct place_case {
	unsigned count, type;
	size_t len;
	const char entries[6]; // what stands there besides SSRCs
	size_t entries_at;
	size_t senders[4], media[4]; // where SSRCs are; 0 ends
};

static const struct place_case place_cases[] = {
	{ 2, 200, 76, "", 0, { 4 }, { 28, 52 } },
	{ 2, 201, 56, "", 0, { 4 }, { 8, 32 } },
	{ 2, 202, 20, "", 0, { 4, 12 }, { 0 } },
	{ 3, 203, 16, "", 0, { 4, 8, 12 }, { 0 } },
	{ 0, 204, 12, "", 0, { 4 }, { 0 } },
	{ 1, 205, 16, "", 0, { 4 }, { 8 } },              // NACK
	{ 3, 205, 28, "", 0, { 4 }, { 8, 12, 20 } },      // TMMBR
	{ 1, 206, 12, "", 0, { 4 }, { 8 } },              // PLI
	{ 4, 206, 28, "", 0, { 4 }, { 8, 12, 20 } },      // FIR
	{ 7, 206, 32, "\0\0\0\4", 16, { 4 }, { 8, 12 } }, // VBCM
	{ 15, 206, 28, "REMB\2", 12, { 4 }, { 8, 20, 24 } },
	{ 0, 207, 36, "\5\0\0\6", 8, { 4 }, { 12, 24 } }, // DLRR
	{ 0, 207, 20, "\6\0\0\2", 8, { 4 }, { 12 } },     // statistics summary
};

static void put_all(uint8_t *p, const size_t places[4], uint32_t ssrc)
{
	for (unsigned i = 0; i < 4 && places[i] != 0; i++)
		put32(p + places[i], ssrc);
}

// One SSRC stands everywhere that a source is named; the change for a role reaches that role's places and no others.
static void test_maps_each_place(void **state)
{
	static const struct rtcp_ssrc_map maps[] = { { 0x12345678, 0x9abcdef0 }, { 0x9abcdef0, 0x55555555 } };

	(void)state;
	for (size_t c = 0; c < sizeof(place_cases) / sizeof(place_cases[0]); c++) {
		const struct place_case *pc = &place_cases[c];

		for (unsigned role = RTCP_ROLE_SENDER; role <= RTCP_ROLE_MEDIA; role++) {
			uint8_t p[ROOM] = { 0 }, expected[ROOM], *q;
			struct rtcp_facts facts;

			header(p, pc->count, pc->type, pc->len);
			if (pc->entries_at != 0)
				memcpy(p + pc->entries_at, pc->entries, sizeof(pc->entries) - 1);
			put_all(p, pc->senders, 0x12345678);
			put_all(p, pc->media, 0x12345678);
			memcpy(expected, p, pc->len);
			put_all(expected, role == RTCP_ROLE_SENDER ? pc->senders : pc->media, 0x9abcdef0);
			assert_int_equal(parse(p, pc->len, &facts), 0);
			q = at_the_edge(p, pc->len);
			rtcp_map(q, pc->len, (enum rtcp_role)role, maps, 2);
			if (memcmp(q, expected, pc->len) != 0)
				fail_msg("type %u count %u role %u", pc->type, pc->count, role);
		}
	}
}

static void test_no_map_no_change(void **state)
{
	uint8_t *p = at_the_edge(compound, sizeof(compound));
	struct rtcp_ssrc_map map = { 0x33333333, 0x44444444 };

	(void)state;
	rtcp_map(p, sizeof(compound), RTCP_ROLE_SENDER, NULL, 0);
	rtcp_map(p, sizeof(compound), RTCP_ROLE_MEDIA, &map, 1);
	assert_memory_equal(p, compound, sizeof(compound));
	assert_int_equal(rtcp_mapped(0x33333333, &map, 1), 0x44444444);
	assert_int_equal(get32(p + 4), 0x11111111);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_guard_page_bites),
		cmocka_unit_test(test_every_count_and_length),
		cmocka_unit_test(test_every_length_word),
		cmocka_unit_test(test_second_packet_is_checked_like_the_first),
		cmocka_unit_test(test_every_padding),
		cmocka_unit_test(test_every_sdes_item_length),
		cmocka_unit_test(test_every_bye_reason),
		cmocka_unit_test(test_every_xr_block),
		cmocka_unit_test(test_remb_and_vbcm_lengths),
		cmocka_unit_test(test_reads_a_compound),
		cmocka_unit_test(test_reduced_size),
		cmocka_unit_test(test_more_than_is_kept),
		cmocka_unit_test(test_maps_each_place),
		cmocka_unit_test(test_no_map_no_change),
	};
	return cmocka_run_group_tests(tests, setup_group, NULL);
}
