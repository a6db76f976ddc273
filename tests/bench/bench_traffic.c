// SPDX-License-Identifier: GPL-3.0-or-later
// bench_traffic.c - traffic for a gateway on veth: streams leave by AF_XDP of one interface, what comes back is met at
// another's, all on one core, at a set pace, with the time of sending in the payload.
//
//   bench_traffic STREAMS SUITE CPU OUT-INTERFACE IN-INTERFACE OUT-ADDRESS IN-ADDRESS GATEWAY-ADDRESS GATEWAY-MAC
//
// STREAMS: a file, a line a stream: source port, gateway's port, port of return, master key and salt in hex. Then lines
// on standard input: pairs of packets a second and seconds, the phases of a run, one after the other; each is answered
// with a line of JSON. Streams go on from run to run.
#include "base/clock.h"
#include "base/inet.h"
#include "dataplane/steering/steering.h"
#include "dataplane/worker/dp_port.h"
#include "dataplane/worker/memory.h"
#include "tests/bench/traffic_count.h"
#include "tests/support/srtp_fixture.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKETS 16383
#define BURST 32
#define HEADERS 42
#define PAYLOAD 160
#define FIRST_PORT 20000
#define LAST_PORT 59999
#define BEHIND MONO_MS(20) // further behind than this, packets are left out and counted
#define DRAIN MONO_MS(300) // after the last packet
#define MARK 0x53505442u   // of our payloads

struct stream {
	uint16_t from, to, back;
	uint16_t seq;
	struct srtp_key key;
	struct srtp_stream srtp;
};

struct mark { // the head of each payload
	uint32_t mark, stream;
	mono_ns sent;
};

static struct {
	enum srtp_suite suite;
	struct stream *streams;
	unsigned n_streams, next;
	struct srtp_engine *engine;
	struct steering *steering;
	struct rte_mempool *pool;
	struct dp_port *ports[2]; // out, in
	uint8_t head[HEADERS];
	struct rte_mbuf *pending[BURST];
	unsigned n_pending;
	struct traffic_count count;
} t;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_traffic: %s\n", what);
	exit(1);
}

// ---- set-up

static void streams_read(const char *path)
{
	FILE *in = fopen(path, "r");
	struct srtp_master master = { .suite = t.suite };
	unsigned from, to, back;
	uint8_t bytes[64];
	char hex[160];

	must(in != NULL, path);
	while (fscanf(in, "%u %u %u %159s", &from, &to, &back, hex) == 4) {
		struct stream *s;

		t.streams = realloc(t.streams, (t.n_streams + 1) * sizeof(*s));
		must(t.streams != NULL, "no memory for streams");
		s = &t.streams[t.n_streams++];
		memset(s, 0, sizeof(*s));
		s->from = (uint16_t)from;
		s->to = (uint16_t)to;
		s->back = (uint16_t)back;
	}
	rewind(in);
	{
		struct stream *aligned = aligned_alloc(64, t.n_streams * sizeof(*aligned));

		must(aligned != NULL && t.n_streams > 0, "no streams");
		memcpy(aligned, t.streams, t.n_streams * sizeof(*aligned));
		free(t.streams);
		t.streams = aligned;
	}
	for (unsigned i = 0; i < t.n_streams && t.suite != SRTP_SUITE_NONE; i++) {
		const struct srtp_suite_info *info = srtp_suite_info(t.suite);

		must(fscanf(in, "%*u %*u %*u %159s", hex) == 1 &&
			     fixture_hex(bytes, hex) == info->key_len + info->salt_len,
		     "a key is not as long as the suite has it");
		must(srtp_master_set(&master, t.suite, bytes, info->key_len + info->salt_len) == 0 &&
			     srtp_key_derive(t.engine, &t.streams[i].key, &master, NULL, 0) == 0,
		     "key derivation");
		srtp_stream_init(&t.streams[i].srtp, 1000 + i, 0, 128);
	}
	fclose(in);
}

