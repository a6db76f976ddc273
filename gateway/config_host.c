// SPDX-License-Identifier: GPL-3.0-or-later
// config_host.c - the configuration against this host: a media address must be on its interface, its ports must be
// nobody else's, files must be readable by the user that control drops to.
#include "base/inet.h"
#include "gateway/config_priv.h"
#include "gateway/user.h"
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The interface that bears the address: 1 and its name, 0: none does, negative errno.
static int address_owner(const struct inet_addr *addr, char name[IF_NAMESIZE])
{
	struct ifaddrs *list, *ifa;
	struct inet_endpoint ep;
	int found = 0;

	if (getifaddrs(&list) < 0)
		return -errno;
	for (ifa = list; ifa != NULL && !found; ifa = ifa->ifa_next) {
		if (ifa->ifa_addr == NULL)
			continue;
		inet_endpoint_from_sockaddr(&ep, ifa->ifa_addr);
		if (inet_addr_equal(&ep.addr, addr)) {
			snprintf(name, IF_NAMESIZE, "%.15s", ifa->ifa_name);
			found = 1;
		}
	}
	freeifaddrs(list);
	return found;
}

static bool driver_wants_interface(const struct config *cfg, const char *name)
{
	for (int i = 0; i < cfg->dataplane.n_ports; i++) {
		const struct dp_port_config *port = &cfg->dataplane.ports[i];

		if (strcmp(port->name, name) == 0)
			return port->driver != DP_DRIVER_NULL && port->driver != DP_DRIVER_MEMIF;
	}
	return false;
}

static bool driver_wants_tap(const struct config *cfg, const char *name)
{
	for (int i = 0; i < cfg->dataplane.n_ports; i++) {
		if (strcmp(cfg->dataplane.ports[i].name, name) == 0)
			return cfg->dataplane.ports[i].driver == DP_DRIVER_PCI;
	}
	return false;
}

