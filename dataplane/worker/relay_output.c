// SPDX-License-Identifier: GPL-3.0-or-later
// relay_output.c - from a datagram to a frame on a port.
#include "dataplane/worker/relay.h"
#include <netinet/in.h>
#include <rte_ether.h>
#include <string.h>
#include "dataplane/worker/fastpath.h"

#define UDP_HEADER 8
#define HOP_LIMIT 64

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

// ---- checksums (RFC 1071), in words of 32 bits; byte order does not matter to the sum

static uint64_t sum_word(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, 8);
	return (word & 0xffffffff) + (word >> 32);
}

static uint64_t sum_bytes(uint64_t sum, const uint8_t *at, size_t len)
{
	uint64_t word = 0, other = 0;

	for (; len >= 16; at += 16, len -= 16) { // two sums, so that one does not wait for the other
		sum += sum_word(at);
		other += sum_word(at + 8);
	}
	if (len >= 8) {
		sum += sum_word(at);
		at += 8;
		len -= 8;
	}
	memcpy(&word, at, len);
	return sum + other + (word & 0xffffffff) + (word >> 32);
}

static uint16_t sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum; // as it is to lie in memory
}

// ---- headers

struct envelope {
	const struct inet_endpoint *from, *to;
	uint8_t dscp;
};

static void write_udp(uint8_t *udp, const struct envelope *e, uint16_t len, size_t addr_len)
{
	uint8_t pseudo[8] = { 0, 0, 0, IPPROTO_UDP }; // RFC 768, RFC 8200 8.1
	uint16_t check;
	uint64_t sum;

	put16(udp, e->from->port);
	put16(udp + 2, e->to->port);
	put16(udp + 4, len);
	put16(udp + 6, 0);
	put16(pseudo + 4, len);
	sum = sum_bytes(0, pseudo, sizeof(pseudo));
	sum = sum_bytes(sum, e->from->addr.bytes, addr_len);
	sum = sum_bytes(sum, e->to->addr.bytes, addr_len);
	sum = sum_bytes(sum, udp, len);
	check = sum_fold(sum);
	if (check == 0)
		check = 0xffff;
	memcpy(udp + 6, &check, 2);
}

static void write_ipv4(uint8_t *ip, const struct envelope *e, uint16_t udp_len)
{
	uint16_t check;

	ip[0] = 0x45;
	ip[1] = (uint8_t)(e->dscp << 2);
	put16(ip + 2, udp_len + 20u);
	put16(ip + 4, 0);
	put16(ip + 6, 0x4000); // don't fragment: then the identification may stay 0 (RFC 6864)
	ip[8] = HOP_LIMIT;
	ip[9] = IPPROTO_UDP;
	put16(ip + 10, 0);
	memcpy(ip + 12, e->from->addr.bytes, 4);
	memcpy(ip + 16, e->to->addr.bytes, 4);
	check = sum_fold(sum_bytes(0, ip, 20));
	memcpy(ip + 10, &check, 2);
}

static void write_ipv6(uint8_t *ip, const struct envelope *e, uint16_t udp_len)
{
	ip[0] = 0x60 | e->dscp >> 2;
	ip[1] = (uint8_t)(e->dscp << 6);
	put16(ip + 2, 0);
	put16(ip + 4, udp_len);
	ip[6] = IPPROTO_UDP;
	ip[7] = HOP_LIMIT;
	memcpy(ip + 8, e->from->addr.bytes, 16);
	memcpy(ip + 24, e->to->addr.bytes, 16);
}

static void write_ether(uint8_t *at, const struct dp_port *port, const struct nexthop *hop, uint16_t type)
{
	memcpy(at, hop->mac, 6);
	memcpy(at + 6, port->mac, 6);
	if (hop->vlan != 0) {
		put16(at + 12, RTE_ETHER_TYPE_VLAN);
		put16(at + 14, hop->vlan);
		at += 4;
	}
	put16(at + 12, type);
}