static void config_make(struct dp_config *c, char **names, char **addresses)
{
	*c = (struct dp_config){ .n_ports = 2,
				 .n_networks = 2,
				 .n_addresses = 2,
				 .n_workers = 1,
				 .max_transports = 2,
				 .replay_window = 128 };
	for (unsigned i = 0; i < 2; i++) {
		snprintf(c->ports[i].name, sizeof(c->ports[i].name), "%s", names[i]);
		c->ports[i].driver = DP_DRIVER_AF_XDP;
		c->networks[i].port = (uint8_t)i;
		c->addresses[i] = (struct dp_address){ .network = (uint8_t)i,
						       .first_port = FIRST_PORT,
						       .last_port = LAST_PORT };
		must(inet_addr_parse(&c->addresses[i].addr, addresses[i]) == 0, addresses[i]);
	}
}

static void head_make(const char *from, const char *to, const char *mac)
{
	uint8_t *h = t.head;

	must(sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", h, h + 1, h + 2, h + 3, h + 4, h + 5) == 6, mac);
	memcpy(h + 6, t.ports[0]->mac, 6);
	h[12] = 8;
	h[14] = 0x45;
	h[22] = 64;
	h[23] = IPPROTO_UDP;
	must(inet_pton(AF_INET, from, h + 26) == 1 && inet_pton(AF_INET, to, h + 30) == 1, "addresses");
}

// ---- sending

static void be16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void ports_set(uint8_t *frame, const struct stream *s, unsigned rtp_len)
{
	uint32_t sum = 0;

	memcpy(frame, t.head, HEADERS);
	be16(frame + 16, 28 + rtp_len);
	for (unsigned i = 14; i < 34; i += 2)
		sum += (unsigned)(frame[i] << 8 | frame[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	be16(frame + 24, ~(sum + (sum >> 16)) & 0xffff);
	be16(frame + 34, s->from);
	be16(frame + 36, s->to);
	be16(frame + 38, 8 + rtp_len);
}

static void rtp_make(uint8_t *rtp, struct stream *s, unsigned index, mono_ns now)
{
	const struct mark mark = { .mark = MARK, .stream = index, .sent = now };

	memset(rtp, 0, 12);
	rtp[0] = 0x80;
	s->seq++;
	be16(rtp + 2, s->seq);
	be16(rtp + 4, (s->seq * 160u) >> 16);
	be16(rtp + 6, (s->seq * 160u) & 0xffff);
	be16(rtp + 8, (1000 + index) >> 16);
	be16(rtp + 10, (1000 + index) & 0xffff);
	memset(rtp + 12, 0x55, PAYLOAD);
	memcpy(rtp + 12, &mark, sizeof(mark));
}

static void burst_make(unsigned n, mono_ns now)
{
	struct srtp_op ops[BURST];

	must(rte_pktmbuf_alloc_bulk(t.pool, t.pending, n) == 0, "packet memory");
	for (unsigned i = 0; i < n; i++) {
		struct stream *s = &t.streams[t.next];
		uint8_t *frame = rte_pktmbuf_mtod(t.pending[i], uint8_t *);

		rtp_make(frame + HEADERS, s, t.next, now);
		ops[i] = (struct srtp_op){ .packet = frame + HEADERS,
					   .len = 12 + PAYLOAD,
					   .hdr_len = 12,
					   .key = &s->key,
					   .stream = &s->srtp,
					   .room = 12 + PAYLOAD + SRTP_TAG_MAX };
		t.next = (t.next + 1) % t.n_streams;
	}
	if (t.suite != SRTP_SUITE_NONE)
		srtp_protect_burst(t.engine, ops, n);
	for (unsigned i = 0; i < n; i++) {
		struct stream *s = &t.streams[(t.next + t.n_streams * BURST - n + i) % t.n_streams];

		ports_set(rte_pktmbuf_mtod(t.pending[i], uint8_t *), s, ops[i].len);
		t.pending[i]->data_len = (uint16_t)(HEADERS + ops[i].len);
		t.pending[i]->pkt_len = t.pending[i]->data_len;
	}
	t.n_pending = n;
}

static void burst_send(mono_ns now)
{
	struct dp_queue *q = t.ports[0]->queues[0];
	unsigned n = q->ops->tx(q, t.pending, (uint16_t)t.n_pending);

	t.n_pending -= n;
	memmove(t.pending, t.pending + n, t.n_pending * sizeof(t.pending[0]));
	traffic_sent(&t.count, now, n);
}

// ---- receiving

static void frame_look(const uint8_t *frame, unsigned len, mono_ns now)
{
	struct mark mark;

	if (len < HEADERS + 12 + sizeof(mark) || frame[12] != 8 || frame[14] != 0x45)
		return;
	memcpy(&mark, frame + HEADERS + 12, sizeof(mark));
	if (mark.mark != MARK || mark.stream >= t.n_streams)
		traffic_strange(&t.count);
	else
		traffic_received(&t.count, mark.stream, mark.sent, now);
}

static void receive(unsigned port)
{
	struct dp_queue *q = t.ports[port]->queues[0];
	struct rte_mbuf *pkts[BURST];
	uint16_t n = q->ops->rx(q, pkts, BURST);
	mono_ns now;

	if (n == 0)
		return;
	now = clock_now();
	for (unsigned i = 0; i < n && port == 1; i++)
		frame_look(rte_pktmbuf_mtod(pkts[i], const uint8_t *), pkts[i]->data_len, now);
	rte_pktmbuf_free_bulk(pkts, n);
}

// ---- a run

static void phase_run(double rate, double seconds)
{
	mono_ns began = clock_now(), end = began + (mono_ns)(seconds * 1e9), now;
	uint64_t made = 0, left_out = 0;

	traffic_phase(&t.count, began, seconds);
	while ((now = clock_now()) < end) {
		uint64_t due = (uint64_t)((double)(now - began) * rate / 1e9) - made - left_out;
		uint64_t most = (uint64_t)((double)BEHIND * rate / 1e9) + BURST;

		if (due > most) { // we did not have our core: to make up for it would be a burst that nobody asked for
			left_out += due - most;
			due = most;
		}
		if (t.n_pending == 0 && due > 0) {
			unsigned n = due > BURST ? BURST : (unsigned)due;

			burst_make(n, now);
			made += n;
		}
		if (t.n_pending > 0)
			burst_send(now);
		receive(1);
		receive(0);
	}
	traffic_left_out(&t.count, left_out);
}

static void run(const char *line)
{
	double rate, seconds;
	mono_ns end;
	int used;

	traffic_begin(&t.count, t.n_streams);
	for (; sscanf(line, "%lf %lf%n", &rate, &seconds, &used) == 2; line += used)
		phase_run(rate, seconds);
	for (end = clock_now() + DRAIN; clock_now() < end;) {
		if (t.n_pending > 0)
			burst_send(clock_now());
		t.ports[0]->queues[0]->ops->settle(t.ports[0]->queues[0]);
		receive(1);
		receive(0);
	}
	traffic_print(&t.count);
}

int main(int argc, char **argv)
{
	struct dp_config config;
	cpu_set_t one;
	char why[256] = "", line[256];

	must(argc == 10,
	     "usage: bench_traffic STREAMS SUITE CPU OUT IN OUT-ADDRESS IN-ADDRESS GATEWAY-ADDRESS GATEWAY-MAC");
	setvbuf(stdout, NULL, _IOLBF, 0);
	t.suite = srtp_suite_by_name(argv[2], strlen(argv[2]));
	config_make(&config, argv + 4, argv + 6);
	must(memory_open(&config, PACKETS, &t.pool, why) == 0, why);
	must(srtp_engine_open(&t.engine, SRTP_ARCH_AUTO) == 0, "no SRTP engine");
	streams_read(argv[1]);
	must(steering_open(&t.steering, &config, why) == 0, why);
	for (unsigned i = 0; i < 2; i++)
		must(dp_port_open(&t.ports[i], &config, i, steering_map_fd(t.steering, i), t.pool, why) == 0, why);
	head_make(argv[6], argv[8], argv[9]);
	CPU_ZERO(&one);
	CPU_SET(atoi(argv[3]), &one);
	must(sched_setaffinity(0, sizeof(one), &one) == 0, "no such core");
	printf("{\"ready\":true,\"streams\":%u}\n", t.n_streams);
	while (fgets(line, sizeof(line), stdin) != NULL)
		run(line);
	for (unsigned i = 0; i < 2; i++)
		dp_port_close(t.ports[i]);
	steering_close(t.steering);
	return 0;
}
