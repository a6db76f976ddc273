// SPDX-License-Identifier: GPL-3.0-or-later
// config_merge.c - the tables that live calls name by index. What is in use keeps its place: a peer or profile that is the same in
// both is found where it was, one that has changed comes behind, and the old one stays for the calls that have it.
#include "gateway/config_change.h"
#include "gateway/config_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 30000 // of a table; indices have 16 bits

struct merge {
	const struct sip_config *old;
	struct sip_config *next;
	uint16_t *profile, *peer; // where an entry of next has come to
	struct media_profile *profiles;
	struct sip_policy *policies;
	struct sip_peer *peers;
	size_t n_profiles, n_peers;
	bool *kept; // of the old profiles: it is one of next's
};

static bool same_extensions(const struct media_extensions *a, const struct media_extensions *b)
{
	return a->filter == b->filter && a->encryption == b->encryption && a->cryptex == b->cryptex && a->n_uris == b->n_uris &&
	       (a->n_uris == 0 || memcmp(a->uris, b->uris, a->n_uris * sizeof(*a->uris)) == 0);
}

// Both were zeroed before they were filled, so that the gaps between members are equal, too; if they were not, a profile would
// only be taken for changed.
static bool same_profile(const struct sip_config *old, size_t i, const struct sip_config *next, size_t j)
{
	struct media_profile a, b;

	memcpy(&a, &old->profiles[i], sizeof(a));
	memcpy(&b, &next->profiles[j], sizeof(b));
	memset(&a.extensions, 0, sizeof(a.extensions));
	memset(&b.extensions, 0, sizeof(b.extensions));
	return memcmp(&a, &b, sizeof(a)) == 0 && same_extensions(&old->profiles[i].extensions, &next->profiles[j].extensions) &&
	       memcmp(&old->policies[i], &next->policies[j], sizeof(next->policies[j])) == 0;
}

static void merge_profiles(struct merge *m)
{
	memcpy(m->profiles, m->old->profiles, m->old->n_profiles * sizeof(*m->profiles));
	memcpy(m->policies, m->old->policies, m->old->n_profiles * sizeof(*m->policies));
	m->n_profiles = m->old->n_profiles;
	for (size_t j = 0; j < m->next->n_profiles; j++) {
		size_t i = 0;

		while (i < m->old->n_profiles && !same_profile(m->old, i, m->next, j))
			i++;
		if (i == m->old->n_profiles)
			i = m->n_profiles++;
		else
			m->kept[i] = true;
		m->profiles[i] = m->next->profiles[j]; // with the strings of this configuration
		m->policies[i] = m->next->policies[j];
		m->profile[j] = (uint16_t)i;
	}
}

// What retired profiles point to lived in a configuration that goes.
static int keep_uris(struct merge *m, struct config *next)
{
	struct media_uri *to;
	size_t n = 0;

	for (size_t i = 0; i < m->old->n_profiles; i++)
		n += m->kept[i] ? 0 : m->profiles[i].extensions.n_uris;
	to = next->retired_uris = calloc(n + 1, sizeof(*to));
	if (to == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < m->old->n_profiles; i++) {
		struct media_extensions *e = &m->profiles[i].extensions;

		if (m->kept[i])
			continue;
		if (e->n_uris > 0)
			memcpy(to, e->uris, e->n_uris * sizeof(*to));
		e->uris = to;
		to += e->n_uris;
	}
	return 0;
}

static bool same_peer(const struct sip_peer *a, const struct sip_peer *b)
{
	bool same = a->realm == b->realm && a->profile == b->profile && a->n_sources == b->n_sources &&
		    strcmp(a->name, b->name) == 0 && strcmp(a->target, b->target) == 0;

	for (size_t i = 0; i < b->n_sources && same; i++)
		same = a->sources[i].len == b->sources[i].len && inet_addr_equal(&a->sources[i].addr, &b->sources[i].addr);
	return same;
}

static void merge_peers(struct merge *m)
{
	memcpy(m->peers, m->old->peers, m->old->n_peers * sizeof(*m->peers));
	m->n_peers = m->old->n_peers;
	for (size_t i = 0; i < m->n_peers; i++)
		m->peers[i].retired = true;
	for (size_t j = 0; j < m->next->n_peers; j++) {
		struct sip_peer *peer = &m->next->peers[j];
		size_t i = 0;

		peer->profile = m->profile[peer->profile];
		while (i < m->old->n_peers && !same_peer(&m->old->peers[i], peer))
			i++;
		if (i == m->old->n_peers)
			i = m->n_peers++;
		m->peers[i] = *peer; // retired again, if it is one of those that stand for a realm
		m->peer[j] = (uint16_t)i;
	}
}

static void point_there(struct merge *m)
{
	struct sip_config *next = m->next;

	for (size_t i = 0; i < next->n_realms; i++)
		next->realms[i].profile = m->profile[next->realms[i].profile];
	for (size_t i = 0; i < next->n_routes; i++) {
		next->routes[i].to_peer = m->peer[next->routes[i].to_peer];
		if (next->routes[i].from_peer >= 0)
			next->routes[i].from_peer = m->peer[next->routes[i].from_peer];
	}
	free(next->profiles);
	free(next->policies);
	free(next->peers);
	next->profiles = m->profiles;
	next->policies = m->policies;
	next->peers = m->peers;
	next->n_profiles = m->n_profiles;
	next->n_peers = m->n_peers;
	m->profiles = NULL;
	m->policies = NULL;
	m->peers = NULL;
}

static int allocate(struct merge *m)
{
	size_t profiles = m->old->n_profiles + m->next->n_profiles, peers = m->old->n_peers + m->next->n_peers;

	if (profiles > ENTRIES_MAX || peers > ENTRIES_MAX)
		return -ENOSPC;
	m->profiles = calloc(profiles, sizeof(*m->profiles));
	m->policies = calloc(profiles, sizeof(*m->policies));
	m->peers = calloc(peers + 1, sizeof(*m->peers));
	m->profile = calloc(m->next->n_profiles, sizeof(*m->profile));
	m->peer = calloc(m->next->n_peers + 1, sizeof(*m->peer));
	m->kept = calloc(m->old->n_profiles, sizeof(*m->kept));
	if (m->profiles == NULL || m->policies == NULL || m->peers == NULL || m->profile == NULL || m->peer == NULL ||
	    m->kept == NULL)
		return -ENOMEM;
	return 0;
}

int config_follow(struct config *next, const struct config *current)
{
	struct merge m = { .old = &current->sip, .next = &next->sip };
	int err = allocate(&m);

	if (err < 0)
		goto out;
	merge_profiles(&m);
	err = keep_uris(&m, next);
	if (err < 0)
		goto out;
	merge_peers(&m);
	point_there(&m);
out:
	free(m.profiles);
	free(m.policies);
	free(m.peers);
	free(m.profile);
	free(m.peer);
	free(m.kept);
	return err;
}
