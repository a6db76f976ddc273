// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_demux.c - any frame into the relay's first two stages, judged by a second reading of the same RFCs: which
// transport, which kind (RFC 7983, RFC 5761), proven or not, where the datagram lies, or which reason it ends for.
//
// First octet: bit 0 the port, bit 1 the IPv4 header's checksum is put right, bit 2 in two pieces (the next octet says
// where), bit 3 the device found the UDP checksum wrong. The frame ends at a page that may not be touched.
#include "tests/support/relay_alone.h"
#include <netinet/in.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGE 4096u
#define VLAN 100
#define LEGS 8

static struct relay_alone *ra;
static uint8_t *guard; // the first octet that may not be touched

struct expected_leg {
	unsigned network;
	struct inet_endpoint local, remote;
	bool plain, rtcp_only, learns;
};

static struct expected_leg legs[LEGS];
static unsigned n_legs;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_demux: %s\n", what);
	abort();
}

// ---- the second reading: octets are taken in order, and the first one that is not there is remembered

struct reading {
	const uint8_t *at;
	size_t len, pos;
	bool ran_out;
};

static uint32_t take(struct reading *r, unsigned n)
{
	uint32_t value = 0;

	for (; n > 0; n--, r->pos++) {
		if (r->pos >= r->len) {
			r->ran_out = true;
			return 0;
		}
		value = value << 8 | r->at[r->pos];
	}
	return value;
}

enum how { IGNORED, DROPPED, PUNTED, RTP };

struct verdict {
	enum how how;
	unsigned why; // of a drop, or the kind of a punt
	const struct expected_leg *leg;
	bool proven;
	size_t at, len; // of the datagram in the frame
};

struct datagram {
	struct inet_endpoint source, destination;
	unsigned vlan;
	size_t udp, len;
};

static struct verdict ended(enum relay_drop why)
{
	return (struct verdict){ .how = DROPPED, .why = why };
}

static struct verdict ignored(void)
{
	return (struct verdict){ .how = IGNORED };
}

#define GOES_ON ((struct verdict){ .how = RTP })

static void take_addr(struct reading *r, struct inet_addr *addr, enum inet_family family)
{
	addr->family = family;
	for (unsigned i = 0; i < (family == INET_V4 ? 4u : 16u); i++)
		addr->bytes[i] = (uint8_t)take(r, 1);
}

// RFC 1071, over the whole header, its checksum included: all ones.
static bool sum_holds(const struct reading *r, size_t start, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (uint64_t)r->at[start + i] << (i % 2 == 0 ? 8 : 0);
	return sum != 0 && sum % 0xffff == 0;
}

static struct verdict read_ipv4(struct reading *r, struct datagram *d)
{
	size_t start = r->pos;
	unsigned first = take(r, 1), header = (first & 15) * 4, total, fragment, protocol;

	take(r, 1);
	total = take(r, 2);
	take(r, 2);
	fragment = take(r, 2);
	take(r, 1);
	protocol = take(r, 1);
	take(r, 2);
	take_addr(r, &d->source.addr, INET_V4);
	take_addr(r, &d->destination.addr, INET_V4);
	if (r->ran_out || first >> 4 != 4 || header < 20 || total < header || total > r->len - start)
		return ended(RELAY_DROP_MALFORMED);
	if (protocol != IPPROTO_UDP)
		return ignored();
	if ((fragment & 0x2000) != 0 || (fragment & 0x1fff) != 0) // more of them, or not the first
		return ended(RELAY_DROP_FRAGMENT);
	if (!sum_holds(r, start, header))
		return ended(RELAY_DROP_CHECKSUM);
	d->udp = start + header;
	d->len = total - header;
	return GOES_ON;
}

static struct verdict read_ipv6(struct reading *r, struct datagram *d)
{
	size_t start = r->pos;
	unsigned version = take(r, 4) >> 28, payload = take(r, 2), next = take(r, 1);

