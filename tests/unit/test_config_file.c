// SPDX-License-Identifier: GPL-3.0-or-later
// test_config_file.c - configuration files: the shipped ones load and print back to themselves, a full one gives the
// values that each folder is promised, and every kind of mistake is named with its line and column.
#include "gateway/config.h"
#include "gateway/settings.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BASE "tests/golden/conf/base.yaml"

static char *slurp(const char *path)
{
	char *text = calloc(1, 1 << 16);
	FILE *f = fopen(path, "re");

	if (f == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	text[fread(text, 1, (1 << 16) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static struct config *load(const char *path)
{
	struct config_error why;
	struct config *cfg = NULL;

	if (config_load(&cfg, path, &why) < 0)
		fail_msg("%s:%u:%u: %s", path, why.line, why.column, why.message);
	return cfg;
}

static char *printed(const struct config *cfg)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(config_print(cfg, f), 0);
	fclose(f);
	return text;
}

// load(print(load(x))) prints the same as load(x).
static void files_print_back_to_themselves(void **state)
{
	static const char *const files[] = { "conf/sallyport.yaml", "conf/minimal.yaml", "conf/demo.yaml", BASE };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct config *cfg = load(files[i]), *again = NULL;
		struct config_error why;
		char *once = printed(cfg), *twice;

		if (config_parse(&again, once, strlen(once), &why) < 0)
			fail_msg("%s printed:%u:%u: %s", files[i], why.line, why.column, why.message);
		twice = printed(again);
		assert_string_equal(once, twice);
		config_free(again);
		config_free(cfg);
		free(once);
		free(twice);
	}
}

static void effective_configuration(void **state)
{
	static const char *const files[][2] = {
		{ "conf/minimal.yaml", "tests/golden/conf/minimal.effective" },
		{ BASE, "tests/golden/conf/base.effective" },
	};

	for (size_t i = 0; i < 2; i++) {
		struct config *cfg = load(files[i][0]);
		char *is = printed(cfg), *should = slurp(files[i][1]);

		assert_string_equal(is, should);
		config_free(cfg);
		free(is);
		free(should);
	}
}

static void values_of_the_data_plane(void **state)
{
	struct config *cfg = load(BASE);
	const struct dp_config *dp = &cfg->dataplane;

	assert_int_equal(dp->n_ports, 2);
	assert_string_equal(dp->ports[0].name, "ext0");
	assert_int_equal(dp->ports[0].xdp_mode, DP_XDP_GENERIC);
	assert_string_equal(dp->ports[1].name, "int0"); // not described: AF_XDP
	assert_int_equal(dp->ports[1].driver, DP_DRIVER_AF_XDP);
	assert_int_equal(dp->n_networks, 2);
	assert_int_equal(dp->networks[0].vlan, 10);
	assert_int_equal(dp->networks[1].port, 1);
	assert_int_equal(dp->n_addresses, 4);
	assert_int_equal(dp->addresses[1].first_port, 21000);
	assert_true(dp->addresses[2].floating);
	assert_int_equal(dp->addresses[3].network, 1);
	assert_int_equal(dp->addresses[3].first_port, 16384);
	assert_int_equal(dp->addresses[3].last_port, 32767);
	assert_int_equal(dp->n_workers, 2);
	assert_int_equal(dp->worker_cpu[1], 1);
	assert_int_equal(dp->replay_window, 192);
	assert_int_equal(dp->crypto.engine, DP_ENGINE_CRYPTODEV);
	assert_string_equal(dp->crypto.device, "0000:3d:01.0_qat_sym");
	assert_string_equal(dp->crypto.devargs, "");
	assert_int_equal(dp->max_transports, 4000);
	config_free(cfg);
}

static void values_of_media_and_sip(void **state)
{
	struct config *cfg = load(BASE);
	const struct sip_config *sip = &cfg->sip;
	char text[INET_ADDR_STRLEN];

	assert_int_equal(cfg->log_format, LOG_FORMAT_JSON);
	assert_string_equal(cfg->user, "nobody");
	assert_int_equal(cfg->media.dtls_min, 0x0102);
	assert_int_equal(cfg->media.dtls_max, 0x0102);
	assert_null(cfg->media.dtls_certificate);
	assert_string_equal(inet_addr_print(text, &cfg->media.realms[0].address[0].advertise), "198.51.100.7");
	assert_string_equal(inet_addr_print(text, &cfg->media.realms[0].address[1].advertise), "192.0.2.1");
	assert_int_equal(cfg->media.realms[0].dscp, 46);
	assert_int_equal(cfg->media.realms[1].dscp, 34);
	assert_int_equal(sip->realms[0].n_listeners, 2);
	assert_int_equal(sip->realms[0].listeners[1].transport, SIP_TCP);
	assert_int_equal(sip->realms[1].profile, 1);
	assert_int_equal(sip->profiles[0].keying.accept[0], KEYING_DTLS_SRTP);
	assert_int_equal(sip->profiles[0].keying.accept[1], KEYING_SDES);
	assert_int_equal(sip->profiles[0].keying.accept[2], KEYING_UNDECIDED);
	assert_int_equal(sip->profiles[0].keying.suites[0], SRTP_AEAD_AES_128_GCM);
	assert_int_equal(sip->profiles[0].keying.suites[1], SRTP_SUITE_NONE);
	assert_int_equal(sip->profiles[0].keying.role, KEYING_ROLE_PASSIVE);
	assert_int_equal(sip->profiles[0].keying.mki, KEYING_MKI_OFFER);
	assert_true(sip->profiles[0].extensions.filter);
	assert_int_equal(sip->profiles[0].extensions.n_uris, 2);
	assert_string_equal(sip->profiles[0].extensions.uris[1].text, "urn:ietf:params:rtp-hdrext:ssrc-audio-level");
	assert_int_equal(sip->profiles[0].extensions.encryption, MEDIA_WISH_NEVER);
	assert_int_equal(sip->profiles[0].extensions.cryptex, MEDIA_WISH_OFFER);
	assert_false(sip->profiles[1].extensions.filter);
	assert_int_equal(sip->profiles[1].extensions.cryptex, MEDIA_WISH_ACCEPT);
	assert_int_equal(sip->profiles[0].rtcp_mux, MEDIA_MUX_OFFER);
	assert_int_equal(sip->profiles[1].media_timeout, 0);
	assert_int_equal(sip->profiles[1].keying_timeout, MONO_S(10));
	assert_int_equal(sip->n_peers, 5);
	for (uint16_t realm = 0; realm < 2; realm++) { // they stand for peers that are no more
		assert_int_equal(sip->peers[realm].realm, realm);
		assert_string_equal(sip->peers[realm].name, "");
		assert_true(sip->peers[realm].retired);
	}
	assert_int_equal(sip->peers[2].n_sources, 2);
	assert_int_equal(sip->peers[2].profile, 0); // the realm's
	assert_int_equal(sip->peers[3].profile, 0); // its own
	assert_int_equal(sip->peers[4].profile, 1);
	assert_int_equal(sip->routes[0].from_realm, 0);
	assert_int_equal(sip->routes[0].from_peer, -1);
	assert_string_equal(sip->routes[1].user, "*");
	assert_int_equal(sip->routes[1].from_realm, 1);
	assert_int_equal(sip->routes[1].from_peer, 4);
	assert_int_equal(sip->routes[1].to_peer, 2);
	assert_int_equal(sip->max_calls, 500);
	assert_int_equal(sip->max_subscriptions, 1000);
	assert_int_equal(sip->policies[0].session_expires_s, 1800);
	assert_int_equal(sip->policies[0].session_min_s, 90);
	assert_int_equal(sip->policies[0].early_media, SIP_EARLY_MEDIA_BOTH);
	assert_int_equal(sip->policies[0].relay, SIP_RELAY_INFO);
	assert_int_equal(sip->policies[0].history, SIP_HISTORY_HIDE);
	assert_false(sip->policies[0].drop_parts);
	assert_int_equal(sip->policies[1].session_expires_s, 600);
	assert_int_equal(sip->policies[1].session_min_s, 120);
	assert_int_equal(sip->policies[1].early_media, SIP_EARLY_MEDIA_BACKWARD);
	assert_int_equal(sip->policies[1].relay, SIP_RELAY_MESSAGE | SIP_RELAY_SUBSCRIBE);
	assert_int_equal(sip->policies[1].history, SIP_HISTORY_STRIP);
	assert_true(sip->policies[1].drop_parts);
	config_free(cfg);
}

// One change to the base file each. ^ in `to` marks the place that must be named.
static const struct {
	const char *from, *to;
	const char *message; // a part of it
} mistakes[] = {
	// YAML itself
	{ "limits: {calls: 500}\nsip", "limits: {calls: 500\nsip^", "not YAML: while parsing a flow mapping" },
	{ "limits: {calls: 500}", "limits: ^&x {calls: 500}", "anchors (&) are not supported" },
	{ "level: info", "level: ^&x info", "anchors (&) are not supported" },
	{ "level: info", "level: ^*x", "aliases (*) are not supported" },
	{ "level: info", "level: ^!!str info", "tags (!) are not supported" },
	{ "level: info", "level: info, ^level: debug", "key \"level\" is there twice" },
	{ "log: {", "^[a, b]: 1\nlog: {", "a key must be a plain word" },
	{ "  - {from: caller, to: phone}", "  - {from: caller, to: phone}\n^---\nlog: {}", "a second document" },
	{ "server_name: edge", "server_name: ^\"a\\0b\"", "must not hold a NUL" },
	{ "limits: {calls: 500}", "limits: {calls: [[[[[[[[[[[[[[[^[[1]]]]]]]]]]]]]]]]]}", "nested too deeply" },
	// keys
	{ "limits: {calls: 500}", "^limit: {calls: 500}",
	  "unknown key \"limit\"; known here: log, process, limits, call_records, sip, dtls, admin, dataplane, realms" },
	{ "calls: 500", "^cals: 500", "unknown key \"cals\"; known here: calls, capacity, subscriptions" },
	{ "interface: ext0", "^interfaces: ext0", "unknown key \"interfaces\"" },
	{ "{address: 10.0.0.1}", "{address: 10.0.0.1, ^port: 3}", "unknown key \"port\"" },
	{ "media: [{address: 10.0.0.1}]", "media: [^{floating: true}]", "key \"address\" is missing" },
	{ "  - name: core\n    interface: int0", "  - ^name: core", "key \"interface\" is missing" },
	// signalling policy
	{ "session_timer: {expires: 600, min: 120}", "session_timer: {expires: ^100, min: 120}", "expires: 100 is below min, 120" },
	{ "min: 120", "min: ^60", "min: expected a whole number from 90 to 86400" },
	{ "early_media: backward", "early_media: ^forward", "early_media: expected one of both, backward, none" },
	{ "relay: [message, subscribe]", "relay: [message, ^refer]", "relay: expected one of info, message, subscribe, publish" },
	{ "relay: [message, subscribe]", "relay: [message, ^message]", "\"message\" is there twice" },
	{ "history: strip", "history: ^show", "history: expected one of hide, pass, strip" },
	{ "body_parts: drop", "delayed_offer: ^late", "delayed_offer: expected one of pass, insert" },
	{ "body_parts: drop", "forking: ^all", "forking: expected one of single, parallel" },
	{ "body_parts: drop", "redirect: ^chase", "redirect: expected one of pass, follow" },
	{ "body_parts: drop", "transfer: ^passed", "transfer: expected one of refuse, pass, resolve" },
	{ "body_parts: drop", "refer_out_of_dialog: ^pass", "refer_out_of_dialog: expected one of refuse, allow" },
	{ "body_parts: drop", "codecs: [PCMA, ^PCMA]", "\"PCMA\" is there twice" },
	{ "body_parts: drop", "codecs: [^GSM]", "codecs: expected one of PCMU, PCMA, G722, G729, opus, telephone-event" },
	{ "body_parts: drop", "body_parts: ^strip", "body_parts: expected one of pass, drop" },
	// types
	{ "limits: {calls: 500}", "limits: ^500", "limits: expected a mapping, found a single value" },
	{ "limits: {calls: 500}", "limits:^ ", "limits: expected a mapping, found a single value" },
	{ "calls: 500", "calls: ^[500]", "calls: expected a single value, found a list" },
	{ "calls: 500", "calls: ^{a: 1}", "calls: expected a single value, found a mapping" },
	{ "calls: 500", "calls: ^many", "calls: expected a whole number from 1 to 100000, found \"many\"" },
	{ "calls: 500", "calls: ^\"500\"", "found \"500\" in quotes" },
	{ "calls: 500", "calls: ^0500", "calls: expected a whole number" },
	{ "calls: 500", "calls: ^-5", "calls: expected a whole number" },
	{ "calls: 500", "calls: ^5.5", "calls: expected a whole number" },
	{ "calls: 500", "calls: ^0x10", "calls: expected a whole number" },
	{ "calls: 500", "calls: ^", "calls: expected a whole number from 1 to 100000, found nothing" },
	{ "cpus: [0, 1]", "cpus: ^0", "cpus: expected a list, found a single value" },
	{ "cpus: [0, 1]", "cpus: [0, ^a]", "cpus: expected a whole number from 0 to 1023, found \"a\"" },
	{ "media: [{address: 10.0.0.1}]", "media: [^10.0.0.1]", "media: expected a mapping, found a single value" },
	{ "floating: true", "floating: ^yes", "floating: expected true or false, found \"yes\"" },
	{ "server_name: edge", "server_name: ^~", "server_name: expected a text of at most 63 characters" },
	{ "server_name: edge", "server_name: ^\"a\\nb\"", "server_name: expected a text" },
	{ "state_dir: /var/lib/sallyport", "state_dir: ^var", "state_dir: expected an absolute path" },
	{ "listen: \"unix:/run/sallyport/admin.sock\"", "listen: ^\"unix:admin.sock\"", "listen: expected an address and port such as 127.0.0.1:8780" },
	{ "listen: \"unix:/run/sallyport/admin.sock\"", "listen: ^\"127.0.0.1\"", "listen: expected an address and port" },
	{ "listen: \"unix:/run/sallyport/admin.sock\"\n  connections: 32\n  tls: {certificate: /etc/sallyport/door.pem, key: "
	  "/etc/sallyport/door.key, clients: /etc/sallyport/clients.pem}\n", "listen: ^\"192.0.2.1:8780\"\n",
	  "listen: expected a loopback address or a unix socket, or tls: with a certificate" },
	{ "certificate: /etc/sallyport/door.pem, key: /etc/sallyport/door.key", "certificate: ^/etc/sallyport/door.pem",
	  "certificate and key come together" },
	{ "certificate: /etc/sallyport/door.pem, key: /etc/sallyport/door.key, clients: /", "clients: ^/",
	  "clients: there is no certificate of ours" },
	{ ", clients: /etc/sallyport/clients.pem}\n  certificates:\n    - {name: wall, role: viewer, subject: wall",
	  "}\n  certificates:\n    - {name: wall, role: viewer, subject: ^wall", "nobody shows one without tls: clients:" },
	{ "subject: duty.example.org", "subject: ^wall.example.org", "subject \"wall.example.org\" is there twice" },
	{ "subject: duty.example.org", "subject: ^\"\"", "subject: expected a name in a certificate" },
	{ "role: viewer, sha256: \"e3b0", "role: viewer, sha256: ^\"E3b0", "sha256: expected a SHA-256 digest, 64 lower-case" },
	{ "role: viewer", "role: ^root", "role: expected one of viewer, operator" },
	{ "name: noc", "name: ^scraper", "token \"scraper\" is there twice" },
	{ "{name: noc, role: operator, file: /etc/sallyport/noc.token}", "{name: ^noc, role: operator}", "token \"noc\": expected sha256 or file, one of them" },
	{ "connections: 32", "connections: ^4", "connections: expected a whole number from 8 to 4096" },
	// values
	{ "calls: 500", "calls: ^0", "calls: expected a whole number from 1 to 100000, found \"0\"" },
	{ "calls: 500", "calls: ^99999999999999999999", "calls: expected a whole number from 1 to 100000" },
	{ "level: info", "level: ^loud", "level: expected one of debug, info, warning, error, found \"loud\"" },
	{ "versions: [\"1.2\"]", "versions: [^\"1.0\"]", "versions: expected one of 1.2, 1.3, found \"1.0\"" },
	{ "versions: [\"1.2\"]", "versions: ^[]", "versions: expected a list of 1 to 2 values, found 0" },
	{ "versions: [\"1.2\"]", "versions: [\"1.2\", ^\"1.2\"]", "versions: \"1.2\" is there twice" },
	{ "replay_window: 192", "replay_window: ^150", "replay_window: expected a multiple of 64, found 150" },
	{ "cpus: [0, 1]", "cpus: ^[0]", "cpus: 1 for 2 workers" },
	{ "crypto: {engine: cryptodev, device: \"0000:3d:01.0_qat_sym\"}", "crypto: {engine: ^qat}", "engine: expected one of ipsec-mb, cryptodev, found \"qat\"" },
	{ "crypto: {engine: cryptodev, device: \"0000:3d:01.0_qat_sym\"}", "crypto: {engine: ^cryptodev}", "engine: cryptodev needs a device, such as crypto_aesni_mb" },
	{ "crypto: {engine: cryptodev, device: \"0000:3d:01.0_qat_sym\"}", "crypto: {device: ^crypto_openssl}", "device is of engine: cryptodev" },
	{ "crypto: {engine: cryptodev, device: \"0000:3d:01.0_qat_sym\"}", "crypto: {devargs: ^a=1}", "devargs is of engine: cryptodev" },
	{ "crypto: {engine: cryptodev, device: \"0000:3d:01.0_qat_sym\"}", "crypto: {engine: cryptodev, device: ^crypto_rot13}", "device: expected crypto_aesni_mb" },
	{ "crypto: {engine: cryptodev, device: \"0000:3d:01.0_qat_sym\"}", "crypto: {engine: cryptodev, device: ^3d_qat}", "found \"3d_qat\"" },
	{ "crypto: {engine: cryptodev, device: \"0000:3d:01.0_qat_sym\"}", "crypto: {^engines: ipsec-mb}", "unknown key \"engines\"" },
	{ "vlan: 10", "vlan: ^4095", "vlan: expected a whole number from 0 to 4094" },
	{ "dscp: 34", "dscp: ^64", "dscp: expected a whole number from 0 to 63" },
	{ "\"tcp:192.0.2.1:5060\"", "^\"tls:192.0.2.1:5061\"", "listeners: expected a listener such as udp:" },
	{ "\"tcp:192.0.2.1:5060\"", "^\"tcp:0.0.0.0:5060\"", "listeners: expected a listener" },
	{ "\"tcp:192.0.2.1:5060\"", "^\"udp:192.0.2.1:5060\"", "listeners: \"udp:192.0.2.1:5060\" is there twice" },
	{ "[{address: 10.0.0.1}]", "[{address: ^10.0.0}]", "address: expected an IPv4 or IPv6 address of one host" },
	{ "[{address: 10.0.0.1}]", "[{address: ^\"\"}]", "address: expected an IPv4 or IPv6 address" },
	{ "[{address: 10.0.0.1}]", "[{address: ^0.0.0.0}]", "address: expected an IPv4 or IPv6 address" },
	{ "ports: 20000-20999", "ports: ^20001-20999", "ports: expected a range of ports such as 16384-32767, even" },
	{ "ports: 20000-20999", "ports: ^20000-20998", "odd last" },
	{ "ports: 20000-20999", "ports: ^20999-20000", "ports: expected a range" },
	{ "ports: 20000-20999", "ports: ^1000-2001", "ports: expected a range" },
	{ "ports: 20000-20999", "ports: ^20000-70001", "ports: expected a range" },
	{ "sources: [10.0.0.0/24]", "sources: [^10.0.0.7/24]", "sources: expected a network whose host bits are zero" },
	{ "sources: [10.0.0.0/24]", "sources: [^10.0.0.0/33]", "sources: expected an address or a network" },
	{ "sources: [10.0.0.0/24]", "sources: [^pbx.example]", "sources: expected an address or a network" },
	{ "name: access\n", "name: ^acc ess\n", "name: expected a name of 1 to 31 letters" },
	{ "{name: ext0,", "{name: ^waytoolongforaninterface,", "name: expected a name of 1 to 15 letters" },
	// what may not stand together, and names that nobody bears
	{ "mtu: 1200", "mtu: 1200, certificate: ^/etc/cert.pem", "certificate and key come together" },
	{ "{name: ext0,", "{name: ^ext1,", "no realm uses interface \"ext1\"" },
	{ "xdp_mode: generic}", "driver: ^pci}", "driver: pci wants a device: such as 0000:03:00.0" },
	{ "xdp_mode: generic}", "driver: af_packet, device: ^eth7}", "device: is of driver: pci and bifurcated" },
	{ "xdp_mode: generic}", "driver: af_packet, zero_copy: ^on}", "zero_copy: is of driver: af_xdp" },
	{ "xdp_mode: generic}", "driver: bifurcated, busy_poll: ^64}", "busy_poll: is of driver: af_xdp" },
	{ "xdp_mode: generic}", "xdp_mode: generic, zero_copy: ^on}", "zero_copy: generic XDP always copies" },
	{ "xdp_mode: generic}", "queues: ^65}", "queues: " },
	{ "xdp_mode: generic}", "busy_poll_us: ^0}", "busy_poll_us: " },
	{ "xdp_mode: generic}", "mtu: ^9000}", "mtu: with driver: af_xdp it is the interface's" },
	{ "xdp_mode: generic}", "driver: memif, mtu: ^500}", "mtu: expected 0, or 576 to 9600, found 500" },
	{ "xdp_mode: generic}", "driver: memif, mtu: ^9601}", "mtu: " },
	{ "xdp_mode: generic}", "driver: memif, mtu: ^9000}", "mtu: above 1500 only where no interface is af_xdp's, as \"int0\" is" },
	{ "xdp_mode: generic}", "tx_checksum: ^offload}", "tx_checksum: " },
	{ "    - {name: ext0, xdp_mode: generic}", "    - {name: ext0}\n    - {name: ^ext0}",
	  "interface \"ext0\" is there twice" },
	{ "name: core\n", "name: ^access\n", "realm \"access\" is there twice" },
	{ "name: plain\n", "name: ^secure\n", "profile \"secure\" is there twice" },
	{ "profile: plain", "profile: ^plane", "no profile has the name \"plane\"" },
	{ "profile: secure}", "profile: ^sec}", "no profile has the name \"sec\"" },
	{ "ports: 21000-21999", "ports: ^20998-21999", "ports: 20998-21999 overlaps 20000-20999 of the same address" },
	{ "    media: [{address: 10.0.0.1}]", "    media: [{address: 10.0.0.1}, ^{address: 10.0.0.1}]",
	  "ports: 16384-32767 overlaps 16384-32767" },
	{ "\"udp:10.0.0.1:5060\"", "^\"udp:192.0.2.1:5060\"", "listeners: realm \"access\" has the same one" },
	{ "\"udp:10.0.0.1:5060\"", "^\"udp:10.0.0.1:20000\"", "listeners: port 20000 is inside the media range" },
	{ "advertise: 198.51.100.7", "advertise: ^\"2001:db8::7\"", "must be of the same IP version" },
	{ "name: caller", "name: ^pbx", "peer \"pbx\" is there twice" },
	{ "name: caller", "name: ^core", "\"core\" is a realm's name, too" },
	{ "realm: core, sources: [10.0.0.0/24]", "realm: ^cor, sources: [10.0.0.0/24]", "no realm has the name \"cor\"" },
	{ "sources: [10.0.1.0/24]", "sources: [10.0.1.0/24, ^10.0.0.0/24]", "sources: peer \"pbx\" has the same one" },
	{ "from: caller", "from: ^nobody", "no realm or peer has the name \"nobody\"" },
	{ "to: phone}", "to: ^fone}", "no peer has the name \"fone\"" },
	{ "to: phone}", "to: ^caller}", "peer \"caller\" has no target" },
	{ "user: \"49*\"", "user: ^\"4*9\"", "user: expected a user part, a beginning" },
	{ "user: \"49*\"", "user: ^\"\"", "user: expected a user part" },
	// targets
	{ "\"sip:{user}@10.0.0.2\"", "^\"sips:{user}@10.0.0.2\"", "sips is not yet supported" },
	{ "\"sip:{user}@10.0.0.2\"", "^\"sip:{user}@pbx.example\"", "with a numeric address" },
	{ "\"sip:{user}@10.0.0.2\"", "^\"10.0.0.2\"", "target: expected sip:" },
	{ "\"sip:{user}@10.0.0.2\"", "^\"sip:@10.0.0.2\"", "target: expected sip:" },
	{ "\"sip:{user}@10.0.0.2\"", "^\"sip:{user}@10.0.0.2:0\"", "target: expected sip:" },
	{ "\"sip:{user}@10.0.0.2\"", "^\"sip:{user}@10.0.0.2;transport=tls\"", "target: expected sip:" },
	{ "\"sip:{user}@10.0.0.2\"", "^\"sip:{user}@10.0.0.2;transport=tcp\"", "realm \"core\" has no tcp listener of IPv4" },
	{ "\"sip:{user}@10.0.0.2\"", "^\"sip:{user}@[2001:db8::2]:5060\"", "realm \"core\" has no udp listener of IPv6" },
	// keying
	{ "role: passive", "form: ^osrtp", "form: osrtp is not yet supported" },
	{ "role: passive", "retry: ^[sdes]", "retry: not yet supported" },
	{ "role: passive", "role: ^actpass", "role: expected one of auto, active, passive" },
	{ "accept: [dtls-srtp, sdes]", "accept: ^[]", "accept: expected a list of 1 to 3 values, found 0" },
	{ "accept: [dtls-srtp, sdes]", "accept: [dtls-srtp, ^zrtp]", "accept: expected one of dtls-srtp, sdes, none" },
	{ "keying: {accept: [dtls-srtp, sdes], offer", "keying: ^{offer", "key \"accept\" is missing" },
	{ "offer: [dtls-srtp]", "offer: ^[dtls-srtp, none]", "offer: none stands alone with form strict" },
	{ "[AEAD_AES_128_GCM]", "[^AES_CM_256]", "suites: expected one of AEAD_AES_256_GCM" },
	{ "[AEAD_AES_128_GCM]", "^[AES_256_CM_HMAC_SHA1_80]", "none of these can be negotiated by dtls-srtp" },
	{ "mki: offer", "mki: ^always", "mki: expected one of accept, offer, never" },
	// header extensions
	{ "header_extensions: [\"urn:ietf:params:rtp-hdrext:sdes:mid\", \"urn:ietf:params:rtp-hdrext:ssrc-audio-level\"]",
	  "header_extensions: ^all", "header_extensions: expected a list, found a single value" },
	{ "header_extensions: [\"urn:ietf:params:rtp-hdrext:sdes:mid\", \"urn:ietf:params:rtp-hdrext:ssrc-audio-level\"]",
	  "header_extensions: [^mid]", "header_extensions: expected a URI of at most 127 characters, or all" },
	{ "header_extensions: [\"urn:ietf:params:rtp-hdrext:sdes:mid\", \"urn:ietf:params:rtp-hdrext:ssrc-audio-level\"]",
	  "header_extensions: [^\"urn:a b\"]", "header_extensions: expected a URI" },
	{ "header_extensions: [\"urn:ietf:params:rtp-hdrext:sdes:mid\", \"urn:ietf:params:rtp-hdrext:ssrc-audio-level\"]",
	  "header_extensions: [\"urn:a\", ^\"urn:a\"]", "header_extensions: \"urn:a\" is there twice" },
	{ "header_extensions: [\"urn:ietf:params:rtp-hdrext:sdes:mid\", \"urn:ietf:params:rtp-hdrext:ssrc-audio-level\"]",
	  "header_extensions: [\"urn:a\", ^all]", "header_extensions: all stands alone" },
	{ "cryptex: offer", "cryptex: ^yes", "cryptex: expected one of accept, offer, never" },
	{ "media_timeout: 0\n", "cryptex: ^offer\n", "cryptex: nothing is encrypted where plain RTP is offered" },
	{ "media_timeout: 0\n", "header_extension_encryption: ^offer\n",
	  "header_extension_encryption: nothing is encrypted where plain RTP is offered" },
};

// Replaces the first `from` in the text by `to` without its mark; the mark's place is returned.
static char *with_mistake(const char *text, const char *from, const char *to, unsigned *line, unsigned *column)
{
	const char *at = strstr(text, from), *mark = strchr(to, '^');
	char *changed = calloc(1, strlen(text) + strlen(to) + 1), *place;

	if (at == NULL || mark == NULL)
		fail_msg("no \"%s\" in the base file, or no mark", from);
	memcpy(changed, text, (size_t)(at - text));
	strncat(changed, to, (size_t)(mark - to));
	place = changed + strlen(changed);
	*line = 1;
	*column = 1;
	for (const char *s = changed; s < place; s++) {
		*column = *s == '\n' ? 1 : *column + 1;
		*line += *s == '\n';
	}
	strcat(changed, mark + 1);
	strcat(changed, at + strlen(from));
	return changed;
}

static void mistakes_are_named_and_placed(void **state)
{
	char *base = slurp(BASE);
	int wrong = 0;

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct config_error why = { .line = 0 };
		struct config *cfg = NULL;
		unsigned line, column;
		char *text = with_mistake(base, mistakes[i].from, mistakes[i].to, &line, &column);
		int err = config_parse(&cfg, text, strlen(text), &why);

		if (err != -EINVAL || why.line != line || why.column != column ||
		    strstr(why.message, mistakes[i].message) == NULL) {
			print_error("row %zu, \"%s\" at %u:%u gave %d, %u:%u: %s\n", i, mistakes[i].to, line, column, err,
				    why.line, why.column, why.message);
			wrong++;
		}
		config_free(cfg);
		free(text);
	}
	free(base);
	assert_int_equal(wrong, 0);
}

static void files_that_are_none(void **state)
{
	struct config_error why;
	struct config *cfg = NULL;

	assert_int_equal(config_load(&cfg, "/nonexistent/sallyport.yaml", &why), -ENOENT);
	assert_int_equal(why.line, 0);
	assert_string_equal(why.message, "No such file or directory");
	assert_true(config_load(&cfg, "/", &why) < 0);
	assert_int_equal(config_parse(&cfg, "", 0, &why), -EINVAL); // an empty file lacks all that is required
	assert_string_equal(why.message, "key \"realms\" is missing");
	assert_int_equal(config_parse(&cfg, "# nothing\n", 10, &why), -EINVAL);
	assert_int_equal(config_parse(&cfg, "- a\n", 4, &why), -EINVAL);
	assert_string_equal(why.message, "expected a mapping, found a list");
	assert_int_equal(config_parse(&cfg, "a: \xff\n", 5, &why), -EINVAL);
	assert_non_null(strstr(why.message, "UTF-8"));
	assert_null(cfg);
}

// Cut anywhere, the file is refused or read, and nothing leaks (seen by the sanitizers).
static void files_cut_short(void **state)
{
	char *base = slurp(BASE);
	size_t len = strlen(base);

	for (size_t n = 0; n < len; n++) {
		struct config_error why;
		struct config *cfg = NULL;

		if (config_parse(&cfg, base, n, &why) == 0)
			config_free(cfg);
		else
			assert_true(why.message[0] != '\0');
	}
	free(base);
}

static void keys_are_in(const struct schema *schema, const char *text, const char *path)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		char key[64];

		snprintf(key, sizeof(key), "%s:", schema->fields[i].key);
		if (strstr(text, key) == NULL)
			fail_msg("%s says nothing of %s", path, key);
		if (schema->fields[i].group != NULL)
			keys_are_in(schema->fields[i].group, text, path);
	}
}

static void every_key_is_documented(void **state)
{
	static const char *const paths[] = { "conf/sallyport.yaml", "docs/operations.md" };

	for (size_t i = 0; i < 2; i++) {
		char *text = slurp(paths[i]);

		keys_are_in(&settings_schema, text, paths[i]);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_print_back_to_themselves),
		cmocka_unit_test(effective_configuration),
		cmocka_unit_test(values_of_the_data_plane),
		cmocka_unit_test(values_of_media_and_sip),
		cmocka_unit_test(mistakes_are_named_and_placed),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(files_cut_short),
		cmocka_unit_test(every_key_is_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
