// SPDX-License-Identifier: GPL-3.0-or-later
// bench_calls.c - callers on one side of a gateway and callees on the other, in one thread: as many calls as are asked for.
//
//   bench_calls CPU udp|tcp NEAR FAR GATEWAY CALLED sdes|dtls|plain [PATIENCE]
//
// NEAR and FAR are its own addresses, GATEWAY is where the callers send to, CALLED stands in the URI that they call. Led by lines
// on standard input, each answered with a line of JSON when its last call is over:
//   KINDS COUNT RATE [strict]   that many calls a second, the letters of KINDS (calls_near.h) one after the other; strict: until one fails
//   drop RATE                   ends the calls that are held
// A call that is not over after PATIENCE seconds (4) has failed; so has one that is refused and should not be.
#include "tests/bench/calls_dtls.h"
#include "tests/bench/calls_far.h"
#include "tests/bench/calls_near.h"
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 16        // calls that are begun before what came is looked at again
#define KEYING 10000000   // microseconds after the last call until the handshakes must be over
#define ENOUGH 100        // failed calls, and a quarter of all: then no more are begun
#define LAG 20            // a call that could not begin in this part of the patience is left out

static char sdp[1024];
static unsigned patience_s = 4;

struct load {
	const char *kinds; // NULL: held calls are ended
	uint64_t asked, count, rate; // count: of those asked for, less when too many fail
	uint64_t begun, left_out, began, last, ended;
	bool strict;
};

static void sdp_make(const char *own, bool secure)
{
	snprintf(sdp, sizeof(sdp),
		 "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio 10000 RTP/%s 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
		 "a=rtpmap:101 telephone-event/8000\r\n%sa=sendrecv\r\n", own, own, secure ? "SAVP" : "AVP",
		 secure ? "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n" : "");
}

static void ends_open(char **argv)
{
	bool tcp = strcmp(argv[2], "tcp") == 0;
	struct near_setup setup = { .own = argv[3], .to = argv[6], .transport = tcp ? "TCP" : "UDP", .n_gateways = tcp ? CONNECTIONS : 1,
				    .sdp = sdp, .patience_s = patience_s };
	struct sockaddr_in near = wire_address(argv[3], 5060), far = wire_address(argv[4], 5060), gateway = wire_address(argv[5], 5060);
	struct sockaddr_in any = wire_address(argv[3], 0);

	if (strcmp(argv[7], "dtls") == 0) {
		setup.sdp = NULL;
		calls_dtls_open(argv[3]);
	} else {
		sdp_make(argv[3], strcmp(argv[7], "sdes") == 0);
	}
	far_open(argv[4], tcp ? "tcp" : "udp");
	if (tcp)
		wire_listen(&far, far_message);
	else
		wire_udp(&far, far_message);
	for (unsigned i = 0; i < setup.n_gateways; i++) {
		setup.gateway[i].address = gateway;
		setup.gateway[i].wire = tcp ? wire_connect(&any, &gateway, near_message) : wire_udp(&near, near_message);
	}
	near_open(&setup);
}

static bool load_one(const struct load *l)
{
	if (l->kinds == NULL)
		return near_drop();
	return near_begin((enum call_kind)l->kinds[l->begun % strlen(l->kinds)]);
}

// Begins what is due. What it could not begin in time is counted: then the generator is the limit, or the machine.
static void load_step(struct load *l)
{
	uint64_t now = near_now(), due = (now - l->began) * l->rate / 1000000, lag = l->rate * patience_s / LAG + AT_ONCE;

	if (due > l->count)
		due = l->count;
	if (due > l->begun + l->left_out + lag)
		l->left_out = due - l->begun - lag;
	if (near_counts()->failed > (l->strict ? 0 : ENOUGH + l->begun / 4)) // it will not become a rate without a failure
		l->count = due = l->begun + l->left_out;
	for (unsigned i = 0; i < AT_ONCE && l->begun + l->left_out < due; i++) {
		if (load_one(l))
			l->begun++;
		else
			l->left_out++;
		l->last = now;
	}
}

