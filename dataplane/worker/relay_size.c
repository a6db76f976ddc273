// SPDX-License-Identifier: GPL-3.0-or-later
// relay_size.c - sallyport-relay --size: calls are opened in a relay of this process, packets of both directions go
// through its real burst, from rx to tx, and what they take says how many calls a core carries. The device is net_null:
// what a network card's driver takes comes on top. Frames are made before and copied in untimed, as the card would.
#include "dataplane/worker/relay_size.h"
#include "base/clock.h"
#include "base/secret.h"
#include "dataplane/worker/relay_trial.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <errno.h>
#include <netinet/in.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#define CALLS 10000 // open at once: their keys and records do not fit into a core's cache
#define PASSES 4    // packets of each direction of each call, of which the first warms up
#define PAYLOAD 160 // octets: 20 ms of G.711
#define PACE 50     // packets a second, each way
#define LOAD 0.6    // of a core: above it latency grows and nothing is left for bursts
#define POOL 2047   // packets
#define AT_ONCE 64  // calls: what the command ring holds
#define HEADERS 42  // Ethernet, IPv4, UDP
#define RTP 12
#define SLOT 256 // octets of a frame, from its start
#define FIRST_PORT 20000
#define REMOTE_PORT 4000
#define BURSTS (CALLS * PASSES / RELAY_BURST)
#define WARM_BURSTS (CALLS / RELAY_BURST)

static_assert(CALLS * PASSES % RELAY_BURST == 0, "whole bursts");

struct sizing {
	struct relay relay;
	struct region region;
	struct byte_ring commands, events; // control's ends
	enum srtp_suite suite[2];          // of each side of the calls that are open; NONE: plain RTP
	uint32_t generation;
	uint32_t *place;   // of each call in a pass
	uint8_t *frames;   // of both sides, pass by pass
	double *bursts[2]; // ticks of each
};

struct size_found { // ns a packet
	double to_plain, from_plain, secured;
};

// ---- calls: a transport on each side, joined both ways

static struct dp_ref leg_ref(const struct sizing *s, unsigned call, unsigned side)
{
	return (struct dp_ref){ .index = 2 * call + side, .generation = s->generation };
}

static int tell(struct sizing *s, struct dp_command *c, enum dp_command_kind kind, struct dp_ref leg)
{
	c->kind = kind;
	c->transport = leg;
	return byte_ring_push2(&s->commands, c, sizeof(*c), NULL, 0);
}

static struct inet_addr address(unsigned side, bool remote)
{
	struct inet_addr addr = { .family = INET_V4 };

	memcpy(addr.bytes, remote ? (uint8_t[]){ 198, 51, 100, 1 } : (uint8_t[]){ 192, 0, 2, 1 }, 4);
	addr.bytes[3] = (uint8_t)(1 + side);
	return addr;
}

// What was told is done; nobody wants to know of it.
static void settle(struct sizing *s)
{
	const void *event;
	size_t len;

	do {
		while (byte_ring_peek(&s->events, &event, &len) == 0)
			byte_ring_next(&s->events);
	} while (relay_commands(s->relay.workers[0]) > 0);
}

static int leg_open(struct sizing *s, unsigned call, unsigned side)
{
	struct dp_ref leg = leg_ref(s, call, side), other = leg_ref(s, call, !side);
	struct dp_command c = { .publish = { .network = (uint16_t)side, .mode = DP_MODE_RTP } };
	int err;

	c.publish.local.addr = address(side, false);
	c.publish.local.port = (uint16_t)(FIRST_PORT + 2 * call);
	err = tell(s, &c, DP_COMMAND_PUBLISH, leg);
	c = (struct dp_command){ .secure = s->suite[side] != SRTP_SUITE_NONE ? DP_SRTP : DP_PLAIN };
	if (err == 0)
		err = tell(s, &c, DP_COMMAND_SECURE, leg);
	c = (struct dp_command){ .path.remote = { .addr = address(side, true), .port = REMOTE_PORT } };
	if (err == 0)
		err = tell(s, &c, DP_COMMAND_PATH, leg);
	c = (struct dp_command){ .edges = { .n = 1, .list = { { .to = other, .open = true } } } };
	return err < 0 ? err : tell(s, &c, DP_COMMAND_EDGES, leg);
}

