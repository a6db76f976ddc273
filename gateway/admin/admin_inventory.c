// SPDX-License-Identifier: GPL-3.0-or-later
// admin_inventory.c - realms, peers and routes: what is configured, and what each of them has to do now.
#include "gateway/admin/admin_ask.h"
#include "gateway/admin/admin_settings.h"
#include "gateway/settings.h"
#include "signaling/sip_inventory.h"
#include <stdlib.h>
#include <string.h>

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static const struct config *config_of(const struct admin_ask *ask)
{
	return ask->rq.admin->start.config;
}

static void answer_list(struct admin_ask *ask, const char *name, json_t *list)
{
	if (ask->inventory == NULL || list == NULL) {
		json_decref(list);
		admin_problem(&ask->rq, 503, "no memory");
	} else {
		admin_answer_json(&ask->rq, 200, json_pack("{s:o}", name, list));
	}
	admin_ask_over(ask);
}

static void ask_inventory(struct admin_request *rq, void (*answered)(struct admin_ask *ask))
{
	struct admin_ask *ask = admin_ask_new(rq, answered);

	if (ask != NULL)
		admin_ask_sent(ask, sip_inventory(rq->admin->start.sip, admin_ask_inventory, ask));
}

// What of the tables had been there when the sip thread counted.
static struct sip_peer_figures peer_figures(const struct admin_ask *ask, size_t peer)
{
	const struct sip_inventory *inventory = ask->inventory;

	return inventory != NULL && peer < inventory->n_peers ? inventory->peers[peer] : (struct sip_peer_figures){ .calling = 0 };
}

static json_t *calls_json(const struct sip_peer_figures *f)
{
	return json_pack("{s:I, s:I}", "calling", (json_int_t)f->calling, "called", (json_int_t)f->called);
}

// Realms

static json_t *realm_calls(const struct admin_ask *ask, size_t realm)
{
	const struct sip_config *sip = &config_of(ask)->sip;
	struct sip_peer_figures sum = { .calling = 0 };

	for (size_t i = 0; i < sip->n_peers; i++) { // retired ones, too: their calls are the realm's
		struct sip_peer_figures f = peer_figures(ask, i);

		sum.calling += sip->peers[i].realm == realm ? f.calling : 0;
		sum.called += sip->peers[i].realm == realm ? f.called : 0;
	}
	return calls_json(&sum);
}

static json_t *realm_live(const struct admin_ask *ask, size_t realm)
{
	const struct media_stats_realm *m = &media_stats(ask->rq.admin->start.media)->realms[realm];

	return json_pack("{s:o, s:{s:o, s:o, s:o, s:o}, s:o, s:{s:o, s:o, s:o, s:o, s:o}, s:{s:f, s:f}}", "calls", realm_calls(ask, realm),
			 "lines", "dtls-srtp", count(counter_read(&m->secured[KEYING_DTLS_SRTP])), "sdes",
			 count(counter_read(&m->secured[KEYING_SDES])), "plain", count(counter_read(&m->secured[KEYING_PLAIN])), "none",
			 count(counter_read(&m->unsecured)), "silent_lines", count(counter_read(&m->silent)), "traffic", "rx_packets",
			 count(counter_read(&m->rx_packets)), "rx_octets", count(counter_read(&m->rx_octets)), "tx_packets",
			 count(counter_read(&m->tx_packets)), "tx_octets", count(counter_read(&m->tx_octets)), "lost",
			 count(counter_read(&m->lost)), "quality", "jitter_seconds", (double)counter_read(&m->jitter_us) / 1e6, "mos",
			 (double)counter_read(&m->mos) / 100);
}

static void realms_came(struct admin_ask *ask)
{
	const struct settings *s = config_of(ask)->settings;
	json_t *list = json_array();

	for (size_t i = 0; i < s->realms.n; i++) {
		json_t *realm = admin_settings_json(settings_part("realms"), &s->realms.items[i]);

		json_object_set_new(realm, "live", realm_live(ask, i));
		json_array_append_new(list, realm);
	}
	answer_list(ask, "realms", list);
}

void admin_realms(struct admin_request *rq)
{
	ask_inventory(rq, realms_came);
}

// Peers

static json_t *peer_json(const struct admin_ask *ask, size_t index)
{
	const struct sip_config *sip = &config_of(ask)->sip;
	const struct sip_peer *peer = &sip->peers[index];
	struct sip_peer_figures f = peer_figures(ask, index);
	json_t *sources = json_array();

	for (size_t i = 0; i < peer->n_sources; i++) {
		char text[INET_ADDR_STRLEN];

		json_array_append_new(sources, json_sprintf("%s/%u", inet_addr_print(text, &peer->sources[i].addr), peer->sources[i].len));
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:b, s:{s:o, s:o}}", "name", peer->name, "realm", sip->realms[peer->realm].name,
			 "profile", sip->profiles[peer->profile].name, "sources", sources, "target", peer->target, "retired", peer->retired,
			 "live", "calls", calls_json(&f), "subscriptions", count(f.subscriptions));
}

// One that has left the configuration is there as long as it has calls. Those without a name stand for a realm's.
static bool is_shown(const struct admin_ask *ask, size_t index)
{
	const struct sip_peer *peer = &config_of(ask)->sip.peers[index];
	struct sip_peer_figures f = peer_figures(ask, index);

	return peer->name[0] != '\0' && (!peer->retired || f.calling + f.called > 0);
}

static void peers_came(struct admin_ask *ask)
{
	json_t *list = json_array();

	for (size_t i = 0; i < config_of(ask)->sip.n_peers; i++) {
		if (is_shown(ask, i))
			json_array_append_new(list, peer_json(ask, i));
	}
	answer_list(ask, "peers", list);
}

void admin_peers(struct admin_request *rq)
{
	ask_inventory(rq, peers_came);
}

// Routes

static json_t *route_json(const struct sip_config *sip, const struct sip_route_figures *f)
{
	const struct sip_route *r = &f->route;

	return json_pack("{s:s, s:o, s:s, s:s, s:{s:o}}", "realm", sip->realms[r->from_realm].name, "peer",
			 r->from_peer >= 0 ? json_string(sip->peers[r->from_peer].name) : json_null(), "user", r->user, "to",
			 sip->peers[r->to_peer].name, "live", "requests", count(f->calls));
}

static void routes_came(struct admin_ask *ask)
{
	const struct sip_inventory *inventory = ask->inventory;
	json_t *list = json_array();

	for (size_t i = 0; inventory != NULL && i < inventory->n_routes; i++)
		json_array_append_new(list, route_json(&config_of(ask)->sip, &inventory->routes[i]));
	answer_list(ask, "routes", list);
}

void admin_routes_list(struct admin_request *rq)
{
	ask_inventory(rq, routes_came);
}