static int read_line(const char *path, char *line, size_t room)
{
	FILE *f = fopen(path, "re");
	bool got;

	if (f == NULL)
		return -errno;
	got = fgets(line, (int)room, f) != NULL;
	fclose(f);
	if (!got)
		return -EIO;
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

// Linux has an interface of its own for each VLAN; it answers ARP for our addresses there and knows the neighbours.
static bool vlan_exists(const char *parent, unsigned vlan)
{
	char line[128], name[IF_NAMESIZE], above[IF_NAMESIZE];
	FILE *f = fopen("/proc/net/vlan/config", "re");
	bool found = false;
	unsigned id;

	while (f != NULL && !found &&
	       fgets(line, sizeof(line), f) != NULL) // "eth0.10 | 10 | eth0", after two head lines
		found = sscanf(line, "%15s | %u | %15s", name, &id, above) == 3 && id == vlan &&
			strcmp(above, parent) == 0;
	if (f != NULL)
		fclose(f);
	return found;
}

static int check_interface(const struct config *cfg, const struct realm_settings *realm, struct config_error *why)
{
	if (driver_wants_interface(cfg, realm->interface) && if_nametoindex(realm->interface) == 0)
		return config_complain(why, config_at(realm->node, "interface", -1),
				       driver_wants_tap(cfg, realm->interface) ?
					       "interface: this host has no \"%s\"; with driver: pci it is a TAP of that "
					       "name: ip tuntap add mode tap dev NAME, then its addresses" :
					       "interface: this host has no \"%s\"", realm->interface);
	if (realm->vlan != 0 && driver_wants_interface(cfg, realm->interface) &&
	    !vlan_exists(realm->interface, (unsigned)realm->vlan))
		return config_complain(
			why, config_at(realm->node, "vlan", -1),
			"vlan: this host has no interface for VLAN %u of \"%s\"; ip link add link %s name "
			"%.9s.%u type vlan id %u makes one",
			(unsigned)realm->vlan, realm->interface, realm->interface, realm->interface,
			(unsigned)realm->vlan, (unsigned)realm->vlan);
	return 0;
}

static int check_media_address(const struct config *cfg, const struct realm_settings *realm,
			       const struct media_settings *m, struct config_error *why)
{
	const struct yaml_node *at = config_at(m->node, "address", -1);
	char text[INET_ADDR_STRLEN], owner[IF_NAMESIZE];
	int found;

	if (m->floating || !driver_wants_interface(cfg, realm->interface))
		return 0;
	found = address_owner(&m->address, owner);
	if (found < 0)
		return found;
	inet_addr_print(text, &m->address);
	if (!found)
		return config_complain(why, at, "address: this host does not have %s; floating: true if it comes later",
				       text);
	if (realm->vlan == 0 && strcmp(owner, realm->interface) != 0) // a VLAN's address is on an interface of its own
		return config_complain(why, at, "address: %s is on interface \"%s\", not on \"%s\"", text, owner,
				       realm->interface);
	return 0;
}

static bool is_floating(const struct settings *s, const struct inet_addr *addr)
{
	for (size_t r = 0; r < s->realms.n; r++) {
		for (size_t i = 0; i < s->realms.items[r].media.n; i++) {
			const struct media_settings *m = &s->realms.items[r].media.items[i];

			if (m->floating && inet_addr_equal(&m->address, addr))
				return true;
		}
	}
	return false;
}

// A socket cannot be bound to an address that the host does not have yet, unless the kernel is told to allow it.
static int check_nonlocal(const struct realm_settings *realm, size_t index, struct config_error *why)
{
	const struct inet_addr *addr = &realm->listeners.items[index].bind.addr;
	const char *family = addr->family == INET_V6 ? "ipv6" : "ipv4";
	char path[64], line[16], text[INET_ADDR_STRLEN];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/ip_nonlocal_bind", family);
	if (read_line(path, line, sizeof(line)) == 0 && strcmp(line, "0") != 0)
		return 0;
	return config_complain(
		why, config_at(realm->node, "listeners", (int)index),
		"listeners: this host does not have %s now; sysctl -w net.%s.ip_nonlocal_bind=1 lets SIP wait for it",
		inet_addr_print(text, addr), family);
}

static int check_listener_address(const struct settings *s, const struct realm_settings *realm, size_t index,
				  struct config_error *why)
{
	const struct inet_addr *addr = &realm->listeners.items[index].bind.addr;
	char text[INET_ADDR_STRLEN], owner[IF_NAMESIZE];
	int found;

	found = address_owner(addr, owner);
	if (found == 0 && is_floating(s, addr))
		return check_nonlocal(realm, index, why);
	if (found == 0)
		return config_complain(why, config_at(realm->node, "listeners", (int)index),
				       "listeners: this host does not have %s", inet_addr_print(text, addr));
	return found < 0 ? found : 0;
}

// "16384-32767,40000" as the kernel writes it: does it hold all of first..last?
static bool list_holds(const char *list, unsigned long first, unsigned long last)
{
	while (first <= last && *list != '\0') {
		char *rest;
		unsigned long from = strtoul(list, &rest, 10), to = from;

		if (rest == list)
			break;
		if (*rest == '-')
			to = strtoul(rest + 1, &rest, 10);
		if (from <= first && to >= first)
			first = to + 1; // the kernel keeps the list sorted and merged
		list = *rest == ',' ? rest + 1 : rest;
	}
	return first > last;
}

// The kernel gives ephemeral ports to sockets that ask for none; one inside our range would lose its packets to us.
static int check_ephemeral(const struct media_settings *m, struct config_error *why)
{
	static char reserved[128 * 1024]; // the longest list that 65536 ports can make is near; single-threaded use
	unsigned long first, last;
	char line[64], *rest;

	if (read_line("/proc/sys/net/ipv4/ip_local_port_range", line, sizeof(line)) < 0)
		return 0; // no such knob, no ephemeral ports to fear
	first = strtoul(line, &rest, 10);
	last = strtoul(rest, NULL, 10);
	first = first > m->ports.first ? first : m->ports.first;
	last = last < m->ports.last ? last : m->ports.last;
	if (first > last)
		return 0;
	if (read_line("/proc/sys/net/ipv4/ip_local_reserved_ports", reserved, sizeof(reserved)) == 0 &&
	    list_holds(reserved, first, last))
		return 0;
	return config_complain(why, config_at(m->node, "ports", -1),
			       "ports: the kernel gives %lu-%lu to other sockets; sysctl -w "
			       "net.ipv4.ip_local_reserved_ports=%lu-%lu reserves them",
			       first, last, first, last);
}

// "0100007F:13C4", or four words: 32-bit numbers in the machine's byte order. Returns what follows the address, or
// NULL.
static const char *proc_address(struct inet_addr *addr, const char *hex)
{
	size_t digits = strspn(hex, "0123456789ABCDEFabcdef");

	*addr = (struct inet_addr){ .family = digits == 8 ? INET_V4 : INET_V6 };
	if (digits != 8 && digits != 32)
		return NULL;
	for (size_t i = 0; i < digits / 8; i++) {
		char word[9] = "";
		uint32_t value;

		memcpy(word, hex + i * 8, 8);
		value = (uint32_t)strtoul(word, NULL, 16);
		memcpy(addr->bytes + i * 4, &value, 4);
	}
	return hex + digits;
}

// A line of /proc/net/udp: "  12: ADDRESS:PORT ...".
static bool line_is_socket_in(const char *line, const struct media_settings *m, unsigned long *port)
{
	const char *colon = strchr(line, ':'), *rest;
	struct inet_addr addr;

	if (colon == NULL || colon[1] != ' ')
		return false; // the head line
	rest = proc_address(&addr, colon + 2);
	if (rest == NULL || *rest != ':')
		return false;
	*port = strtoul(rest + 1, NULL, 16);
	if (*port < m->ports.first || *port > m->ports.last)
		return false;
	// A socket of [::] takes IPv4, too, unless it says otherwise; which /proc does not tell.
	return inet_addr_is_any(&addr) ? addr.family == INET_V6 || m->address.family == INET_V4
				       : inet_addr_equal(&addr, &m->address);
}

static int check_bound(const struct media_settings *m, const char *path, struct config_error *why)
{
	char line[512], text[INET_ADDR_STRLEN];
	FILE *f = fopen(path, "re");
	unsigned long port;
	int err = 0;

	if (f == NULL)
		return errno == ENOENT ? 0 : -errno; // a kernel without IPv6
	while (err == 0 && fgets(line, sizeof(line), f) != NULL) {
		if (line_is_socket_in(line, m, &port))
			err = config_complain(why, config_at(m->node, "ports", -1),
					      "ports: UDP port %lu of %s is bound by a socket of another program "
					      "(ss -ulnp sport = %lu)",
					      port, inet_addr_print(text, &m->address), port);
	}
	fclose(f);
	return err;
}

static int check_ports(const struct media_settings *m, struct config_error *why)
{
	int err = check_ephemeral(m, why);

	if (err == 0)
		err = check_bound(m, "/proc/net/udp", why);
	if (err == 0)
		err = check_bound(m, "/proc/net/udp6", why);
	return err;
}

static int check_realm(const struct config *cfg, const struct realm_settings *realm, struct config_error *why)
{
	int err = check_interface(cfg, realm, why);

	for (size_t i = 0; i < realm->listeners.n && err == 0; i++)
		err = check_listener_address(cfg->settings, realm, i, why);
	for (size_t i = 0; i < realm->media.n && err == 0; i++) {
		err = check_media_address(cfg, realm, &realm->media.items[i], why);
		if (err == 0)
			err = check_ports(&realm->media.items[i], why);
	}
	return err;
}

static int check_user(const struct process_settings *p, struct user_ids *user, struct config_error *why)
{
	if (user_find(user, p->user) < 0)
		return config_complain(why, config_at(p->node, "user", -1), "user: this host has no user \"%s\"",
				       p->user);
	return 0;
}

static bool readable_by(const struct stat *st, const struct user_ids *user)
{
	if (user->uid == 0)
		return true;
	if (st->st_uid == user->uid)
		return (st->st_mode & S_IRUSR) != 0;
	if (st->st_gid == user->gid)
		return (st->st_mode & S_IRGRP) != 0;
	return (st->st_mode & S_IROTH) != 0;
}

static int check_file(const struct yaml_node *node, const char *key, const char *path, const struct user_ids *user,
		      struct config_error *why)
{
	struct stat st;

	if (path[0] == '\0')
		return 0;
	if (stat(path, &st) < 0)
		return config_complain(why, config_at(node, key, -1), "%s: %s: %s", key, path,
				       strerrordesc_np(errno));
	if (!S_ISREG(st.st_mode))
		return config_complain(why, config_at(node, key, -1), "%s: %s is not a file", key, path);
	if (!readable_by(&st, user))
		return config_complain(why, config_at(node, key, -1), "%s: user \"%s\" may not read %s", key,
				       user->name, path);
	return 0;
}

static int check_cpus(const struct dataplane_settings *d, struct config_error *why)
{
	long count = sysconf(_SC_NPROCESSORS_CONF);

	for (size_t i = 0; i < d->cpus.n; i++) {
		if ((long)d->cpus.items[i] >= count)
			return config_complain(why, config_at(d->node, "cpus", (int)i),
					       "cpus: this host has cpu 0 to %ld", count - 1);
	}
	return 0;
}

int config_check_host(const struct config *cfg, struct config_error *why)
{
	const struct settings *s = cfg->settings;
	struct user_ids user;
	int err;

	memset(why, 0, sizeof(*why));
	err = check_user(&s->process, &user, why);
	if (err == 0)
		err = check_file(s->dtls.node, "certificate", s->dtls.certificate, &user, why);
	if (err == 0)
		err = check_file(s->dtls.node, "key", s->dtls.key, &user, why);
	if (err == 0)
		err = check_file(s->admin.tls.node, "certificate", s->admin.tls.certificate, &user, why);
	if (err == 0)
		err = check_file(s->admin.tls.node, "key", s->admin.tls.key, &user, why);
	if (err == 0)
		err = check_file(s->admin.tls.node, "clients", s->admin.tls.clients, &user, why);
	if (err == 0)
		err = check_cpus(&s->dataplane, why);
	for (size_t i = 0; i < s->realms.n && err == 0; i++)
		err = check_realm(cfg, &s->realms.items[i], why);
	if (err < 0 && why->message[0] == '\0')
		config_complain(why, NULL, "cannot look at this host: %s", strerrordesc_np(-err));
	return err;
}
