// SPDX-License-Identifier: GPL-3.0-or-later
// test_base_inet.c - address, endpoint and prefix text: what is taken, what is refused, what is printed.
#include "base/inet.h"
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void address_text(void **state)
{
	static const struct {
		const char *text;
		const char *printed; // NULL: refused
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "2001:DB8::0001", "2001:db8::1" },
		{ "::", "::" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "", NULL },
		{ " 192.0.2.1", NULL },
		{ "192.0.2.1 ", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "[::1]", NULL },
		{ "fe80::1%eth0", NULL },
		{ "2001:db8::1::2", NULL },
		{ "localhost", NULL },
	};
	char printed[INET_ADDR_STRLEN];
	struct inet_addr addr;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err = inet_addr_parse(&addr, rows[i].text);

		assert_int_equal(err, rows[i].printed != NULL ? 0 : -EINVAL);
		if (err == 0)
			assert_string_equal(inet_addr_print(printed, &addr), rows[i].printed);
	}
}

static void endpoint_text(void **state)
{
	static const struct {
		const char *text;
		const char *printed;
	} rows[] = {
		{ "192.0.2.1:5060", "192.0.2.1:5060" },
		{ "[2001:db8::1]:5060", "[2001:db8::1]:5060" },
		{ "192.0.2.1:0", "192.0.2.1:0" },
		{ "192.0.2.1:65535", "192.0.2.1:65535" },
		{ "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
		  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:05060", NULL },
		{ "192.0.2.1:+5060", NULL },
		{ "192.0.2.1: 5060", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2.1", NULL },
		{ ":5060", NULL },
		{ "2001:db8::1:5060", NULL },
		{ "[2001:db8::1]", NULL },
		{ "[2001:db8::1]5060", NULL },
		{ "[192.0.2.1]:5060", NULL },
		{ "[]:5060", NULL },
		{ "[:5060", NULL },
		{ "]:5060", NULL },
		{ "", NULL },
		{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:5060", NULL },
	};
	char printed[INET_ENDPOINT_STRLEN];
	struct inet_endpoint ep;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err = inet_endpoint_parse(&ep, rows[i].text);

		if ((err == 0) != (rows[i].printed != NULL))
			fail_msg("%s: %d", rows[i].text, err);
		if (err == 0)
			assert_string_equal(inet_endpoint_print(printed, &ep), rows[i].printed);
	}
}

static void prefix_text_and_membership(void **state)
{
	static const struct {
		const char *prefix, *inside, *outside;
	} rows[] = {
		{ "10.0.0.0/24", "10.0.0.255", "10.0.1.0" },
		{ "10.0.0.0/8", "10.255.0.1", "11.0.0.0" },
		{ "10.128.0.0/9", "10.128.0.1", "10.127.255.255" },
		{ "0.0.0.0/0", "203.0.113.9", "2001:db8::1" },
		{ "192.0.2.7", "192.0.2.7", "192.0.2.6" },
		{ "192.0.2.7/32", "192.0.2.7", "192.0.2.15" },
		{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1" },
		{ "2001:db8::1", "2001:db8::1", "2001:db8::2" },
		{ "::/0", "fe80::1", "10.0.0.1" },
	};
	static const char *const refused[] = { "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/024", "/24",
					       "2001:db8::/129", "10.0.0.0/24 ", "" };
	struct inet_prefix p;
	struct inet_addr addr;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(inet_prefix_parse(&p, rows[i].prefix), 0);
		assert_int_equal(inet_addr_parse(&addr, rows[i].inside), 0);
		assert_true(inet_prefix_holds(&p, &addr));
		assert_int_equal(inet_addr_parse(&addr, rows[i].outside), 0);
		assert_false(inet_prefix_holds(&p, &addr));
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_true(inet_prefix_parse(&p, refused[i]) < 0);
	assert_int_equal(inet_prefix_parse(&p, "10.0.0.7/24"), -EDOM);
	assert_int_equal(inet_prefix_parse(&p, "2001:db8::1/64"), -EDOM);
	memset(&p, 0, sizeof(p)); // an unset prefix holds nothing
	assert_int_equal(inet_addr_parse(&addr, "10.0.0.1"), 0);
	assert_false(inet_prefix_holds(&p, &addr));
}

static void sockaddr_round_trip(void **state)
{
	static const char *const texts[] = { "192.0.2.1:5060", "[2001:db8::1]:16384" };
	struct inet_endpoint ep, back;
	struct sockaddr_storage ss;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(inet_endpoint_parse(&ep, texts[i]), 0);
		assert_int_equal(inet_endpoint_to_sockaddr(&ss, &ep),
				 i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		inet_endpoint_from_sockaddr(&back, (struct sockaddr *)&ss);
		assert_true(inet_endpoint_equal(&ep, &back));
	}
	// A socket for both families shows IPv4 peers as mapped addresses; they are IPv4 to us.
	assert_int_equal(inet_endpoint_parse(&ep, "[::ffff:192.0.2.1]:5060"), 0);
	inet_endpoint_to_sockaddr(&ss, &ep);
	inet_endpoint_from_sockaddr(&back, (struct sockaddr *)&ss);
	assert_int_equal(inet_endpoint_parse(&ep, "192.0.2.1:5060"), 0);
	assert_true(inet_endpoint_equal(&ep, &back));
	ep = (struct inet_endpoint){ .port = 1 };
	assert_int_equal(inet_endpoint_to_sockaddr(&ss, &ep), 0);
}

static void any_address(void **state)
{
	struct inet_addr addr = { .family = INET_NONE };

	assert_true(inet_addr_is_any(&addr));
	inet_addr_parse(&addr, "0.0.0.0");
	assert_true(inet_addr_is_any(&addr));
	inet_addr_parse(&addr, "::");
	assert_true(inet_addr_is_any(&addr));
	inet_addr_parse(&addr, "::1");
	assert_false(inet_addr_is_any(&addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_text),
		cmocka_unit_test(endpoint_text),
		cmocka_unit_test(prefix_text_and_membership),
		cmocka_unit_test(sockaddr_round_trip),
		cmocka_unit_test(any_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
