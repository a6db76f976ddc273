// SPDX-License-Identifier: GPL-3.0-or-later
// relay_input.c - from a frame to a datagram of a transport, and what kind it is.
#include "dataplane/worker/relay.h"
#include "dataplane/worker/srtp/rtp_header.h"
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <rte_ether.h>
#include <string.h>
#include "dataplane/fastpath.h"

#define VLAN_TAGS 2
#define EXTENSIONS 4
#define BESIDE_MAX 16 // transports of one port that are asked

enum { NOT_OURS = RELAY_DROP_COUNT }; // no drop: a frame that the port shows us and that is Linux's affair

struct place { // where a frame says it goes
	uint16_t vlan;
	uint8_t family;
	const uint8_t *source, *destination;
	const uint8_t *udp; // its header
	uint16_t len;       // octets of UDP header and what follows, as IP says
};

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline bool ipv4_sum_good(const uint8_t *at, unsigned len)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < len; i += 4) { // byte order does not matter to the sum (RFC 1071)
		uint32_t word;

		memcpy(&word, at + i, sizeof(word));
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

// RFC 791: version, header length, total length, fragmentation, protocol, checksum.
static unsigned parse_ipv4(struct place *pl, const uint8_t *at, size_t len)
{
	unsigned hdr, total;

	if (len < sizeof(struct iphdr) || at[0] >> 4 != 4)
		return RELAY_DROP_MALFORMED;
	hdr = (at[0] & 0x0f) * 4u;
	total = be16(at + 2);
	if (hdr < sizeof(struct iphdr) || total < hdr || total > len)
		return RELAY_DROP_MALFORMED;
	pl->family = INET_V4;
	pl->source = at + 12;
	pl->destination = at + 16;
	if (at[9] != IPPROTO_UDP)
		return NOT_OURS;
	if ((be16(at + 6) & 0x3fff) != 0) {
		if ((be16(at + 6) & 0x1fff) == 0 && total >= hdr + sizeof(struct udphdr))
			pl->udp = at + hdr;
		return RELAY_DROP_FRAGMENT;
	}
	if (!ipv4_sum_good(at, hdr))
		return RELAY_DROP_CHECKSUM;
	pl->udp = at + hdr;
	pl->len = (uint16_t)(total - hdr);
	return RELAY_OK;
}

// RFC 8200: payload length, then a bounded chain of extension headers.
static unsigned parse_ipv6(struct place *pl, const uint8_t *at, size_t len)
{
	const uint8_t *end;
	uint8_t next;

	if (len < sizeof(struct ip6_hdr) || at[0] >> 4 != 6 || be16(at + 4) + sizeof(struct ip6_hdr) > len)
		return RELAY_DROP_MALFORMED;
	end = at + sizeof(struct ip6_hdr) + be16(at + 4);
	pl->family = INET_V6;
	pl->source = at + 8;
	pl->destination = at + 24;
	next = at[6];
	at += sizeof(struct ip6_hdr);
	for (unsigned i = 0; next != IPPROTO_UDP; i++) {
		size_t size;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH)
			return NOT_OURS;
		if (i == EXTENSIONS || end - at < 8)
			return RELAY_DROP_MALFORMED;
		size = (at[1] + 1u) * 8;
		if (next == IPPROTO_FRAGMENT) {
			if ((be16(at + 2) & 0xfff9) != 0) {
				if (be16(at + 2) == 1 && at[0] == IPPROTO_UDP && end - at >= 16)
					pl->udp = at + 8;
				return RELAY_DROP_FRAGMENT;
			}
			size = 8;
		} else if (next == IPPROTO_AH) {
			size = (at[1] + 2u) * 4;
		}
		if (size > (size_t)(end - at))
			return RELAY_DROP_MALFORMED;
		next = at[0];
		at += size;
	}
	pl->udp = at;
	pl->len = (uint16_t)(end - at);
	return RELAY_OK;
}

