// SPDX-License-Identifier: GPL-3.0-or-later
// sip_peer.c - peers by source, routes, targets; see sip_peer.h.
#include "signaling/sip_peer.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

int sip_peer_by_source(const struct sip_config *config, uint16_t realm, const struct inet_addr *source)
{
	int best = -ENOENT, best_len = -1;

	for (size_t p = 0; p < config->n_peers; p++) {
		const struct sip_peer *peer = &config->peers[p];

		if (peer->realm != realm || peer->retired)
			continue;
		for (size_t i = 0; i < peer->n_sources; i++) {
			if (peer->sources[i].len > best_len && inet_prefix_holds(&peer->sources[i], source)) {
				best = (int)p;
				best_len = peer->sources[i].len;
			}
		}
	}
	return best;
}

static bool holds(const struct inet_prefix *list, size_t n, const struct inet_addr *addr)
{
	for (size_t i = 0; i < n; i++) {
		if (inet_prefix_holds(&list[i], addr))
			return true;
	}
	return false;
}

bool sip_peer_is_at(const struct sip_config *config, uint16_t peer, const struct inet_addr *source)
{
	const struct sip_peer *p = &config->peers[peer];
	int now = sip_peer_by_source(config, p->realm, source);

	if (now == peer || !p->retired)
		return now == peer;
	return holds(p->sources, p->n_sources, source) || (now >= 0 && strcmp(config->peers[now].name, p->name) == 0);
}

static bool user_matches(const char *pattern, const char *user)
{
	size_t len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(pattern, user, len - 1) == 0;
	return strcmp(pattern, user) == 0;
}

int sip_route_find(const struct sip_config *config, uint16_t realm, int peer, const char *user)
{
	for (size_t i = 0; i < config->n_routes; i++) {
		const struct sip_route *route = &config->routes[i];

		if (route->from_realm == realm && (route->from_peer < 0 || route->from_peer == peer) &&
		    user_matches(route->user, user))
			return (int)i;
	}
	return -ENOENT;
}

// RFC 3261 section 25.1: user = 1*( unreserved / escaped / user-unreserved )
static bool user_is_clean(const char *user)
{
	for (const char *c = user; *c != '\0'; c++) {
		if (*c == '%') {
			if (!isxdigit((unsigned char)c[1]) || !isxdigit((unsigned char)c[2]))
				return false;
		} else if (!isalnum((unsigned char)*c) && strchr("-_.!~*'()&=+$,;?/", *c) == NULL) {
			return false;
		}
	}
	return true;
}

int sip_target_expand(const char *target, const char *user, char *dst, size_t room)
{
	static const char place[] = "{user}";
	const char *at = strstr(target, place);
	size_t head = at != NULL ? (size_t)(at - target) : strlen(target);
	const char *tail = at != NULL ? at + strlen(place) : "";

	if (at == NULL)
		user = "";
	if (!user_is_clean(user))
		return -EINVAL;
	// A Request-URI without user part: "sip:{user}@host" becomes "sip:host".
	if (at != NULL && user[0] == '\0' && tail[0] == '@')
		tail++;
	if (head + strlen(user) + strlen(tail) >= room)
		return -ENAMETOOLONG;
	memcpy(dst, target, head);
	strcpy(dst + head, user);
	strcat(dst, tail);
	return 0;
}

// RFC 1918, RFC 6598 (shared by the customers of one carrier), RFC 3927; RFC 4193, RFC 4291 2.5.6.
static bool is_private(const struct inet_addr *addr)
{
	static const struct inet_prefix private[] = {
		{ { INET_V4, { 0 }, { 10 } }, 8 },          { { INET_V4, { 0 }, { 172, 16 } }, 12 },
		{ { INET_V4, { 0 }, { 192, 168 } }, 16 },   { { INET_V4, { 0 }, { 100, 64 } }, 10 },
		{ { INET_V4, { 0 }, { 169, 254 } }, 16 },   { { INET_V6, { 0 }, { 0xfc } }, 7 },
		{ { INET_V6, { 0 }, { 0xfe, 0x80 } }, 10 },
	};

	return holds(private, sizeof(private) / sizeof(private[0]), addr);
}

bool sip_peer_behind_nat(const struct sip_peer *peer, const struct inet_addr *contact, const struct inet_addr *source)
{
	if (inet_addr_equal(contact, source))
		return false;
	if (peer->n_sources > 0 && holds(peer->sources, peer->n_sources, source) &&
	    !holds(peer->sources, peer->n_sources, contact))
		return true;
	return is_private(contact) && !is_private(source);
}
