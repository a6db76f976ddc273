// SPDX-License-Identifier: GPL-3.0-or-later
// leg_candidate.c - handshakes of one leg transport: their places, their timers, and whose gives way.
#include "mediarelay/leg_candidate.h"
#include "mediarelay/leg_dtls.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/leg_transport.h"

#include <string.h>

static struct media *media_of(const struct leg_transport *tp)
{
	return tp->line->session->media;
}

static void candidate_send(void *ctx, const uint8_t *datagram, size_t len)
{
	const struct dtls_candidate *c = ctx;

	dp_transport_send(media_of(c->transport)->dp, c->transport->ref, &c->peer, datagram, len);
}

struct dtls_out leg_candidate_out(struct dtls_candidate *c)
{
	return (struct dtls_out){ .send = candidate_send, .ctx = c };
}

void leg_candidate_free(struct dtls_candidate *c)
{
	if (c->endpoint == NULL)
		return;
	if (c->transport->chosen == c)
		c->transport->chosen = NULL;
	leg_drops_endpoint(c->transport, c->endpoint);
	event_free(c->timer);
	dtls_endpoint_close(c->endpoint);
	memset(c, 0, sizeof(*c));
}

void leg_candidate_arm(struct dtls_candidate *c)
{
	mono_ns now = env_now(media_of(c->transport)->env);
	mono_ns due = dtls_endpoint_deadline(c->endpoint), wait;
	struct timeval tv;

	if (c->parked_since != 0 && c->parked_since + LEG_DTLS_PARKED < due)
		due = c->parked_since + LEG_DTLS_PARKED;
	if (due == MONO_NEVER) {
		event_del(c->timer);
		return;
	}
	wait = due > now ? due - now : 0;
	tv.tv_sec = (time_t)(wait / MONO_S(1));
	tv.tv_usec = (suseconds_t)(wait % MONO_S(1) / 1000 + 1);
	event_add(c->timer, &tv);
}

bool leg_candidate_overdue(const struct dtls_candidate *c, mono_ns now)
{
	return c->parked_since != 0 && now >= c->parked_since + LEG_DTLS_PARKED;
}

static void candidate_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct dtls_candidate *c = ctx;
	struct dtls_out out = leg_candidate_out(c);
	mono_ns now = env_now(media_of(c->transport)->env);

	(void)fd, (void)what;
	if (leg_candidate_overdue(c, now)) {
		keying_step(&c->transport->keying, KEYING_EVENT_UNPARK);
		leg_candidate_free(c);
		return;
	}
	dtls_endpoint_tick(c->endpoint, now, &out);
	leg_dtls_step(c);
}

// Two associations may share a pair of addresses while keys change: what comes then is the newer one's. What is still
// the old one's (a close_notify, say) does not verify there and is dropped.
struct dtls_candidate *leg_candidate_of(struct leg_transport *tp, const struct inet_endpoint *peer)
{
	struct dtls_candidate *newest = NULL;

	for (size_t i = 0; i < LEG_DTLS_CANDIDATES; i++) {
		struct dtls_candidate *c = &tp->candidates[i];

		if (c->endpoint != NULL && inet_endpoint_equal(&c->peer, peer) &&
		    (newest == NULL || c->serial > newest->serial))
			newest = c;
	}
	return newest;
}

// One who proves addresses has whole networks of IPv6, but seldom more than a few of IPv4.
static bool same_host(const struct inet_addr *a, const struct inet_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == INET_V6 ? 8 : 4) == 0;
}

// How readily a candidate gives way: first those of a host that has several, then those that are not through yet, the
// signalled host's last of all. A flood of proven addresses so ends its own handshakes, not the peer's.
static unsigned candidate_weakness(const struct leg_transport *tp, const struct dtls_candidate *c)
{
	unsigned of_host = 0;

	for (size_t i = 0; i < LEG_DTLS_CANDIDATES && !same_host(&c->peer.addr, &tp->signalled.addr); i++)
		of_host += tp->candidates[i].endpoint != NULL && same_host(&tp->candidates[i].peer.addr, &c->peer.addr);
	return 2 * of_host + (c->parked_since == 0);
}

// A free place, or that of the weakest, among equals the oldest; never that of the one in force.
static struct dtls_candidate *candidate_place(struct leg_transport *tp)
{
	struct dtls_candidate *weakest = NULL;
	unsigned most = 0;

