// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_rtcp.c - any datagram of RTCP, at the end of a page that may not be touched: what is taken is taken again after
// its SSRCs changed, keeps its size, and has them back after the change was undone; what it reports goes into a line's
// figures.
#include "mediarelay/media_quality.h"
#include "mediarelay/rtcp_report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint8_t *guarded_end(void)
{
	static uint8_t *end;
	uint8_t *place;

	if (end != NULL)
		return end;
	place = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(place != MAP_FAILED && mprotect(place + PAGE, PAGE, PROT_NONE) == 0);
	end = place + PAGE;
	return end;
}

static void account(const struct rtcp_facts *facts)
{
	static struct media_quality q; // of a line whose peer says anything, for as long as we run
	static mono_ns now = MONO_S(1);
	struct quality_figures f;

	now += MONO_MS(10);
	for (unsigned i = 0; i < facts->n_senders; i++)
		media_quality_sent(&q, facts->senders[i].ssrc, facts->senders[i].ntp_middle, now);
	for (unsigned i = 0; i < facts->n_blocks; i++)
		media_quality_report(&q, &facts->blocks[i], 8000, now);
	media_quality_read(&q, &f);
	must(f.loss >= 0 && f.loss <= 1);
	must(f.rtt_us <= QUALITY_RTT_MAX / 1000 && f.rtt_min_us <= f.rtt_us && f.rtt_us <= f.rtt_max_us);
	must(media_quality_mos(f.loss, f.jitter_us, f.rtt_us) >= 100);
	must(media_quality_mos(f.loss, f.jitter_us, f.rtt_us) <= 450);
}

// `there` is in no input but by the fuzzer's own search for it; then the way back is not the same.
static void change(uint8_t *packet, size_t size, enum rtcp_role role, uint32_t ssrc)
{
	struct rtcp_ssrc_map there = { ssrc, 0x5a17f00d }, back = { 0x5a17f00d, ssrc };
	uint8_t before[PAGE];
	struct rtcp_facts facts;

	for (size_t i = 0; i + 4 <= size; i++) {
		if (memcmp(packet + i, "\x5a\x17\xf0\x0d", 4) == 0)
			return;
	}
	memcpy(before, packet, size);
	rtcp_map(packet, size, role, &there, 1);
	must(rtcp_parse(packet, size, &facts) == 0);
	rtcp_map(packet, size, role, &back, 1);
	must(memcmp(packet, before, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rtcp_facts facts;
	uint8_t *packet;

	if (size > PAGE)
		return 0;
	packet = guarded_end() - size;
	memcpy(packet, data, size);
	if (rtcp_parse(packet, size, &facts) < 0) {
		rtcp_map(packet, size, RTCP_ROLE_SENDER, &(struct rtcp_ssrc_map){ 1, 2 }, 1);
		return 0;
	}
	must(size >= 8 && size % 4 == 0);
	must(facts.n_senders <= RTCP_SENDERS_MAX && facts.n_blocks <= RTCP_BLOCKS_MAX);
	account(&facts);
	for (unsigned i = 0; i < facts.n_blocks; i++)
		change(packet, size, RTCP_ROLE_MEDIA, facts.blocks[i].ssrc);
	for (unsigned i = 0; i < facts.n_senders; i++)
		change(packet, size, RTCP_ROLE_SENDER, facts.senders[i].ssrc);
	return 0;
}