	take(r, 1);
	take_addr(r, &d->source.addr, INET_V6);
	take_addr(r, &d->destination.addr, INET_V6);
	if (r->ran_out || version != 6 || payload > r->len - r->pos)
		return ended(RELAY_DROP_MALFORMED);
	r->len = start + 40 + payload;
	for (unsigned n = 0; next != IPPROTO_UDP; n++) {
		size_t header = r->pos, size;
		unsigned after, extent, offset;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_FRAGMENT &&
		    next != IPPROTO_DSTOPTS && next != IPPROTO_AH)
			return ignored();
		after = take(r, 1);
		extent = take(r, 1);
		offset = take(r, 2);
		take(r, 4);
		if (r->ran_out || n == 4)
			return ended(RELAY_DROP_MALFORMED);
		size = next == IPPROTO_AH ? 4 * (extent + 2) : next == IPPROTO_FRAGMENT ? 8 : 8 * (extent + 1);
		if (next == IPPROTO_FRAGMENT && (offset & ~6u) != 0) // RFC 8200 4.5: two reserved bits
			return ended(RELAY_DROP_FRAGMENT);
		if (header + size > r->len)
			return ended(RELAY_DROP_MALFORMED);
		r->pos = header + size;
		next = after;
	}
	d->udp = r->pos;
	d->len = r->len - r->pos;
	return GOES_ON;
}

static struct verdict read_frame(struct reading *r, struct datagram *d)
{
	bool group = r->len > 0 && (r->at[0] & 1) != 0;
	unsigned type;

	r->pos = 12;
	type = take(r, 2);
	if (r->ran_out)
		return ended(RELAY_DROP_MALFORMED);
	if (group)
		return ignored();
	for (unsigned tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8); tags++) {
		d->vlan = take(r, 2) & 0xfff;
		type = take(r, 2);
		if (r->ran_out)
			return ended(RELAY_DROP_MALFORMED);
	}
	return type == 0x0800 ? read_ipv4(r, d) : type == 0x86dd ? read_ipv6(r, d) : ignored();
}

// 192.0.N.1 and 2001:db8:N::1, network N behind port N, the second one in a VLAN; sixteen ports and one.
static bool ours(const struct datagram *d, unsigned port)
{
	for (unsigned i = 0; i < ra->relay.map.config.n_addresses; i++) {
		const struct dp_address *a = &ra->relay.map.config.addresses[i];

		if (a->network == port && d->vlan == (port == 1 ? VLAN : 0) &&
		    inet_addr_equal(&a->addr, &d->destination.addr))
			return d->destination.port >= 16384 && d->destination.port <= 16400;
	}
	return false;
}

static const struct expected_leg *leg_of(const struct datagram *d, unsigned port)
{
	for (unsigned i = 0; i < n_legs; i++) {
		if (legs[i].network == port && inet_endpoint_equal(&legs[i].local, &d->destination))
			return &legs[i];
	}
	return NULL;
}

// RFC 3550 5.1 and 5.3.1; 0: it does not fit.
static size_t read_rtp(const uint8_t *at, size_t len)
{
	struct reading r = { .at = at, .len = len };
	unsigned first = take(&r, 1);

	take(&r, 11);
	r.pos += (first & 15) * 4u;
	if ((first & 0x10) != 0) {
		take(&r, 2);
		r.pos += take(&r, 2) * 4u;
	}
	return r.ran_out || r.pos > len ? 0 : r.pos;
}

static struct verdict read_kind(const struct expected_leg *leg, bool proven, const uint8_t *at, size_t len)
{
	struct verdict v = { .how = PUNTED, .leg = leg, .proven = proven };
	unsigned type = len >= 8 ? at[1] % 128 : 0;

	if (len == 0)
		return ended(RELAY_DROP_UNKNOWN_KIND);
	if (at[0] <= 3)
		v.why = DP_PUNT_STUN;
	else if (at[0] >= 20 && at[0] <= 63)
		v.why = DP_PUNT_DTLS;
	else if (at[0] < 128 || at[0] > 191 || len < 8)
		return ended(RELAY_DROP_UNKNOWN_KIND);
	else if (leg->rtcp_only || (type >= 64 && type <= 95))
		v.why = DP_PUNT_RTCP;
	else
		v.how = RTP;
	if (v.how == PUNTED && v.why == DP_PUNT_RTCP && leg->plain && !proven && !(leg->rtcp_only && leg->learns))
		return ended(RELAY_DROP_WRONG_SOURCE);
	if (v.how == RTP && read_rtp(at, len) == 0)
		return ended(RELAY_DROP_MALFORMED);
	return v;
}

