// SPDX-License-Identifier: GPL-3.0-or-later
// admin_status.c - is it alive, may calls come, what is it and how much does it hold.
#include "dtls/dtls_identity.h"
#include "gateway/admin/admin_priv.h"
#include <event2/event.h>

#define RELAY_SILENT MONO_S(5) // as the supervisor has it

bool admin_is_ready(const struct admin *admin, const char **why)
{
	mono_ns beat = heartbeat_oldest(admin->heartbeat), now = clock_now();

	*why = "ready";
	if (admin->draining)
		*why = "draining";
	else if (now > beat && now - beat > RELAY_SILENT)
		*why = "the relay does not answer";
	else
		return true;
	return false;
}

void admin_health(struct admin_request *rq)
{
	admin_answer_json(rq, 200, json_pack("{s:s}", "status", "alive"));
}

void admin_readiness(struct admin_request *rq)
{
	const char *why;

	if (admin_is_ready(rq->admin, &why))
		admin_answer_json(rq, 200, json_pack("{s:s}", "status", why));
	else
		admin_problem(rq, 503, why);
}

void admin_version(struct admin_request *rq)
{
	admin_answer_json(rq, 200, json_pack("{s:s, s:{s:s, s:s, s:s, s:s, s:s}}", "version", SALLYPORT_VERSION, "libraries",
					     "dtls", dtls_library_version(), "srtcp", media_library_version(), "sip",
					     sip_library_version(), "event", event_get_version(), "json", jansson_version_str()));
}

static json_t *realms_of(const struct admin *admin)
{
	const struct media_stats *media = media_stats(admin->start.media);
	json_t *list = json_array();

	for (size_t r = 0; r < media->n_realms; r++) {
		const struct media_stats_realm *m = &media->realms[r];

		json_array_append_new(list, json_pack("{s:s, s:{s:I, s:I, s:I, s:I}, s:I}", "name",
						      admin->start.config->media.realms[r].name, "lines", "dtls-srtp",
						      (json_int_t)counter_read(&m->secured[KEYING_DTLS_SRTP]), "sdes",
						      (json_int_t)counter_read(&m->secured[KEYING_SDES]), "plain",
						      (json_int_t)counter_read(&m->secured[KEYING_PLAIN]), "none",
						      (json_int_t)counter_read(&m->unsecured), "silent_lines",
						      (json_int_t)counter_read(&m->silent)));
	}
	return list;
}

void admin_status(struct admin_request *rq)
{
	const struct admin *admin = rq->admin;
	const struct sip_stats *sip = sip_stats(admin->start.sip);
	const struct config *cfg = admin->start.config;
	const char *why;
	bool ready = admin_is_ready(admin, &why);

	admin_answer_json(
		rq, 200,
		json_pack("{s:s, s:s, s:b, s:s, s:f, s:f, s:{s:I, s:I}, s:I, s:I, s:{s:I, s:I}, s:o, s:{s:s, s:s}}", "version", SALLYPORT_VERSION,
			  "state", admin->draining ? "draining" : "running", "ready", ready, "reason", why, "started",
			  admin->started, "uptime_seconds", (double)(clock_now() - admin->since) / 1e9, "calls", "now",
			  (json_int_t)counter_read(&sip->calls), "limit", (json_int_t)cfg->sip.max_calls, "dialogs",
			  (json_int_t)counter_read(&sip->dialogs), "subscriptions",
			  (json_int_t)counter_read(&sip->subscriptions), "restarts", "control",
			  (json_int_t)admin->start.control_restarts, "relay",
			  (json_int_t)(admin->start.relay_restarts +
				       counter_read(&media_stats(admin->start.media)->relay_restarts)),
			  "realms", realms_of(admin), "token", "name", rq->who->name, "role",
			  rq->who->role == ADMIN_OPERATOR ? "operator" : rq->who->role == ADMIN_WIRETAP ? "wiretap" : "viewer"));
}