static int leg_key(struct sizing *s, struct dp_ref leg, enum dp_direction direction, struct srtp_master *master)
{
	struct dp_command c = { .keys = { .direction = direction, .epoch = 1 } };
	int err = secret_random(master->key, sizeof(master->key));

	if (err == 0)
		err = secret_random(master->salt, sizeof(master->salt));
	c.keys.master = *master;
	if (err == 0)
		err = tell(s, &c, DP_COMMAND_KEYS, leg);
	secret_wipe(&c, sizeof(c));
	return err;
}

// ---- frames

static uint8_t *frame_at(const struct sizing *s, unsigned side, unsigned t)
{
	return s->frames + ((size_t)side * CALLS * PASSES + t) * SLOT;
}

static size_t frame_len(const struct sizing *s, unsigned side)
{
	const struct srtp_suite_info *info = srtp_suite_info(s->suite[side]);

	return HEADERS + RTP + PAYLOAD + (info != NULL ? info->tag_len : 0);
}

static void be16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void headers_make(uint8_t *at, unsigned call, unsigned side, size_t len)
{
	uint32_t sum = 0;

	memset(at, 0, HEADERS);
	at[0] = at[6] = 2;
	at[11] = 1;
	at[12] = 8;
	at[14] = 0x45;
	be16(at + 16, (unsigned)len - 14);
	at[22] = 64;
	at[23] = IPPROTO_UDP;
	memcpy(at + 26, address(side, true).bytes, 4);
	memcpy(at + 30, address(side, false).bytes, 4);
	for (unsigned i = 14; i < 34; i += 2)
		sum += (unsigned)(at[i] << 8 | at[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	be16(at + 24, ~(sum + (sum >> 16)) & 0xffff);
	be16(at + 34, REMOTE_PORT);
	be16(at + 36, FIRST_PORT + 2 * call);
	be16(at + 38, (unsigned)len - 34);
}

static void rtp_make(uint8_t *at, unsigned call, unsigned side, unsigned pass)
{
	memset(at, (int)(call + pass), RTP + PAYLOAD);
	at[0] = 0x80;
	at[1] = 0;
	be16(at + 2, 1 + pass);
	be16(at + 4, 0);
	be16(at + 6, pass * PAYLOAD);
	be16(at + 8, 1 + side);
	be16(at + 10, call);
}

// All packets of one direction of a call, protected by a key that nobody needs afterwards.
static int frames_make(struct sizing *s, unsigned call, unsigned side, const struct srtp_master *master)
{
	struct srtp_engine *engine = s->relay.workers[0]->engine; // its thread is ours
	struct srtp_op ops[PASSES];
	struct srtp_stream stream;
	struct srtp_key key;
	int err = 0;

	for (unsigned pass = 0; pass < PASSES; pass++) {
		uint8_t *at = frame_at(s, side, pass * CALLS + s->place[call]);

		headers_make(at, call, side, frame_len(s, side));
		rtp_make(at + HEADERS, call, side, pass);
		ops[pass] = (struct srtp_op){ .packet = at + HEADERS,
					      .len = RTP + PAYLOAD,
					      .room = SLOT - HEADERS,
					      .hdr_len = RTP,
					      .key = &key,
					      .stream = &stream };
	}
	if (s->suite[side] == SRTP_SUITE_NONE)
		return 0;
	srtp_stream_init(&stream, (1u + side) << 16 | call, 0, 128);
	err = srtp_key_derive(engine, &key, master, NULL, 0);
	if (err == 0)
		srtp_protect_burst(engine, ops, PASSES);
	for (unsigned pass = 0; pass < PASSES && err == 0; pass++)
		err = ops[pass].result == SRTP_OK ? 0 : -EIO;
	srtp_key_wipe(engine, &key);
	return err;
}

static int call_open(struct sizing *s, unsigned call)
{
	struct srtp_master master;
	int err = 0;

	for (unsigned side = 0; side < 2 && err == 0; side++)
		err = leg_open(s, call, side);
	for (unsigned side = 0; side < 2 && err == 0; side++) {
		bool secured = s->suite[side] != SRTP_SUITE_NONE;

		master.suite = s->suite[side];
		if (secured)
			err = leg_key(s, leg_ref(s, call, side), DP_RX, &master);
		if (err == 0)
			err = frames_make(s, call, side, &master);
		if (err == 0 && secured)
			err = leg_key(s, leg_ref(s, call, side), DP_TX, &master);
	}
	srtp_master_wipe(&master);
	return err;
}

static int calls_open(struct sizing *s)
{
	const struct nexthop hops[2] = { { .kind = NEXTHOP_ETHER, .port = 0, .mtu = 1500, .mac = { 2 } },
					 { .kind = NEXTHOP_ETHER, .port = 1, .mtu = 1500, .mac = { 2 } } };
	int err = 0;

	s->generation++;
	for (unsigned call = 0; call < CALLS && err == 0; call++) {
		err = call_open(s, call);
		if (call % AT_ONCE == AT_ONCE - 1)
			settle(s);
	}
	settle(s);
	for (uint32_t i = 0; i < 2 * CALLS && err == 0; i++)
		nexthop_set(s->relay.hops, i, s->relay.map.transports[i].out.path_serial, &hops[i % 2]);
	return err;
}

static int calls_close(struct sizing *s)
{
	struct dp_command c = { 0 };
	int err = 0;

	for (unsigned call = 0; call < CALLS && err == 0; call++) {
		for (unsigned side = 0; side < 2 && err == 0; side++)
			err = tell(s, &c, DP_COMMAND_REMOVE, leg_ref(s, call, side));
		if (call % AT_ONCE == AT_ONCE - 1)
			settle(s);
	}
	settle(s);
	return err;
}

// ---- bursts

static uint64_t burst_time(struct sizing *s, unsigned side, unsigned t)
{
	struct relay_worker *w = s->relay.workers[0];
	struct dp_queue *q = s->relay.ports[side]->queues[0];
	size_t len = frame_len(s, side);
	struct rte_mbuf *pkts[RELAY_BURST];
	uint64_t begin = rte_rdtsc(), took;
	uint16_t n = q->ops->rx(q, pkts, RELAY_BURST);

	took = rte_rdtsc() - begin;
	for (unsigned i = 0; i < n; i++) {
		memcpy(rte_pktmbuf_mtod(pkts[i], uint8_t *), frame_at(s, side, t + i), len);
		pkts[i]->data_len = (uint16_t)len;
		pkts[i]->pkt_len = (uint32_t)len;
	}
	begin = rte_rdtsc();
	w->now = clock_now();
	relay_burst(w, pkts, n);
	relay_flush(w);
	return took + rte_rdtsc() - begin;
}

static int by_value(const void *x, const void *y)
{
	double d = *(const double *)x - *(const double *)y;

	return d < 0 ? -1 : d > 0;
}

// The middle one, for others may have had the core during some of them. Sorts; ns a packet.
static double middle(double *bursts)
{
	const unsigned n = BURSTS - WARM_BURSTS;

	qsort(bursts + WARM_BURSTS, n, sizeof(bursts[0]), by_value);
	return bursts[WARM_BURSTS + n / 2] * 1e9 / (double)rte_get_tsc_hz() / RELAY_BURST;
}

// A figure with drops is no figure.
static int account(const struct sizing *s)
{
	uint64_t sent = 0;

	for (uint32_t i = 0; i < 2 * CALLS; i++)
		sent += s->relay.map.transports[i].out.packets;
	for (unsigned d = 1; d < RELAY_DROP_COUNT; d++) {
		if (s->relay.workers[0]->record->drops[d] > 0)
			fprintf(stderr, "sallyport --size: packets dropped: %s\n", relay_drop_name[d]);
	}
	return sent == 2ull * CALLS * PASSES ? 0 : -EIO;
}

// ns[side]: of a packet that comes in there.
static int calls_measure(struct sizing *s, enum srtp_suite one, enum srtp_suite other, double ns[2])
{
	int err;

	s->suite[0] = one;
	s->suite[1] = other;
	err = calls_open(s);
	for (unsigned b = 0; b < BURSTS && err == 0; b++) {
		for (unsigned side = 0; side < 2; side++)
			s->bursts[side][b] = (double)burst_time(s, side, b * RELAY_BURST);
		if (b <= WARM_BURSTS)
			settle(s); // of each key's first packet control is told
	}
	for (unsigned side = 0; side < 2; side++)
		ns[side] = middle(s->bursts[side]);
	if (err == 0)
		err = account(s);
	return err < 0 ? err : calls_close(s);
}

static int suite_measure(struct sizing *s, enum srtp_suite suite, struct size_found *found)
{
	double ns[2];
	int err = calls_measure(s, suite, SRTP_SUITE_NONE, ns);

	found->to_plain = ns[0];
	found->from_plain = ns[1];
	if (err == 0 && suite != SRTP_SUITE_NONE)
		err = calls_measure(s, suite, suite, ns);
	found->secured = (ns[0] + ns[1]) / 2;
	return err;
}

// ---- what it comes to

// Two-way calls that LOAD of a core carries, if a packet of each direction takes so long.
static unsigned calls(double one_way, double other_way)
{
	return (unsigned)(LOAD * 1e9 / (PACE * (one_way + other_way)));
}

static void print_json(FILE *to, const struct sizing *s, const struct size_found *found)
{
	fprintf(to,
		"{\"engine\":\"ipsec-mb %s\",\"hugepages\":%s,\"calls_open\":%d,\"payload\":%d,"
		"\"packets_a_second_each_way\":%d,\"load\":%.2f,\"rtp_to_rtp_ns\":%.1f,\"calls_rtp_rtp\":%u,"
		"\"suites\":[",
		srtp_engine_arch(s->relay.workers[0]->engine), s->region.huge ? "true" : "false", CALLS, PAYLOAD, PACE,
		LOAD, found[0].secured, calls(found[0].secured, found[0].secured));
	for (unsigned i = 1; i < SRTP_SUITE_COUNT; i++) {
		const struct size_found *f = &found[i];

		fprintf(to,
			"%s{\"suite\":\"%s\",\"srtp_to_rtp_ns\":%.1f,\"rtp_to_srtp_ns\":%.1f,\"srtp_to_srtp_ns\":%.1f,"
			"\"calls_srtp_rtp\":%u,\"calls_srtp_srtp\":%u}",
			i > 1 ? "," : "", srtp_suite_name((enum srtp_suite)i), f->to_plain, f->from_plain, f->secured,
			calls(f->to_plain, f->from_plain), calls(f->secured, f->secured));
	}
	fprintf(to, "]}\n");
}

static void print_table(FILE *to, const struct sizing *s, const struct size_found *found)
{
	fprintf(to,
		"Calls that one core of this host carries: %d packets/s each way of %d octets, at %.0f %% of the "
		"core.\n"
		"Measured now: %d calls open, ns a packet from rx to tx, checksums in software, engine ipsec-mb %s,\n"
		"records on %s.\n\n%-26s %12s %12s %12s %15s %15s\n",
		PACE, PAYLOAD, LOAD * 100, CALLS, srtp_engine_arch(s->relay.workers[0]->engine),
		s->region.huge ? "hugepages" : "4 KB pages: vm.nr_hugepages gives more", "suite", "SRTP to RTP",
		"RTP to SRTP", "SRTP to SRTP", "calls SRTP-RTP", "calls SRTP-SRTP");
	for (unsigned i = 1; i < SRTP_SUITE_COUNT; i++) {
		const struct size_found *f = &found[i];

		fprintf(to, "%-26s %12.1f %12.1f %12.1f %15u %15u\n", srtp_suite_name((enum srtp_suite)i), f->to_plain,
			f->from_plain, f->secured, calls(f->to_plain, f->from_plain), calls(f->secured, f->secured));
	}
	fprintf(to,
		"\nPlain RTP on both sides: %.1f ns, %u calls. The network card's driver comes on top: tens of ns a\n"
		"packet where DPDK has the card, 1 to 2 us with AF_XDP in copy mode, which then decides alone.\n"
		"Signalling has cores of its own. See docs/performance.md.\n",
		found[0].secured, calls(found[0].secured, found[0].secured));
}

static void config_make(struct dp_config *c)
{
	*c = (struct dp_config){ .n_ports = 2,
				 .n_networks = 2,
				 .n_addresses = 2,
				 .n_workers = 1,
				 .worker_cpu = { UINT16_MAX },
				 .max_transports = 2 * CALLS,
				 .replay_window = 128 };
	for (unsigned side = 0; side < 2; side++) {
		snprintf(c->ports[side].name, sizeof(c->ports[side].name), "size%u", side);
		c->ports[side].driver = DP_DRIVER_NULL;
		c->ports[side].tx_checksum = DP_TX_CHECKSUM_SOFTWARE;
		c->networks[side].port = (uint8_t)side;
		c->addresses[side] = (struct dp_address){ .network = (uint8_t)side,
							  .addr = address(side, false),
							  .first_port = FIRST_PORT,
							  .last_port = FIRST_PORT + 2 * CALLS - 1 };
	}
}

static void places_make(struct sizing *s) // no two calls that follow one another in memory do so in time
{
	for (unsigned i = 0; i < CALLS; i++)
		s->place[i] = i;
	for (unsigned i = CALLS - 1; i > 0; i--) {
		unsigned j = (unsigned)random() % (i + 1);
		uint32_t swap = s->place[i];

		s->place[i] = s->place[j];
		s->place[j] = swap;
	}
}

static int sizing_open(struct sizing *s, char why[256])
{
	struct dp_config config;
	int err;

	snprintf(why, 256, "no memory");
	s->relay.control_event = s->region.fd = -1;
	s->place = calloc(CALLS, sizeof(s->place[0]));
	s->frames = calloc((size_t)2 * CALLS * PASSES, SLOT);
	s->bursts[0] = calloc(BURSTS, sizeof(double));
	s->bursts[1] = calloc(BURSTS, sizeof(double));
	if (s->place == NULL || s->frames == NULL || s->bursts[0] == NULL || s->bursts[1] == NULL)
		return -ENOMEM;
	places_make(s);
	config_make(&config);
	err = relay_trial_open(&s->relay, &s->region, &config, POOL, why);
	if (err == 0)
		err = byte_ring_attach(&s->commands, s->relay.map.commands[0], DP_COMMAND_RING, BYTE_RING_PRODUCER);
	if (err == 0)
		err = byte_ring_attach(&s->events, s->relay.map.events[0], DP_EVENT_RING, BYTE_RING_CONSUMER);
	return err;
}

static void sizing_close(struct sizing *s)
{
	relay_trial_close(&s->relay, &s->region);
	free(s->place);
	free(s->frames);
	free(s->bursts[0]);
	free(s->bursts[1]);
}

int relay_size_print(FILE *to, bool json)
{
	static struct sizing s;
	struct size_found found[SRTP_SUITE_COUNT];
	char why[256];
	int err = sizing_open(&s, why);

	for (unsigned suite = 0; suite < SRTP_SUITE_COUNT && err == 0; suite++) {
		err = suite_measure(&s, (enum srtp_suite)suite, &found[suite]);
		if (err < 0)
			snprintf(why, sizeof(why), "%s: %s", srtp_suite_name((enum srtp_suite)suite), strerror(-err));
	}
	if (err < 0)
		fprintf(stderr, "sallyport --size: %s\n", why);
	else if (json)
		print_json(to, &s, found);
	else
		print_table(to, &s, found);
	sizing_close(&s);
	return err < 0 || fflush(to) != 0;
}