static unsigned parse_frame(struct place *pl, const uint8_t *at, size_t len)
{
	uint16_t type;

	if (len < RTE_ETHER_HDR_LEN)
		return RELAY_DROP_MALFORMED;
	if ((at[0] & 1) != 0)
		return NOT_OURS; // to a group
	type = be16(at + 12);
	at += RTE_ETHER_HDR_LEN;
	len -= RTE_ETHER_HDR_LEN;
	pl->vlan = 0;
	for (unsigned i = 0; i < VLAN_TAGS && (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ); i++) {
		if (len < 4)
			return RELAY_DROP_MALFORMED;
		pl->vlan = be16(at) & 0xfff; // the inner one counts
		type = be16(at + 2);
		at += 4;
		len -= 4;
	}
	if (type == RTE_ETHER_TYPE_IPV4)
		return parse_ipv4(pl, at, len);
	if (type == RTE_ETHER_TYPE_IPV6)
		return parse_ipv6(pl, at, len);
	return NOT_OURS;
}

// RFC 768: the length counts the header; IP may carry more than UDP says, not less.
static unsigned parse_udp(struct packet *p, const struct place *pl)
{
	uint16_t len;

	if (pl->len < sizeof(struct udphdr))
		return RELAY_DROP_MALFORMED;
	len = be16(pl->udp + 4);
	if (len < sizeof(struct udphdr) || len > pl->len)
		return RELAY_DROP_MALFORMED;
	p->bytes = (uint8_t *)(uintptr_t)pl->udp + sizeof(struct udphdr);
	p->len = (uint16_t)(len - sizeof(struct udphdr));
	p->family = pl->family;
	p->source = pl->source;
	p->source_port = be16(pl->udp);
	return RELAY_OK;
}

static inline bool from_remote_of(const struct packet *p, const struct dp_transport *tp)
{
	if (p->source_port != tp->remote_port || p->family != tp->remote_family)
		return false;
	if (p->family == INET_V4)
		return memcmp(p->source, tp->remote, 4) == 0;
	return memcmp(p->source, tp->remote, 16) == 0;
}

// A NIC that is all ours shows us Linux's fragments, too: a first one to a media port must not get there, since Linux
// would answer for it; later ones carry no port, and Linux lets them go without their first one.
static bool fragment_is_linux(const struct relay_worker *w, const struct packet *p, const struct place *pl)
{
	return relay_goes_up(w, p->m) &&
	       (pl->udp == NULL || relay_table_find(w->relay->table, p->m->port, pl->vlan, pl->family, pl->destination,
						    be16(pl->udp + 2)) == NULL);
}

// Of a header without options. A sum is good if it is one's complement zero: a multiple of 0xffff, but not 0 itself.
static inline bool ipv4_sum_usual(const uint8_t *at)
{
	uint32_t word[5];

	memcpy(word, at, sizeof(word));
	return ((uint64_t)word[0] + word[1] + word[2] + word[3] + word[4]) % 0xffff == 0;
}

// What nearly all frames are: untagged, or with one tag, IPv4 without options or fragments, UDP.
static inline bool parse_usual(struct packet *p, struct place *pl, const uint8_t *at, size_t len)
{
	static const uint8_t ipv4[2] = { 0x08, 0x00 }, vlan[2] = { 0x81, 0x00 };
	const uint64_t whole = htole64(UINT64_C(0xff3f0000000000ff)); // version and length; more fragments, offset
	unsigned total, udp_len;
	uint64_t begin;

	if (len < RTE_ETHER_HDR_LEN + 4 + sizeof(struct iphdr) + sizeof(struct udphdr) || (at[0] & 1) != 0)
		return false;
	pl->vlan = 0;
	if (memcmp(at + 12, vlan, 2) == 0) {
		pl->vlan = be16(at + 14) & 0xfff;
		at += 4;
		len -= 4;
	}
	if (memcmp(at + 12, ipv4, 2) != 0)
		return false;
	at += RTE_ETHER_HDR_LEN;
	len -= RTE_ETHER_HDR_LEN;
	total = be16(at + 2);
	udp_len = be16(at + 24);
	memcpy(&begin, at, sizeof(begin));
	if ((begin & whole) != htole64(0x45) || at[9] != IPPROTO_UDP || total > len || udp_len < sizeof(struct udphdr) ||
	    udp_len + sizeof(struct iphdr) > total || !ipv4_sum_usual(at))
		return false;
	pl->family = INET_V4;
	pl->destination = at + 16;
	pl->udp = at + 20;
	p->bytes = (uint8_t *)(uintptr_t)at + 28;
	p->len = (uint16_t)(udp_len - sizeof(struct udphdr));
	p->family = INET_V4;
	p->source = at + 12;
	p->source_port = be16(at + 20);
	return true;
}