// Wraps the `len` octets at `bytes`, which lie in m with room in front.
static void frame_write(struct rte_mbuf *m, uint8_t *bytes, uint16_t len, const struct envelope *e,
			const struct dp_port *port, const struct nexthop *hop)
{
	bool v4 = e->to->addr.family == INET_V4;
	size_t ether = RTE_ETHER_HDR_LEN + (hop->vlan != 0 ? 4u : 0u), ip = v4 ? 20 : 40;
	uint8_t *at = bytes - UDP_HEADER - ip - ether;

	if (v4)
		write_ipv4(at + ether, e, (uint16_t)(len + UDP_HEADER));
	else
		write_ipv6(at + ether, e, (uint16_t)(len + UDP_HEADER));
	write_udp(at + ether + ip, e, (uint16_t)(len + UDP_HEADER), v4 ? 4 : 16);
	write_ether(at, port, hop, v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	m->data_off = (uint16_t)(at - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)(bytes + len - at);
	m->pkt_len = m->data_len;
	m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; // whose memory it is; the rest was about what came in
}

static bool fits(const struct dp_transport *tp, const struct nexthop *hop, size_t len, uint8_t family)
{
	size_t mtu = tp->path.mtu != 0 && tp->path.mtu < hop->mtu ? tp->path.mtu : hop->mtu;

	return len + UDP_HEADER + (family == INET_V4 ? 20 : 40) <= mtu;
}

// ---- to the ports

static void port_send(struct relay_worker *w, struct relay_tx *tx, unsigned port)
{
	uint16_t sent = tx->queue->ops->tx(tx->queue, tx->pkts, tx->n);

	dp_count(&w->record->tx_packets[port], sent);
	for (uint16_t i = sent; i < tx->n; i++)
		relay_drop(w, &w->relay->map.transports[tx->pkts[i]->hash.usr], RELAY_DROP_TX_FULL, tx->pkts[i]);
	tx->n = 0;
}

void relay_flush(struct relay_worker *w)
{
	for (unsigned i = 0; i < w->relay->map.config.n_ports; i++) {
		if (w->tx[i].n > 0)
			port_send(w, &w->tx[i], i);
	}
}

static void hairpin(struct relay_worker *w, struct dp_transport *tp, struct rte_mbuf *m)
{
	if (m->vlan_tci >= RELAY_HOPS) {
		relay_drop(w, tp, RELAY_DROP_LOOP, m);
	} else if (w->n_hairpin == RELAY_HAIRPIN) {
		relay_drop(w, tp, RELAY_DROP_TX_FULL, m);
	} else {
		m->port = (uint16_t)(RELAY_INSIDE | tp->network);
		m->vlan_tci++; // hops so far: no port of ours uses the field
		w->hairpin[w->n_hairpin++] = m;
	}
}

static void frame_send(struct relay_worker *w, struct dp_transport *tp, uint32_t index, struct rte_mbuf *m,
		       const struct nexthop *hop)
{
	struct relay_tx *tx = &w->tx[hop->port];

	if (hop->kind == NEXTHOP_HAIRPIN) {
		hairpin(w, tp, m);
		return;
	}
	if (tx->n == sizeof(tx->pkts) / sizeof(tx->pkts[0]))
		port_send(w, tx, hop->port);
	m->hash.usr = index;
	tx->pkts[tx->n++] = m;
}

// ---- media

static enum relay_drop ready(struct relay_worker *w, struct packet *p)
{
	const struct dp_transport *tp = p->tp;

	if (tp->security != DP_PLAIN && (tp->security != DP_SRTP || key_at(w->relay, &tp->tx_key) == NULL))
		return RELAY_DROP_TX_NOT_KEYED;
	if (tp->path.remote.addr.family == INET_NONE)
		return RELAY_DROP_NO_PATH;
	if (tp->path.remote.addr.family != tp->local.addr.family ||
	    !nexthop_get(w->relay->hops, p->index, tp->path_serial, &p->hop))
		return RELAY_DROP_NO_NEXTHOP;
	return RELAY_OK;
}

static void warm_out(struct relay_worker *w, const struct dp_transport *tp)
{
	const struct dp_map *map = &w->relay->map;

	lines_prefetch(key_at(w->relay, &tp->tx_key), 4);
	if (tp->tx_ssrcs[0].stream < map->n_streams)
		lines_prefetch(&map->streams[tp->tx_ssrcs[0].stream], 1);
}

uint16_t stage_ready(struct relay_worker *w, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct packet *p = &w->out[i];
		enum relay_drop drop = ready(w, p);

		if (drop != RELAY_OK) {
			relay_drop(w, p->tp, drop, p->m);
			continue;
		}
		if (p->tp->security == DP_SRTP)
			warm_out(w, p->tp);
		packet_keep(w->out, kept++, i);
	}
	return kept;
}

