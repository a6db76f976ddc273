// SPDX-License-Identifier: GPL-3.0-or-later
// What one core does at bulk SRTP: ns a packet for each suite, protect and unprotect, at 1, 1000 and 10000 streams.
// Streams come in random order, so that with many of them keys and windows are cold; packets are warm, as from a NIC
// that writes into the cache. Two passes go untimed. Of all bursts the median counts: one that was interrupted does not.
// Usage: bench_srtp [PAYLOAD [BURST [SUITE [DEVICE]]]], SUITE a number of enum srtp_suite, 0 all; DEVICE a crypto device
// such as crypto_aesni_mb instead of ipsec-mb alone. No network, no privileges.
#include "dataplane/worker/cryptodev/crypto_device.h"
#include "tests/support/srtp_fixture.h"
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#define BURST_MAX 64
#define ROOM 1536
#define PACKETS_TIMED 1500000
#define STREAMS_MAX 10000

struct leg {
	struct srtp_key key;
	struct srtp_stream stream;
};

struct bench {
	struct srtp_engine *engine;
	struct leg *tx, *rx; // apart, so that sending does not warm what receiving needs
	unsigned *order;
	unsigned n, payload, burst;
	size_t mapped;
	uint16_t seq; // of the pass
	struct srtp_op ops[BURST_MAX];
	uint8_t packets[BURST_MAX][ROOM];
	uint32_t *protect, *unprotect; // ticks of each burst
	unsigned n_timed;
	uint64_t derive; // ticks of all keys
};

static double ns_per_tick(void)
{
	struct timespec a, b;
	uint64_t tick = __rdtsc();

	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
	} while ((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < 50000000L);
	tick = __rdtsc() - tick;
	return (double)((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec) / (double)tick;
}

// Records lie on huge pages in the product; where there are none, transparent ones come near.
static void *huge_alloc(size_t *len)
{
	void *p;

	*len = (*len + (2u << 20) - 1) & ~(size_t)((2u << 20) - 1);
	p = mmap(NULL, *len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p != MAP_FAILED)
		return p;
	p = mmap(NULL, *len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, *len, MADV_HUGEPAGE);
	return p;
}

static int bench_open(struct bench *bench, enum srtp_suite suite, unsigned n)
{
	struct fixture_random random = { 20261121 };
	struct srtp_master master;
	uint64_t start;

	bench->n = n;
	bench->derive = 0;
	bench->seq = 0;
	bench->mapped = 2 * n * sizeof(struct leg);
	bench->tx = huge_alloc(&bench->mapped);
	bench->rx = bench->tx + n;
	bench->order = malloc(n * sizeof(unsigned));
	if (bench->tx == NULL || bench->order == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		unsigned j = fixture_below(&random, i + 1);

		fixture_master(&random, &master, suite);
		start = __rdtsc();
		srtp_key_derive(bench->engine, &bench->tx[i].key, &master, NULL, 0);
		bench->derive += __rdtsc() - start;
		srtp_stream_init(&bench->tx[i].stream, i, 0, 128);
		bench->rx[i] = bench->tx[i];
		srtp_key_adopt(bench->engine, &bench->rx[i].key);
		bench->order[i] = bench->order[j];
		bench->order[j] = i;
	}
	return 0;
}

static void bench_close(struct bench *bench)
{
	for (unsigned i = 0; bench->tx != NULL && i < bench->n; i++) {
		srtp_key_wipe(bench->engine, &bench->tx[i].key);
		srtp_key_wipe(bench->engine, &bench->rx[i].key);
	}
	if (bench->tx != NULL)
		munmap(bench->tx, bench->mapped);
	free(bench->order);
}

static int bench_burst(struct bench *bench, unsigned first)
{
	uint64_t start;

	for (unsigned i = 0; i < bench->burst; i++) {
		struct leg *leg = &bench->tx[bench->order[(first + i) % bench->n]];
		struct srtp_op *op = &bench->ops[i];
		uint16_t seq = (uint16_t)(bench->seq + (first + i) / bench->n);

		*op = (struct srtp_op){ .packet = bench->packets[i], .room = ROOM, .key = &leg->key,
					.stream = &leg->stream };
		op->hdr_len = fixture_header(op->packet, 0, -1, seq, bench->order[(first + i) % bench->n]);
		op->len = (uint16_t)(op->hdr_len + bench->payload);
	}
	start = __rdtsc();
	srtp_protect_burst(bench->engine, bench->ops, bench->burst);
	bench->protect[bench->n_timed] = (uint32_t)(__rdtsc() - start);
	for (unsigned i = 0; i < bench->burst; i++) {
		struct leg *leg = &bench->rx[bench->order[(first + i) % bench->n]];

		if (bench->ops[i].result != SRTP_OK)
			return -1;
		bench->ops[i].key = &leg->key;
		bench->ops[i].stream = &leg->stream;
	}
	start = __rdtsc();
	srtp_unprotect_burst(bench->engine, bench->ops, bench->burst);
	bench->unprotect[bench->n_timed++] = (uint32_t)(__rdtsc() - start);
	for (unsigned i = 0; i < bench->burst; i++) {
		if (bench->ops[i].result != SRTP_OK)
			return -1;
	}
	return 0;
}

static int bench_run(struct bench *bench, unsigned packets)
{
	unsigned sent = 0;

	bench->n_timed = 0;
	for (; sent < packets; sent += bench->burst) {
		if (bench_burst(bench, sent) < 0)
			return -1;
	}
	bench->seq = (uint16_t)(bench->seq + sent / bench->n + 1);
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double median(uint32_t *ticks, unsigned n)
{
	qsort(ticks, n, sizeof(*ticks), compare);
	return ticks[n / 2];
}

static int bench_case(struct bench *bench, double tick, double ns[2])
{
	if (bench_run(bench, 2 * bench->n + bench->burst) < 0 || bench_run(bench, PACKETS_TIMED) < 0)
		return -1;
	ns[0] = tick * median(bench->protect, bench->n_timed) / bench->burst;
	ns[1] = tick * median(bench->unprotect, bench->n_timed) / bench->burst;
	return 0;
}

// With a device: on hugepages, as in the relay. NULL: ipsec-mb alone.
static int bench_engine(struct bench *bench, const char *name)
{
	static const char *argv[] = { "bench_srtp", "--in-memory", "--single-file-segments", "--no-pci",
				      "--no-telemetry", "--iova-mode=va", "--log-level=*:error" };
	struct dp_config config = { .n_workers = 1, .max_transports = 2 * STREAMS_MAX,
				    .crypto.engine = DP_ENGINE_CRYPTODEV };
	struct crypto_device *device = NULL;
	char why[256] = "";

	if (name == NULL)
		return srtp_engine_open(&bench->engine, SRTP_ARCH_AUTO);
	snprintf(config.crypto.device, sizeof(config.crypto.device), "%s", name);
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), (char **)(uintptr_t)argv) < 0 ||
	    crypto_device_open(&device, &config, why) < 0) {
		fprintf(stderr, "bench_srtp: %s\n", why);
		return -1;
	}
	return srtp_engine_open_with(&bench->engine, SRTP_ARCH_AUTO, crypto_device_queue(device, 0));
}

