// SPDX-License-Identifier: GPL-3.0-or-later
// steering.c - loads one program an AF_XDP interface and attaches it; finds out whether what is there already is ours.
#include "dataplane/steering/steering.h"
#include "dataplane/steering/steering_image.h" // made at build time: steering_image[], steering_image_len
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct steering_port {
	struct bpf_object *object;
	int program, xsks, counters;
	int ifindex;
	uint32_t flags; // mode that it is attached with; 0: not attached
};

struct steering {
	struct steering_port ports[DP_PORTS_MAX];
	unsigned n_ports;
};

#define X(name, word) word,
const char *const steering_counter_name[STEERING_COUNTERS] = { STEERING_COUNTS(X) };
#undef X

static int say(char why[256], int err, const char *port, const char *what)
{
	snprintf(why, 256, "interface %s: %s: %s", port, what, strerror(-err));
	return err;
}

static int interface_mac(const char *name, uint8_t mac[6], bool *loopback)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		err = -errno;
	else if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER && ifr.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
		err = -EPROTOTYPE; // tunnels carry no Ethernet header
	*loopback = ifr.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	close(fd);
	return err;
}

static int ethtool(const char *name, void *request)
{
	struct ifreq ifr = { .ifr_data = request };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	err = ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
	close(fd);
	return err;
}

// Queues as the settings say, 0: as they are. Before the program is there: some drivers do not change them afterwards.
static int channels_set(const char *name, unsigned wanted, char why[256])
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	int err;

	if (wanted == 0)
		return 0;
	err = ethtool(name, &c);
	if (err == 0 && c.combined_count + c.rx_count == wanted)
		return 0;
	c.cmd = ETHTOOL_SCHANNELS;
	if (c.max_combined > 0)
		c.combined_count = wanted;
	else
		c.rx_count = c.tx_count = wanted; // veth: each way for itself
	if (err == 0)
		err = ethtool(name, &c);
	if (err < 0)
		snprintf(why, 256, "interface %s: %u queues: %s (it can have %u): ethtool -L %s %s %u", name, wanted,
			 strerror(-err), c.max_combined > 0 ? c.max_combined : c.max_rx, name,
			 c.max_combined > 0 ? "combined" : "rx", wanted);
	return err;
}

// On lo every media address of ours is to be heard: what runs on this host sends to any of them that way.
static void settings_make(struct steering_settings *s, const struct dp_config *config, unsigned port)
{
	for (unsigned i = 0; i < config->n_addresses && s->n_ranges < STEERING_ADDRESSES; i++) {
		const struct dp_address *a = &config->addresses[i];
		const struct dp_network *net = &config->networks[a->network];
		struct steering_range *r = &s->ranges[s->n_ranges];

		if (net->port != port && !s->loopback)
			continue;
		r->family = a->addr.family;
		r->vlan = net->vlan;
		r->first = a->first_port;
		r->last = a->last_port;
		memcpy(r->addr, a->addr.bytes, sizeof(r->addr));
		s->n_ranges++;
	}
}

static int port_load(struct steering_port *p, const struct steering_settings *settings)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "sallyport");
	struct bpf_map *rodata;
	size_t size;

	p->object = bpf_object__open_mem(steering_image, steering_image_len, &opts);
	if (p->object == NULL)
		return -errno;
	rodata = bpf_object__find_map_by_name(p->object, ".rodata");
	if (rodata == NULL || bpf_map__initial_value(rodata, &size) == NULL || size < sizeof(*settings))
		return -ENOEXEC;
	if (bpf_map__set_initial_value(rodata, settings, size) < 0)
		return -errno;
	if (bpf_object__load(p->object) < 0)
		return -errno;
	p->program = bpf_program__fd(bpf_object__find_program_by_name(p->object, STEERING_PROGRAM));
	p->xsks = bpf_map__fd(bpf_object__find_map_by_name(p->object, "xsks"));
	p->counters = bpf_map__fd(bpf_object__find_map_by_name(p->object, "counters"));
	return p->program < 0 || p->xsks < 0 || p->counters < 0 ? -ENOEXEC : 0;
}

// 1: ours, 0: somebody else's, or a negative errno.
static int program_is_ours(uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);
	int err;

	if (fd < 0)
		return -errno;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	return err < 0 ? -errno : strncmp(info.name, STEERING_PROGRAM, sizeof(info.name)) == 0;
}

// Our start holds a lock against a second gateway on this host, so a program of ours is one that a crash left behind.
static int stale_remove(int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	const struct {
		uint32_t id, flags;
	} found[] = { { 0, XDP_FLAGS_SKB_MODE }, { 0, XDP_FLAGS_DRV_MODE } };
	uint32_t ids[2];

	if (bpf_xdp_query(ifindex, 0, &q) < 0)
		return -errno;
	if (q.hw_prog_id != 0)
		return -EBUSY;
	ids[0] = q.skb_prog_id;
	ids[1] = q.drv_prog_id;
	for (unsigned i = 0; i < 2; i++) {
		if (ids[i] == 0)
			continue;
		if (program_is_ours(ids[i]) != 1)
			return -EBUSY;
		if (bpf_xdp_detach(ifindex, found[i].flags, NULL) < 0)
			return -errno;
	}
	return 0;
}