static void load_run(struct load *l)
{
	struct far_counts *far = far_counts();

	*far = (struct far_counts){ 0 };
	l->asked = l->count;
	near_reset(l->count);
	l->began = l->last = near_now();
	while (l->begun + l->left_out < l->count || near_live() > 0) {
		load_step(l);
		wires_turn(1);
		near_tick();
	}
	l->ended = near_now();
	while (calls_dtls_waiting() > 0 && near_now() < l->ended + KEYING)
		wires_turn(1);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(const struct load *l)
{
	struct near_counts *n = near_counts();
	const struct far_counts *far = far_counts();
	size_t p50 = n->n_setup / 2, p99 = n->n_setup * 99 / 100;
	double seconds = (double)(l->last - l->began) / 1e6;

	qsort(n->setup_us, n->n_setup, sizeof(n->setup_us[0]), by_size);
	printf("{\"rate\":%llu,\"asked\":%llu,\"begun\":%llu,\"left_out\":%llu,\"done\":%llu,\"failed\":%llu,",
	       (unsigned long long)l->rate, (unsigned long long)l->asked, (unsigned long long)l->begun,
	       (unsigned long long)l->left_out, (unsigned long long)n->done, (unsigned long long)n->failed);
	printf("\"silent\":%llu,\"refused\":%llu,\"last_status\":%u,\"again\":%llu,\"answered_again\":%llu,\"secured\":%llu,\"asked_back\":%llu,",
	       (unsigned long long)n->status[0], (unsigned long long)(n->failed - n->status[0]), n->last_status,
	       (unsigned long long)n->again, (unsigned long long)n->answered_again, (unsigned long long)n->secured,
	       (unsigned long long)n->asked);
	printf("\"far\":{\"invites\":%llu,\"plain\":%llu,\"acks\":%llu,\"byes\":%llu,\"cancels\":%llu},\"handshakes\":%llu,\"handshakes_failed\":%llu,",
	       (unsigned long long)far->invites, (unsigned long long)far->plain, (unsigned long long)far->acks,
	       (unsigned long long)far->byes, (unsigned long long)far->cancels, (unsigned long long)calls_dtls_secured(),
	       (unsigned long long)calls_dtls_failed());
	printf("\"p50_us\":%u,\"p99_us\":%u,\"seconds\":%.3f,\"real_rate\":%.1f,\"drained_s\":%.3f,\"held\":%u}\n",
	       n->n_setup > 0 ? n->setup_us[p50] : 0, n->n_setup > 0 ? n->setup_us[p99] : 0, seconds,
	       seconds > 0 ? (double)l->begun / seconds : 0.0, (double)(l->ended - l->last) / 1e6, near_held());
}

int main(int argc, char **argv)
{
	char line[256], kinds[64], word[8];
	cpu_set_t cpus;

	if (argc == 9)
		patience_s = (unsigned)atoi(argv[8]);
	if (argc < 8 || argc > 9 || patience_s == 0)
		errx(64, "usage: bench_calls CPU udp|tcp NEAR FAR GATEWAY CALLED sdes|dtls|plain [PATIENCE]");
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[1]), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		err(1, "CPU %s", argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	ends_open(argv);
	printf("{\"ready\":true}\n");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		unsigned long long count, rate;
		struct load load = { 0 };
		int words = sscanf(line, "%63s %llu %llu %7s", kinds, &count, &rate, word);

		if (words >= 3 && rate > 0 && (words == 3 || strcmp(word, "strict") == 0)) {
			load = (struct load){ .kinds = kinds, .count = count, .rate = rate, .strict = words == 4 };
		} else if (sscanf(line, "drop %llu", &rate) == 1 && rate > 0) {
			load = (struct load){ .count = near_held(), .rate = rate };
		} else {
			errx(64, "not understood: %s", line);
		}
		load_run(&load);
		report(&load);
	}
	return 0;
}
