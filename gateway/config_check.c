// SPDX-License-Identifier: GPL-3.0-or-later
// config_check.c - what the table cannot say: names must exist once, ranges and listeners must not collide.
#include "dataplane/dp_config.h"
#include "gateway/config_priv.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MTU_LEAST 576 // RFC 791: what each host takes
#define MTU_USUAL 1500

static int check_dtls(const struct dtls_settings *d, struct config_error *why)
{
	if ((d->certificate[0] == '\0') != (d->key[0] == '\0'))
		return config_complain(why, config_at(d->node, d->key[0] == '\0' ? "certificate" : "key", -1),
				       "certificate and key come together, or neither (an automatic one)");
	return 0;
}

static const struct interface_settings *find_interface(const struct dataplane_settings *d, const char *name)
{
	for (size_t i = 0; i < d->interfaces.n; i++) {
		if (strcmp(d->interfaces.items[i].name, name) == 0)
			return &d->interfaces.items[i];
	}
	return NULL;
}

static bool interface_is_used(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->realms.n; i++) {
		if (strcmp(s->realms.items[i].interface, name) == 0)
			return true;
	}
	return false;
}

// What says something to one kind of driver alone is wrong with another, not silently without effect.
static int check_driver(const struct interface_settings *in, struct config_error *why)
{
	bool xdp = in->driver == DP_DRIVER_AF_XDP;
	bool own = in->driver == DP_DRIVER_PCI || in->driver == DP_DRIVER_BIFURCATED;

	if (in->driver == DP_DRIVER_PCI && in->device[0] == '\0')
		return config_complain(why, config_at(in->node, "driver", -1),
				       "driver: pci wants a device: such as 0000:03:00.0");
	if (!own && in->device[0] != '\0')
		return config_complain(why, config_at(in->node, "device", -1),
				       "device: is of driver: pci and bifurcated; this one goes by the interface's name");
	if (!xdp && in->zero_copy != DP_ZERO_COPY_AUTO)
		return config_complain(why, config_at(in->node, "zero_copy", -1), "zero_copy: is of driver: af_xdp");
	if (!xdp && in->busy_poll != 0)
		return config_complain(why, config_at(in->node, "busy_poll", -1), "busy_poll: is of driver: af_xdp");
	if (xdp && in->mtu != 0)
		return config_complain(why, config_at(in->node, "mtu", -1), "mtu: with driver: af_xdp it is the interface's");
	if (in->mtu != 0 && in->mtu < MTU_LEAST)
		return config_complain(why, config_at(in->node, "mtu", -1), "mtu: expected 0, or %d to 9600, found %u",
				       MTU_LEAST, in->mtu);
	if (in->zero_copy == DP_ZERO_COPY_ON && in->xdp_mode == DP_XDP_GENERIC)
		return config_complain(why, config_at(in->node, "zero_copy", -1),
				       "zero_copy: generic XDP always copies");
	return 0;
}

// A packet may leave by another interface than it came in by: all lie in one memory, and af_xdp's are a page at most.
static int check_mtu(const struct settings *s, const struct interface_settings *in, struct config_error *why)
{
	for (size_t i = 0; i < s->realms.n && in->mtu > MTU_USUAL; i++) {
		const struct interface_settings *other = find_interface(&s->dataplane, s->realms.items[i].interface);

		if (other == NULL || other->driver == DP_DRIVER_AF_XDP)
			return config_complain(why, config_at(in->node, "mtu", -1),
					       "mtu: above %d only where no interface is af_xdp's, as \"%s\" is", MTU_USUAL,
					       s->realms.items[i].interface);
	}
	return 0;
}

// DPDK's names: of a device in software its driver's, with whatever makes it one of many; of one on the bus its address.
static bool is_crypto_device(const char *name)
{
	static const char *const drivers[] = { "crypto_aesni_mb", "crypto_aesni_gcm", "crypto_openssl" };
	unsigned domain, bus, slot, function;
	char suffix;

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		if (strncmp(name, drivers[i], strlen(drivers[i])) == 0)
			return true;
	}
	return sscanf(name, "%4x:%2x:%2x.%1x_%c", &domain, &bus, &slot, &function, &suffix) == 5;
}

static int check_crypto(const struct crypto_settings *c, struct config_error *why)
{
	bool named = c->device[0] != '\0';

	if (c->engine == DP_ENGINE_CRYPTODEV && !named)
		return config_complain(why, config_at(c->node, "engine", -1),
				       "engine: cryptodev needs a device, such as crypto_aesni_mb or "
				       "0000:3d:01.0_qat_sym");
	if (c->engine != DP_ENGINE_CRYPTODEV && (named || c->devargs[0] != '\0'))
		return config_complain(why, config_at(c->node, named ? "device" : "devargs", -1),
				       "%s is of engine: cryptodev", named ? "device" : "devargs");
	if (named && !is_crypto_device(c->device))
		return config_complain(why, config_at(c->node, "device", -1),
				       "device: expected crypto_aesni_mb, crypto_aesni_gcm, crypto_openssl or a PCI "
				       "address and the driver's suffix such as 0000:3d:01.0_qat_sym, found \"%s\"",
				       c->device);
	return 0;
}