static unsigned argument(int argc, char **argv, int i, unsigned otherwise, unsigned max)
{
	unsigned long value = argc > i ? strtoul(argv[i], NULL, 10) : otherwise;

	return value == 0 ? otherwise : value > max ? max : (unsigned)value;
}

int main(int argc, char **argv)
{
	static const unsigned streams[] = { 1, 1000, STREAMS_MAX };
	static struct bench bench;
	double tick = ns_per_tick();
	unsigned only = argument(argc, argv, 3, 0, SRTP_SUITE_COUNT - 1);

	bench.payload = argument(argc, argv, 1, 160, 1400);
	bench.burst = argument(argc, argv, 2, 32, BURST_MAX);
	bench.protect = calloc(PACKETS_TIMED + 3 * BURST_MAX, sizeof(uint32_t));
	bench.unprotect = calloc(PACKETS_TIMED + 3 * BURST_MAX, sizeof(uint32_t));
	if (bench.protect == NULL || bench.unprotect == NULL || bench_engine(&bench, argc > 4 ? argv[4] : NULL) < 0)
		return 1;
	printf("%s, %s, payload %u, burst %u: ns a packet, protect/unprotect, at 1, 1000, 10000 streams\n",
	       argc > 4 ? argv[4] : "ipsec-mb", srtp_engine_arch(bench.engine), bench.payload, bench.burst);
	for (unsigned suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		if (only != 0 && suite != only)
			continue;
		printf("%-24s", srtp_suite_name((enum srtp_suite)suite));
		for (unsigned i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
			double ns[2];

			if (bench_open(&bench, (enum srtp_suite)suite, streams[i]) < 0 ||
			    bench_case(&bench, tick, ns) < 0)
				return 1;
			printf("  %5.1f/%5.1f", ns[0], ns[1]);
			fflush(stdout);
			bench_close(&bench);
		}
		printf("  a key %.1f us\n", tick * (double)bench.derive / STREAMS_MAX / 1000);
	}
	srtp_engine_close(bench.engine);
	free(bench.protect);
	free(bench.unprotect);
	return 0;
}
