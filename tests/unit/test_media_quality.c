// SPDX-License-Identifier: GPL-3.0-or-later
// test_media_quality.c - round trips, losses and jitter out of report blocks; scores of the E-model against its own
// table.
#include "mediarelay/media_quality.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define START MONO_S(100)

static struct rtcp_block answer(uint32_t ssrc, uint32_t lsr, double dlsr_seconds)
{
	return (struct rtcp_block){ .ssrc = ssrc, .lsr = lsr, .dlsr = (uint32_t)(dlsr_seconds * 65536) };
}

static struct quality_figures figures(const struct media_quality *q)
{
	struct quality_figures f;

	media_quality_read(q, &f);
	return f;
}

// RFC 3550 section 6.4.1, figure 2, in its own numbers: SR at LSR b705:2000, DLSR 5.250 s, arrival 11.375 s later.
static void test_round_trip_of_the_rfc(void **state)
{
	struct media_quality q = { 0 };
	struct rtcp_block block = answer(7, 0xb7052000, 5.250);
	struct quality_figures f;

	(void)state;
	media_quality_sent(&q, 7, 0xb7052000, START);
	media_quality_report(&q, &block, 8000, START + MONO_MS(11375));
	f = figures(&q);
	assert_int_equal(f.rtt_samples, 1);
	assert_int_equal(f.rtt_us, 6125000);
	assert_int_equal(f.rtt_min_us, 6125000);
	assert_int_equal(f.rtt_max_us, 6125000);
}

static void test_round_trip_mean_and_bounds(void **state)
{
	struct media_quality q = { 0 };
	struct quality_figures f;

	(void)state;
	for (uint32_t i = 1; i <= 3; i++) {
		struct rtcp_block block = answer(7, i, 1);

		media_quality_sent(&q, 7, i, START);
		media_quality_report(&q, &block, 0, START + MONO_MS(1000 + 10 * i));
	}
	f = figures(&q);
	assert_int_equal(f.rtt_samples, 3);
	assert_in_range(f.rtt_us, 19999, 20001);
	assert_in_range(f.rtt_min_us, 9999, 10001);
	assert_in_range(f.rtt_max_us, 29999, 30001);
}

// What gives no sample: nothing sent yet, another source's, never sent, forgotten, held longer than it was there, too
// old.
static void test_answers_that_are_none(void **state)
{
	struct media_quality q = { 0 };
	struct rtcp_block block = answer(7, 0, 0);

	(void)state;
	media_quality_report(&q, &block, 0, START);
	media_quality_sent(&q, 7, 0, START); // an SR whose middle bits are 0 cannot be told from "none yet"
	media_quality_report(&q, &block, 0, START);
	media_quality_sent(&q, 7, 11, START);
	block = answer(8, 11, 0);
	media_quality_report(&q, &block, 0, START + MONO_MS(5));
	block = answer(7, 12, 0);
	media_quality_report(&q, &block, 0, START + MONO_MS(5));
	block = answer(7, 11, 65535);
	media_quality_report(&q, &block, 0, START + MONO_MS(5));
	block = answer(7, 11, 0);
	media_quality_report(&q, &block, 0, START - 1);
	media_quality_report(&q, &block, 0, START + QUALITY_LSR_AGE + 1);
	media_quality_report(&q, &block, 0, START + QUALITY_RTT_MAX + 1);
	for (uint32_t i = 0; i < QUALITY_SENT; i++)
		media_quality_sent(&q, 7, 100 + i, START);
	media_quality_report(&q, &block, 0, START + MONO_MS(5)); // 11 made room
	assert_int_equal(figures(&q).rtt_samples, 0);

	block = answer(7, 100, 0.0055); // half a millisecond more than it can have: two clocks, not a lie
	media_quality_report(&q, &block, 0, START + MONO_MS(5));
	assert_int_equal(figures(&q).rtt_samples, 1); // the instrument sees what is one
	assert_int_equal(figures(&q).rtt_us, 0);
}

