// SPDX-License-Identifier: GPL-3.0-or-later
// test_config_change.c - what a new configuration changes, whom it concerns, and that what calls have keeps its place.
#include "gateway/config_change.h"
#include "signaling/sip_peer.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char base[] =
	"log: {level: info}\n"
	"limits: {calls: 100, capacity: 500}\n"
	"dataplane: {interfaces: [{name: null0, driver: null}]}\n"
	"realms:\n"
	"  - {name: access, interface: null0, listeners: [\"udp:192.0.2.1:5060\"], media: [{address: 192.0.2.1}], profile: secure}\n"
	"  - {name: core, interface: null0, listeners: [\"udp:198.51.100.1:5060\"], media: [{address: 198.51.100.1}], profile: plain}\n"
	"profiles:\n"
	"  - {name: secure, keying: {accept: [dtls-srtp], offer: [dtls-srtp]}, header_extensions: [\"urn:x:1\"]}\n"
	"  - {name: plain, keying: {accept: [none], offer: [none]}}\n"
	"peers:\n"
	"  - {name: phones, realm: access, sources: [192.0.2.0/24]}\n"
	"  - {name: pbx, realm: core, sources: [198.51.100.7], target: \"sip:{user}@198.51.100.7\"}\n"
	"routes:\n"
	"  - {from: access, user: \"*\", to: pbx}\n";

// The base with `before` replaced by `after`, pairs of them, ended by NULL.
static struct config *changed(const char *before, ...)
{
	static char text[16384];
	struct config_error why;
	struct config *cfg = NULL;
	va_list ap;

	strcpy(text, base);
	va_start(ap, before);
	for (const char *from = before; from != NULL; from = va_arg(ap, const char *)) {
		const char *to = va_arg(ap, const char *);
		char *at = strstr(text, from), rest[8192];

		assert_non_null(at);
		strcpy(rest, at + strlen(from));
		strcpy(at, to);
		strcat(text, rest);
	}
	va_end(ap);
	if (config_parse(&cfg, text, strlen(text), &why) < 0)
		fail_msg("%u:%u: %s", why.line, why.column, why.message);
	return cfg;
}

static void each_key_has_its_scope(void **state)
{
	static const struct {
		const char *from, *to, *key;
		enum config_scope scope;
	} cases[] = {
		{ "level: info", "level: debug", "log.level", CONFIG_LIVE },
		{ "level: info", "level: info, format: json", "log.format", CONFIG_RELAY },
		{ "calls: 100,", "calls: 200,", "limits.calls", CONFIG_LIVE },
		{ "capacity: 500", "capacity: 600", "limits.capacity", CONFIG_RELAY },
		{ "limits:", "process: {drain_timeout: 60}\nlimits:", "process.drain_timeout", CONFIG_LIVE },
		{ "limits:", "process: {state_dir: /tmp/x}\nlimits:", "process.state_dir", CONFIG_RELAY },
		{ "limits:", "call_records: {file: /tmp/x}\nlimits:", "call_records.file", CONFIG_LIVE },
		{ "limits:", "sip: {server_name: x}\nlimits:", "sip.server_name", CONFIG_LIVE },
		{ "limits:", "dtls: {mtu: 1000}\nlimits:", "dtls.mtu", CONFIG_CONTROL },
		{ "limits:", "admin: {connections: 9}\nlimits:", "admin.connections", CONFIG_CONTROL },
		{ "dataplane: {", "dataplane: {workers: 2, ", "dataplane.workers", CONFIG_RELAY },
		{ "198.51.100.1:5060", "198.51.100.1:5070", "realms[core].listeners", CONFIG_CONTROL },
		{ "{address: 198.51.100.1}", "{address: 198.51.100.2}", "realms[core].media", CONFIG_RELAY },
		{ "name: access, interface", "name: access, vlan: 7, interface", "realms[access].vlan", CONFIG_RELAY },
		{ "name: access, interface", "name: access, trusted: true, interface", "realms[access].trusted", CONFIG_LIVE },
		{ "name: access, interface", "name: access, dscp: 0, interface", "realms[access].dscp", CONFIG_LIVE },
		{ "profile: secure", "profile: plain", "realms[access].profile", CONFIG_LIVE },
		{ "{accept: [none]", "{accept: [sdes, none]", "profiles[plain].keying.accept", CONFIG_LIVE },
		{ "  - {name: plain", "  - {name: more, keying: {accept: [none], offer: [none]}}\n  - {name: plain", "profiles", CONFIG_LIVE },
		{ "192.0.2.0/24", "192.0.2.0/25", "peers[phones].sources", CONFIG_LIVE },
		{ "user: \"*\"", "user: \"1*\"", "routes", CONFIG_LIVE },
	};
	struct config *from = changed(NULL);
	struct config_change change;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *to = changed(cases[i].from, cases[i].to, NULL);

		assert_int_equal(config_change(&change, from, to), 0);
		if (change.scope != cases[i].scope || strcmp(change.keys, cases[i].key) != 0)
			fail_msg("%s: %s, not of scope %s", change.keys, config_scope_name(change.scope), config_scope_name(cases[i].scope));
		assert_string_equal(change.refused, cases[i].scope > CONFIG_LIVE ? cases[i].key : "");
		config_free(to);
	}
	assert_int_equal(config_change(&change, from, from), 0);
	assert_int_equal(change.scope, CONFIG_SAME);
	config_free(from);
}

