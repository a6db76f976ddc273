// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_attack.c - attacks on a real relay over real ports (AF_XDP on veth): its memory, its counters, what leaves
// it while it is killed and its sources and keys change, and VLANs with one address. unit/test_dp_attack.c has the
// forms one by one.
//
// SALLYPORT_FULL: the sizes of the threat model; else a tenth of it.
#include "tests/dataplane/bed_call.h"
#include "tests/support/srtp_reader.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define SSRC_A 0xaaaa0001
#define SSRC_B 0xbbbb0001
#define VLANS 2

static struct bed bed;
static struct bed_call call;
static bool full;

static int setup(void **state)
{
	full = getenv("SALLYPORT_FULL") != NULL;
	srtp_init();
	bed_networks(&bed);
	bed_config(&bed.config);
	for (unsigned v = 0; v < VLANS; v++) { // one address in two VLANs of the access port, and in none
		struct dp_address *at = &bed.config.addresses[bed.config.n_addresses++];

		bed.config.networks[2 + v].vlan = (uint16_t)(100 * (v + 1));
		*at = bed.config.addresses[0];
		at->network = (uint8_t)(2 + v);
	}
	bed.config.n_networks = 2 + VLANS;
	bed_start(&bed);
	bed_call_sockets(&call, &bed);
	return 0;
}

static int teardown(void **state)
{
	bed_call_close(&call);
	bed_stop(&bed);
	srtp_shutdown();
	return 0;
}

static int legs_make(void **state)
{
	bed_call_legs(&call, DP_SRTP);
	bed_pump(&bed, 100);
	return 0;
}

static int legs_remove(void **state)
{
	bed_call_remove(&call);
	return 0;
}

static void expect_silence(int fd)
{
	uint8_t got[2048];

	assert_int_equal(bed_receive(fd, got, sizeof(got), 80, NULL), -EAGAIN);
}

static uint64_t drops_all(struct dp_ref ref)
{
	uint64_t n = 0;

	for (unsigned i = 1; i < RELAY_DROP_COUNT; i++)
		n += bed_drops(&bed, ref, i);
	return n;
}

// Waits until the relay has dropped so many: sending on would overrun a queue of the kernel's, and prove nothing.
static void drops_reach(struct dp_ref ref, uint64_t n)
{
	mono_ns until = clock_now() + MONO_S(10);

	while (drops_all(ref) < n && clock_now() < until)
		usleep(50);
	assert_int_equal(drops_all(ref), n);
}

static void good_passes(struct bed_srtp *s, uint16_t seq)
{
	uint8_t packet[512], want[512], got[2048];
	size_t len = bed_srtp_make(s, packet, SSRC_A, seq), plain = bed_rtp(want, SSRC_A, seq, 160);

	bed_send(call.a, &call.gw_a, packet, len);
	assert_int_equal(bed_receive(call.b, got, sizeof(got), 5000, NULL), plain);
	assert_memory_equal(got, want, plain);
}

static unsigned long resident_kb(void)
{
	unsigned long pages;
	char path[64];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/statm", bed.relay);
	in = fopen(path, "r");
	assert_non_null(in);
	assert_int_equal(fscanf(in, "%*u %lu", &pages), 1);
	fclose(in);
	return pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

static unsigned streams_owned(void)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < bed.map.n_streams; i++)
		n += dp_stream_at(&bed.map, i)->owner != DP_NONE;
	return n;
}

// ---- M3