void steering_detach(const char *interface, int program)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = program);
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	int ifindex = (int)if_nametoindex(interface);

	if (ifindex == 0 || bpf_xdp_query(ifindex, 0, &q) < 0)
		return;
	if (q.drv_prog_id != 0)
		bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, &opts);
	if (q.skb_prog_id != 0)
		bpf_xdp_detach(ifindex, XDP_FLAGS_SKB_MODE, &opts);
}

static int port_attach(struct steering_port *p, enum dp_xdp_mode mode, bool loopback)
{
	int err = -EOPNOTSUPP;

	if (mode != DP_XDP_GENERIC && !loopback) {
		p->flags = XDP_FLAGS_DRV_MODE;
		err = bpf_xdp_attach(p->ifindex, p->program, p->flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	}
	if (err < 0 && err != -EBUSY && err != -EEXIST && mode != DP_XDP_NATIVE) {
		p->flags = XDP_FLAGS_SKB_MODE;
		err = bpf_xdp_attach(p->ifindex, p->program, p->flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	}
	if (err < 0)
		p->flags = 0;
	return err;
}

static int port_open(struct steering_port *p, const struct dp_config *config, unsigned port, char why[256])
{
	const struct dp_port_config *pc = &config->ports[port];
	struct steering_settings settings = { 0 };
	bool loopback = false;
	int err;

	p->ifindex = (int)if_nametoindex(pc->name);
	if (p->ifindex == 0)
		return say(why, -ENODEV, pc->name, "not found");
	err = interface_mac(pc->name, settings.mac, &loopback);
	if (err < 0)
		return say(why, err, pc->name, "no Ethernet address");
	settings.loopback = loopback;
	settings_make(&settings, config, port);
	err = channels_set(pc->name, pc->queues, why);
	if (err < 0)
		return err;
	err = stale_remove(p->ifindex);
	if (err == -EBUSY)
		return say(why, err, pc->name,
			   "another XDP program is attached; detach it, or choose driver af_packet");
	if (err < 0)
		return say(why, err, pc->name, "cannot look for XDP programs");
	err = port_load(p, &settings);
	if (err < 0)
		return say(why, err, pc->name, "cannot load the XDP program");
	err = port_attach(p, pc->xdp_mode, loopback);
	return err < 0 ? say(why, err, pc->name, "cannot attach the XDP program") : 0;
}

int steering_open(struct steering **stp, const struct dp_config *config, char why[256])
{
	struct steering *st = calloc(1, sizeof(*st));
	int err = 0;

	if (st == NULL)
		return -ENOMEM;
	libbpf_set_print(NULL); // what matters is in `why`
	st->n_ports = config->n_ports;
	for (unsigned i = 0; i < DP_PORTS_MAX; i++)
		st->ports[i].program = st->ports[i].xsks = st->ports[i].counters = -1;
	for (unsigned i = 0; i < st->n_ports && err == 0; i++) {
		if (config->ports[i].driver == DP_DRIVER_AF_XDP)
			err = port_open(&st->ports[i], config, i, why);
	}
	if (err < 0)
		goto out;
	*stp = st;
	st = NULL;
out:
	steering_close(st);
	return err;
}

void steering_close(struct steering *st)
{
	if (st == NULL)
		return;
	for (unsigned i = 0; i < st->n_ports; i++) {
		struct steering_port *p = &st->ports[i];
		LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = p->program);

		if (p->flags != 0)
			bpf_xdp_detach(p->ifindex, p->flags, &opts); // only if it is still ours
		bpf_object__close(p->object);
	}
	free(st);
}

int steering_map_fd(const struct steering *st, unsigned port)
{
	return port < st->n_ports ? st->ports[port].xsks : -1;
}

int steering_program_fd(const struct steering *st, unsigned port)
{
	return port < st->n_ports ? st->ports[port].program : -1;
}

bool steering_native(const struct steering *st, unsigned port)
{
	return port < st->n_ports && st->ports[port].flags == XDP_FLAGS_DRV_MODE;
}

int steering_counters(const struct steering *st, unsigned port, uint64_t counts[STEERING_COUNTERS])
{
	int n_cpus = libbpf_num_possible_cpus();
	uint64_t *each;

	if (port >= st->n_ports || st->ports[port].counters < 0 || n_cpus <= 0)
		return -ENOENT;
	each = calloc((size_t)n_cpus, sizeof(*each));
	if (each == NULL)
		return -ENOMEM;
	for (uint32_t k = 0; k < STEERING_COUNTERS; k++) {
		counts[k] = 0;
		if (bpf_map_lookup_elem(st->ports[port].counters, &k, each) < 0)
			continue;
		for (int c = 0; c < n_cpus; c++)
			counts[k] += each[c];
	}
	free(each);
	return 0;
}