static int check_dataplane(const struct settings *s, struct config_error *why)
{
	const struct dataplane_settings *d = &s->dataplane;

	if (d->cpus.n != 0 && d->cpus.n != d->workers)
		return config_complain(why, config_at(d->node, "cpus", -1),
				       "cpus: %zu for %u workers; one a worker, or none", d->cpus.n, d->workers);
	if (d->replay_window % 64 != 0)
		return config_complain(why, config_at(d->node, "replay_window", -1),
				       "replay_window: expected a multiple of 64, found %u", d->replay_window);
	if (check_crypto(&d->crypto, why) < 0)
		return -EINVAL;
	for (size_t i = 0; i < d->interfaces.n; i++) {
		const struct interface_settings *in = &d->interfaces.items[i];

		if (find_interface(d, in->name) != in)
			return config_complain(why, config_at(in->node, "name", -1), "interface \"%s\" is there twice",
					       in->name);
		if (!interface_is_used(s, in->name))
			return config_complain(why, config_at(in->node, "name", -1), "no realm uses interface \"%s\"",
					       in->name);
		if (check_driver(in, why) < 0 || check_mtu(s, in, why) < 0)
			return -EINVAL;
	}
	return 0;
}

static bool ranges_meet(const struct media_settings *a, const struct media_settings *b)
{
	return inet_addr_equal(&a->address, &b->address) && a->ports.first <= b->ports.last &&
	       b->ports.first <= a->ports.last;
}

static bool same_network(const struct realm_settings *a, const struct realm_settings *b)
{
	return strcmp(a->interface, b->interface) == 0 && a->vlan == b->vlan;
}

// The range against every one that was written before it.
static int check_overlap(const struct settings *s, size_t realm, size_t media, struct config_error *why)
{
	const struct realm_settings *mine = &s->realms.items[realm];
	const struct media_settings *m = &mine->media.items[media];

	for (size_t r = 0; r <= realm; r++) {
		const struct realm_settings *other = &s->realms.items[r];
		size_t n = r == realm ? media : other->media.n;

		for (size_t i = 0; same_network(mine, other) && i < n; i++) {
			if (ranges_meet(m, &other->media.items[i]))
				return config_complain(
					why, config_at(m->node, "ports", -1),
					"ports: %u-%u overlaps %u-%u of the same address in realm \"%s\"",
					m->ports.first, m->ports.last, other->media.items[i].ports.first,
					other->media.items[i].ports.last, other->name);
		}
	}
	return 0;
}

// The data plane would take SIP for media.
static int check_listener_in_range(const struct settings *s, const struct realm_settings *realm, size_t index,
				   struct config_error *why)
{
	const struct listener_setting *l = &realm->listeners.items[index];

	for (size_t r = 0; r < s->realms.n && l->transport == SIP_UDP; r++) {
		for (size_t i = 0; i < s->realms.items[r].media.n; i++) {
			const struct media_settings *m = &s->realms.items[r].media.items[i];

			if (inet_addr_equal(&m->address, &l->bind.addr) && l->bind.port >= m->ports.first &&
			    l->bind.port <= m->ports.last)
				return config_complain(
					why, config_at(realm->node, "listeners", (int)index),
					"listeners: port %u is inside the media range %u-%u of realm \"%s\"",
					l->bind.port, m->ports.first, m->ports.last, s->realms.items[r].name);
		}
	}
	return 0;
}

static int check_listener(const struct settings *s, size_t realm, size_t index, struct config_error *why)
{
	const struct realm_settings *mine = &s->realms.items[realm];
	const struct listener_setting *l = &mine->listeners.items[index];

	for (size_t r = 0; r < realm; r++) { // within one realm the table has refused repetition
		const struct realm_settings *other = &s->realms.items[r];

		for (size_t i = 0; i < other->listeners.n; i++) {
			if (other->listeners.items[i].transport == l->transport &&
			    inet_endpoint_equal(&other->listeners.items[i].bind, &l->bind))
				return config_complain(why, config_at(mine->node, "listeners", (int)index),
						       "listeners: realm \"%s\" has the same one", other->name);
		}
	}
	return check_listener_in_range(s, mine, index, why);
}

static int check_media(const struct settings *s, size_t realm, size_t index, struct config_error *why)
{
	const struct media_settings *m = &s->realms.items[realm].media.items[index];

	if (m->advertise.family != INET_NONE && m->advertise.family != m->address.family)
		return config_complain(why, config_at(m->node, "advertise", -1),
				       "advertise: must be of the same IP version as address");
	return check_overlap(s, realm, index, why);
}

