// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_whole.c - a NIC that is all DPDK's, with a TAP for Linux. The NIC is net_tap's: its other end, nic0, is the
// socket on the wall, wired to peer A.
//
//   peer A eth0 --- wire |bridge| nic0 === [ relay, driver pci ] === acc (TAP) [ Linux ] cor (AF_XDP) --- peer B
#include "tests/dataplane/bed_call.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct bed bed;
static struct bed_call call;

static void wires(void)
{
	const char *gw = bed.ns_name[BED_GW], *a = bed.ns_name[BED_A];

	bed_run("ip -n %s link del acc", gw);
	bed_run("ip -n %s link add wire type veth peer name eth0 netns %s", gw, a);
	bed_run("ip -n %s addr add 10.77.1.2/24 dev eth0 && ip -n %s addr add fd77:1::2/64 dev eth0 nodad", a, a);
	bed_run("ip -n %s link set eth0 up && ip -n %s link set wire up", a, gw);
	bed_run("ip -n %s link add wall type bridge mcast_snooping 0 && ip -n %s link set wall up", gw, gw);
	bed_run("ip -n %s link set wire master wall", gw);
	// The wall is no door to Linux: it must not answer for the host's addresses.
	bed_run("echo 8 >/proc/sys/net/ipv4/conf/wall/arp_ignore && echo 1 >/proc/sys/net/ipv6/conf/wall/disable_ipv6");
	bed_run("ip -n %s tuntap add mode tap dev acc", gw);
	bed_run("ip -n %s addr add 10.77.1.1/24 dev acc && ip -n %s addr add fd77:1::1/64 dev acc nodad", gw, gw);
	bed_run("ip -n %s link set acc up", gw);
}

// The stand-in's socket on the wall; its own address must not be the card's, or the bridge would keep the frames.
static void plug_in(void)
{
	const char *gw = bed.ns_name[BED_GW];

	bed_run("ip -n %s link set nic0 address 02:00:00:00:77:77 master wall up", gw);
}

static int setup(void **state)
{
	bed_networks(&bed);
	wires();
	bed_config(&bed.config);
	bed.config.ports[0].driver = DP_DRIVER_PCI;
	snprintf(bed.config.ports[0].device, sizeof(bed.config.ports[0].device), "net_tap0");
	snprintf(bed.config.ports[0].devargs, sizeof(bed.config.ports[0].devargs), "iface=nic0");
	snprintf(bed.log, sizeof(bed.log), "/tmp/sallyport-whole-%d.log", getpid());
	bed_start(&bed);
	plug_in();
	bed_call_sockets(&call, &bed);
	bed_call_legs(&call, DP_PLAIN);
	return 0;
}

static int teardown(void **state)
{
	bed_call_close(&call);
	bed_stop(&bed);
	return 0;
}

static const struct dp_port_record *port(void)
{
	return &bed.map.ports[0];
}

// Packets both ways, each waited for; how many were lost.
static unsigned exchange(unsigned n, uint16_t first)
{
	unsigned lost = 0;

	for (unsigned i = 0; i < n; i++) {
		uint8_t pkt[512], got[2048];
		size_t len = bed_rtp(pkt, 0x4444, (uint16_t)(first + i), 160);

		bed_send(call.a, &call.gw_a, pkt, len);
		lost += bed_receive(call.b, got, sizeof(got), 1000, NULL) != (ssize_t)len || memcmp(got, pkt, len) != 0;
		bed_send(call.b, &call.gw_b, pkt, len);
		lost += bed_receive(call.a, got, sizeof(got), 1000, NULL) != (ssize_t)len || memcmp(got, pkt, len) != 0;
	}
	return lost;
}

static bool media_flows(unsigned ms)
{
	mono_ns end = clock_now() + MONO_MS(ms);
	uint16_t seq = 30000;

	while (exchange(1, seq++) != 0) {
		if (clock_now() > end)
			return false;
	}
	return true;
}

static void the_line_says_which_way(void **state)
{
	assert_string_not_equal(bed_log_line(&bed, 0, "port ready port=acc driver=net_tap", "zero_copy=no", "queues=1",
					     "linux_by=\"TAP acc\"", "tx_checksum=offload",
					     "rx_checksum=\"verified by the device\"", NULL), "");
	assert_string_not_equal(bed_log_line(&bed, 0, "port ready port=cor driver=af_xdp xdp=native", "queues=1",
					     "linux_by=XDP_PASS", "tx_checksum=software", NULL), "");
}

static void linux_answers_for_its_addresses(void **state)
{
	const char *a = bed.ns_name[BED_A];

	assert_true(media_flows(10000)); // the next hop is found by the TAP
	for (unsigned i = 0; i < 2; i++) {
		bed_run("ip -n %s neigh flush dev eth0", a); // ARP and ND, too
		bed_run("ip netns exec %s ping -q -c 3 -i 0.02 -W 2 10.77.1.1 >/dev/null", a);
		bed_run("ip netns exec %s ping -q -c 3 -i 0.02 -W 2 fd77:1::1 >/dev/null", a);
	}
	bed_run("ping -q -c 3 -i 0.02 -W 2 10.77.1.2 >/dev/null"); // and from here
	assert_true(dp_counter(&port()->to_linux) > 12 && dp_counter(&port()->from_linux) > 12);
	assert_int_equal(dp_counter(&port()->to_linux_lost) + dp_counter(&port()->from_linux_lost), 0);
}

