// SPDX-License-Identifier: GPL-3.0-or-later
// config_build.c - checked settings to what each folder is given. Realm n of the file is realm n everywhere; realms
// that share interface and VLAN share a network of the data plane.
#include "gateway/config_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Leg transports a call may need: two legs, audio and video, RTP and RTCP.
#define TRANSPORTS_PER_CALL 8

uint32_t config_capacity(const struct settings *s)
{
	return s->limits.capacity > 0 ? s->limits.capacity : s->limits.calls;
}

static int port_index(struct dp_config *dp, const char *name)
{
	for (int i = 0; i < dp->n_ports; i++) {
		if (strcmp(dp->ports[i].name, name) == 0)
			return i;
	}
	return -ENOENT;
}

static int add_port(struct dp_config *dp, const struct settings *s, const char *name)
{
	struct dp_port_config *port;

	if (dp->n_ports == DP_PORTS_MAX)
		return -ENOSPC;
	port = &dp->ports[dp->n_ports];
	config_text(port->name, sizeof(port->name), name);
	port->driver = DP_DRIVER_AF_XDP; // of an interface that the file does not describe
	for (size_t i = 0; i < s->dataplane.interfaces.n; i++) {
		const struct interface_settings *in = &s->dataplane.interfaces.items[i];

		if (strcmp(in->name, name) != 0)
			continue;
		port->driver = in->driver;
		port->xdp_mode = in->xdp_mode;
		port->zero_copy = in->zero_copy;
		port->tx_checksum = in->tx_checksum;
		port->queues = (uint16_t)in->queues;
		port->busy_poll = (uint16_t)in->busy_poll;
		port->busy_poll_us = (uint16_t)in->busy_poll_us;
		port->mtu = (uint16_t)in->mtu;
		config_text(port->device, sizeof(port->device), in->device);
		config_text(port->devargs, sizeof(port->devargs), in->devargs);
	}
	return dp->n_ports++;
}

static int network_index(struct dp_config *dp, uint8_t port, uint16_t vlan, const char *realm)
{
	for (int i = 0; i < dp->n_networks; i++) {
		if (dp->networks[i].port == port && dp->networks[i].vlan == vlan)
			return i;
	}
	dp->networks[dp->n_networks].port = port;
	dp->networks[dp->n_networks].vlan = vlan;
	config_text(dp->networks[dp->n_networks].realm, sizeof(dp->networks[dp->n_networks].realm), realm);
	return dp->n_networks++; // at most one a realm, and the table bounds realms
}

static int build_network(struct dp_config *dp, const struct settings *s, const struct realm_settings *realm,
			 struct config_error *why)
{
	int port = port_index(dp, realm->interface);

	if (port < 0)
		port = add_port(dp, s, realm->interface);
	if (port < 0)
		return config_complain(why, config_at(realm->node, "interface", -1), "interface: above %d interfaces",
				       DP_PORTS_MAX);
	return network_index(dp, (uint8_t)port, (uint16_t)realm->vlan, realm->name);
}

static int build_addresses(struct dp_config *dp, const struct realm_settings *realm, uint8_t network,
			   struct config_error *why)
{
	for (size_t i = 0; i < realm->media.n; i++) {
		const struct media_settings *m = &realm->media.items[i];

		if (dp->n_addresses == DP_ADDRESSES_MAX)
			return config_complain(why, config_at(realm->node, "media", (int)i),
					       "media: above %d addresses", DP_ADDRESSES_MAX);
		dp->addresses[dp->n_addresses++] = (struct dp_address){
			.network = network,
			.floating = m->floating,
			.addr = m->address,
			.first_port = m->ports.first,
			.last_port = m->ports.last,
		};
	}
	return 0;
}

static void build_workers(struct dp_config *dp, const struct dataplane_settings *d)
{
	dp->n_workers = (uint8_t)d->workers;
	for (size_t i = 0; i < d->workers; i++)
		dp->worker_cpu[i] = i < d->cpus.n ? (uint16_t)d->cpus.items[i] : UINT16_MAX;
	dp->poll = d->poll;
	dp->hugepages = d->hugepages;
	dp->memory_mb = d->memory_mb;
	dp->replay_window = (uint16_t)d->replay_window;
}

static void build_crypto(struct dp_crypto *dp, const struct crypto_settings *c)
{
	dp->engine = c->engine;
	config_text(dp->device, sizeof(dp->device), c->device);
	config_text(dp->devargs, sizeof(dp->devargs), c->devargs);
}

static void build_media_realm(struct media_realm *to, const struct realm_settings *realm, uint8_t network)
{
	config_text(to->name, sizeof(to->name), realm->name);
	to->network = network;
	to->dscp = (uint8_t)realm->dscp;
	to->n_addresses = (uint8_t)realm->media.n;
	for (size_t i = 0; i < realm->media.n; i++) {
		const struct media_settings *m = &realm->media.items[i];

		to->address[i].bind = m->address;
		to->address[i].advertise = m->advertise.family != INET_NONE ? m->advertise : m->address;
		to->address[i].first_port = m->ports.first;
		to->address[i].last_port = m->ports.last;
	}
}

