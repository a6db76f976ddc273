// SPDX-License-Identifier: GPL-3.0-or-later
// steering.bpf.c - UDP to a media address and port goes to the relay; all else stays with Linux.
//
// Dropped and counted: a first fragment to a media port (the relay does not reassemble, and the kernel must not answer
// for it), impossible sources, media while no socket is there. Later fragments carry no port: they pass, since SIP on
// the same address may need them, and without their first one Linux lets them go without a word.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "dataplane/steering/steering_abi.h"

#define VLAN_TAGS 2
#define EXTENSIONS 4
#define MORE_FRAGMENTS 0x2000
#define FRAGMENT_OFFSET 0x1fff

const volatile struct steering_settings settings; // read-only data, set before loading

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEERING_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEERING_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct vlan_tag {
	__be16 tci;
	__be16 next;
};

struct extension { // of IPv6: hop-by-hop, routing, destination options, authentication
	__u8 next;
	__u8 len;
	__u8 rest[6];
};

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

struct flow {
	__u8 family;
	__u8 fragment; // the first one; of a later one nothing is read
	__u8 deep;
	__u16 vlan;
	const __u8 *source, *destination;
	const struct udphdr *udp; // NULL: not UDP, or its header is not here
};

static __always_inline int counted(enum steering_counter which, int verdict)
{
	__u32 key = which;
	__u64 *n = bpf_map_lookup_elem(&counters, &key);

	if (n)
		(*n)++;
	return verdict;
}

static __always_inline int same_address(const __u8 *a, const volatile __u8 *b, __u8 family)
{
	const __u32 *x = (const __u32 *)a;
	const volatile __u32 *y = (const volatile __u32 *)b;

	if (x[0] != y[0])
		return 0;
	return family == 4 || (x[1] == y[1] && x[2] == y[2] && x[3] == y[3]);
}

// A group address is none of our media addresses and goes to Linux in any case; our MAC must match else.
static __always_inline int is_ours(const struct ethhdr *eth)
{
	for (int i = 0; i < ETH_ALEN; i++) {
		if (eth->h_dest[i] != settings.mac[i])
			return 0;
	}
	return 1;
}

// These return 0 for what cannot be media: another protocol, a later fragment, not this IP version.
static __always_inline int read_ipv4(struct flow *f, const void *at, const void *end)
{
	const struct iphdr *ip = at;
	__u32 len;

	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return 0;
	f->family = 4;
	f->source = (const __u8 *)&ip->saddr;
	f->destination = (const __u8 *)&ip->daddr;
	f->fragment = (ip->frag_off & bpf_htons(MORE_FRAGMENTS)) != 0;
	if (ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(FRAGMENT_OFFSET)) != 0)
		return 0;
	len = ip->ihl * 4;
	f->udp = at + len;
	if ((const void *)(f->udp + 1) > end)
		f->udp = 0;
	return 1;
}

static __always_inline int read_ipv6(struct flow *f, const void *at, const void *end)
{
	const struct ipv6hdr *ip = at;
	__u8 next;

	if ((const void *)(ip + 1) > end || ip->version != 6)
		return 0;
	f->family = 6;
	f->source = (const __u8 *)&ip->saddr;
	f->destination = (const __u8 *)&ip->daddr;
	next = ip->nexthdr;
	at = ip + 1;
#pragma unroll
	for (int i = 0; i <= EXTENSIONS; i++) {
		const struct extension *ext = at;

		if (next == IPPROTO_UDP) {
			f->udp = at;
			if ((const void *)(f->udp + 1) > end)
				f->udp = 0;
			return 1;
		}
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH)
			return 1;
		if (i == EXTENSIONS) {
			f->deep = 1;
			return 1;
		}
		if ((const void *)(ext + 1) > end)
			return 1;
		if (next == IPPROTO_FRAGMENT) {
			const struct fragment_header *fh = at;

			if ((fh->offset & bpf_htons(0xfff8)) != 0)
				return 0;
			// None follows either: an atomic fragment, which is whole (RFC 6946).
			f->fragment = (fh->offset & bpf_htons(1)) != 0;
			at += sizeof(*fh);
		} else if (next == IPPROTO_AH) {
			at += (ext->len + 2) * 4;
		} else {
			at += (ext->len + 1) * 8;
		}
		next = ext->next;
	}
	return 1;
}