// Both legs have one key; B is secured as well, so that a relay that passes packets on unseen would be taken for good.
static void equal_keys_and_one_tag_bit(void **state)
{
	static const enum srtp_suite suites[] = { SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_AEAD_AES_256_GCM };

	for (unsigned i = 0; i < 2; i++) {
		struct dp_ref out = bed_transport(&bed, 1, "10.77.2.1", (uint16_t)(16400 + i), DP_MODE_RTP, DP_SRTP,
						  &call.peer_b);
		unsigned tag = srtp_suite_info(suites[i])->tag_len;
		struct bed_srtp s;
		struct dp_keys same;
		uint8_t packet[512], bad[512], got[2048];
		uint64_t before = bed_drops(&bed, call.leg_a, RELAY_DROP_AUTH);
		size_t len;

		bed_srtp_open(&s, suites[i], 1 + i);
		bed_srtp_give(&s, &bed, call.leg_a);
		same = s.rx;
		same.direction = DP_TX;
		dp_transport_keys(bed.dp, out, &same);
		dp_transport_retire(bed.dp, call.leg_a, DP_RX, 1 + i);
		dp_transport_edges(bed.dp, call.leg_a, &(struct dp_edge){ .to = out, .open = true }, 1);
		bed_pump(&bed, 200);
		bed.n_events = 0;
		for (unsigned bit = 0; bit < tag * 8; bit += 7) {
			len = bed_srtp_make(&s, packet, SSRC_A, (uint16_t)(100 + bit));
			memcpy(bad, packet, len);
			bad[len - 1 - bit / 8] ^= (uint8_t)(1 << bit % 8);
			bed_send(call.a, &call.gw_a, bad, len);
			bed_send(call.a, &call.gw_a, packet, len);
			assert_int_equal(bed_receive(call.b, got, sizeof(got), 5000, NULL), len); // the good one
			assert_memory_equal(got, packet, len); // one key, one index: the same octets
			assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_AUTH) - before, bit / 7 + 1);
		}
		expect_silence(call.b);
		assert_false(bed_event(&bed, DP_EVENT_SOURCE, 20, NULL));
		dp_transport_remove(bed.dp, out);
		assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, NULL));
		bed_srtp_close(&s);
	}
}

// ---- M4, M9

// Bad tags from the true source and a stranger, of the call's SSRC and of random ones, and runts of 14 octets.
static void bad_tags_cost_the_call_nothing(void **state)
{
	unsigned n = full ? 1000000 : 100000, runts = 0, good = 0;
	int stranger = bed_socket(&bed, BED_A, "10.77.1.2", 4666);
	unsigned long resident;
	unsigned streams;
	struct bed_srtp s;
	uint8_t packet[512];

	bed_srtp_open(&s, SRTP_AES_CM_128_HMAC_SHA1_80, 1);
	bed_srtp_give(&s, &bed, call.leg_a);
	good_passes(&s, (uint16_t)good++);
	bed_pump(&bed, 100);
	bed.n_events = bed.n_punts = 0;
	resident = resident_kb();
	streams = streams_owned();
	srand(4);
	for (unsigned i = 1; i <= n; i++) {
		size_t len = bed_rtp(packet, i % 3 ? SSRC_A : (uint32_t)rand(), (uint16_t)(good + 1 + i % 5), 160) + 10;

		if (i % 10 == 0) {
			len = 14;
			runts++;
		}
		packet[len - 1] = (uint8_t)rand();
		bed_send(i % 2 ? call.a : stranger, &call.gw_a, packet, len);
		if (i % 64 == 0)
			drops_reach(call.leg_a, i);
		if (i % 512 == 0)
			good_passes(&s, (uint16_t)good++);
	}
	drops_reach(call.leg_a, n);
	print_message("%u bad packets, %u good ones among them, all of them passed; resident %lu kB, before %lu\n", n,
		      good, resident_kb(), resident);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_AUTH), n - runts);
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_MALFORMED), runts);
	assert_int_equal(streams_owned(), streams);
	assert_true(resident_kb() <= resident + 64);
	bed_pump(&bed, 50);
	assert_int_equal(bed.n_events + bed.n_punts, 0); // control was told nothing
	bed_srtp_close(&s);
	close(stranger);
}

// ---- M10