static const char *or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void build_media(struct media_config *media, const struct settings *s)
{
	media->max_sessions = config_capacity(s);
	media->dtls_certificate = or_null(s->dtls.certificate);
	media->dtls_key = or_null(s->dtls.key);
	media->state_dir = s->process.state_dir;
	media->dtls_mtu = (uint16_t)s->dtls.mtu;
	media->dtls_min = UINT16_MAX;
	for (size_t i = 0; i < s->dtls.versions.n; i++) {
		uint16_t version = (uint16_t)s->dtls.versions.items[i];

		media->dtls_min = version < media->dtls_min ? version : media->dtls_min;
		media->dtls_max = version > media->dtls_max ? version : media->dtls_max;
	}
}

static uint16_t profile_index(const struct settings *s, const char *name)
{
	return (uint16_t)(config_profile(s, name) - s->profiles.items);
}

// A listener on a media address with `advertise` is behind the same 1:1 NAT: Contact and Via say what SDP says.
static struct inet_addr listener_advertise(const struct realm_settings *realm, const struct inet_addr *bind)
{
	for (size_t i = 0; i < realm->media.n; i++) {
		if (inet_addr_equal(&realm->media.items[i].address, bind))
			return realm->media.items[i].advertise;
	}
	return (struct inet_addr){ .family = INET_NONE };
}

static void build_sip_realm(struct sip_realm *to, const struct settings *s, const struct realm_settings *realm)
{
	config_text(to->name, sizeof(to->name), realm->name);
	to->profile = profile_index(s, realm->profile);
	to->trusted = realm->trusted;
	to->n_listeners = (uint8_t)realm->listeners.n;
	for (size_t i = 0; i < realm->listeners.n; i++) {
		to->listeners[i].transport = realm->listeners.items[i].transport;
		to->listeners[i].bind = realm->listeners.items[i].bind;
		to->listeners[i].advertise = listener_advertise(realm, &to->listeners[i].bind.addr);
	}
}

// The list is checked: "all" stands alone.
static void build_extensions(struct media_extensions *to, const struct profile_settings *p)
{
	to->filter = p->header_extensions.n == 0 ||
		     strcmp(p->header_extensions.items[0].text, SETTING_EXTENSIONS_ALL) != 0;
	to->uris = p->header_extensions.items;
	to->n_uris = to->filter ? p->header_extensions.n : 0;
	to->encryption = p->header_extension_encryption;
	to->cryptex = p->cryptex;
}

static void build_profile(struct media_profile *to, const struct profile_settings *p)
{
	const struct keying_settings *k = &p->keying;

	config_text(to->name, sizeof(to->name), p->name);
	for (size_t i = 0; i < k->accept.n; i++)
		to->keying.accept[i] = k->accept.items[i];
	for (size_t i = 0; i < k->offer.n; i++)
		to->keying.offer[i] = k->offer.items[i];
	for (size_t i = 0; i < k->suites.n; i++)
		to->keying.suites[i] = k->suites.items[i];
	to->keying.role = k->role;
	to->keying.mki = k->mki;
	to->keying.signalling_security_required = k->signalling_security == SETTING_SIGNALLING_REQUIRED;
	to->keying.far_leg_secured = k->far_leg == SETTING_FAR_LEG_SECURED;
	build_extensions(&to->extensions, p);
	to->rtcp_mux = p->rtcp_mux;
	to->feedback = p->feedback;
	to->learn = p->learn;
	to->pass_unknown_attributes = p->unknown_attributes == SETTING_UNKNOWN_PASS;
	to->keying_timeout = MONO_S(p->keying_timeout);
	to->media_timeout = MONO_S(p->media_timeout);
}

static void build_policy(struct sip_policy *to, const struct profile_settings *p)
{
	to->session_expires_s = p->session_timer.expires;
	to->session_min_s = p->session_timer.min;
	to->early_media = p->early_media;
	to->history = p->history;
	to->delayed_offer = p->delayed_offer;
	to->n_codecs = (unsigned)p->codecs.n;
	for (size_t i = 0; i < p->codecs.n; i++)
		to->codecs[i] = p->codecs.items[i];
	to->forking = p->forking;
	to->redirect = p->redirect;
	to->transfer = p->transfer;
	to->refer_outside = p->refer_out_of_dialog == SETTING_REFER_ALLOW;
	to->drop_parts = p->body_parts == SETTING_PARTS_DROP;
	for (size_t i = 0; i < p->relay.n; i++)
		to->relay |= p->relay.items[i];
}

static void build_peer(struct sip_peer *to, const struct settings *s, const struct peer_settings *peer)
{
	const struct realm_settings *realm = config_realm(s, peer->realm);

	config_text(to->name, sizeof(to->name), peer->name);
	to->realm = (uint16_t)(realm - s->realms.items);
	to->profile = profile_index(s, peer->profile[0] != '\0' ? peer->profile : realm->profile);
	to->n_sources = (uint8_t)peer->sources.n;
	for (size_t i = 0; i < peer->sources.n; i++)
		to->sources[i] = peer->sources.items[i];
	config_text(to->target, sizeof(to->target), peer->target);
}

