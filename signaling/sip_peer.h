// SPDX-License-Identifier: GPL-3.0-or-later
// sip_peer.h - who sent this, and where does it go: peers by source address, static routes. Reads the configuration only.
#pragma once
#include "signaling/sip_config.h"

// The peer of this realm whose longest source prefix holds the address; -ENOENT: unknown, and so refused.
int sip_peer_by_source(const struct sip_config *config, uint16_t realm, const struct inet_addr *source);
// Whether this peer's requests come from there. One that is retired is known by the sources that it had, and by those that a
// peer of its name has now.
bool sip_peer_is_at(const struct sip_config *config, uint16_t peer, const struct inet_addr *source);
// First route that matches: its index, or -ENOENT.
int sip_route_find(const struct sip_config *config, uint16_t realm, int peer, const char *user);
// Puts the user part (as it stands in a URI, still escaped) in the place of {user}. -EINVAL: characters that no user part has.
int sip_target_expand(const char *target, const char *user, char *dst, size_t room);
// Whether a Contact says an address at which this peer cannot be reached from here, while `source` is where it was heard: one
// that its configuration does not know, or a private one of somebody who comes from a public one.
bool sip_peer_behind_nat(const struct sip_peer *peer, const struct inet_addr *contact, const struct inet_addr *source);
