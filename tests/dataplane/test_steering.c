// SPDX-License-Identifier: GPL-3.0-or-later
// test_steering.c - the XDP program, packet by packet (BPF_PROG_TEST_RUN), and its loader on a real interface. Needs
// root.
#include "dataplane/steering/steering.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct dp_config config;
static struct steering *steering;
static uint8_t own_mac[6];

static const uint8_t v4_ours[] = { 192, 0, 2, 1 }, v4_vlan[] = { 192, 0, 2, 9 }, v4_other[] = { 192, 0, 2, 7 };
static const uint8_t v4_peer[] = { 198, 51, 100, 5 };
static const uint8_t v6_ours[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
		     v6_peer[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 };

struct frame {
	uint8_t bytes[512];
	size_t len, ip; // ip: where the IP header is
};

// ---- frames

static void put(struct frame *f, const void *bytes, size_t len)
{
	memcpy(f->bytes + f->len, bytes, len);
	f->len += len;
}

static void put16(struct frame *f, uint16_t v)
{
	put(f, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void ether(struct frame *f, const uint8_t mac[6], unsigned tags, uint16_t vlan, uint16_t type)
{
	*f = (struct frame){ .len = 0 };
	put(f, mac, 6);
	put(f, "\x02\x00\x00\x00\x00\x09", 6);
	for (unsigned i = 0; i < tags; i++) {
		put16(f, i + 1 < tags ? 0x88a8 : 0x8100);
		put16(f, i + 1 < tags ? 500 : vlan);
	}
	put16(f, type);
	f->ip = f->len;
}

static void udp(struct frame *f, uint16_t port)
{
	put16(f, 4000);
	put16(f, port);
	put16(f, 28);
	put16(f, 0);
	put(f, (uint8_t[20]){ 0x80 }, 20);
}

struct v4 {
	const uint8_t *mac, *from, *to;
	uint16_t port, vlan, fragment;
	unsigned tags, options; // of 4 octets
	uint8_t protocol;
};

static void ipv4(struct frame *f, struct v4 p)
{
	unsigned hdr = 20 + 4 * p.options;

	ether(f, p.mac != NULL ? p.mac : own_mac, p.tags, p.vlan, 0x0800);
	put(f, (uint8_t[]){ (uint8_t)(0x40 | hdr / 4), 0 }, 2);
	put16(f, (uint16_t)(hdr + 28));
	put16(f, 1);
	put16(f, p.fragment);
	put(f, (uint8_t[]){ 64, p.protocol != 0 ? p.protocol : IPPROTO_UDP, 0, 0 }, 4);
	put(f, p.from != NULL ? p.from : v4_peer, 4);
	put(f, p.to != NULL ? p.to : v4_ours, 4);
	for (unsigned i = 0; i < p.options; i++)
		put(f, "\x01\x01\x01\x00", 4);
	udp(f, p.port);
}

// `headers`: types of extension headers, in order; 0 ends.
static void ipv6(struct frame *f, const uint8_t *from, const uint8_t *headers, uint16_t fragment, uint16_t port)
{
	size_t n = strlen((const char *)headers);

	ether(f, own_mac, 0, 0, 0x86dd);
	put(f, "\x60\0\0\0", 4);
	put16(f, (uint16_t)(8 * n + 28));
	put(f, (uint8_t[]){ n > 0 ? headers[0] : IPPROTO_UDP, 64 }, 2);
	put(f, from, 16);
	put(f, v6_ours, 16);
	for (size_t i = 0; i < n; i++) {
		uint8_t ext[8] = { i + 1 < n ? headers[i + 1] : IPPROTO_UDP };

		if (headers[i] == IPPROTO_FRAGMENT) {
			ext[2] = (uint8_t)(fragment >> 8);
			ext[3] = (uint8_t)fragment;
		}
		put(f, ext, 8);
	}
	udp(f, port);
}

// ---- what the program says

static uint64_t counter(enum steering_counter which)
{
	uint64_t counts[STEERING_COUNTERS];

	assert_int_equal(steering_counters(steering, 0, counts), 0);
	return counts[which];
}

static int verdict(const struct frame *f)
{
	struct xdp_md ctx = { .data_end = (uint32_t)f->len, .ingress_ifindex = if_nametoindex("steer0") };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = (uint32_t)f->len, .repeat = 1,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));

	assert_int_equal(bpf_prog_test_run_opts(steering_program_fd(steering, 0), &opts), 0);
	return (int)opts.retval;
}

// No relay is there: what is media ends as NO_SOCKET, dropped.
static void expect(const struct frame *f, enum steering_counter which)
{
	uint64_t before = counter(which);

	assert_int_equal(verdict(f), which == STEERING_PASSED ? XDP_PASS : XDP_DROP);
	assert_int_equal(counter(which), before + 1);
}

// ---- set-up

static void address(unsigned network, uint8_t family, const uint8_t *bytes)
{
	struct dp_address *a = &config.addresses[config.n_addresses++];

	*a = (struct dp_address){ .network = (uint8_t)network, .first_port = 16384, .last_port = 32767 };
	a->addr.family = family;
	memcpy(a->addr.bytes, bytes, family == INET_V4 ? 4 : 16);
}

static int setup(void **state)
{
	char why[256] = "", mac[32];
	unsigned m[6];
	FILE *in;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(
		system("ip link add steer0 type veth peer name steer1 && ip link set steer0 up && ip link set lo up"),
		0);
	in = popen("ip -br link show steer0 | awk '{print $3}'", "r");
	assert_non_null(in);
	assert_non_null(fgets(mac, sizeof(mac), in));
	pclose(in);
	assert_int_equal(sscanf(mac, "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]), 6);
	for (unsigned i = 0; i < 6; i++)
		own_mac[i] = (uint8_t)m[i];
	config = (struct dp_config){ .n_ports = 1, .n_networks = 2, .n_workers = 1, .max_transports = 16 };
	snprintf(config.ports[0].name, sizeof(config.ports[0].name), "steer0");
	config.ports[0].driver = DP_DRIVER_AF_XDP;
	config.networks[1].vlan = 100;
	address(0, INET_V4, v4_ours);
	address(0, INET_V6, v6_ours);
	address(1, INET_V4, v4_vlan);
	if (steering_open(&steering, &config, why) < 0)
		fail_msg("%s", why);
	return 0;
}

static int teardown(void **state)
{
	steering_close(steering);
	return 0;
}

// ---- cases

static void media_is_taken(void **state)
{
	struct frame f;

	ipv4(&f, (struct v4){ .port = 16384 });
	expect(&f, STEERING_NO_SOCKET);
	ipv4(&f, (struct v4){ .port = 32767 });
	expect(&f, STEERING_NO_SOCKET);
	ipv4(&f, (struct v4){ .port = 20000, .options = 10 });
	expect(&f, STEERING_NO_SOCKET);
	ipv4(&f, (struct v4){ .port = 20000, .fragment = 0x4000 }); // don't fragment
	expect(&f, STEERING_NO_SOCKET);
	ipv4(&f, (struct v4){ .port = 20000, .to = v4_vlan, .tags = 1, .vlan = 100 });
	expect(&f, STEERING_NO_SOCKET);
	ipv4(&f, (struct v4){ .port = 20000, .to = v4_vlan, .tags = 2, .vlan = 0x6064 }); // priority bits
	expect(&f, STEERING_NO_SOCKET);
	ipv6(&f, v6_peer, (const uint8_t *)"", 0, 20000);
	expect(&f, STEERING_NO_SOCKET);
	ipv6(&f, v6_peer, (const uint8_t[]){ IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT, 0 },
	     0, 20000);
	expect(&f, STEERING_NO_SOCKET); // four, the last an atomic fragment
}

static void the_rest_is_left_to_linux(void **state)
{
	struct frame f;

	ipv4(&f, (struct v4){ .port = 16383 });
	expect(&f, STEERING_PASSED);
	ipv4(&f, (struct v4){ .port = 32768 });
	expect(&f, STEERING_PASSED);
	ipv4(&f, (struct v4){ .port = 5060 });
	expect(&f, STEERING_PASSED);
	ipv4(&f, (struct v4){ .port = 20000, .to = v4_other });
	expect(&f, STEERING_PASSED);
	ipv4(&f, (struct v4){ .port = 20000, .protocol = IPPROTO_TCP });
	expect(&f, STEERING_PASSED);
	ipv4(&f, (struct v4){ .port = 20000, .to = v4_vlan }); // its VLAN is another
	expect(&f, STEERING_PASSED);
	ipv4(&f, (struct v4){ .port = 20000, .tags = 1, .vlan = 100 });
	expect(&f, STEERING_PASSED);
	ipv4(&f, (struct v4){ .port = 20000, .to = v4_vlan, .tags = 3, .vlan = 100 });
	expect(&f, STEERING_PASSED);
	ipv4(&f, (struct v4){ .port = 20000, .mac = (const uint8_t *)"\x02\x11\x11\x11\x11\x11" });
	expect(&f, STEERING_PASSED);
	ipv4(&f, (struct v4){ .port = 20000, .mac = (const uint8_t *)"\xff\xff\xff\xff\xff\xff" });
	expect(&f, STEERING_PASSED);
	ipv4(&f, (struct v4){ .port = 20000, .fragment = 100 }); // a later fragment: SIP's, perhaps
	expect(&f, STEERING_PASSED);
	ipv6(&f, v6_peer, (const uint8_t[]){ IPPROTO_FRAGMENT, 0 }, 100 << 3, 20000);
	expect(&f, STEERING_PASSED);
	ipv6(&f, v6_peer, (const uint8_t[]){ IPPROTO_ICMPV6, 0 }, 0, 20000);
	expect(&f, STEERING_PASSED);
	ether(&f, own_mac, 0, 0, 0x0806); // ARP
	put(&f, (uint8_t[28]){ 0 }, 28);
	expect(&f, STEERING_PASSED);
}

static void fragments_and_deep_chains_are_dropped(void **state)
{
	struct frame f;

	ipv4(&f, (struct v4){ .port = 20000, .fragment = 0x2000 });
	expect(&f, STEERING_FRAGMENT);
	ipv4(&f, (struct v4){ .port = 5060, .fragment = 0x2000 }); // SIP by UDP may be long
	expect(&f, STEERING_PASSED);
	ipv6(&f, v6_peer, (const uint8_t[]){ IPPROTO_FRAGMENT, 0 }, 1, 20000);
	expect(&f, STEERING_FRAGMENT);
	ipv6(&f, v6_peer, (const uint8_t[]){ 60, 60, 60, 60, 60, 0 }, 0, 20000);
	expect(&f, STEERING_TOO_DEEP);
}

static void impossible_sources_are_dropped(void **state)
{
	static const uint8_t v4_bad[][4] = {
		{ 127, 0, 0, 1 },       { 0, 0, 0, 0 },   { 0, 1, 2, 3 },   { 224, 0, 0, 1 },
		{ 255, 255, 255, 255 }, { 240, 0, 0, 1 }, { 192, 0, 2, 1 },
	};
	static const uint8_t v6_bad[][16] = {
		{ 0 }, { [15] = 1 }, { 0xff, 2, [15] = 1 }, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }
	};
	struct frame f;

	for (unsigned i = 0; i < sizeof(v4_bad) / sizeof(v4_bad[0]); i++) {
		ipv4(&f, (struct v4){ .port = 20000, .from = v4_bad[i] });
		expect(&f, STEERING_BAD_SOURCE);
	}
	for (unsigned i = 0; i < sizeof(v6_bad) / sizeof(v6_bad[0]); i++) {
		ipv6(&f, v6_bad[i], (const uint8_t *)"", 0, 20000);
		expect(&f, STEERING_BAD_SOURCE);
	}
}

// Cut anywhere, nothing bad happens and nothing but whole headers is taken for media.
static void cut_frames_pass(void **state)
{
	struct frame whole;

	ipv4(&whole, (struct v4){ .port = 20000, .to = v4_vlan, .tags = 2, .vlan = 100, .options = 3 });
	for (size_t len = 14; len < whole.len; len++) {
		struct frame cut = whole;

		cut.len = len;
		assert_int_equal(verdict(&cut), len < whole.ip + 32 + 8 ? XDP_PASS : XDP_DROP);
	}
	ipv6(&whole, v6_peer, (const uint8_t[]){ IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, 0 }, 0, 20000);
	for (size_t len = 14; len < whole.len; len++) {
		struct frame cut = whole;

		cut.len = len;
		assert_int_equal(verdict(&cut), len < whole.ip + 40 + 16 + 8 ? XDP_PASS : XDP_DROP);
	}
}

static uint32_t attached(const char *name)
{
	uint32_t id = 0;

	assert_int_equal(bpf_xdp_query_id((int)if_nametoindex(name), 0, &id), 0);
	return id;
}

static void a_stale_program_is_replaced_a_foreign_one_is_not(void **state)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	uint32_t old = attached("steer0");
	struct steering *again = NULL;
	char why[256] = "";
	int fd;

	assert_true(old != 0 && steering_native(steering, 0));
	assert_int_equal(steering_open(&again, &config, why), 0); // as after a crash
	assert_true(attached("steer0") != 0 && attached("steer0") != old);
	steering_close(steering); // is not its program any more: stays
	assert_true(attached("steer0") != 0);
	steering_close(again);
	assert_int_equal(attached("steer0"), 0);

	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "somebody_else", "GPL", pass, 2, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bpf_xdp_attach((int)if_nametoindex("steer0"), fd, 0, NULL), 0);
	old = attached("steer0");
	assert_int_equal(steering_open(&again, &config, why), -EBUSY);
	assert_non_null(strstr(why, "steer0"));
	assert_int_equal(attached("steer0"), old);
	assert_int_equal(bpf_xdp_detach((int)if_nametoindex("steer0"), 0, NULL), 0);
	close(fd);

	snprintf(config.ports[0].name, sizeof(config.ports[0].name), "nothing0");
	assert_int_equal(steering_open(&again, &config, why), -ENODEV);
	snprintf(config.ports[0].name, sizeof(config.ports[0].name), "steer0");
	config.ports[0].xdp_mode = DP_XDP_GENERIC;
	assert_int_equal(steering_open(&steering, &config, why), 0);
	assert_false(steering_native(steering, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(media_is_taken),
		cmocka_unit_test(the_rest_is_left_to_linux),
		cmocka_unit_test(fragments_and_deep_chains_are_dropped),
		cmocka_unit_test(impossible_sources_are_dropped),
		cmocka_unit_test(cut_frames_pass),
		cmocka_unit_test(a_stale_program_is_replaced_a_foreign_one_is_not),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