static unsigned kind_of(const uint8_t *p, size_t len)
{
	if (len == 0)
		return RELAY_DROP_UNKNOWN_KIND;
	if (p[0] <= 3 || (p[0] >= 20 && p[0] <= 63))
		return 0; // to control
	if (p[0] < 128 || p[0] > 191 || len < 8)
		return RELAY_DROP_UNKNOWN_KIND;
	return len < 12 + 4 * (p[0] & 15u) ? RELAY_DROP_MALFORMED : UINT32_MAX;
}

static void every_first_octet_is_counted_once(void **state)
{
	static const size_t lengths[] = { 0, 1, 4, 12, 1472 };
	uint64_t want[RELAY_DROP_COUNT] = { 0 }, n = 0, told = 0;
	struct bed_srtp s;

	bed_srtp_open(&s, SRTP_AEAD_AES_128_GCM, 1);
	bed_srtp_give(&s, &bed, call.leg_a);
	for (unsigned first = 0; first < 256; first++) {
		for (unsigned l = 0; l < 5; l++) {
			uint8_t packet[1472] = { (uint8_t)first };
			unsigned kind = kind_of(packet, lengths[l]);

			bed_send(call.a, &call.gw_a, packet, lengths[l]);
			if (kind == 0) { // a STUN or DTLS datagram, whole
				const struct bed_punt *punt = bed_punt(&bed, 2000);

				assert_non_null(punt);
				assert_int_equal(punt->punt.len, lengths[l]);
				assert_int_equal(punt->punt.kind, first <= 3 ? DP_PUNT_STUN : DP_PUNT_DTLS);
				told++;
				continue;
			}
			if (kind ==
			    UINT32_MAX) { // RTP: no tag, unless the header says that there is more than there is
				bool x = first & 0x10;
				size_t header = 12 + 4 * (first & 15u) + (x ? 4 : 0);

				kind = header + 16 > lengths[l] ? RELAY_DROP_MALFORMED : RELAY_DROP_AUTH;
			}
			want[kind]++;
			drops_reach(call.leg_a, ++n);
		}
	}
	for (unsigned i = 1; i < RELAY_DROP_COUNT; i++)
		assert_int_equal(bed_drops(&bed, call.leg_a, i), want[i]);
	assert_int_equal(n + told, 256 * 5);
	assert_int_equal(bed.n_events, 0);
	expect_silence(call.b);
	bed_srtp_close(&s);
}

// ---- M11

static struct dp_keys reader_key(struct srtp_reader *reader, uint32_t epoch)
{
	struct dp_keys keys = { .direction = DP_TX, .epoch = epoch, .master.suite = SRTP_AES_CM_128_HMAC_SHA1_80 };

	for (unsigned i = 0; i < 16; i++)
		keys.master.key[i] = (uint8_t)rand();
	for (unsigned i = 0; i < 14; i++)
		keys.master.salt[i] = (uint8_t)rand();
	srtp_reader_key(reader, &keys.master);
	return keys;
}