static int check_realm(const struct settings *s, size_t index, struct config_error *why)
{
	const struct realm_settings *realm = &s->realms.items[index];
	int err = 0;

	if (config_realm(s, realm->name) != realm)
		return config_complain(why, config_at(realm->node, "name", -1), "realm \"%s\" is there twice",
				       realm->name);
	if (config_profile(s, realm->profile) == NULL)
		return config_complain(why, config_at(realm->node, "profile", -1), "no profile has the name \"%s\"",
				       realm->profile);
	for (size_t i = 0; i < realm->listeners.n && err == 0; i++)
		err = check_listener(s, index, i, why);
	for (size_t i = 0; i < realm->media.n && err == 0; i++)
		err = check_media(s, index, i, why);
	return err;
}

static int check_extensions(const struct profile_settings *profile, struct config_error *why)
{
	const char *key = profile->cryptex == MEDIA_WISH_OFFER ? "cryptex" : "header_extension_encryption";
	bool plain = profile->keying.offer.n > 0 && profile->keying.offer.items[0] == KEYING_PLAIN;

	if (plain && (profile->cryptex == MEDIA_WISH_OFFER || profile->header_extension_encryption == MEDIA_WISH_OFFER))
		return config_complain(why, config_at(profile->node, key, -1),
				       "%s: nothing is encrypted where plain RTP is offered", key);
	for (size_t i = 0; i < profile->header_extensions.n && profile->header_extensions.n > 1; i++) {
		if (strcmp(profile->header_extensions.items[i].text, SETTING_EXTENSIONS_ALL) == 0)
			return config_complain(why, config_at(profile->node, "header_extensions", (int)i),
					       "header_extensions: all stands alone");
	}
	return 0;
}

static int check_session_timer(const struct session_timer_settings *timer, struct config_error *why)
{
	if (timer->expires != 0 && timer->expires < timer->min)
		return config_complain(why, config_at(timer->node, "expires", -1),
				       "expires: %u is below min, %u; 0 asks for no session timer", timer->expires, timer->min);
	return 0;
}

static int check_profile(const struct settings *s, const struct profile_settings *profile, struct config_error *why)
{
	int err;

	if (config_profile(s, profile->name) != profile)
		return config_complain(why, config_at(profile->node, "name", -1), "profile \"%s\" is there twice",
				       profile->name);
	err = check_extensions(profile, why);
	if (err == 0)
		err = check_session_timer(&profile->session_timer, why);
	return err < 0 ? err : config_check_keying(&profile->keying, why);
}

static int check_route(const struct settings *s, const struct route_settings *route, struct config_error *why)
{
	const struct peer_settings *to = config_peer(s, route->to);
	const char *star = strchr(route->user, '*');

	if (config_realm(s, route->from) == NULL && config_peer(s, route->from) == NULL)
		return config_complain(why, config_at(route->node, "from", -1), "no realm or peer has the name \"%s\"",
				       route->from);
	if (to == NULL)
		return config_complain(why, config_at(route->node, "to", -1), "no peer has the name \"%s\"", route->to);
	if (to->target[0] == '\0')
		return config_complain(why, config_at(route->node, "to", -1),
				       "peer \"%s\" has no target: no call can go there", route->to);
	if (route->user[0] == '\0' || (star != NULL && star[1] != '\0'))
		return config_complain(why, config_at(route->node, "user", -1),
				       "user: expected a user part, a beginning such as \"49*\", or \"*\"");
	return 0;
}

static int check_limits(const struct limit_settings *l, struct config_error *why)
{
	if (l->capacity > 0 && l->capacity < l->calls)
		return config_complain(why, config_at(l->node, "capacity", -1), "capacity: %u, below calls: %u", l->capacity,
				       l->calls);
	return 0;
}

// Behind a mistake in another part, where all of them are wanted.
static bool goes_on(int *result, int err, struct config_error *why)
{
	if (err == 0)
		return true;
	*result = err;
	return err == -EINVAL && config_error_keep(why);
}

int config_check(const struct settings *s, struct config_error *why)
{
	int err = 0;
	bool on = goes_on(&err, check_limits(&s->limits, why), why) && goes_on(&err, check_dtls(&s->dtls, why), why) &&
		  goes_on(&err, config_check_admin(&s->admin, why), why) && goes_on(&err, check_dataplane(s, why), why);

	for (size_t i = 0; i < s->profiles.n && on; i++)
		on = goes_on(&err, check_profile(s, &s->profiles.items[i], why), why);
	for (size_t i = 0; i < s->realms.n && on; i++)
		on = goes_on(&err, check_realm(s, i, why), why);
	for (size_t i = 0; i < s->peers.n && on; i++)
		on = goes_on(&err, config_check_peer(s, &s->peers.items[i], why), why);
	for (size_t i = 0; i < s->routes.n && on; i++)
		on = goes_on(&err, check_route(s, &s->routes.items[i], why), why);
	return err;
}