	for (size_t i = 0; i < LEG_DTLS_CANDIDATES; i++) {
		struct dtls_candidate *c = &tp->candidates[i];
		unsigned weakness;

		if (c->endpoint == NULL)
			return c;
		if (c == tp->chosen)
			continue;
		weakness = candidate_weakness(tp, c);
		if (weakest == NULL || weakness > most || (weakness == most && c->serial < weakest->serial)) {
			weakest = c;
			most = weakness;
		}
	}
	if (weakest != NULL) {
		tp->drops[LEG_DROP_GAVE_WAY]++;
		leg_candidate_free(weakest);
	}
	return weakest;
}

static bool suite_encrypts(enum srtp_suite suite)
{
	const struct srtp_suite_info *info = srtp_suite_info(suite);

	return info != NULL && info->encrypts;
}

// What is encrypted is not negotiated down to a NULL cipher, even if the profile lists one.
static void config_profiles(uint16_t *profiles, const struct leg_transport *tp, const enum srtp_suite *suites)
{
	bool encrypted = tp->epoch != 0 && suite_encrypts(tp->tx_master.suite);
	size_t n = 0;

	for (size_t i = 0; suites[i] != SRTP_SUITE_NONE; i++) {
		const struct srtp_suite_info *info = srtp_suite_info(suites[i]);

		if (info == NULL || info->dtls_profile == 0 || (encrypted && !info->encrypts))
			continue;
		if (n < DTLS_PROFILES_MAX)
			profiles[n++] = info->dtls_profile;
	}
}

static struct dtls_endpoint_config candidate_config(const struct leg_transport *tp, const struct inet_endpoint *peer,
						    enum dtls_role role)
{
	const struct media *media = media_of(tp);
	const struct leg_line *line = tp->line;
	bool agreed = line->plan.agreed && !line->plan.changing && !line->plan.provisional &&
		      line->plan.keying.mechanism == KEYING_DTLS_SRTP;
	struct dtls_endpoint_config config = {
		.identity = media_identity_of(&media->identities, line->plan.seat.identity)->identity,
		.env = media->env,
		.role = role,
		.min_version = media_dtls_version(media->config->dtls_min),
		.max_version = media_dtls_version(media->config->dtls_max),
		.mtu = media->config->dtls_mtu,
		.expected = agreed ? &line->plan.keying.fingerprints : NULL,
		.cookie = role == DTLS_PASSIVE ? media->cookie : NULL,
		.peer = peer,
		.peer_len = sizeof(*peer),
	};

	config_profiles(config.profiles, tp, agreed ? line->plan.keying.suites : leg_line_profile(line)->keying.suites);
	return config;
}

// cookie_generation: of the listener's proof; 0 as the active side.
struct dtls_candidate *leg_candidate_open(struct leg_transport *tp, const struct inet_endpoint *peer,
					  enum dtls_role role, uint64_t cookie_generation)
{
	struct dtls_endpoint_config config = candidate_config(tp, peer, role);
	struct dtls_candidate *c = candidate_place(tp);

	config.cookie_generation = cookie_generation;
	if (c == NULL)
		return NULL;
	c->timer = event_new(media_of(tp)->base, -1, 0, candidate_timer, c);
	if (c->timer == NULL)
		return NULL;
	if (dtls_endpoint_open(&c->endpoint, &config) < 0) {
		event_free(c->timer);
		memset(c, 0, sizeof(*c));
		return NULL;
	}
	c->transport = tp;
	c->role = role;
	c->peer = *peer;
	c->serial = ++tp->next_serial;
	c->began = env_now(media_of(tp)->env);
	return c;
}

struct dtls_candidate *leg_candidate_move(struct dtls_candidate *c, struct leg_transport *to)
{
	struct dtls_candidate *place = candidate_place(to);
	struct event *timer = place != NULL ? event_new(media_of(to)->base, -1, 0, candidate_timer, place) : NULL;

	if (timer == NULL)
		return NULL;
	event_free(c->timer);
	*place = *c;
	memset(c, 0, sizeof(*c));
	place->transport = to;
	place->timer = timer;
	place->serial = ++to->next_serial;
	leg_candidate_arm(place);
	return place;
}
