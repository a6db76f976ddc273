// SPDX-License-Identifier: GPL-3.0-or-later
// test_config_host.c - the configuration against a host, in a network namespace made for it: two veth interfaces,
// some addresses, some sockets.
#include "gateway/config.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/sallyport-host-XXXXXX";

static void shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static const char base[] =
	"process: {user: root, state_dir: /var/lib/sallyport}\n"
	"dataplane: {cpus: [0]}\n"
	"realms:\n"
	"  - name: access\n"
	"    interface: ext0\n"
	"    listeners: [\"udp:192.0.2.1:5060\", \"tcp:[2001:db8::1]:5060\"]\n"
	"    media:\n"
	"      - {address: 192.0.2.1, ports: 16384-17383}\n"
	"      - {address: \"2001:db8::1\", ports: 16384-17383}\n"
	"    profile: p\n"
	"  - {name: core, interface: int0, listeners: [\"udp:10.0.0.1:5060\"], media: [{address: 10.0.0.1}], profile: p}\n"
	"profiles: [{name: p, keying: {accept: [none], offer: [none]}}]\n";

// The base with one replacement; ^ in `to` marks the place. NULL: as it is.
static int check(const char *from, const char *to, struct config_error *why, unsigned *line, unsigned *column)
{
	const char *at = from != NULL ? strstr(base, from) : base, *mark = to != NULL ? strchr(to, '^') : NULL;
	char text[4096], *place;
	struct config *cfg = NULL;
	int err;

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%.*s", (int)(at - base), base, mark != NULL ? (int)(mark - to) : 0,
		 to != NULL ? to : "");
	place = text + strlen(text);
	snprintf(place, sizeof(text) - strlen(text), "%s%s", mark != NULL ? mark + 1 : to != NULL ? to : "",
		 at + (from != NULL ? strlen(from) : 0));
	*line = *column = 1;
	for (const char *s = text; s < place; s++) {
		*column = *s == '\n' ? 1 : *column + 1;
		*line += *s == '\n';
	}
	err = config_parse(&cfg, text, strlen(text), why);
	if (err < 0)
		fail_msg("does not even parse: %u:%u: %s", why->line, why->column, why->message);
	err = config_check_host(cfg, why);
	config_free(cfg);
	return err;
}

static void fits(const char *from, const char *to)
{
	struct config_error why;
	unsigned line, column;

	if (check(from, to, &why, &line, &column) < 0)
		fail_msg("%u:%u: %s", why.line, why.column, why.message);
}

static void does_not_fit(const char *from, const char *to, const char *message)
{
	struct config_error why;
	unsigned line, column;

	assert_int_equal(check(from, to, &why, &line, &column), -EINVAL);
	if (why.line != line || why.column != column || strstr(why.message, message) == NULL)
		fail_msg("%s: expected %u:%u, got %u:%u: %s", to, line, column, why.line, why.column, why.message);
}

static void interfaces_and_addresses(void **state)
{
	fits(NULL, NULL);
	does_not_fit("interface: ext0", "interface: ^ext7", "this host has no \"ext7\"");
	does_not_fit("{address: 192.0.2.1,", "{address: ^192.0.2.9,", "this host does not have 192.0.2.9");
	fits("{address: 192.0.2.1,", "{address: 192.0.2.9, floating: true,");
	does_not_fit("{address: 192.0.2.1,", "{address: ^10.0.0.1,",
		     "10.0.0.1 is on interface \"int0\", not on \"ext0\"");
	does_not_fit("\"2001:db8::1\", ports", "^\"2001:db8::2\", ports", "this host does not have 2001:db8::2");
	does_not_fit("[\"udp:10.0.0.1:5060\"]", "[^\"udp:10.0.0.2:5060\"]", "this host does not have 10.0.0.2");
	does_not_fit("media: [{address: 10.0.0.1}]", "vlan: ^10, media: [{address: 10.0.0.1}]",
		     "no interface for VLAN 10 of \"int0\"; ip link add link int0 name int0.10 type vlan id 10");
	does_not_fit("[\"udp:10.0.0.1:5060\"], media: [{address: 10.0.0.1}]",
		     "[^\"udp:10.0.0.9:5060\"], media: [{address: 10.0.0.9, floating: true}]",
		     "does not have 10.0.0.9 now; sysctl -w net.ipv4.ip_nonlocal_bind=1");
	shell("echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind");
	fits("[\"udp:10.0.0.1:5060\"], media: [{address: 10.0.0.1}]",
	     "[\"udp:10.0.0.9:5060\"], media: [{address: 10.0.0.9, floating: true}]");
	shell("echo 0 > /proc/sys/net/ipv4/ip_nonlocal_bind");
	does_not_fit("cpus: [0]", "cpus: [^999]", "cpus: this host has cpu 0 to");
	does_not_fit("user: root", "user: ^no-such-user", "this host has no user \"no-such-user\"");
	fits("user: root", "user: sallyport"); // nobody, where it is missing
}

