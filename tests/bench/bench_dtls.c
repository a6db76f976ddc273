// SPDX-License-Identifier: GPL-3.0-or-later
// bench_dtls.c - DTLS-SRTP handshakes a second and core: two endpoints of ours in one thread, each one's time taken by itself.
//
//   bench_dtls CPU HANDSHAKES
//
// Certificates of ECDSA P-256 on both sides, fingerprints known before, no cookie, no loss. Prints one JSON object.
#include "dtls/dtls_endpoint.h"
#include "dtls/dtls_identity.h"
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ACTIVE, PASSIVE, ENDS };

#define QUEUE 32

struct end {
	struct dtls_identity *identity;
	struct dtls_endpoint *endpoint;
	struct dtls_fingerprints other;
	double seconds;
	unsigned n; // datagrams on their way to it
	size_t len[QUEUE];
	uint8_t datagram[QUEUE][2048];
};

static struct end ends[ENDS];

static double cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void on_send(void *to, const uint8_t *datagram, size_t len)
{
	struct end *e = to;

	if (e->n == QUEUE || len > sizeof(e->datagram[0]))
		errx(1, "a flight of more than was thought");
	e->len[e->n] = len;
	memcpy(e->datagram[e->n++], datagram, len);
}

static void end_open(struct end *e, enum dtls_role role, enum dtls_version version)
{
	struct dtls_endpoint_config config = { .identity = e->identity, .role = role, .min_version = version, .max_version = version,
					       .expected = &e->other };
	struct dtls_out out = { on_send, &ends[role == DTLS_ACTIVE ? PASSIVE : ACTIVE] };

	if (dtls_endpoint_open(&e->endpoint, &config) < 0 || dtls_endpoint_start(e->endpoint, &out) < 0)
		errx(1, "no endpoint");
}

static void end_take(struct end *e, struct end *other)
{
	struct dtls_out out = { on_send, other };

	for (unsigned i = 0; i < e->n; i++)
		dtls_endpoint_input(e->endpoint, e->datagram[i], e->len[i], &out);
	e->n = 0;
}

static void end_finish(struct end *e)
{
	struct dtls_srtp_keys rx, tx;

	if (dtls_endpoint_take_keys(e->endpoint, &rx, &tx) < 0)
		errx(1, "a handshake failed: %s", dtls_failure_text(dtls_endpoint_failure(e->endpoint)));
	dtls_srtp_keys_wipe(&rx);
	dtls_srtp_keys_wipe(&tx);
	dtls_endpoint_close(e->endpoint);
	e->n = 0;
}

// What one end does, and how long it took.
#define TIMED(e, what)                                \
	do {                                          \
		double began = cpu_now();             \
		what;                                 \
		(e)->seconds += cpu_now() - began;    \
	} while (0)

static void handshake(enum dtls_version version)
{
	struct end *a = &ends[ACTIVE], *p = &ends[PASSIVE];

	TIMED(a, end_open(a, DTLS_ACTIVE, version));
	TIMED(p, end_open(p, DTLS_PASSIVE, version));
	while (a->n + p->n > 0) {
		TIMED(p, end_take(p, a));
		TIMED(a, end_take(a, p));
	}
	TIMED(a, end_finish(a));
	TIMED(p, end_finish(p));
}

static void measure(const char *name, enum dtls_version version, unsigned count)
{
	handshake(version); // what the first one makes, once
	ends[ACTIVE].seconds = ends[PASSIVE].seconds = 0;
	for (unsigned i = 0; i < count; i++)
		handshake(version);
	printf("\"DTLS %s\":{\"active\":%.0f,\"passive\":%.0f}", name, count / ends[ACTIVE].seconds, count / ends[PASSIVE].seconds);
}

int main(int argc, char **argv)
{
	cpu_set_t cpus;
	unsigned count;

	if (argc != 3 || (count = (unsigned)atoi(argv[2])) == 0)
		errx(64, "usage: bench_dtls CPU HANDSHAKES");
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[1]), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		err(1, "CPU %s", argv[1]);
	for (int i = 0; i < ENDS; i++) {
		if (dtls_identity_make(&ends[i].identity, 30) < 0)
			errx(1, "no identity");
		ends[!i].other = (struct dtls_fingerprints){ .n = 1 };
		ends[!i].other.list[0] = *dtls_identity_fingerprint(ends[i].identity, DTLS_HASH_SHA256);
	}
	printf("{");
	measure("1.2", DTLS_VERSION_1_2, count);
	printf(",");
	measure("1.3", DTLS_VERSION_1_3, count);
	printf("}\n");
	return 0;
}