static void realms_have_their_order(void **state)
{
	struct config *from = changed(NULL), *to = changed("name: access, interface", "name: other, interface", "from: access", "from: other",
							   "realm: access", "realm: other", NULL);
	struct config_change change;

	assert_int_equal(config_change(&change, from, to), 0);
	assert_int_equal(change.scope, CONFIG_RELAY);
	assert_string_equal(change.refused, "realms");
	config_free(from);
	config_free(to);
}

static void the_widest_scope_decides(void **state)
{
	struct config *from = changed(NULL);
	struct config *to = changed("level: info", "level: debug", "5060", "5070", "dataplane: {", "dataplane: {workers: 2, ", NULL);
	struct config_change change;

	assert_int_equal(config_change(&change, from, to), 0);
	assert_int_equal(change.scope, CONFIG_RELAY);
	assert_string_equal(change.keys, "log.level, dataplane.workers, realms[access].listeners");
	assert_string_equal(change.refused, "dataplane.workers");
	config_free(from);
	config_free(to);
}

static void without_capacity_calls_are_the_capacity(void **state)
{
	struct config *from = changed(", capacity: 500", "", NULL), *to = changed("calls: 100, capacity: 500", "calls: 101", NULL);
	struct config *same = changed("capacity: 500", "capacity: 100", NULL);
	struct config_change change;

	assert_int_equal(config_change(&change, from, to), 0);
	assert_int_equal(change.scope, CONFIG_RELAY);
	assert_int_equal(config_change(&change, from, same), 0);
	assert_int_equal(change.scope, CONFIG_LIVE);
	config_free(from);
	config_free(to);
	config_free(same);
}

static void too_many_keys_end_in_dots(void **state)
{
	char peers[8000] = "peers:\n", *at = peers + strlen(peers);
	struct config *from, *to;
	struct config_change change;

	for (int i = 0; i < 60; i++)
		at += sprintf(at, "  - {name: peer-with-a-long-name-%d, realm: core, target: \"sip:a@198.51.100.9\"}\n", i);
	from = changed("peers:\n", peers, NULL);
	while ((at = strstr(peers, "sip:a")) != NULL)
		at[4] = 'b';
	to = changed("peers:\n", peers, NULL);
	assert_int_equal(config_change(&change, from, to), 0);
	assert_int_equal(change.scope, CONFIG_LIVE);
	assert_string_equal(change.keys + strlen(change.keys) - 5, ", ...");
	config_free(from);
	config_free(to);
}

// Following

