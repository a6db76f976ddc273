// SPDX-License-Identifier: GPL-3.0-or-later
// test_sip_peer.c - who a source is, where a call goes, and which address a URI names.
#include "signaling/sip_agent.h"
#include "signaling/sip_peer.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct sip_realm realms[2];
static struct sip_peer peers[4];
static struct sip_route routes[4];
static struct sip_config config = { .realms = realms, .peers = peers, .routes = routes, .n_realms = 2 };

static void add_peer(uint16_t realm, const char *source)
{
	struct sip_peer *p = &peers[config.n_peers++];

	*p = (struct sip_peer){ .realm = realm };
	if (source != NULL)
		assert_int_equal(inet_prefix_parse(&p->sources[p->n_sources++], source), 0);
}

static int peer_of(uint16_t realm, const char *address)
{
	struct inet_addr addr;

	assert_int_equal(inet_addr_parse(&addr, address), 0);
	return sip_peer_by_source(&config, realm, &addr);
}

static void longest_prefix_of_the_realm(void **state)
{
	config.n_peers = 0;
	add_peer(0, "10.0.0.0/8");
	add_peer(0, "10.1.0.0/16");
	add_peer(1, "10.1.2.3");
	add_peer(0, NULL);
	assert_int_equal(peer_of(0, "10.9.9.9"), 0);
	assert_int_equal(peer_of(0, "10.1.2.3"), 1);
	assert_int_equal(peer_of(1, "10.1.2.3"), 2);
	assert_int_equal(peer_of(1, "10.1.2.4"), -ENOENT);
	assert_int_equal(peer_of(0, "11.0.0.1"), -ENOENT);
	assert_int_equal(peer_of(0, "2001:db8::1"), -ENOENT);
}

static void nobody_without_sources(void **state)
{
	config.n_peers = 0;
	add_peer(0, NULL);
	assert_int_equal(peer_of(0, "0.0.0.0"), -ENOENT);
	assert_int_equal(peer_of(0, "127.0.0.1"), -ENOENT);
}

static void first_route_that_matches(void **state)
{
	config.n_routes = 4;
	routes[0] = (struct sip_route){ .from_realm = 0, .from_peer = 1, .user = "*", .to_peer = 1 };
	routes[1] = (struct sip_route){ .from_realm = 0, .from_peer = -1, .user = "112", .to_peer = 2 };
	routes[2] = (struct sip_route){ .from_realm = 0, .from_peer = -1, .user = "49*", .to_peer = 3 };
	routes[3] = (struct sip_route){ .from_realm = 1, .from_peer = -1, .user = "*", .to_peer = 0 };
	assert_int_equal(sip_route_find(&config, 0, 1, "112"), 0);
	assert_int_equal(sip_route_find(&config, 0, 0, "112"), 1);
	assert_int_equal(sip_route_find(&config, 0, 0, "4930"), 2);
	assert_int_equal(sip_route_find(&config, 0, 0, "49"), 2);
	assert_int_equal(sip_route_find(&config, 0, 0, "4"), -ENOENT);
	assert_int_equal(sip_route_find(&config, 0, 0, ""), -ENOENT);
	assert_int_equal(sip_route_find(&config, 1, 0, ""), 3);
	assert_int_equal(config.routes[sip_route_find(&config, 0, 0, "112")].to_peer, 2);
}

