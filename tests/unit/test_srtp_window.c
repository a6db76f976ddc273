// SPDX-License-Identifier: GPL-3.0-or-later
// The packet index and the window of indices: tables, a brute force model over three wraps, and a kill at every
// instruction of an update.
#include "tests/support/srtp_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define ROC(roc, seq) ((uint64_t)(roc) << 16 | (seq))

static void guess_table(void **state)
{
	static const struct {
		uint64_t highest;
		uint16_t seq;
		uint64_t want;
	} row[] = {
		{ ROC(0, 10), 11, ROC(0, 11) },
		{ ROC(0, 10), 9, ROC(0, 9) },
		{ ROC(0, 10), 10, ROC(0, 10) },
		{ ROC(0, 10), 65535, ROC(0, 65535) },          // below index 0 there is nothing
		{ ROC(0, 0), 32768, ROC(0, 32768) },
		{ ROC(0, 65535), 0, ROC(1, 0) },
		{ ROC(0, 65535), 32767, ROC(0, 32767) },       // 32768 back: a tie stays
		{ ROC(0, 65535), 32766, ROC(1, 32766) },
		{ ROC(1, 0), 65535, ROC(0, 65535) },
		{ ROC(1, 0), 32768, ROC(1, 32768) },           // 32768 ahead: a tie stays
		{ ROC(1, 0), 32769, ROC(0, 32769) },
		{ ROC(7, 32768), 0, ROC(7, 0) },
		{ ROC(7, 32769), 0, ROC(8, 0) },
		{ ROC(7, 32767), 65535, ROC(7, 65535) },
		{ ROC(7, 32766), 65535, ROC(6, 65535) },
		{ ROC(0xffffffff, 65535), 0, SRTP_INDEX_LIMIT }, // the key is used up
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct srtp_stream stream = { .highest = row[i].highest, .started = 1 };

		assert_int_equal(srtp_index_guess(&stream, row[i].seq), row[i].want);
	}
}

// Of the indices with that sequence number, the nearest; of two equally near, the one of the same roll-over.
static uint64_t nearest(uint64_t highest, uint16_t seq)
{
	int64_t best = (int64_t)ROC(highest >> 16, seq);

	for (int64_t turn = -1; turn <= 1; turn += 2) {
		int64_t other = (int64_t)ROC(highest >> 16, seq) + turn * 65536;

		if (other >= 0 && llabs(other - (int64_t)highest) < llabs(best - (int64_t)highest))
			best = other;
	}
	return (uint64_t)best;
}

static void guess_is_the_nearest(void **state)
{
	for (unsigned roc = 0; roc < 3; roc++) {
		for (unsigned newest = 0; newest < 65536; newest += newest % 32768 < 3 || newest % 32768 > 32764 ? 1 : 509) {
			struct srtp_stream stream = { .highest = ROC(roc, newest), .started = 1 };

			for (unsigned seq = 0; seq < 65536; seq++) {
				if (srtp_index_guess(&stream, (uint16_t)seq) != nearest(stream.highest, (uint16_t)seq))
					fail_msg("roc %u newest %u seq %u", roc, newest, seq);
			}
		}
	}
}

static void first_packet_takes_the_given_roc(void **state)
{
	struct srtp_stream stream;

	srtp_stream_init(&stream, 1, 5, 128);
	assert_int_equal(srtp_index_guess(&stream, 65535), ROC(5, 65535));
	assert_int_equal(srtp_index_guess(&stream, 0), ROC(5, 0));
	srtp_window_accept(&stream, ROC(5, 65535));
	assert_int_equal(srtp_index_guess(&stream, 0), ROC(6, 0));
}

static void window_sizes(void **state)
{
	static const unsigned ask[] = { 0, 64, 65, 100, 128, 512, 1000, 1024, 5000 };
	static const unsigned get[] = { 64, 64, 65, 100, 128, 512, 1000, 1024, 1024 };
	struct srtp_stream stream;

	for (unsigned i = 0; i < sizeof(ask) / sizeof(ask[0]); i++) {
		srtp_stream_init(&stream, 1, 0, ask[i]);
		assert_int_equal(stream.window, get[i]);
		srtp_window_accept(&stream, 50000);
		assert_int_equal(srtp_window_check(&stream, 50000), SRTP_REPLAY);
		assert_int_equal(srtp_window_check(&stream, 50001 - get[i]), SRTP_OK);
		assert_int_equal(srtp_window_check(&stream, 50000 - get[i]), SRTP_OLD);
		assert_int_equal(srtp_window_check(&stream, 50001), SRTP_OK);
	}
	assert_int_equal(srtp_window_check(&stream, SRTP_INDEX_LIMIT - 1), SRTP_OK);
	assert_int_equal(srtp_window_check(&stream, SRTP_INDEX_LIMIT), SRTP_KEY_EXPIRED);
}

// 900 late and fresh: a window of 1024 keeps it, one of 64 does not.
static void late_packet(void **state)
{
	struct srtp_stream wide, narrow;

	srtp_stream_init(&wide, 1, 0, 1024);
	srtp_stream_init(&narrow, 1, 0, 64);
	for (unsigned seq = 1; seq <= 2000; seq++) {
		if (seq == 1100)
			continue;
		srtp_window_accept(&wide, seq);
		srtp_window_accept(&narrow, seq);
	}
	assert_int_equal(srtp_window_check(&wide, 1100), SRTP_OK);
	srtp_window_accept(&wide, 1100);
	assert_int_equal(srtp_window_check(&wide, 1100), SRTP_REPLAY);
	assert_int_equal(srtp_window_check(&narrow, 1100), SRTP_OLD);
}