static struct verdict judge(const uint8_t *frame, size_t len, unsigned port, bool bad_sum)
{
	struct reading r = { .at = frame, .len = len };
	struct datagram d = { 0 };
	const struct expected_leg *leg;
	struct verdict v = read_frame(&r, &d);
	size_t udp_len;

	if (v.how != RTP)
		return v;
	r.pos = d.udp;
	d.source.port = (uint16_t)take(&r, 2);
	d.destination.port = (uint16_t)take(&r, 2);
	udp_len = take(&r, 2);
	if (d.len < 8 || udp_len < 8 || udp_len > d.len)
		return ended(RELAY_DROP_MALFORMED);
	if (bad_sum)
		return ended(RELAY_DROP_CHECKSUM);
	if (!ours(&d, port))
		return ignored();
	leg = leg_of(&d, port);
	if (leg == NULL)
		return ended(RELAY_DROP_NO_TRANSPORT);
	v = read_kind(leg, inet_endpoint_equal(&leg->remote, &d.source), frame + d.udp + 8, udp_len - 8);
	v.leg = leg;
	v.proven = inet_endpoint_equal(&leg->remote, &d.source);
	v.at = d.udp + 8;
	v.len = udp_len - 8;
	return v;
}

// ---- set-up

static void leg_make(unsigned network, bool v6, uint16_t port, enum dp_security security, enum dp_mode mode, bool learns)
{
	struct expected_leg *leg = &legs[n_legs++];
	struct dp_path path = { .remote.port = 4000, .learn = learns };
	char local[32], remote[32];
	struct dp_ref ref;

	snprintf(local, sizeof(local), v6 ? "2001:db8:%u::1" : "192.0.%u.1", network);
	snprintf(remote, sizeof(remote), v6 ? "2001:db8:ff::%u" : "198.51.100.%u", network + 1);
	ref = relay_alone_leg(ra, network, local, port, remote, security, mode);
	*leg = (struct expected_leg){ .network = network, .plain = security == DP_PLAIN, .rtcp_only = mode == DP_MODE_RTCP,
				      .learns = learns, .local.port = port, .remote.port = 4000 };
	must(inet_addr_parse(&leg->local.addr, local) == 0 && inet_addr_parse(&leg->remote.addr, remote) == 0, "address");
	path.remote = leg->remote;
	dp_transport_path(ra->client, ref, &path);
	relay_alone_commands(ra);
}

static void start(void)
{
	uint8_t *place = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(place != MAP_FAILED && mprotect(place + PAGE, PAGE, PROT_NONE) == 0, "guard page");
	guard = place + PAGE;
	ra = relay_alone_open(VLAN);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		leg_make(0, v6, 16384, DP_PLAIN, DP_MODE_RTP, true);
		leg_make(0, v6, 16385, DP_PLAIN, DP_MODE_RTCP, true);
		leg_make(0, v6, 16387, DP_PLAIN, DP_MODE_RTCP, false);
		leg_make(1, v6, 16386, DP_SRTP, DP_MODE_RTP, false);
	}
}

// ---- one input

