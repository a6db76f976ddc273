// SPDX-License-Identifier: GPL-3.0-or-later
// test_relay_table.c - whose a datagram is, where VLANs use the same addresses: two sub-realms of one interface with
// one address, and two untagged interfaces beside them.
#include "dataplane/worker/relay.h"
#include "dataplane/worker/relay_table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { TENANT_A, TENANT_B, OFFICE, CORE, LOCAL, NETWORKS };
enum { ETH0, ETH1, LO, PORTS };

static const struct {
	uint8_t port;
	uint16_t vlan;
	const char *address;
} networks[NETWORKS] = {
	[TENANT_A] = { ETH0, 10, "10.0.0.1" }, [TENANT_B] = { ETH0, 20, "10.0.0.1" },
	[OFFICE] = { ETH0, 0, "192.0.2.1" },   [CORE] = { ETH1, 0, "192.0.2.129" },
	[LOCAL] = { LO, 0, "127.0.0.1" },
};

static struct relay_table *table;

static struct inet_endpoint endpoint(const char *address)
{
	struct inet_endpoint ep = { .port = 20000 };

	assert_int_equal(inet_addr_parse(&ep.addr, address), 0);
	return ep;
}

static int setup(void **state)
{
	static struct dp_config config = { .n_ports = PORTS, .n_networks = NETWORKS };

	for (unsigned i = 0; i < NETWORKS; i++) {
		struct dp_address *a = &config.addresses[config.n_addresses++];

		config.networks[i] = (struct dp_network){ .port = networks[i].port, .vlan = networks[i].vlan };
		*a = (struct dp_address){ .network = (uint8_t)i, .first_port = 16384, .last_port = 32767 };
		a->addr = endpoint(networks[i].address).addr;
	}
	strcpy(config.ports[LO].name, "lo");
	return relay_table_open(&table, &config);
}

static int teardown(void **state)
{
	relay_table_close(table);
	return 0;
}

// Which network's slot that is; -1: nobody's.
static int found(uint16_t port, uint16_t vlan, const char *address)
{
	const struct inet_endpoint to = endpoint(address);
	_Atomic uint32_t *slot = relay_table_find(table, port, vlan, to.addr.family, to.addr.bytes, to.port);

	for (int i = 0; slot != NULL && i < NETWORKS; i++) {
		const struct inet_endpoint own = endpoint(networks[i].address);

		if (relay_table_slot(table, (uint16_t)i, &own) == slot)
			return i;
	}
	return -1;
}

static void from_outside_the_tag_decides(void **state)
{
	assert_int_equal(found(ETH0, 10, "10.0.0.1"), TENANT_A);
	assert_int_equal(found(ETH0, 20, "10.0.0.1"), TENANT_B);
	assert_int_equal(found(ETH0, 0, "10.0.0.1"), -1);
	assert_int_equal(found(ETH0, 30, "10.0.0.1"), -1);
	assert_int_equal(found(ETH1, 10, "10.0.0.1"), -1);
	assert_int_equal(found(ETH0, 0, "192.0.2.1"), OFFICE);
	assert_int_equal(found(ETH0, 10, "192.0.2.1"), -1);
}

static int inside(unsigned network, const char *address)
{
	const struct inet_endpoint to = endpoint(address);
	int who = found((uint16_t)(RELAY_INSIDE | network), 0, address);

	assert_int_equal(relay_table_holds(table, (uint16_t)network, &to), who >= 0);
	return who;
}

// A leg whose peer has signalled one of our own addresses: its own network's, or another's if neither is a VLAN.
static void from_inside_vlans_are_worlds_of_their_own(void **state)
{
	assert_int_equal(inside(TENANT_A, "10.0.0.1"), TENANT_A);
	assert_int_equal(inside(TENANT_B, "10.0.0.1"), TENANT_B);
	assert_int_equal(inside(OFFICE, "10.0.0.1"), -1);
	assert_int_equal(inside(TENANT_A, "192.0.2.1"), -1);
	assert_int_equal(inside(TENANT_B, "192.0.2.129"), -1);
	assert_int_equal(inside(OFFICE, "192.0.2.1"), OFFICE);
	assert_int_equal(inside(OFFICE, "192.0.2.129"), CORE);
	assert_int_equal(inside(CORE, "192.0.2.1"), OFFICE);
}

static void the_loopback_interface_hears_every_untagged_address(void **state)
{
	assert_int_equal(found(LO, 0, "127.0.0.1"), LOCAL);
	assert_int_equal(found(LO, 0, "192.0.2.129"), CORE);
	assert_int_equal(found(LO, 0, "10.0.0.1"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_outside_the_tag_decides),
		cmocka_unit_test(from_inside_vlans_are_worlds_of_their_own),
		cmocka_unit_test(the_loopback_interface_hears_every_untagged_address),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