#define MODEL_INDICES (5 * 65536)

struct model { // remembers everything
	bool seen[MODEL_INDICES];
	uint64_t highest;
	bool started;
};

static enum srtp_result model_check(const struct model *model, uint64_t index, unsigned window)
{
	if (!model->started || index > model->highest)
		return SRTP_OK;
	if (model->highest - index >= window)
		return SRTP_OLD;
	return model->seen[index] ? SRTP_REPLAY : SRTP_OK;
}

static void model_accept(struct model *model, uint64_t index)
{
	model->seen[index] = true;
	if (!model->started || index > model->highest)
		model->highest = index;
	model->started = true;
}

// A sender that passes three wraps; a network that loses, repeats and delays. True indices are known here, so a wrong
// guess shows, too.
static void model_run(struct fixture_random *random, struct model *model, unsigned window, unsigned loss_max)
{
	struct srtp_stream stream;
	uint64_t sent = 60000, index;

	memset(model, 0, sizeof(*model));
	srtp_stream_init(&stream, 1, 0, window);
	srtp_window_accept(&stream, sent);
	model_accept(model, sent);
	while (sent < 4 * 65536) {
		switch (fixture_below(random, 8)) {
		case 0: // late, perhaps once more
			index = sent - fixture_below(random, 2 * window);
			break;
		case 1: // after a gap
			sent += fixture_below(random, loss_max);
			// fall through
		default:
			index = ++sent;
		}
		if (index < 60000)
			continue;
		assert_int_equal(srtp_index_guess(&stream, (uint16_t)index), index);
		assert_int_equal(srtp_window_check(&stream, index), model_check(model, index, window));
		if (srtp_window_check(&stream, index) == SRTP_OK) {
			srtp_window_accept(&stream, index);
			model_accept(model, index);
		}
		assert_int_equal(stream.highest, model->highest);
	}
	// Nothing ever accepted comes in again, as far back as a guess reaches.
	for (index = model->highest - 32000; index <= model->highest; index++)
		assert_int_equal(srtp_window_check(&stream, index), model_check(model, index, window));
}

static void window_is_the_model_over_three_wraps(void **state)
{
	struct fixture_random random = { 20261121 };
	struct model *model = malloc(sizeof(*model));

	assert_non_null(model);
	for (unsigned window = 64; window <= 1024; window += 60) {
		model_run(&random, model, window, 3);
		model_run(&random, model, window, 200);
		model_run(&random, model, window, 20000);
	}
	free(model);
}

// A kill leaves what was stored so far. The child is stepped through an update instruction by instruction; each state
// that the shared record passes through is what a next relay might find.
struct torn {
	struct srtp_stream stream;
	struct srtp_stream before;
	uint64_t accepted; // index of the update
	unsigned states;
};

// Everything that had been accepted before is refused, now and on the way on.
static void torn_check(struct torn *torn)
{
	struct srtp_stream now = torn->stream;

	for (unsigned lap = 0; lap < 40; lap++) {
		for (unsigned back = 0; back <= torn->before.window && back <= torn->before.highest; back++) {
			uint64_t index = torn->before.highest - back;

			if (srtp_window_check(&torn->before, index) == SRTP_REPLAY)
				assert_int_not_equal(srtp_window_check(&now, index), SRTP_OK);
		}
		assert_true(now.highest >= torn->before.highest);
		assert_int_equal(srtp_window_check(&now, now.highest + 1), SRTP_OK); // never stuck
		srtp_window_accept(&now, now.highest + 1 + lap * 7);
	}
	torn->states++;
}

static void torn_run(struct torn *torn)
{
	struct srtp_stream last = torn->before;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(1);
		raise(SIGSTOP);
		srtp_window_accept(&torn->stream, torn->accepted);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	while (WIFSTOPPED(status)) {
		if (memcmp(&last, &torn->stream, sizeof(last)) != 0) {
			last = torn->stream;
			torn_check(torn);
		}
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	// The update itself was done in the end.
	assert_int_not_equal(srtp_window_check(&torn->stream, torn->accepted), SRTP_OK);
}

static void killed_at_every_instruction(void **state)
{
	static const unsigned steps[] = { 1, 40, 64, 65, 100, 128, 129, 200, 300, 1500, 40000 };
	struct torn *torn = mmap(NULL, sizeof(*torn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(torn != MAP_FAILED);
	for (unsigned window = 128; window <= 1024; window *= 8) {
		for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			srtp_stream_init(&torn->before, 1, 0, window);
			for (uint64_t index = 65536 - 3000; index < 65536 + 30; index++)
				srtp_window_accept(&torn->before, index);
			torn->stream = torn->before;
			torn->accepted = torn->before.highest + steps[i];
			torn->states = 0;
			torn_run(torn);
			assert_true(torn->states >= (steps[i] < 64 ? 2 : 3)); // the stepping did see the stores
		}
	}
	// A late one, and the first one of a stream.
	srtp_stream_init(&torn->before, 1, 0, 128);
	torn->stream = torn->before;
	torn->accepted = 77;
	torn->states = 0;
	torn_run(torn);
	assert_true(torn->states >= 3);
	munmap(torn, sizeof(*torn));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guess_table),
		cmocka_unit_test(guess_is_the_nearest),
		cmocka_unit_test(first_packet_takes_the_given_roc),
		cmocka_unit_test(window_sizes),
		cmocka_unit_test(late_packet),
		cmocka_unit_test(window_is_the_model_over_three_wraps),
		cmocka_unit_test(killed_at_every_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