static __attribute__((noinline)) unsigned parse_any(struct relay_worker *w, struct packet *p, struct place *pl)
{
	unsigned drop;

	if (p->m->nb_segs > 1 && rte_pktmbuf_linearize(p->m) < 0)
		return RELAY_DROP_MALFORMED;
	drop = parse_frame(pl, rte_pktmbuf_mtod(p->m, const uint8_t *), p->m->data_len);
	if (drop == RELAY_OK)
		drop = parse_udp(p, pl);
	else if (drop == RELAY_DROP_FRAGMENT && fragment_is_linux(w, p, pl))
		drop = NOT_OURS;
	return drop;
}

// The way into the table is short: its line is waited for where it is needed, beside other packets.
static inline unsigned transport_find(struct relay_worker *w, struct packet *p, const struct place *pl)
{
	const struct dp_map *map = &w->relay->map;
	const _Atomic uint32_t *slot = NULL;
	uint32_t entry;

	if (pl->family == INET_V4)
		slot = relay_table_usual(w->relay->table, p->m->port, pl->vlan, pl->destination, be16(pl->udp + 2));
	if (slot == NULL)
		slot = relay_table_find(w->relay->table, p->m->port, pl->vlan, pl->family, pl->destination,
					be16(pl->udp + 2));
	if (slot == NULL)
		return NOT_OURS;
	entry = atomic_load_explicit(slot, memory_order_acquire);
	if (entry == 0 || entry > map->n_transports)
		return RELAY_DROP_NO_TRANSPORT;
	p->index = entry - 1;
	p->tp = &map->transports[p->index];
	return RELAY_OK;
}

