// SPDX-License-Identifier: GPL-3.0-or-later
// config_check_peer.c - peers: where their calls go must be an address that we have a listener for.
#include "gateway/config_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct target {
	enum sip_transport transport;
	enum inet_family family;
};

// "host", "host:port", "[v6]", "[v6]:port"; numeric, since names are not resolved yet.
static int target_host(const char *text, struct target *target)
{
	struct inet_endpoint ep;
	char host[INET_ADDR_STRLEN + 2];
	size_t len = strlen(text);

	if (inet_endpoint_parse(&ep, text) == 0 && ep.port != 0) {
		target->family = ep.addr.family;
		return 0;
	}
	if (len >= sizeof(host))
		return -EINVAL;
	config_text(host, sizeof(host), text);
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		memmove(host, host + 1, len - 1);
		if (inet_addr_parse(&ep.addr, host) < 0 || ep.addr.family != INET_V6)
			return -EINVAL;
	} else if (inet_addr_parse(&ep.addr, host) < 0 || ep.addr.family != INET_V4) {
		return -EINVAL;
	}
	target->family = ep.addr.family;
	return 0;
}

static int target_parameters(const char *text, struct target *target)
{
	target->transport = SIP_UDP;
	if (text == NULL || strcasecmp(text, "transport=udp") == 0)
		return 0;
	if (strcasecmp(text, "transport=tcp") != 0)
		return -EINVAL;
	target->transport = SIP_TCP;
	return 0;
}

// sip:[user@]host[:port][;transport=udp|tcp]
static int target_parse(const char *uri, struct target *target)
{
	char text[sizeof(((struct peer_settings *)0)->target)];
	char *host, *semicolon;

	if (strncmp(uri, "sip:", 4) != 0)
		return -EINVAL;
	config_text(text, sizeof(text), uri + 4);
	host = strrchr(text, '@');
	if (host == text || strpbrk(text, " <>\"\t?") != NULL)
		return -EINVAL;
	host = host != NULL ? host + 1 : text;
	semicolon = strchr(host, ';');
	if (semicolon != NULL)
		*semicolon++ = '\0';
	if (target_parameters(semicolon, target) < 0)
		return -EINVAL;
	return target_host(host, target);
}

static bool realm_reaches(const struct realm_settings *realm, const struct target *target)
{
	for (size_t i = 0; i < realm->listeners.n; i++) {
		if (realm->listeners.items[i].transport == target->transport &&
		    realm->listeners.items[i].bind.addr.family == target->family)
			return true;
	}
	return false;
}

static int check_target(const struct peer_settings *peer, const struct realm_settings *realm, struct config_error *why)
{
	const struct yaml_node *at = config_at(peer->node, "target", -1);
	struct target target;

	if (peer->target[0] == '\0')
		return 0; // it only calls
	if (strncmp(peer->target, "sips:", 5) == 0)
		return config_complain(why, at, "target: sips is not yet supported");
	if (target_parse(peer->target, &target) < 0)
		return config_complain(
			why, at, "target: expected sip:USER@ADDRESS:PORT;transport=udp|tcp with a numeric address");
	if (!realm_reaches(realm, &target))
		return config_complain(why, at, "target: realm \"%s\" has no %s listener of IPv%d", realm->name,
				       target.transport == SIP_UDP ? "udp" : "tcp", target.family);
	return 0;
}

static bool prefixes_equal(const struct inet_prefix *a, const struct inet_prefix *b)
{
	return a->len == b->len && inet_addr_equal(&a->addr, &b->addr);
}

// A source that two peers of a realm claim would make one of them unreachable, silently.
static int check_sources(const struct settings *s, const struct peer_settings *peer, struct config_error *why)
{
	for (const struct peer_settings *other = s->peers.items; other != peer; other++) {
		if (strcmp(other->realm, peer->realm) != 0)
			continue;
		for (size_t i = 0; i < peer->sources.n; i++) {
			for (size_t j = 0; j < other->sources.n; j++) {
				if (prefixes_equal(&peer->sources.items[i], &other->sources.items[j]))
					return config_complain(why, config_at(peer->node, "sources", (int)i),
							       "sources: peer \"%s\" has the same one", other->name);
			}
		}
	}
	return 0;
}

int config_check_peer(const struct settings *s, const struct peer_settings *peer, struct config_error *why)
{
	const struct realm_settings *realm = config_realm(s, peer->realm);
	int err;

	if (config_peer(s, peer->name) != peer)
		return config_complain(why, config_at(peer->node, "name", -1), "peer \"%s\" is there twice",
				       peer->name);
	if (config_realm(s, peer->name) != NULL)
		return config_complain(why, config_at(peer->node, "name", -1),
				       "\"%s\" is a realm's name, too: a route could not tell them apart", peer->name);
	if (realm == NULL)
		return config_complain(why, config_at(peer->node, "realm", -1), "no realm has the name \"%s\"",
				       peer->realm);
	if (peer->profile[0] != '\0' && config_profile(s, peer->profile) == NULL)
		return config_complain(why, config_at(peer->node, "profile", -1), "no profile has the name \"%s\"",
				       peer->profile);
	err = check_target(peer, realm, why);
	return err < 0 ? err : check_sources(s, peer, why);
}
