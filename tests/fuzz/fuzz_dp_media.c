// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_dp_media.c - whole frames into the relay's burst function, with plain, secured and RTCP transports published.
//
// First octet: bits 0-1 which transport a made-up header addresses (0: the rest is the frame itself, from Ethernet on),
// bit 2 from the right source, bit 3 protected with the leg's key, bit 4 IPv6, bit 5 cut the frame's last octet.
// What must hold: every packet ends in exactly one place, no packet memory is lost, and what leaves is a sound frame.
#include "dataplane/worker/srtp/rtp_header.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include "tests/support/relay_alone.h"
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mempool.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TO_FRAME 0
#define TO_SECURED 2
#define TO_RTCP 3

static struct relay_alone *ra;
static struct srtp_key *peer_key;
static struct srtp_stream *peer_stream;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_dp_media: %s\n", what);
	abort();
}

static void frame_is_sound(struct alone_frame *m)
{
	uint16_t type = (uint16_t)(m->bytes[12] << 8 | m->bytes[13]);

	must(m->len >= 14 && m->len <= 1514, "length of a frame");
	if (type == RTE_ETHER_TYPE_IPV4) {
		struct rte_ipv4_hdr *ip = (void *)(m->bytes + 14);
		struct rte_udp_hdr *udp = (void *)(ip + 1);
		uint16_t check = udp->dgram_cksum;

		must(rte_be_to_cpu_16(ip->total_length) + 14u == m->len, "IPv4 length");
		must(rte_raw_cksum(ip, 20) == 0xffff, "IPv4 checksum");
		udp->dgram_cksum = 0;
		must(rte_ipv4_udptcp_cksum(ip, udp) == check, "UDP checksum");
	} else {
		struct rte_ipv6_hdr *ip = (void *)(m->bytes + 14);
		struct rte_udp_hdr *udp = (void *)(ip + 1);
		uint16_t check = udp->dgram_cksum;

		must(type == RTE_ETHER_TYPE_IPV6, "type of a frame");
		must(rte_be_to_cpu_16(ip->payload_len) + 54u == m->len, "IPv6 length");
		udp->dgram_cksum = 0;
		must(rte_ipv6_udptcp_cksum(ip, udp) == check, "UDP checksum");
	}
}

// ---- set-up

static void join(struct dp_ref x, struct dp_ref y)
{
	dp_transport_edges(ra->client, x, &(struct dp_edge){ .to = y, .open = true }, 1);
	dp_transport_edges(ra->client, y, &(struct dp_edge){ .to = x, .open = true }, 1);
}