static inline unsigned parse(struct relay_worker *w, struct packet *p)
{
	struct place pl = { 0 };
	unsigned drop = RELAY_OK;

	if (p->m->nb_segs > 1 || !parse_usual(p, &pl, rte_pktmbuf_mtod(p->m, const uint8_t *), p->m->data_len))
		drop = parse_any(w, p, &pl);
	if (drop != RELAY_OK)
		return drop;
	// Only where the port can tell: a neighbour on the same host sends partial checksums (veth).
	if ((p->m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		return RELAY_DROP_CHECKSUM;
	return transport_find(w, p, &pl);
}

// ---- stages. Records of thousands of calls are not in the cache: each is asked for a loop before it is looked at.

static uint16_t headers_read(struct relay_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++)
		__builtin_prefetch(rte_pktmbuf_mtod(frames[i], const void *));
	for (uint16_t i = 0; i < n; i++) {
		struct packet *p = &w->in[kept];
		unsigned drop;

		p->m = frames[i];
		drop = parse(w, p);
		if (drop == RELAY_OK) {
			lines_prefetch(p->tp, 1);
			kept++;
		} else if (drop == NOT_OURS) {
			relay_not_ours(w, p->m);
		} else {
			relay_drop(w, NULL, drop, p->m);
		}
	}
	return kept;
}

// Answerers of one offer share a port: from whose remote is it?
static __attribute__((noinline)) bool beside_find(const struct relay_worker *w, struct packet *p)
{
	const struct dp_map *map = &w->relay->map;
	uint32_t entry = p->tp->beside;

	for (unsigned i = 0; entry != 0 && entry <= map->n_transports && i < BESIDE_MAX; i++) {
		struct dp_transport *tp = &map->transports[entry - 1];

		if (transport_worker(tp) == w->id && from_remote_of(p, tp)) {
			p->tp = tp;
			p->index = entry - 1;
			return true;
		}
		entry = tp->beside;
	}
	return false;
}

// RFC 7983 section 7, by the first byte; RFC 5761 section 4: on one port, types 64 to 95 (with the marker bit: 192 to
// 223) are RTCP. On a port of RTCP alone (RFC 3550 11) all that looks like RTP is RTCP.
static unsigned kind_of(const struct packet *p)
{
	uint8_t first, type;

	if (p->len == 0)
		return 0;
	first = p->bytes[0];
	if (first <= 3)
		return DP_PUNT_STUN;
	if (first >= 20 && first <= 63)
		return DP_PUNT_DTLS;
	if (first < 128 || first > 191 || p->len < 8)
		return 0;
	type = p->bytes[1] & 0x7f;
	if (p->tp->mode == DP_MODE_RTCP || (type >= 64 && type <= 95))
		return DP_PUNT_RTCP;
	return UINT8_MAX; // RTP
}

// Plain RTCP from a stranger is no better than plain RTP from one. What is secured is for control to check, and so is
// plain RTCP that comes to a port of its own while that may still learn its peer's (NAT gives RTCP a port of its own).
static bool punt_is_stray(const struct packet *p, unsigned kind)
{
	bool learns = p->tp->mode == DP_MODE_RTCP && p->tp->path.learn;

	return kind == DP_PUNT_RTCP && p->tp->security == DP_PLAIN && !p->proven && !learns;
}

// Version 2, neither CSRCs nor extension, of a type that is no RTCP's: the header is of its least length.
static inline bool rtp_usual(const struct packet *p)
{
	uint16_t begin;

	if (p->len < RTP_HEADER_MIN || p->tp->mode == DP_MODE_RTCP)
		return false;
	memcpy(&begin, p->bytes, sizeof(begin));
	return (begin & htole16(0x00df)) == htole16(0x0080) && (begin & htole16(0x6000)) != htole16(0x4000);
}

// RTP stays; all else leaves here, to control or by a drop.
static bool classify(struct relay_worker *w, struct packet *p)
{
	unsigned kind;

	if (rtp_usual(p)) {
		p->hdr_len = RTP_HEADER_MIN;
		return true;
	}
	kind = kind_of(p);
	if (kind == UINT8_MAX) {
		p->hdr_len = rtp_header_len(p->bytes, p->len);
		if (p->hdr_len == 0)
			relay_drop(w, p->tp, RELAY_DROP_MALFORMED, p->m);
		return p->hdr_len != 0;
	}
	if (kind == 0)
		relay_drop(w, p->tp, RELAY_DROP_UNKNOWN_KIND, p->m);
	else if (punt_is_stray(p, kind))
		relay_drop(w, p->tp, RELAY_DROP_WRONG_SOURCE, p->m);
	else
		relay_punt(w, p, kind);
	return false;
}

uint16_t stage_parse(struct relay_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	uint16_t kept = 0;

	w->n_ops = w->n_scratch = 0;
	n = headers_read(w, frames, n);
	for (uint16_t i = 0; i < n; i++) {
		struct packet *p = &w->in[i];

		if (transport_worker(p->tp) != w->id) {
			relay_hand(w, p);
			continue;
		}
		p->proven = from_remote_of(p, p->tp) || beside_find(w, p);
		if (w->tracing)
			relay_trace_in(w, p);
		if (!classify(w, p))
			continue;
		unprotect_add(w, p, kept);
		packet_keep(w->in, kept++, i);
	}
	if (w->handing != 0)
		relay_hand_flush(w);
	return kept;
}