// The first ones: a call of a peer that is no more, taken up by a new control, is its realm's.
static void build_realm_peer(struct sip_peer *to, const struct settings *s, size_t realm)
{
	to->realm = (uint16_t)realm;
	to->profile = profile_index(s, s->realms.items[realm].profile);
	to->retired = true;
}

static uint16_t peer_index(const struct settings *s, const struct peer_settings *peer)
{
	return (uint16_t)(s->realms.n + (size_t)(peer - s->peers.items));
}

static void build_route(struct sip_route *to, const struct settings *s, const struct route_settings *route)
{
	const struct peer_settings *from = config_peer(s, route->from);
	const char *realm = from != NULL ? from->realm : route->from;

	to->from_realm = (uint16_t)(config_realm(s, realm) - s->realms.items);
	to->from_peer = from != NULL ? peer_index(s, from) : -1;
	config_text(to->user, sizeof(to->user), route->user);
	to->to_peer = peer_index(s, config_peer(s, route->to));
}

static int allocate(struct config *cfg, const struct settings *s)
{
	struct sip_config *sip = &cfg->sip;

	// One more than needed: calloc(0) may return NULL.
	cfg->media.realms = calloc(s->realms.n + 1, sizeof(*cfg->media.realms));
	sip->realms = calloc(s->realms.n + 1, sizeof(*sip->realms));
	sip->profiles = calloc(s->profiles.n + 1, sizeof(*sip->profiles));
	sip->policies = calloc(s->profiles.n + 1, sizeof(*sip->policies));
	sip->peers = calloc(s->realms.n + s->peers.n, sizeof(*sip->peers));
	sip->routes = calloc(s->routes.n + 1, sizeof(*sip->routes));
	if (cfg->media.realms == NULL || sip->realms == NULL || sip->profiles == NULL || sip->peers == NULL ||
	    sip->routes == NULL || sip->policies == NULL)
		return -ENOMEM;
	cfg->media.n_realms = sip->n_realms = s->realms.n;
	sip->n_profiles = s->profiles.n;
	sip->n_peers = s->realms.n + s->peers.n;
	sip->n_routes = s->routes.n;
	return 0;
}

static int build_realms(struct config *cfg, const struct settings *s, struct config_error *why)
{
	for (size_t i = 0; i < s->realms.n; i++) {
		const struct realm_settings *realm = &s->realms.items[i];
		int network = build_network(&cfg->dataplane, s, realm, why);
		int err;

		if (network < 0)
			return network;
		err = build_addresses(&cfg->dataplane, realm, (uint8_t)network, why);
		if (err < 0)
			return err;
		build_media_realm(&cfg->media.realms[i], realm, (uint8_t)network);
		build_sip_realm(&cfg->sip.realms[i], s, realm);
	}
	return 0;
}

int config_build(struct config *cfg, const struct settings *s, struct config_error *why)
{
	int err = allocate(cfg, s);

	if (err < 0)
		return err;
	cfg->log_level = s->log.level;
	cfg->log_format = s->log.format;
	cfg->user = s->process.user;
	cfg->state_dir = s->process.state_dir;
	cfg->drain_timeout_s = s->process.drain_timeout;
	err = config_build_admin(&cfg->admin, &s->admin);
	if (err == 0)
		err = build_realms(cfg, s, why);
	if (err < 0)
		return err;
	build_workers(&cfg->dataplane, &s->dataplane);
	build_crypto(&cfg->dataplane.crypto, &s->dataplane.crypto);
	cfg->dataplane.max_transports = config_capacity(s) * TRANSPORTS_PER_CALL;
	build_media(&cfg->media, s);
	for (size_t i = 0; i < s->profiles.n; i++)
		build_profile(&cfg->sip.profiles[i], &s->profiles.items[i]);
	for (size_t i = 0; i < s->profiles.n; i++)
		build_policy(&cfg->sip.policies[i], &s->profiles.items[i]);
	for (size_t i = 0; i < s->realms.n; i++)
		build_realm_peer(&cfg->sip.peers[i], s, i);
	for (size_t i = 0; i < s->peers.n; i++)
		build_peer(&cfg->sip.peers[s->realms.n + i], s, &s->peers.items[i]);
	for (size_t i = 0; i < s->routes.n; i++)
		build_route(&cfg->sip.routes[i], s, &s->routes.items[i]);
	cfg->sip.max_calls = s->limits.calls;
	cfg->sip.most_calls = config_capacity(s);
	cfg->sip.max_subscriptions = s->limits.subscriptions;
	cfg->sip.timer_c_s = s->sip.timer_c;
	config_text(cfg->call_records.file, sizeof(cfg->call_records.file), s->call_records.file);
	cfg->call_records.max_size = (uint64_t)s->call_records.max_size_mb << 20;
	cfg->call_records.keep = s->call_records.keep;
	config_text(cfg->sip.server_name, sizeof(cfg->sip.server_name), s->sip.server_name);
	return 0;
}