static void legs_make(void)
{
	struct dp_keys keys = { .direction = DP_RX, .epoch = 1, .master.suite = SRTP_AEAD_AES_128_GCM };
	struct dp_ref plain4 = relay_alone_leg(ra, 0, "192.0.0.1", 16384, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	struct dp_ref secured4 = relay_alone_leg(ra, 1, "192.0.1.1", 16386, "198.51.100.2", DP_SRTP, DP_MODE_RTP);
	struct dp_ref plain6 = relay_alone_leg(ra, 0, "2001:db8::1", 16384, "2001:db8:ff::1", DP_PLAIN, DP_MODE_RTP);
	struct dp_ref secured6 = relay_alone_leg(ra, 1, "2001:db8:1::1", 16386, "2001:db8:ff::2", DP_SRTP, DP_MODE_RTP);

	relay_alone_leg(ra, 0, "192.0.0.1", 16385, "198.51.100.1", DP_PLAIN, DP_MODE_RTCP);
	relay_alone_leg(ra, 0, "2001:db8::1", 16385, "2001:db8:ff::1", DP_PLAIN, DP_MODE_RTCP);
	join(plain4, secured4);
	join(plain6, secured6);
	for (unsigned direction = DP_RX; direction <= DP_TX; direction++) {
		keys.direction = direction;
		keys.master.key[0] = (uint8_t)direction;
		dp_transport_keys(ra->client, secured4, &keys);
		dp_transport_keys(ra->client, secured6, &keys);
		if (direction == DP_RX)
			must(srtp_key_derive(ra->worker->engine, peer_key, &keys.master, NULL, 0) == 0, "derive");
	}
	relay_alone_commands(ra);
}

static void start(void)
{
	ra = relay_alone_open(0);
	peer_key = aligned_alloc(64, sizeof(*peer_key));
	peer_stream = aligned_alloc(64, sizeof(*peer_stream));
	must(peer_key != NULL && peer_stream != NULL, "memory");
	legs_make();
}

// ---- one input

static size_t headers_make(uint8_t *f, uint8_t flags, size_t len)
{
	unsigned which = flags & 3;
	bool v6 = flags & 16, secured = which == TO_SECURED;
	const struct dp_address *to = &ra->relay.map.config.addresses[(secured ? 2 : 0) + (v6 ? 1 : 0)];
	uint16_t port = secured ? 16386 : which == TO_RTCP ? 16385 : 16384;
	struct inet_addr from;
	uint8_t *udp;

	must(inet_addr_parse(&from, v6 ? (secured ? "2001:db8:ff::2" : "2001:db8:ff::1")
				       : (secured ? "198.51.100.2" : "198.51.100.1")) == 0, "source");
	memset(f, 0, 64);
	if (v6) {
		struct rte_ipv6_hdr *ip = (void *)(f + 14);

		f[12] = 0x86;
		f[13] = 0xdd;
		ip->vtc_flow = RTE_BE32(0x60000000);
		ip->payload_len = rte_cpu_to_be_16((uint16_t)(len + 8));
		ip->proto = IPPROTO_UDP;
		memcpy(ip->src_addr, from.bytes, 16);
		memcpy(ip->dst_addr, to->addr.bytes, 16);
		udp = (uint8_t *)(ip + 1);
	} else {
		struct rte_ipv4_hdr *ip = (void *)(f + 14);

		f[12] = 8;
		ip->version_ihl = 0x45;
		ip->total_length = rte_cpu_to_be_16((uint16_t)(len + 28));
		ip->next_proto_id = IPPROTO_UDP;
		memcpy(&ip->src_addr, from.bytes, 4);
		memcpy(&ip->dst_addr, to->addr.bytes, 4);
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		udp = (uint8_t *)(ip + 1);
	}
	udp[0] = (flags & 4) ? 4000 >> 8 : 1;
	udp[1] = 4000 & 0xff;
	udp[2] = (uint8_t)(port >> 8);
	udp[3] = (uint8_t)port;
	udp[4] = (uint8_t)((len + 8) >> 8);
	udp[5] = (uint8_t)(len + 8);
	return (size_t)(udp + 8 - f);
}

static size_t protect(uint8_t *at, size_t len)
{
	struct srtp_op op = { .packet = at, .len = (uint16_t)len, .room = (uint16_t)(len + 16), .key = peer_key,
			      .stream = peer_stream, .hdr_len = rtp_header_len(at, len) };

	if (op.hdr_len == 0)
		return len;
	srtp_stream_init(peer_stream, rtp_ssrc(at), 0, 128); // each input anew: the relay sees repeats, too
	srtp_protect_burst(ra->worker->engine, &op, 1);
	return op.result == SRTP_OK ? op.len : len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned sent, free_before;
	uint8_t frame[2048];
	size_t len = 0;
	uint64_t ended;
	uint8_t flags;

	if (ra == NULL)
		start();
	if (size < 1 || size > 1600)
		return 0;
	flags = data[0];
	sent = ra->n_sent;
	ended = relay_alone_ended(ra);
	free_before = rte_mempool_avail_count(ra->relay.pool);
	if ((flags & 3) != TO_FRAME)
		len = headers_make(frame, flags, size - 1);
	memcpy(frame + len, data + 1, size - 1);
	if ((flags & 3) != TO_FRAME && (flags & 8)) {
		size_t secured = protect(frame + len, size - 1);

		headers_make(frame, flags, secured);
		len += secured;
	} else {
		len += size - 1;
	}
	if ((flags & 32) && len > 0)
		len--;
	relay_alone_frame(ra, (flags & 3) == TO_SECURED || flags & 64, frame, len);
	must(relay_alone_ended(ra) == ended + 1, "a packet ended nowhere, or twice");
	must(rte_mempool_avail_count(ra->relay.pool) == free_before, "packet memory was lost");
	if (ra->n_sent != sent)
		frame_is_sound(&ra->sent[sent % ALONE_FRAMES]);
	return 0;
}