static void targets(void **state)
{
	char uri[SIP_URI_MAX];

	assert_int_equal(sip_target_expand("sip:{user}@10.0.0.2:5060", "alice", uri, sizeof(uri)), 0);
	assert_string_equal(uri, "sip:alice@10.0.0.2:5060");
	assert_int_equal(sip_target_expand("sip:{user}@10.0.0.2", "", uri, sizeof(uri)), 0);
	assert_string_equal(uri, "sip:10.0.0.2");
	assert_int_equal(sip_target_expand("sip:fixed@10.0.0.2", "alice", uri, sizeof(uri)), 0);
	assert_string_equal(uri, "sip:fixed@10.0.0.2");
	assert_int_equal(sip_target_expand("sip:{user}@h", "%41;x=1", uri, sizeof(uri)), 0);
	// What would end the user part, or the header, is not taken.
	static const char *const bad[] = { "a@b", "a b", "a\r\nX: y", "a>b", "a:b", "%4", "%zz", "a\"b", "\x80" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sip_target_expand("sip:{user}@h", bad[i], uri, sizeof(uri)), -EINVAL);
	assert_int_equal(sip_target_expand("sip:{user}@h", "alice", uri, 8), -ENAMETOOLONG);
}

static int hop(const char *uri, struct inet_endpoint *ep, enum sip_transport *transport)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };

	su_home_init(home);
	url_t *url = url_hdup(home, (const url_t *)uri);
	int err = url != NULL ? sip_uri_hop(url, ep, transport) : -EINVAL;

	su_home_deinit(home);
	return err;
}

static void numeric_uris(void **state)
{
	char text[INET_ENDPOINT_STRLEN];
	struct inet_endpoint ep;
	enum sip_transport transport;

	assert_int_equal(hop("sip:a@192.0.2.1", &ep, &transport), 0);
	assert_string_equal(inet_endpoint_print(text, &ep), "192.0.2.1:5060");
	assert_int_equal(transport, SIP_UDP);
	assert_int_equal(hop("sip:[2001:db8::1]:5070;transport=TCP;lr", &ep, &transport), 0);
	assert_string_equal(inet_endpoint_print(text, &ep), "[2001:db8::1]:5070");
	assert_int_equal(transport, SIP_TCP);
	static const char *const bad[] = {
		"sip:a@example.com", "sips:a@192.0.2.1", "tel:+1", "sip:a@192.0.2.1:0", "sip:a@192.0.2.1:70000",
		"sip:a@192.0.2.1;transport=tls", "sip:a@0.0.0.0", "sip:a@[::]",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(hop(bad[i], &ep, &transport) < 0);
}

static bool natted(const struct sip_peer *peer, const char *contact, const char *source)
{
	struct inet_addr c, s;

	assert_int_equal(inet_addr_parse(&c, contact), 0);
	assert_int_equal(inet_addr_parse(&s, source), 0);
	return sip_peer_behind_nat(peer, &c, &s);
}

static void contacts_that_cannot_be_reached(void **state)
{
	config.n_peers = 0;
	add_peer(0, "10.10.0.0/24");
	add_peer(0, "0.0.0.0/0");
	add_peer(0, NULL);
	assert_true(natted(&peers[0], "192.168.1.10", "10.10.0.10")); // not of this peer
	assert_false(natted(&peers[0], "10.10.0.11", "10.10.0.10"));
	assert_false(natted(&peers[0], "10.10.0.10", "10.10.0.10"));
	assert_true(natted(&peers[1], "192.168.1.10", "203.0.113.7")); // private, from a public one
	assert_true(natted(&peers[1], "100.64.0.1", "203.0.113.7"));
	assert_true(natted(&peers[1], "fd00::1", "2001:db8::1"));
	assert_false(natted(&peers[1], "198.51.100.1", "203.0.113.7")); // another server of a trunk
	assert_false(natted(&peers[1], "172.32.0.1", "203.0.113.7"));
	assert_false(natted(&peers[1], "192.168.1.10", "10.0.0.1")); // one private network behind another: it may be routed
	assert_false(natted(&peers[2], "198.51.100.1", "203.0.113.7")); // only called: nothing is known of it
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_prefix_of_the_realm), cmocka_unit_test(nobody_without_sources),
		cmocka_unit_test(first_route_that_matches),    cmocka_unit_test(targets),
		cmocka_unit_test(numeric_uris),		       cmocka_unit_test(contacts_that_cannot_be_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
