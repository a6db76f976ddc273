// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_quiet.c - a worker under load asks nothing of the kernel: 100,000 packets, SRTP to RTP and RTP to SRTP,
// through whole rounds of its loop, in a thread whose every system call is caught and counted (seccomp). The ports are
// memory, so that what a device's driver calls is not in it.
#include "tests/support/relay_alone.h"
#include "tests/support/srtp_reference.h"
#include "base/clock.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#define PACKETS 100000
#define PAYLOAD 160
#define FRAME 256
#define CALLS 512

static struct relay_alone *ra;
static uint8_t (*frames)[FRAME];
static uint16_t *lengths;
static volatile unsigned calls[CALLS], n_calls; // caught, of each number

static int setup(void **state)
{
	ra = relay_alone_open(0);
	frames = calloc(PACKETS, sizeof(*frames));
	lengths = calloc(PACKETS, sizeof(*lengths));
	return frames == NULL || lengths == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	relay_alone_close(ra);
	free(frames);
	free(lengths);
	return 0;
}

// ---- what is caught

static void on_call(int number, siginfo_t *info, void *context)
{
	calls[(unsigned)info->si_syscall % CALLS]++;
	n_calls++;
}

// All calls but those by which the thread gets out of the handler and ends.
static void catch_calls(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(steps) / sizeof(steps[0]), .filter = steps };
	const struct sigaction action = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGSYS, &action, NULL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		abort();
}

// ---- the load: even packets come secured and leave plain, odd ones the other way

static void legs_make(struct srtp_reference *reference)
{
	struct dp_ref a = relay_alone_leg(ra, 0, "192.0.0.1", 16384, "198.51.100.1", DP_SRTP, DP_MODE_RTP);
	struct dp_ref b = relay_alone_leg(ra, 1, "192.0.1.1", 16384, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	struct dp_keys keys = { .direction = DP_RX, .epoch = 1,
				.master = { .suite = SRTP_AES_CM_128_HMAC_SHA1_80, .key = { 1 }, .salt = { 2 } } };

	dp_transport_keys(ra->client, a, &keys);
	srtp_reference_open(reference, &keys.master, &keys.mki);
	keys.direction = DP_TX;
	keys.master.key[0] = 3;
	dp_transport_keys(ra->client, a, &keys);
	dp_transport_edges(ra->client, a, &(struct dp_edge){ .to = b, .open = true }, 1);
	dp_transport_edges(ra->client, b, &(struct dp_edge){ .to = a, .open = true }, 1);
	relay_alone_commands(ra);
}

static void frames_make(const struct srtp_reference *reference)
{
	struct alone_to to = { .source_port = 4000, .port = 16384, .source_last = 1 };
	uint8_t rtp[12 + PAYLOAD] = { 0x80, 96 }, secured[FRAME];

	for (unsigned i = 0; i < PACKETS; i++) {
		rtp[2] = (uint8_t)(i / 2 >> 8);
		rtp[3] = (uint8_t)(i / 2);
		to.network = i % 2;
		if (i % 2 == 0)
			lengths[i] = (uint16_t)relay_alone_frame_make(
				frames[i], &to, secured,
				srtp_reference_protect(reference, secured, rtp, sizeof(rtp), i / 2, NULL, false));
		else
			lengths[i] = (uint16_t)relay_alone_frame_make(frames[i], &to, rtp, sizeof(rtp));
	}
}

static void load(unsigned first, unsigned end)
{
	for (unsigned i = first; i < end;) {
		for (unsigned k = 0; k < RELAY_BURST && i < end; k++, i++)
			relay_alone_put(ra, i % 2, 0, frames[i], lengths[i]);
		relay_worker_round(ra->worker);
	}
}

struct outcome {
	unsigned clock, control, under_load;
};

static void *worker(void *arg)
{
	struct outcome *o = arg;

	load(0, 64); // streams are bound, and control is told what it has to know
	catch_calls();
	clock_now(); // where the kernel has no clock in user space, each round asks it once
	o->clock = n_calls;
	n_calls = 0;
	syscall(SYS_getppid);
	o->control = n_calls;
	n_calls = 0;
	load(64, PACKETS);
	o->under_load = n_calls;
	return NULL;
}

static void no_call_under_load(void **state)
{
	struct srtp_reference reference;
	struct outcome outcome = { 0 };
	pthread_t thread;

#if defined(SALLYPORT_SANITIZE_ADDRESS) || defined(SALLYPORT_SANITIZE_THREAD)
	skip(); // a sanitizer has calls of its own
#endif
	legs_make(&reference);
	frames_make(&reference);
	assert_int_equal(pthread_create(&thread, NULL, worker, &outcome), 0);
	pthread_join(thread, NULL);
	assert_int_equal(ra->n_sent, PACKETS);
	assert_int_equal(outcome.control, 1); // one is seen
	assert_int_equal(calls[SYS_getppid], 1);
	if (outcome.clock == 0)
		assert_int_equal(outcome.under_load, 0);
	else
		assert_int_equal(outcome.under_load, calls[SYS_clock_gettime] - outcome.clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_call_under_load) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