static int peer_named(const struct sip_config *sip, const char *name)
{
	for (size_t i = 0; i < sip->n_peers; i++) {
		if (!sip->peers[i].retired && strcmp(sip->peers[i].name, name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

static int source(const struct config *cfg, uint16_t realm, const char *address)
{
	struct inet_addr addr;

	assert_int_equal(inet_addr_parse(&addr, address), 0);
	return sip_peer_by_source(&cfg->sip, realm, &addr);
}

static bool is_at(const struct config *cfg, int peer, const char *address)
{
	struct inet_addr addr;

	assert_int_equal(inet_addr_parse(&addr, address), 0);
	return sip_peer_is_at(&cfg->sip, (uint16_t)peer, &addr);
}

// The next one, as it is in force; the one before is gone.
static struct config *follow(struct config *before, struct config *next)
{
	assert_int_equal(config_follow(next, before), 0);
	config_free(before);
	return next;
}

static void what_is_the_same_stays_where_it_is(void **state)
{
	struct config *cfg = changed(NULL);
	int phones = peer_named(&cfg->sip, "phones"), pbx = peer_named(&cfg->sip, "pbx");
	size_t peers = cfg->sip.n_peers, profiles = cfg->sip.n_profiles;

	for (int i = 0; i < 3; i++)
		cfg = follow(cfg, changed("  - {name: phones", "  - {name: first, realm: core}\n  - {name: phones", "user: \"*\"", "user: \"1*\"", NULL));
	assert_int_equal(peer_named(&cfg->sip, "phones"), phones);
	assert_int_equal(peer_named(&cfg->sip, "pbx"), pbx);
	assert_int_equal(cfg->sip.n_peers, peers + 1);
	assert_int_equal(cfg->sip.n_profiles, profiles);
	assert_int_equal(cfg->sip.routes[0].to_peer, pbx);
	assert_int_equal(source(cfg, 0, "192.0.2.9"), phones);
	config_free(cfg);
}

static void what_has_changed_comes_behind(void **state)
{
	struct config *cfg = changed(NULL);
	int phones = peer_named(&cfg->sip, "phones"), now;
	uint16_t profile = cfg->sip.peers[phones].profile;

	// Another address, another profile of the same name, and a URI that the old one had.
	cfg = follow(cfg, changed("192.0.2.0/24", "203.0.113.0/24", "\"urn:x:1\"", "\"urn:x:2\"", "{accept: [dtls-srtp]", "{accept: [sdes]", NULL));
	now = peer_named(&cfg->sip, "phones");
	assert_int_not_equal(now, phones);
	assert_true(cfg->sip.peers[phones].retired);
	assert_int_equal(cfg->sip.peers[phones].profile, profile);
	assert_int_equal(cfg->sip.profiles[profile].keying.accept[0], KEYING_DTLS_SRTP);
	assert_string_equal(cfg->sip.profiles[profile].extensions.uris[0].text, "urn:x:1");
	assert_int_equal(cfg->sip.profiles[cfg->sip.peers[now].profile].keying.accept[0], KEYING_SDES);
	assert_string_equal(cfg->sip.profiles[cfg->sip.peers[now].profile].extensions.uris[0].text, "urn:x:2");
	assert_int_equal(cfg->sip.realms[0].profile, cfg->sip.peers[now].profile);
	assert_int_equal(source(cfg, 0, "192.0.2.9"), -ENOENT); // nobody new comes from there
	assert_true(is_at(cfg, phones, "192.0.2.9"));           // but who was there
	assert_true(is_at(cfg, phones, "203.0.113.1"));         // or has moved with the name
	assert_false(is_at(cfg, phones, "198.51.100.7"));
	assert_false(is_at(cfg, now, "192.0.2.9"));
	cfg = follow(cfg, changed(NULL)); // and back
	assert_int_equal(peer_named(&cfg->sip, "phones"), phones);
	assert_int_equal(cfg->sip.peers[phones].profile, profile);
	assert_string_equal(cfg->sip.profiles[profile].extensions.uris[0].text, "urn:x:1");
	config_free(cfg);
}

static void who_is_gone_is_retired(void **state)
{
	struct config *cfg = changed(NULL);
	int pbx = peer_named(&cfg->sip, "pbx");

	cfg = follow(cfg, changed("  - {name: pbx, realm: core, sources: [198.51.100.7], target: \"sip:{user}@198.51.100.7\"}\n",
				  "  - {name: trunk, realm: core, sources: [198.51.100.0/24], target: \"sip:{user}@198.51.100.7\"}\n", "to: pbx", "to: trunk", NULL));
	assert_true(cfg->sip.peers[pbx].retired);
	assert_int_equal(source(cfg, 1, "198.51.100.7"), peer_named(&cfg->sip, "trunk"));
	assert_true(is_at(cfg, pbx, "198.51.100.7"));
	assert_false(is_at(cfg, pbx, "198.51.100.8"));
	assert_int_equal(cfg->sip.routes[0].to_peer, peer_named(&cfg->sip, "trunk"));
	config_free(cfg);
}

// Each a new one: the tables grow, and that has an end that says so and leaves things as they were.
static void tables_have_a_bound(void **state)
{
	char peers[4096] = "peers:\n", *at = peers + strlen(peers), *target;
	struct config *cfg, *next;
	int err = 0, rounds = 0;

	for (int i = 0; i < 40; i++)
		at += sprintf(at, "  - {name: p%d, realm: core, target: \"sip:aaa@198.51.100.9\"}\n", i);
	cfg = changed("peers:\n", peers, NULL);
	while (err == 0) {
		rounds++;
		for (target = strstr(peers, "sip:"); target != NULL; target = strstr(target + 1, "sip:")) {
			for (int i = 0, n = rounds; i < 3; i++, n /= 10)
				target[6 - i] = (char)('0' + n % 10);
		}
		next = changed("peers:\n", peers, NULL);
		err = config_follow(next, cfg);
		if (err == 0) {
			config_free(cfg);
			cfg = next;
		} else {
			config_free(next);
		}
	}
	assert_int_equal(err, -ENOSPC);
	assert_true(rounds > 700);
	assert_true(peer_named(&cfg->sip, "p39") > 0);
	config_free(cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_has_its_scope),
		cmocka_unit_test(realms_have_their_order),
		cmocka_unit_test(the_widest_scope_decides),
		cmocka_unit_test(without_capacity_calls_are_the_capacity),
		cmocka_unit_test(too_many_keys_end_in_dots),
		cmocka_unit_test(what_is_the_same_stays_where_it_is),
		cmocka_unit_test(what_has_changed_comes_behind),
		cmocka_unit_test(who_is_gone_is_retired),
		cmocka_unit_test(tables_have_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