static void ephemeral_ports(void **state)
{
	shell("echo 17000 17999 > /proc/sys/net/ipv4/ip_local_port_range");
	does_not_fit("192.0.2.1, ports: 16384-17383", "192.0.2.1, ports: ^16384-17383",
		     "the kernel gives 17000-17383 to other sockets; sysctl -w "
		     "net.ipv4.ip_local_reserved_ports=17000-17383");
	shell("echo 17000-17300,17302-20000 > /proc/sys/net/ipv4/ip_local_reserved_ports");
	does_not_fit("192.0.2.1, ports: 16384-17383", "192.0.2.1, ports: ^16384-17383", "the kernel gives");
	shell("echo 16999,17000-20000 > /proc/sys/net/ipv4/ip_local_reserved_ports");
	fits(NULL, NULL);
	shell("echo '' > /proc/sys/net/ipv4/ip_local_reserved_ports");
	shell("echo 40000 60999 > /proc/sys/net/ipv4/ip_local_port_range");
}

static int bound(const char *endpoint)
{
	struct inet_endpoint ep;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	assert_int_equal(inet_endpoint_parse(&ep, endpoint), 0);
	len = inet_endpoint_to_sockaddr(&ss, &ep);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static void bound_sockets(void **state)
{
	static const struct {
		const char *endpoint, *from, *to, *message; // message NULL: no harm
	} rows[] = {
		{ "192.0.2.1:16400", "192.0.2.1, ports: 16", "192.0.2.1, ports: ^16",
		  "UDP port 16400 of 192.0.2.1 is bound" },
		{ "0.0.0.0:17383", "192.0.2.1, ports: 16", "192.0.2.1, ports: ^16",
		  "UDP port 17383 of 192.0.2.1 is bound" },
		{ "[2001:db8::1]:16384", "\"2001:db8::1\", ports: 16", "\"2001:db8::1\", ports: ^16",
		  "UDP port 16384 of 2001:db8::1 is bound" },
		{ "[::]:17000", "192.0.2.1, ports: 16", "192.0.2.1, ports: ^16", "UDP port 17000 of 192.0.2.1 is bound" },
		{ "192.0.2.1:16383", NULL, NULL, NULL },
		{ "192.0.2.1:17384", NULL, NULL, NULL },
		{ "127.0.0.1:16400", NULL, NULL, NULL },
		{ "[::1]:16400", NULL, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = bound(rows[i].endpoint);

		if (rows[i].message == NULL)
			fits(NULL, NULL);
		else
			does_not_fit(rows[i].from, rows[i].to, rows[i].message);
		close(fd);
	}
}

static void files(void **state)
{
	char to[512], path[64];

	snprintf(path, sizeof(path), "%s/cert.pem", directory);
	snprintf(to, sizeof(to), "dtls: {certificate: ^%s, key: %s}\nrealms:", path, path);
	does_not_fit("realms:", to, "No such file or directory");
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	snprintf(to, sizeof(to), "dtls: {certificate: %s, key: %s}\nrealms:", path, path);
	fits("realms:", to);
	snprintf(to, sizeof(to), "dtls: {certificate: %s, key: ^%s}\nrealms:", path, directory);
	does_not_fit("realms:", to, "is not a file");
	snprintf(to, sizeof(to), "user: nobody, state_dir: /x}\ndtls: {certificate: ^%s, key: %s}\n", path, path);
	does_not_fit("user: root, state_dir: /var/lib/sallyport}\n", to, "user \"nobody\" may not read");
	chmod(path, 0644);
	snprintf(to, sizeof(to), "user: nobody, state_dir: /x}\ndtls: {certificate: %s, key: %s}\n", path, path);
	fits("user: root, state_dir: /var/lib/sallyport}\n", to);
	unlink(path);
}

static int make_host(void **state)
{
	if (unshare(CLONE_NEWNET) < 0 || mkdtemp(directory) == NULL)
		return -1;
	shell("ip link set lo up");
	shell("ip link add ext0 type veth peer name int0");
	shell("ip addr add 192.0.2.1/24 dev ext0");
	shell("ip addr add 10.0.0.1/24 dev int0");
	shell("ip addr add 2001:db8::1/64 dev ext0 nodad");
	shell("ip link set ext0 up; ip link set int0 up");
	return 0;
}

static int drop_host(void **state)
{
	return rmdir(directory); // the namespace ends with us
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interfaces_and_addresses),
		cmocka_unit_test(ephemeral_ports),
		cmocka_unit_test(bound_sockets),
		cmocka_unit_test(files),
	};

	if (geteuid() != 0)
		return 77; // a namespace of one's own wants root; ctest says that it was skipped
	return cmocka_run_group_tests(tests, make_host, drop_host);
}
