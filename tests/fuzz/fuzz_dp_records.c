// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_dp_records.c - the relay takes up a media region that somebody damaged: control can write it and reads the
// network.
//
// Input: patches of the records of two joined calls, each of five octets and more: what (transports, streams, keys,
// command ring), where (two octets, scaled), how many octets follow, and these. Then a new worker takes the region up,
// is told things and given frames of both calls. What must hold: no access outside the region, no packet without an
// end, no packet memory lost, and an end of it.
#include "tests/support/relay_alone.h"
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TRANSPORTS 4
#define STREAMS 8
#define KEYS 4

struct patched { // what inputs may write to, and how it was
	uint8_t *at;
	size_t size;
	uint8_t *before;
};

static struct relay_alone *ra;
#define PARTS 5
static struct patched parts[PARTS];

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_dp_records: %s\n", what);
	abort();
}

static void part_set(struct patched *part, void *at, size_t size)
{
	*part = (struct patched){ .at = at, .size = size, .before = malloc(size) };
	must(part->before != NULL, "memory");
	memcpy(part->before, at, size);
}

static void join(struct dp_ref x, struct dp_ref y)
{
	dp_transport_edges(ra->client, x, &(struct dp_edge){ .to = y, .open = true }, 1);
	dp_transport_edges(ra->client, y, &(struct dp_edge){ .to = x, .open = true }, 1);
}

static void keys_give(struct dp_ref ref, enum srtp_suite suite)
{
	for (unsigned direction = DP_RX; direction <= DP_TX; direction++) {
		struct dp_keys keys = { .direction = direction,
					.epoch = 1,
					.master = { .suite = suite, .key = { 7 } } };

		dp_transport_keys(ra->client, ref, &keys);
	}
}

static void frames_send(void)
{
	uint8_t rtp[172] = { 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4 };

	for (unsigned i = 0; i < 8; i++) {
		uint64_t ended = relay_alone_ended(ra);

		rtp[3] = (uint8_t)i;
		relay_alone_datagram(ra,
				     &(struct alone_to){ .network = i % 2,
							 .source_port = 4000,
							 .port = (uint16_t)(16384 + 2 * (i / 4)),
							 .source_last = 1 },
				     rtp, sizeof(rtp));
		must(relay_alone_ended(ra) >= ended, "counters go back");
	}
}

static void start(void)
{
	struct dp_map *map;
	struct dp_ref legs[TRANSPORTS];

	ra = relay_alone_open(0);
	map = &ra->relay.map;
	for (unsigned i = 0; i < TRANSPORTS; i++)
		legs[i] = relay_alone_leg(ra, i % 2, i % 2 ? "192.0.1.1" : "192.0.0.1", (uint16_t)(16384 + 2 * (i / 2)),
					  "198.51.100.1", i == 0 || i == 2 ? DP_PLAIN : DP_SRTP, DP_MODE_RTP);
	join(legs[0], legs[1]);
	join(legs[2], legs[3]);
	keys_give(legs[1], SRTP_AEAD_AES_128_GCM);
	keys_give(legs[3], SRTP_AES_CM_128_HMAC_SHA1_80);
	relay_alone_commands(ra);
	frames_send();
	part_set(&parts[0], map->transports, TRANSPORTS * sizeof(*map->transports));
	part_set(&parts[1], map->streams, STREAMS * map->stream_size);
	part_set(&parts[2], map->keys_cm, KEYS * SRTP_KEY_CM_SIZE);
	part_set(&parts[3], map->keys_gcm, KEYS * sizeof(struct srtp_key));
	part_set(&parts[4], map->commands[0], 4096);
}

static void patch(const uint8_t **at, const uint8_t *end)
{
	const struct patched *part = &parts[(*at)[0] % PARTS];
	size_t where = ((size_t)(*at)[1] << 8 | (*at)[2]) * part->size >> 16, n = (*at)[3] % 16 + 1u;

	*at += 4;
	if (n > (size_t)(end - *at))
		n = (size_t)(end - *at);
	if (n > part->size - where)
		n = part->size - where;
	memcpy(part->at + where, *at, n);
	*at += n;
}

// What control may say next, of transports that may no longer be what it knew.
static void commands_give(void)
{
	struct dp_path path = { .remote.port = 4000, .mtu = 1000 };

	must(inet_addr_parse(&path.remote.addr, "198.51.100.1") == 0, "address");
	for (uint32_t i = 0; i < TRANSPORTS; i++) {
		struct dp_ref ref = { .index = i, .generation = ra->relay.map.transports[i].generation };

		dp_transport_path(ra->client, ref, &path);
		dp_transport_retire(ra->client, ref, DP_RX, 1);
		dp_transport_send(ra->client, ref, &path.remote, "DTLS", 4);
	}
	relay_alone_commands(ra);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data, *end = data + size;
	unsigned free_before;

	if (ra == NULL)
		start();
	if (size < 5 || size > 512)
		return 0;
	free_before = rte_mempool_avail_count(ra->relay.pool);
	while (end - at > 4)
		patch(&at, end);
	relay_alone_reopen(ra);
	frames_send();
	commands_give();
	frames_send();
	for (unsigned i = 0; i < PARTS; i++)
		memcpy(parts[i].at, parts[i].before, parts[i].size);
	relay_alone_reopen(ra); // its pools are those of the records as they were
	must(rte_mempool_avail_count(ra->relay.pool) == free_before, "packet memory was lost");
	return 0;
}