static void sum_put_right(uint8_t *f, size_t len)
{
	size_t at = 14, header;
	uint32_t sum = 0;

	while (at + 4 <= len && f[at - 2] == 0x81 && f[at - 1] == 0)
		at += 4;
	if (at + 20 > len || f[at - 2] != 8 || f[at - 1] != 0)
		return;
	header = (f[at] & 15) * 4u;
	if (header < 20 || at + header > len)
		return;
	f[at + 10] = f[at + 11] = 0;
	for (size_t i = 0; i < header; i += 2)
		sum += (uint32_t)(f[at + i] << 8 | f[at + i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	f[at + 10] = (uint8_t)(sum >> 8);
	f[at + 11] = (uint8_t)sum;
}

static void nothing(void *addr, void *ctx)
{
}

// As a device would give it: memory of its own, to the octet; or the first `cut` octets in an mbuf, the rest behind.
static struct rte_mbuf *mbuf_of(uint8_t *frame, size_t len, size_t cut)
{
	static struct rte_mbuf_ext_shared_info shared = { .free_cb = nothing };
	struct rte_mbuf *m = rte_pktmbuf_alloc(ra->relay.pool), *head;

	must(m != NULL, "packet memory");
	rte_mbuf_ext_refcnt_set(&shared, 1);
	rte_pktmbuf_attach_extbuf(m, guard - PAGE, 0, PAGE, &shared);
	m->data_off = (uint16_t)(frame + cut - (guard - PAGE));
	m->data_len = (uint16_t)(len - cut);
	m->pkt_len = m->data_len;
	if (cut == 0)
		return m;
	head = rte_pktmbuf_alloc(ra->relay.pool);
	must(head != NULL && rte_pktmbuf_append(head, (uint16_t)cut) != NULL, "packet memory");
	memcpy(rte_pktmbuf_mtod(head, void *), frame, cut);
	must(rte_pktmbuf_chain(head, m) == 0, "chain");
	return head;
}

static void compare_packet(const struct verdict *v, const uint8_t *frame)
{
	const struct packet *p = &ra->worker->in[0];

	must(p->tp->network == v->leg->network && inet_endpoint_equal(&p->tp->local, &v->leg->local), "another transport");
	must(p->proven == v->proven && p->len == v->len, "another packet");
	must(memcmp(p->bytes, frame + v->at, v->len) == 0, "other octets");
	must(p->hdr_len == read_rtp(frame + v->at, v->len), "end of the RTP header");
	rte_pktmbuf_free(p->m);
}

static void compare_punt(const struct verdict *v, unsigned punts)
{
	const struct dp_punt *punt = &ra->last_punt;

	must(ra->n_punts == punts + 1 && punt->kind == (enum dp_punt_kind)v->why && punt->len == v->len, "another punt");
	must(punt->proven == v->proven, "proven or not");
	must(!v->proven || inet_endpoint_equal(&punt->source, &v->leg->remote), "source of a punt");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dp_worker_record *record;
	unsigned free_before, punts;
	uint8_t *frame, copy[2048];
	uint64_t drops, away;
	struct rte_mbuf *m;
	struct verdict v;
	size_t len, cut;
	uint8_t flags;

	if (ra == NULL)
		start();
	if (size < 2 || size - 2 > 1600)
		return 0;
	flags = data[0];
	len = size - 2;
	frame = guard - len;
	memcpy(frame, data + 2, len);
	if (flags & 2)
		sum_put_right(frame, len);
	memcpy(copy, frame, len);
	cut = (flags & 4) && len > 0 ? data[1] % len : 0;
	v = judge(copy, len, flags & 1, flags & 8);
	record = ra->worker->record;
	free_before = rte_mempool_avail_count(ra->relay.pool);
	punts = ra->n_punts;
	drops = v.how == DROPPED ? record->drops[v.why] : 0;
	away = record->ignored;

	m = mbuf_of(frame, len, cut);
	m->port = flags & 1;
	m->ol_flags |= (flags & 8) ? RTE_MBUF_F_RX_L4_CKSUM_BAD : 0;
	uint16_t n = stage_parse(ra->worker, &m, 1);

	dp_client_dispatch(ra->client);
	must((n == 1) == (v.how == RTP), "RTP or not");
	if (v.how == RTP)
		compare_packet(&v, copy);
	else if (v.how == DROPPED)
		must(record->drops[v.why] == drops + 1, "dropped for another reason");
	else if (v.how == IGNORED)
		must(record->ignored == away + 1, "not left to Linux");
	if (v.how == PUNTED)
		compare_punt(&v, punts);
	else
		must(ra->n_punts == punts, "a punt");
	must(rte_mempool_avail_count(ra->relay.pool) == free_before, "packet memory was lost");
	return 0;
}