// A plain source that begins anew, repeats itself and has a double on another port, while the relay is killed and the
// key changes. All that leaves for A is read.
static void no_index_twice_whatever_happens(void **state)
{
	int twin = bed_socket(&bed, BED_B, "10.77.2.2", 5008);
	const struct inet_endpoint peer = bed_endpoint("10.77.2.2", 5008), gw_twin = bed_endpoint("10.77.2.1", 16410);
	struct dp_ref leg = bed_transport(&bed, 1, "10.77.2.1", 16410, DP_MODE_RTP, DP_PLAIN, &peer);
	struct srtp_reader *reader = srtp_reader_open();
	unsigned rounds = full ? 40 : 10, seen = 0, newest = 0;
	uint16_t seq = 65400, twin_seq = 10;
	struct reader_packet got;
	struct dp_keys keys;

	srand(11);
	dp_transport_edges(bed.dp, leg, &(struct dp_edge){ .to = call.leg_a, .open = true }, 1);
	keys = reader_key(reader, 1);
	dp_transport_keys(bed.dp, call.leg_a, &keys);
	bed_pump(&bed, 200);
	for (unsigned round = 0; round < rounds; round++) {
		unsigned kill_at = (unsigned)rand() % 200;

		for (unsigned i = 0; i < 300; i++) {
			uint8_t packet[512], secured[2048];
			ssize_t n;

			bed_send(call.b, &call.gw_b, packet, bed_rtp(packet, SSRC_B, seq++, (size_t)(rand() % 160)));
			if (i % 3 == 0)
				bed_send(twin, &gw_twin, packet, bed_rtp(packet, SSRC_B, twin_seq++, 100));
			if (i % 50 == 20) // it repeats itself, with other payload
				bed_send(call.b, &call.gw_b, packet,
					 bed_rtp(packet, SSRC_B, (uint16_t)(seq - rand() % 60), 50));
			if (i == kill_at) {
				bed_relay_kill(&bed, SIGKILL);
				bed_relay_start(&bed);
			}
			if (i == 100 && round % 3 == 1)
				seq = (uint16_t)(seq - 200 - rand() % 1000); // begins anew
			if (i == 150 && round % 4 == 2) {
				keys = reader_key(reader, keys.epoch + 1);
				dp_transport_keys(bed.dp, call.leg_a, &keys);
			}
			while ((n = bed_receive(call.a, secured, sizeof(secured), 1, NULL)) >= 0) {
				assert_int_equal(srtp_reader_see(reader, secured, (size_t)n, &got), READER_FRESH);
				seen++;
				if (got.ssrc == SSRC_B && got.index >> 16 > newest)
					newest = (unsigned)(got.index >> 16);
			}
		}
		bed.n_events = 0;
	}
	print_message("%u packets read, none under an index used before; %u kills, roll-over counter %u\n", seen,
		      rounds, newest);
	assert_true(seen > rounds * 200);
	assert_true(newest >= 1);
	srtp_reader_close(reader);
	dp_transport_remove(bed.dp, leg);
	assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, NULL));
	close(twin);
}

// ---- VLANs with one address

static int raw_socket(void)
{
	int back = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;
	struct sockaddr_ll at = { .sll_family = AF_PACKET };

	assert_int_equal(setns(bed.ns[BED_A], CLONE_NEWNET), 0);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	at.sll_ifindex = (int)if_nametoindex("eth0");
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	assert_int_equal(setns(back, CLONE_NEWNET), 0);
	close(back);
	return fd;
}