void stage_headers(struct relay_worker *w, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct packet *p = &w->out[i];
		struct dp_transport *tp = p->tp;
		struct envelope e = { .from = &tp->local, .to = &tp->path.remote, .dscp = tp->path.dscp };

		if (!fits(tp, &p->hop, p->len, e.to->addr.family)) {
			relay_drop(w, tp, RELAY_DROP_TOO_BIG, p->m);
			continue;
		}
		tp->counters.tx_ssrc = (uint32_t)p->bytes[8] << 24 | (uint32_t)p->bytes[9] << 16 |
				       (uint32_t)p->bytes[10] << 8 | p->bytes[11];
		dp_count(&tp->counters.tx_packets, 1);
		dp_count(&tp->counters.tx_octets, p->payload_len);
		__atomic_store_n(&tp->counters.last_tx, w->now, __ATOMIC_RELAXED);
		frame_write(p->m, p->bytes, p->len, &e, w->relay->ports[p->hop.port], &p->hop);
		frame_send(w, tp, p->index, p->m, &p->hop);
	}
}

// ---- control's own datagrams

#define WAIT MONO_MS(500) // for a neighbour; what sent it sends it again by then
#define WAIT_STEP MONO_MS(1)

static enum relay_drop datagram(struct relay_worker *w, uint32_t index, const struct inet_endpoint *to,
				const void *bytes, size_t len)
{
	struct dp_transport *tp = &w->relay->map.transports[index];
	struct envelope e = { .from = &tp->local, .to = to, .dscp = tp->path.dscp };
	struct rte_mbuf *m;
	struct nexthop hop;
	uint8_t *at;

	if (to->addr.family != tp->local.addr.family ||
	    !nexthop_get_for(w->relay->hops, w->id, index, to, &hop, &w->keeper_wants_wake))
		return RELAY_DROP_NO_NEXTHOP;
	if (!fits(tp, &hop, len, to->addr.family))
		return RELAY_DROP_TOO_BIG;
	m = rte_pktmbuf_alloc(w->pool);
	if (m == NULL)
		return RELAY_DROP_NO_MBUF;
	at = rte_pktmbuf_mtod(m, uint8_t *);
	if (len > rte_pktmbuf_tailroom(m)) {
		rte_pktmbuf_free(m);
		return RELAY_DROP_TOO_BIG;
	}
	memcpy(at, bytes, len);
	m->vlan_tci = 0;
	frame_write(m, at, (uint16_t)len, &e, w->relay->ports[hop.port], &hop);
	frame_send(w, tp, index, m, &hop);
	return RELAY_OK;
}

static bool datagram_wait(struct relay_worker *w, uint32_t index, const struct inet_endpoint *to, const void *bytes,
			  size_t len)
{
	for (unsigned i = 0; i < RELAY_WAITING && len <= RELAY_DATAGRAM; i++) {
		struct relay_waiting *wait = &w->waiting[i];

		if (wait->len != 0)
			continue;
		wait->until = w->now + WAIT;
		wait->index = index;
		wait->generation = w->relay->map.transports[index].generation;
		wait->to = *to;
		wait->len = (uint16_t)len;
		memcpy(wait->bytes, bytes, len);
		w->n_waiting++;
		return true;
	}
	return false;
}

void relay_datagram(struct relay_worker *w, uint32_t index, const struct inet_endpoint *to, const void *bytes,
		    size_t len)
{
	enum relay_drop drop = datagram(w, index, to, bytes, len);

	if (drop == RELAY_DROP_NO_NEXTHOP && to->addr.family == w->relay->map.transports[index].local.addr.family &&
	    datagram_wait(w, index, to, bytes, len))
		return;
	if (drop != RELAY_OK)
		relay_drop(w, &w->relay->map.transports[index], drop, NULL);
}

void relay_waiting_retry(struct relay_worker *w)
{
	if (w->n_waiting == 0 || w->now < w->waiting_next)
		return;
	w->waiting_next = w->now + WAIT_STEP;
	for (unsigned i = 0; i < RELAY_WAITING; i++) {
		struct relay_waiting *wait = &w->waiting[i];
		struct dp_transport *tp = &w->relay->map.transports[wait->index];
		enum relay_drop drop = RELAY_OK;

		if (wait->len == 0)
			continue;
		if (transport_worker(tp) != w->id) {
			wait->len = 0; // moved meanwhile: who sent it sends it again
			w->n_waiting--;
			continue;
		}
		if (tp->generation == wait->generation && tp->state == DP_STATE_PUBLISHED) {
			drop = datagram(w, wait->index, &wait->to, wait->bytes, wait->len);
			if (drop == RELAY_DROP_NO_NEXTHOP && w->now < wait->until)
				continue;
		}
		if (drop != RELAY_OK)
			relay_drop(w, tp, drop, NULL);
		wait->len = 0;
		w->n_waiting--;
	}
}
