// SPDX-License-Identifier: GPL-3.0-or-later
// bench_gateway.c - a real sallyport-relay on veth, with this program as its supervisor and control: it opens the
// streams that bench_traffic sends, one session each, SRTP to RTP.
//
//   bench_gateway RELAY STREAMS SUITE|plain CPU busy|adaptive
//
// Runs in the gateway's namespace, whose interfaces are acc (10.77.1.1) and cor (10.77.2.1); the streams come
// from 10.77.1.2 and go to 10.77.2.2. Keys are given through the media region as control does: what SIP would add is
// the set-up alone. Each line on standard input is answered with the sum of all sessions as JSON.
#include "tests/dataplane/relay_bed.h"
#include "tests/support/srtp_fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_PORT 20000
#define LAST_PORT 59999
#define AT_ONCE 64 // sessions: what the command ring holds

static struct bed bed;
static struct dp_ref *in, *out;
static unsigned n_streams;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_gateway: %s\n", what);
	exit(1);
}

static void stream_open(unsigned from, unsigned to, unsigned back, enum srtp_suite suite, const char *hex)
{
	struct inet_endpoint source = bed_endpoint("10.77.1.2", (uint16_t)from);
	struct inet_endpoint sink = bed_endpoint("10.77.2.2", (uint16_t)back);
	struct dp_keys keys = { .direction = DP_RX, .epoch = 1 };
	uint8_t bytes[64];

	in = realloc(in, (n_streams + 1) * sizeof(in[0]));
	out = realloc(out, (n_streams + 1) * sizeof(out[0]));
	must(in != NULL && out != NULL, "no memory");
	in[n_streams] = bed_transport(&bed, 0, "10.77.1.1", (uint16_t)to, DP_MODE_RTP,
				      suite != SRTP_SUITE_NONE ? DP_SRTP : DP_PLAIN, &source);
	out[n_streams] = bed_transport(&bed, 1, "10.77.2.1", (uint16_t)to, DP_MODE_RTP, DP_PLAIN, &sink);
	if (suite != SRTP_SUITE_NONE) {
		must(srtp_master_set(&keys.master, suite, bytes, fixture_hex(bytes, hex)) == 0, "a key");
		dp_transport_keys(bed.dp, in[n_streams], &keys);
	}
	dp_transport_edges(bed.dp, in[n_streams], &(struct dp_edge){ .to = out[n_streams], .open = true }, 1);
	if (++n_streams % AT_ONCE == 0)
		bed_pump(&bed, 1);
}

static void streams_open(const char *path, enum srtp_suite suite)
{
	FILE *file = fopen(path, "r");
	unsigned from, to, back;
	char hex[160];

	must(file != NULL, path);
	while (fscanf(file, "%u %u %u %159s", &from, &to, &back, hex) == 4)
		stream_open(from, to, back, suite, hex);
	fclose(file);
	bed_pump(&bed, 500); // next hops
}

static void stats_print(void)
{
	uint64_t rx = 0, tx = 0, drops[RELAY_DROP_COUNT] = { 0 };
	bool first = true;

	for (unsigned i = 0; i < n_streams; i++) {
		struct dp_stats a, z;

		must(dp_transport_stats(bed.dp, in[i], &a) == 0 && dp_transport_stats(bed.dp, out[i], &z) == 0,
		     "stats");
		rx += a.rx_packets;
		tx += z.tx_packets;
		for (unsigned d = 1; d < RELAY_DROP_COUNT; d++)
			drops[d] += a.drops[d] + z.drops[d];
	}
	printf("{\"rx\":%llu,\"tx\":%llu,\"drops\":{", (unsigned long long)rx, (unsigned long long)tx);
	for (unsigned d = 1; d < RELAY_DROP_COUNT; d++) {
		if (drops[d] == 0)
			continue;
		printf("%s\"%s\":%llu", first ? "" : ",", relay_drop_name[d], (unsigned long long)drops[d]);
		first = false;
	}
	printf("}}\n");
}

int main(int argc, char **argv)
{
	enum srtp_suite suite;
	char line[64];

	must(argc == 6, "usage: bench_gateway RELAY STREAMS SUITE|plain CPU busy|adaptive");
	setvbuf(stdout, NULL, _IOLBF, 0);
	suite = srtp_suite_by_name(argv[3], strlen(argv[3]));
	bed_relay_path = argv[1];
	bed_config(&bed.config);
	bed.config.max_transports = 16384;
	bed.config.worker_cpu[0] = (uint16_t)atoi(argv[4]);
	bed.config.poll = strcmp(argv[5], "busy") == 0 ? DP_POLL_BUSY : DP_POLL_ADAPTIVE;
	for (unsigned i = 0; i < bed.config.n_addresses; i++) {
		bed.config.addresses[i].first_port = FIRST_PORT;
		bed.config.addresses[i].last_port = LAST_PORT;
	}
	bed.huge = true;
	bed_start(&bed);
	streams_open(argv[2], suite);
	printf("{\"ready\":true,\"streams\":%u}\n", n_streams);
	while (fgets(line, sizeof(line), stdin) != NULL)
		stats_print();
	bed_stop(&bed);
	return 0;
}