// SIP by UDP, longer than a frame: fragments both ways.
static void long_requests_reach_linux(void **state)
{
	struct inet_endpoint from, sip = bed_endpoint("10.77.1.1", 5060);
	int here = bed_socket(&bed, BED_GW, "10.77.1.1", 5060), there = bed_socket(&bed, BED_A, "10.77.1.2", 5061);
	uint8_t request[4000], got[8000];

	for (size_t i = 0; i < sizeof(request); i++)
		request[i] = (uint8_t)(i * 7);
	bed_send(there, &sip, request, sizeof(request));
	assert_int_equal(bed_receive(here, got, sizeof(got), 2000, &from), sizeof(request));
	assert_memory_equal(got, request, sizeof(request));
	bed_send(here, &from, request, sizeof(request));
	assert_int_equal(bed_receive(there, got, sizeof(got), 2000, NULL), sizeof(request));
	close(here);
	close(there);
}

static void a_connection_passes(void **state)
{
	struct inet_endpoint at = bed_endpoint("10.77.1.1", 2222);
	struct sockaddr_storage ss;
	socklen_t len = inet_endpoint_to_sockaddr(&ss, &at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, status;
	size_t sum = 0;
	ssize_t n;
	char chunk[4096];
	pid_t peer;
	int fd;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(listener, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	peer = fork();
	if (peer == 0) { // a megabyte, as fast as TCP makes it
		execlp("ip", "ip", "netns", "exec", bed.ns_name[BED_A], "bash", "-c",
		       "head -c 1000000 /dev/zero >/dev/tcp/10.77.1.1/2222", (char *)NULL);
		_exit(127);
	}
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		sum += (size_t)n;
	assert_int_equal(sum, 1000000);
	assert_int_equal(waitpid(peer, &status, 0), peer);
	assert_int_equal(status, 0);
	close(fd);
	close(listener);
}

static void media_does_not_mind(void **state)
{
	uint64_t before = dp_counter(&port()->to_linux);
	pid_t pings = fork();
	int status;

	if (pings == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO);
		execlp("ip", "ip", "netns", "exec", bed.ns_name[BED_A], "ping", "-q", "-c", "400", "-i", "0.002", "-W", "2",
		       "10.77.1.1", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(exchange(400, 1000), 0);
	assert_int_equal(waitpid(pings, &status, 0), pings);
	assert_int_equal(status, 0);
	assert_true(dp_counter(&port()->to_linux) >= before + 400); // by this way, not by another
	assert_int_equal(bed_drops(&bed, call.leg_a, RELAY_DROP_CHECKSUM), 0);
}

// What goes to a media port is never Linux's: a port without a leg, a first fragment.
static void linux_never_sees_media(void **state)
{
	uint64_t *drops = bed.map.workers[0].drops, none = dp_counter(&drops[RELAY_DROP_NO_TRANSPORT]);
	uint64_t fragments = dp_counter(&drops[RELAY_DROP_FRAGMENT]);
	int fd = bed_socket(&bed, BED_A, "10.77.1.2", 4010);
	struct inet_endpoint nobody = bed_endpoint("10.77.1.1", 17000);
	struct sockaddr_storage ss;
	socklen_t len = inet_endpoint_to_sockaddr(&ss, &nobody);
	uint8_t bytes[4000] = { 0x80 };

	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(send(fd, bytes, 172, 0), 172);
	assert_int_equal(send(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(bed_receive(fd, bytes, sizeof(bytes), 300, NULL), -EAGAIN); // ICMP would be ECONNREFUSED
	assert_int_equal(dp_counter(&drops[RELAY_DROP_NO_TRANSPORT]), none + 1);
	assert_int_equal(dp_counter(&drops[RELAY_DROP_FRAGMENT]), fragments + 1);
	close(fd);
}

static void a_link_that_goes_takes_the_tap_along(void **state)
{
	const char *gw = bed.ns_name[BED_GW];

	bed_run("ip -n %s link set nic0 down", gw);
	assert_string_not_equal(bed_log_line(&bed, 10000, "port down port=acc", NULL), "");
	bed_run("for i in $(seq 100); do ip -n %s link show acc | grep -q NO-CARRIER && exit 0; sleep 0.05; done; exit 1",
		gw);
	assert_int_equal(dp_counter(&port()->up), 0);
	bed_run("ip -n %s link set nic0 up", gw);
	assert_string_not_equal(bed_log_line(&bed, 10000, "port up port=acc", NULL), "");
	assert_true(media_flows(10000));
	assert_int_equal(dp_counter(&port()->changes) % 2, 0);
}

static void a_killed_relay_finds_the_tap_again(void **state)
{
	bed_relay_kill(&bed, SIGKILL);
	bed_relay_start(&bed);
	plug_in();
	assert_true(media_flows(10000));
	bed_run("ip netns exec %s ping -q -c 3 -i 0.02 -W 2 10.77.1.1 >/dev/null", bed.ns_name[BED_A]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_says_which_way),
		cmocka_unit_test(linux_answers_for_its_addresses),
		cmocka_unit_test(long_requests_reach_linux),
		cmocka_unit_test(a_connection_passes),
		cmocka_unit_test(media_does_not_mind),
		cmocka_unit_test(linux_never_sees_media),
		cmocka_unit_test(a_link_that_goes_takes_the_tap_along),
		cmocka_unit_test(a_killed_relay_finds_the_tap_again),
	};

	if (argc > 1)
		bed_relay_path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