static void report(struct media_quality *q, uint32_t ssrc, int32_t lost, uint32_t highest, uint8_t fraction,
		   uint32_t jitter)
{
	struct rtcp_block block = {
		.ssrc = ssrc, .lost = lost, .highest = highest, .fraction = fraction, .jitter = jitter
	};

	media_quality_report(q, &block, 8000, START + q->reports);
}

static void test_losses(void **state)
{
	struct media_quality q = { 0 };
	struct quality_figures f = figures(&q);

	(void)state;
	assert_int_equal(f.reports, 0);
	report(&q, 7, 10, 1000, 64, 80);
	f = figures(&q);
	assert_int_equal(f.lost, 10);
	assert_true(f.loss > 0.249 && f.loss < 0.251); // one report: its own fraction
	assert_int_equal(f.jitter_us, 10000);          // 80 / 8000 s
	report(&q, 7, 15, 1100, 0, 160);
	f = figures(&q);
	assert_int_equal(f.lost, 15);
	assert_true(f.loss > 0.049 && f.loss < 0.051); // 5 of 100
	report(&q, 7, -3, 1200, 0, 0);                 // duplicates
	assert_int_equal(figures(&q).lost, 0);
	report(&q, 7, 15, 900, 0, 0); // goes backwards: no share from that
	assert_true(figures(&q).loss >= 0 && figures(&q).loss <= 1);
	report(&q, 7, 0x7fffff, 1000, 255, UINT32_MAX); // more than all
	assert_true(figures(&q).loss <= 1);
	assert_int_equal(figures(&q).jitter_us, UINT32_MAX);
}

static void test_clocks(void **state)
{
	struct rtcp_block block = { .ssrc = 7, .jitter = 4800 };
	struct media_quality q = { 0 };

	(void)state;
	media_quality_report(&q, &block, 48000, START);
	assert_int_equal(figures(&q).jitter_us, 100000);
	media_quality_report(&q, &block, 0, START);
	assert_int_equal(figures(&q).jitter_us, 600000); // 8000 is assumed
}

// A source that is no longer reported on gives its place to a new one; what it had lost stays lost.
static void test_sources_come_and_go(void **state)
{
	struct media_quality q = { 0 };

	(void)state;
	for (uint32_t i = 1; i <= 1000; i++)
		report(&q, i, 2, 100, 0, 0);
	assert_int_equal(figures(&q).lost, 2000);
	assert_int_equal(figures(&q).reports, 1000);
	report(&q, 1000, 5, 200, 0, 0);
	assert_int_equal(figures(&q).lost, 2003);
	assert_true(sizeof(q) <= 400); // docs/operations.md says so
	print_message("%zu octets a line\n", sizeof(q));
}

// G.107 annex B in points of its table: R 90 is 4.34, 80 is 4.02, 70 is 3.60, 60 is 3.10, 50 is 2.58.
static void test_scores(void **state)
{
	unsigned before = 1000;

	(void)state;
	assert_in_range(media_quality_mos(0, 0, 0), 439, 441);      // a packet's 20 ms: R 92.7
	assert_in_range(media_quality_mos(0, 0, 226000), 433, 435); // 133 ms: R 90.0
	assert_in_range(media_quality_mos(0, 0, 744000), 309, 311); // 392 ms: 9.4 and 23.6, R 60.2
	assert_in_range(media_quality_mos(0.0386, 0, 0), 402, 404); // Ie-eff 12.7: R 80.0
	assert_in_range(media_quality_mos(0.206, 0, 0), 256, 260);  // Ie-eff 42.8: R 50.0
	assert_true(media_quality_mos(0, 50000, 0) < media_quality_mos(0, 0, 0));
	for (unsigned percent = 0; percent <= 100; percent++) {
		unsigned mos = media_quality_mos(percent / 100.0, 0, 200000);

		assert_true(mos <= before);
		assert_in_range(mos, 100, 450);
		before = mos;
	}
	assert_int_equal(media_quality_mos(1, UINT32_MAX, UINT32_MAX), 100);
	assert_int_equal(media_quality_mos(-1, 0, 0), media_quality_mos(0, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip_of_the_rfc),
		cmocka_unit_test(test_round_trip_mean_and_bounds),
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_sources_come_and_go),
		cmocka_unit_test(test_scores),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