static __always_inline int is_loopback(const struct flow *f)
{
	const __u32 *w = (const __u32 *)f->source;

	if (f->family == 4)
		return f->source[0] == 127;
	return w[0] == 0 && w[1] == 0 && w[2] == 0 && w[3] == bpf_htonl(1);
}

// Sources that no host can have: RFC 1122 3.2.1.3, RFC 4291 2.7 and 2.5.2.
static __always_inline int is_impossible(const struct flow *f)
{
	const __u32 *w = (const __u32 *)f->source;

	if (f->family == 4) {
		if (f->source[0] == 0 || f->source[0] >= 224) // this network, multicast, reserved, broadcast
			return 1;
	} else if (f->source[0] == 0xff || (w[0] == 0 && w[1] == 0 && w[2] == 0 && w[3] == 0)) {
		return 1;
	}
	return !settings.loopback && is_loopback(f);
}

// Goes over our ranges: 0 not ours, 1 our address but no port of the range, 2 a media port. Sets *own when the source
// is a media address of ours.
static __always_inline int find_range(const struct flow *f, __u16 port, int *own)
{
	int found = 0;

	for (int i = 0; i < STEERING_ADDRESSES; i++) {
		const volatile struct steering_range *r = &settings.ranges[i];

		if (i >= settings.n_ranges)
			break;
		if (r->family != f->family || (!settings.loopback && r->vlan != f->vlan))
			continue;
		if (same_address(f->source, r->addr, f->family))
			*own = 1;
		if (!same_address(f->destination, r->addr, f->family))
			continue;
		if (port >= r->first && port <= r->last)
			found = 2;
		else if (found == 0)
			found = 1;
	}
	return found;
}

SEC("xdp")
int sallyport_xdp(struct xdp_md *ctx)
{
	const void *at = (const void *)(long)ctx->data, *end = (const void *)(long)ctx->data_end;
	const struct ethhdr *eth = at;
	struct flow f = {};
	__be16 type;
	int range, own = 0;

	if ((const void *)(eth + 1) > end || !is_ours(eth))
		return counted(STEERING_PASSED, XDP_PASS);
	type = eth->h_proto;
	at = eth + 1;
#pragma unroll
	for (int i = 0; i < VLAN_TAGS; i++) {
		const struct vlan_tag *tag = at;

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if ((const void *)(tag + 1) > end)
			return counted(STEERING_PASSED, XDP_PASS);
		f.vlan = bpf_ntohs(tag->tci) & 0xfff; // the inner one counts
		type = tag->next;
		at = tag + 1;
	}
	if (type == bpf_htons(ETH_P_IP)) {
		if (!read_ipv4(&f, at, end))
			return counted(STEERING_PASSED, XDP_PASS);
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		if (!read_ipv6(&f, at, end))
			return counted(STEERING_PASSED, XDP_PASS);
	} else {
		return counted(STEERING_PASSED, XDP_PASS);
	}
	range = find_range(&f, f.udp ? bpf_ntohs(f.udp->dest) : 0, &own);
	if (range == 0)
		return counted(STEERING_PASSED, XDP_PASS);
	if (f.deep)
		return counted(STEERING_TOO_DEEP, XDP_DROP);
	if (range == 1 || !f.udp)
		return counted(STEERING_PASSED, XDP_PASS);
	if (f.fragment)
		return counted(STEERING_FRAGMENT, XDP_DROP);
	if (is_impossible(&f) || (own && !settings.loopback))
		return counted(STEERING_BAD_SOURCE, XDP_DROP);
	if (bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_DROP) != XDP_REDIRECT)
		return counted(STEERING_NO_SOCKET, XDP_DROP);
	return counted(STEERING_REDIRECTED, XDP_REDIRECT);
}

char program_license[] SEC("license") = "GPL";