// From 10.77.1.2:4000 to 10.77.1.1:16700, with a tag or two, or none (0).
static void tagged_send(int fd, const uint8_t mac[6], uint16_t outer, uint16_t vlan, const uint8_t *payload, size_t len)
{
	uint8_t f[512] = { 0 }, *ip;
	uint32_t sum = 0;
	size_t at = 12;

	memcpy(f, mac, 6);
	memcpy(f + 6, "\x02\x00\x00\x00\x00\x0a", 6);
	for (unsigned i = 0; i < 2; i++) {
		uint16_t tag = i == 0 ? outer : vlan;

		if (tag == 0)
			continue;
		memcpy(f + at,
		       (uint8_t[]){ i == 0 ? 0x88 : 0x81, i == 0 ? 0xa8 : 0, (uint8_t)(tag >> 8), (uint8_t)tag }, 4);
		at += 4;
	}
	f[at] = 8;
	ip = f + at + 2;
	memcpy(ip, (uint8_t[]){ 0x45,
				0,
				(uint8_t)((len + 28) >> 8),
				(uint8_t)(len + 28),
				0,
				0,
				0,
				0,
				64,
				IPPROTO_UDP,
				0,
				0,
				10,
				77,
				1,
				2,
				10,
				77,
				1,
				1 },
	       20);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (unsigned)(ip[i] << 8 | ip[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	memcpy(ip + 20, (uint8_t[]){ 4000 >> 8, 4000 & 255, 16700 >> 8, 16700 & 255, (uint8_t)((len + 8) >> 8),
				     (uint8_t)(len + 8) }, 6);
	memcpy(ip + 28, payload, len);
	assert_int_equal(write(fd, f, (size_t)(ip + 28 - f) + len), (ip + 28 - f) + (ssize_t)len);
}

static void mac_of(uint8_t mac[6])
{
	char line[32] = "";
	FILE *in = fopen("/sys/class/net/acc/address", "r");

	if (in == NULL) { // /sys shows the namespace in which it was mounted
		char command[128];

		snprintf(command, sizeof(command), "ip netns exec %s cat /sys/class/net/acc/address",
			 bed.ns_name[BED_GW]);
		in = popen(command, "r");
	}
	assert_non_null(in);
	assert_non_null(fgets(line, sizeof(line), in));
	pclose(in);
	assert_int_equal(sscanf(line, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
				&mac[5]), 6);
}

// The same address and port three times over: untagged, and in two VLANs. A frame belongs to its own network alone.
static void one_address_in_three_networks(void **state)
{
	static const struct {
		uint16_t outer, vlan;
		int network; // -1: nobody's
	} tags[] = { { 0, 0, 0 }, { 0, 100, 1 }, { 0, 200, 2 }, { 0, 300, -1 }, { 100, 200, 2 }, { 7, 100, 1 } };
	struct dp_ref in[3], out[3];
	uint8_t packet[512], got[2048], mac[6];
	int raw = raw_socket();

	mac_of(mac);
	for (unsigned i = 0; i < 3; i++) {
		in[i] = bed_transport(&bed, i == 0 ? 0 : 1 + i, "10.77.1.1", 16700, DP_MODE_RTP, DP_PLAIN,
				      &call.peer_a);
		out[i] = bed_transport(&bed, 1, "10.77.2.1", (uint16_t)(16700 + i), DP_MODE_RTP, DP_PLAIN,
				       &call.peer_b);
		dp_transport_edges(bed.dp, in[i], &(struct dp_edge){ .to = out[i], .open = true }, 1);
	}
	bed_pump(&bed, 200);
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
			size_t len = bed_rtp(packet, 0x7000 + i, (uint16_t)round, 100 + i);
			struct inet_endpoint from;

			tagged_send(raw, mac, tags[i].outer, tags[i].vlan, packet, len);
			if (tags[i].network < 0) {
				expect_silence(call.b);
				continue;
			}
			assert_int_equal(bed_receive(call.b, got, sizeof(got), 5000, &from), len);
			assert_memory_equal(got, packet, len);
			assert_int_equal(from.port, 16700 + tags[i].network);
		}
	}
	for (unsigned i = 0; i < 3; i++) {
		struct dp_stats stats;

		assert_int_equal(dp_transport_stats(bed.dp, in[i], &stats), 0);
		assert_int_equal(stats.rx_packets, i == 0 ? 10 : 20);
		dp_transport_remove(bed.dp, in[i]);
		dp_transport_remove(bed.dp, out[i]);
	}
	for (unsigned i = 0; i < 6; i++)
		assert_true(bed_event(&bed, DP_EVENT_REMOVED, 1000, NULL));
	close(raw);
}

int main(int argc, char **argv)
{
#define LEGS(f) cmocka_unit_test_setup_teardown(f, legs_make, legs_remove)
	const struct CMUnitTest tests[] = {
		LEGS(equal_keys_and_one_tag_bit),
		LEGS(bad_tags_cost_the_call_nothing),
		LEGS(every_first_octet_is_counted_once),
		LEGS(no_index_twice_whatever_happens),
		LEGS(one_address_in_three_networks),
	};

	if (argc > 1)
		bed_relay_path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
