// SPDX-License-Identifier: GPL-3.0-or-later
// sip_record.c - dialogs to and from the call records; see sip_record.h.
#include "signaling/sip_record.h"
#include "base/secret.h"
#include "mediarelay/call_record.h"
#include "signaling/call_media.h"
#include "signaling/call_timer.h"
#include "signaling/sip_priv.h"
#include <errno.h>
#include <sofia-sip/sip_tag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION 4u
#define ROUTE_MAX 4096 // octets of a Route header's value
// Requests that were sent after the record was written have used numbers; gaps are allowed (RFC 3261 section 12.2.1.1).
#define CSEQ_RESERVE 1000u

struct dialog_record {
	char call_id[SIP_ID_MAX], local_tag[SIP_TOKEN_LEN], remote_tag[SIP_ID_MAX];
	char local_uri[SIP_URI_MAX], remote_uri[SIP_URI_MAX];
	char contact[SIP_URI_MAX], target[SIP_URI_MAX]; // ours, theirs
	char peer[32];                                  // by name: the configuration may have changed
	uint32_t number, cseq_out, cseq_in;
	struct sip_hop hop;
	struct inet_endpoint source;
	struct session_timer session;
	mono_ns session_since;
	bool outgoing, update, by_flow;
	bool ack_due; // the ACK for our 2xx had not come
	uint16_t route_len;
};

enum record_media { RECORD_NOTHING_AGREED, RECORD_TOO_LARGE, RECORD_WHOLE };

struct sip_call_record {
	uint32_t version, size; // of this, without what follows it
	uint32_t number, media_len;
	enum record_media media;
	mono_ns started, rung, answered; // rung 0: never
	uint32_t transfers;
	struct dialog_record dialog[2]; // caller's, callee's
};

struct sip_record { // as it stands in shared memory, as much of it as is used
	struct sip_call_record call;
	uint8_t rest[CALL_RECORD_SIP_SIZE - sizeof(struct sip_call_record)]; // Route headers' values, the caller's first; call_media_save()
};

_Static_assert(sizeof(((struct sip_record *)0)->rest) > 3 * ROUTE_MAX, "no room for descriptions");
_Static_assert(sizeof(struct sip_record) <= CALL_RECORD_SIP_SIZE, "the record's sip part is too small");

static int route_print(char dst[ROUTE_MAX], const sip_route_t *route)
{
	size_t used = 0;

	for (; route != NULL; route = route->r_next) {
		char url[SIP_URI_MAX];

		if (url_e(url, sizeof(url), route->r_url) >= (isize_t)sizeof(url))
			return -ENAMETOOLONG;
		int n = snprintf(dst + used, ROUTE_MAX - used, "%s<%s>", used > 0 ? ", " : "", url);

		if (n < 0 || (size_t)n >= ROUTE_MAX - used)
			return -ENAMETOOLONG;
		used += (size_t)n;
	}
	return (int)used;
}

static size_t routes_len(const struct sip_call_record *rec)
{
	return rec->dialog[0].route_len + rec->dialog[1].route_len;
}

static int dialog_to_record(struct dialog_record *rec, char route_text[ROUTE_MAX], const struct sip_dialog *d)
{
	const sip_route_t *route = NULL;
	const sip_contact_t *target = NULL;

	nta_leg_get_route(d->leg, &route, &target);
	if (target == NULL || url_e(rec->target, sizeof(rec->target), target->m_url) >= (isize_t)sizeof(rec->target))
		return -ENAMETOOLONG;
	memcpy(rec->call_id, d->call_id, sizeof(rec->call_id));
	memcpy(rec->local_tag, d->local_tag, sizeof(rec->local_tag));
	memcpy(rec->remote_tag, d->remote_tag, sizeof(rec->remote_tag));
	memcpy(rec->local_uri, d->local_uri, sizeof(rec->local_uri));
	memcpy(rec->remote_uri, d->remote_uri, sizeof(rec->remote_uri));
	memcpy(rec->contact, d->contact, sizeof(rec->contact));
	snprintf(rec->peer, sizeof(rec->peer), "%s", d->call->sip->config->peers[d->peer].name);
	rec->cseq_out = nta_leg_get_seq(d->leg);
	rec->cseq_in = nta_leg_get_rseq(d->leg);
	rec->hop = d->hop;
	rec->source = d->source;
	rec->number = d->leg_number;
	rec->outgoing = d->outgoing;
	rec->update = d->update;
	rec->by_flow = d->by_flow;
	rec->ack_due = d->ack_due || (!d->outgoing && d->fsm.state == DIALOG_ANSWERED);
	rec->session = d->session;
	rec->session_since = d->session_since;
	int len = route_print(route_text, route);

	rec->route_len = len < 0 ? 0 : (uint16_t)len;
	return len < 0 ? len : 0;
}

// What does not fit costs the call its changes, not its life.
static int media_to_record(struct sip_record *rec, struct sip_call *call)
{
	size_t used = routes_len(&rec->call);
	int len = call->frozen ? -EMSGSIZE : call_media_save(call, rec->rest + used, sizeof(rec->rest) - used);

	if (len == -ENOMEM)
		return len;
	rec->call.media = len >= 0 ? RECORD_WHOLE : len == -EMSGSIZE ? RECORD_TOO_LARGE : RECORD_NOTHING_AGREED;
	rec->call.media_len = len >= 0 ? (uint32_t)len : 0;
	if (rec->call.media == RECORD_TOO_LARGE && !call->told_large && !call->frozen)
		log_warning("sip", "descriptions too large for the record", LOG_STR("call", call->name), LOG_CALL_IDS(&call->ids));
	call->told_large |= rec->call.media == RECORD_TOO_LARGE;
	return 0;
}

void sip_record_write(struct sip_call *call)
{
	static struct sip_record rec; // the sip thread is alone here
	struct sip_dialog *a = call_caller(call), *b = a->joined;
	int err;

	if (call->sip->records == NULL || call->closing || call->session == 0)
		return;
	memset(&rec.call, 0, sizeof(rec.call));
	rec.call.version = RECORD_VERSION;
	rec.call.size = sizeof(rec.call);
	rec.call.number = call->number;
	rec.call.started = call->started;
	rec.call.rung = call->rung;
	rec.call.answered = call->answered;
	rec.call.transfers = call->transfers;
	err = dialog_to_record(&rec.call.dialog[0], (char *)rec.rest, a);
	if (err == 0)
		err = dialog_to_record(&rec.call.dialog[1], (char *)rec.rest + rec.call.dialog[0].route_len, b);
	if (err == 0)
		err = media_to_record(&rec, call);
	if (err == 0)
		err = call_record_write(call->sip->records, call->session, CALL_RECORD_SIP, &rec,
					sizeof(rec.call) + routes_len(&rec.call) + rec.call.media_len);
	secret_wipe(rec.rest + routes_len(&rec.call), rec.call.media_len);
	call->recorded = err == 0;
	if (err == 0)
		return;
	log_warning("sip", "call not restorable", LOG_STR("call", call->name), LOG_STR("call_id_a", a->call_id),
		    LOG_STR("call_id_b", b->call_id), LOG_ERRNO(err));
	sip_record_erase(call);
}

void sip_record_touch(struct sip_call *call)
{
	if (call->recorded)
		sip_record_write(call);
}

void sip_record_erase(struct sip_call *call)
{
	call->recorded = false;
	if (call->sip->records != NULL && call->session != 0)
		call_record_write(call->sip->records, call->session, CALL_RECORD_SIP, NULL, 0);
}

// By name; one that is no more leaves its calls to its realm.
static int peer_of_record(const struct sip_config *config, const struct dialog_record *rec)
{
	uint16_t realm = sip_agent_realm(rec->hop.listener);
	int of_realm = -ENOENT;

	for (size_t i = 0; i < config->n_peers; i++) {
		const struct sip_peer *peer = &config->peers[i];

		if (peer->realm == realm && strcmp(peer->name, rec->peer) == 0)
			return (int)i;
		if (peer->realm == realm && peer->name[0] == '\0')
			of_realm = (int)i;
	}
	return of_realm;
}

static bool is_flag(const bool *flag)
{
	return *(const uint8_t *)flag <= 1;
}

static bool timer_is_sound(const struct session_timer *timer)
{
	return timer->interval_s <= SESSION_MAX_S && timer->min_s <= SESSION_MAX_S && is_flag(&timer->able) &&
	       (unsigned)timer->refresher <= SESSION_PEER;
}

// A record that does not hold strings was not written by this version: nothing of it is used.
static bool is_sound(const struct dialog_record *rec)
{
	return is_flag(&rec->outgoing) && is_flag(&rec->update) && is_flag(&rec->by_flow) && is_flag(&rec->ack_due) &&
	       timer_is_sound(&rec->session) && memchr(rec->call_id, 0, sizeof(rec->call_id)) != NULL &&
	       memchr(rec->local_tag, 0, sizeof(rec->local_tag)) != NULL &&
	       memchr(rec->remote_tag, 0, sizeof(rec->remote_tag)) != NULL &&
	       memchr(rec->local_uri, 0, sizeof(rec->local_uri)) != NULL &&
	       memchr(rec->remote_uri, 0, sizeof(rec->remote_uri)) != NULL &&
	       memchr(rec->contact, 0, sizeof(rec->contact)) != NULL &&
	       memchr(rec->target, 0, sizeof(rec->target)) != NULL && memchr(rec->peer, 0, sizeof(rec->peer)) != NULL;
}

static int leg_from_record(struct sip_dialog *d, const struct dialog_record *rec, const char *route_text)
{
	struct sip *sip = d->call->sip;
	su_home_t home[1] = { SU_HOME_INIT(home) };
	int err = -ENOMEM;

	su_home_init(home);
	sip_from_t *from = sip_from_format(home, "<%s>;tag=%s", rec->local_uri, rec->local_tag);
	sip_to_t *to = sip_to_format(home, "<%s>;tag=%s", rec->remote_uri, rec->remote_tag);
	sip_contact_t *target = sip_contact_format(home, "<%s>", rec->target);
	sip_cseq_t *cseq = sip_cseq_create(home, rec->cseq_out + CSEQ_RESERVE, SIP_METHOD_INVITE);
	const char *text = su_strndup(home, route_text, rec->route_len);
	sip_record_route_t *route = text != NULL && text[0] != '\0' ? sip_record_route_make(home, text) : NULL;

	if (from == NULL || to == NULL || target == NULL || cseq == NULL || (rec->route_len > 0 && route == NULL))
		goto out;
	d->leg = nta_leg_tcreate(sip_agent_nta(sip->agent), call_request_in, d, SIPTAG_CALL_ID_STR(rec->call_id),
				 SIPTAG_FROM(from), SIPTAG_TO(to), SIPTAG_CSEQ(cseq), NTATAG_REMOTE_CSEQ(rec->cseq_in),
				 TAG_END());
	if (d->leg == NULL)
		goto out;
	// As a server's route it is taken in the order in which it stands.
	if (nta_leg_server_route(d->leg, route, target) == 0)
		err = 0;
out:
	su_home_deinit(home);
	return err;
}

static int dialog_from_record(struct sip_call *call, const struct dialog_record *rec, const char *route)
{
	int peer = is_sound(rec) ? peer_of_record(call->sip->config, rec) : -EBADMSG;

	if (peer < 0)
		return peer;
	struct sip_dialog *d = call_dialog_create(call, rec->outgoing, (uint16_t)peer);

	if (d == NULL)
		return -ENOMEM;
	memcpy(d->call_id, rec->call_id, sizeof(d->call_id));
	memcpy(d->local_tag, rec->local_tag, sizeof(d->local_tag));
	memcpy(d->remote_tag, rec->remote_tag, sizeof(d->remote_tag));
	memcpy(d->local_uri, rec->local_uri, sizeof(d->local_uri));
	memcpy(d->remote_uri, rec->remote_uri, sizeof(d->remote_uri));
	memcpy(d->contact, rec->contact, sizeof(d->contact));
	memcpy(d->target, rec->target, sizeof(d->target));
	d->hop = rec->hop;
	d->source = rec->source;
	d->number = d->leg_number = d->fsm.number = d->oa.number = rec->number; // the media side knows it by this one
	if (rec->number > call->sip->last_dialog)
		call->sip->last_dialog = rec->number;
	d->update = rec->update;
	d->by_flow = rec->by_flow;
	d->ack_due = rec->ack_due;
	call->sip->n_ack_due += rec->ack_due;
	d->session = rec->session;
	d->session_since = rec->session_since;
	if (sip_agent_listener(call->sip->agent, d->hop.listener) == NULL ||
	    sip_agent_realm(d->hop.listener) != d->realm)
		return -ENOENT;
	dialog_step(&d->fsm, DIALOG_EV_ANSWER, call_now(call));
	dialog_step(&d->fsm, DIALOG_EV_ACK, call_now(call));
	return leg_from_record(d, rec, route);
}

static void number_from_record(struct sip_call *call, uint32_t number)
{
	call->number = number;
	snprintf(call->name, sizeof(call->name), "%u", number);
	if (number > call->sip->last_call)
		call->sip->last_call = number;
}

static bool is_whole(const struct sip_call_record *rec, size_t len)
{
	return rec->version == RECORD_VERSION && rec->size == sizeof(*rec) && (unsigned)rec->media <= RECORD_WHOLE &&
	       len == sizeof(*rec) + routes_len(rec) + rec->media_len;
}

static int call_from_record(struct sip_call *call, const struct sip_record *whole, size_t len)
{
	const struct sip_call_record *rec = &whole->call;
	const char *route = (const char *)whole->rest;
	mono_ns now = call_now(call);
	int err = is_whole(rec, len) ? 0 : -EBADMSG;

	for (int i = 0; i < 2 && err == 0; i++) {
		err = dialog_from_record(call, &rec->dialog[i], route);
		route += rec->dialog[i].route_len;
	}
	if (err < 0)
		return err;
	call->restored = true;
	su_timer_reset(call->timer_c);
	call_join(call->dialogs, call->dialogs->next);
	call->dialogs->side = 0; // whoever made them
	call->dialogs->next->side = 1;
	number_from_record(call, rec->number);
	call_fsm_restore(&call->fsm, call->number, now);
	call->fsm.ids = &call->ids;
	call->started = rec->started < now ? rec->started : now;
	call->rung = rec->rung < now ? rec->rung : now;
	call->answered = rec->answered < now ? rec->answered : now;
	call->transfers = rec->transfers;
	return 0;
}

static void media_from_record(struct sip_call *call, const struct sip_record *rec)
{
	int err = rec->call.media == RECORD_WHOLE ? call_media_load(call, rec->rest + routes_len(&rec->call), rec->call.media_len) : -EMSGSIZE;

	if (err == 0) {
		call_media_resume(call);
		return;
	}
	call->frozen = true;
	log_warning("sip", "call restored without its descriptions", LOG_STR("call", call->name), LOG_CALL_IDS(&call->ids),
		    LOG_ERRNO(err));
}

static void ack_never_came(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip_call *call = arg;

	if (call_caller(call)->ack_due)
		call_end(call, "gateway", 408, "no ACK for the answer");
}

static void go_on(struct sip_call *call, const struct sip_record *rec)
{
	if (rec->call.media == RECORD_NOTHING_AGREED) {
		call_end(call, "gateway", 500, "restarted before it was up");
		return;
	}
	media_from_record(call, rec);
	for (struct sip_dialog *d = call->dialogs; d != NULL; d = d->next)
		call_timer_resume(d);
	if (call_caller(call)->ack_due) // our 2xx is not repeated any more
		su_timer_set_interval(call->timer_c, ack_never_came, call, (su_duration_t)(64 * sip_t1(call->sip)));
	sip_record_write(call); // numbers of requests have been skipped
	call_log(LOG_LEVEL_INFO, call, "call restored");
}

// told: the end of the call, if it could not be kept, is in the log and in its record.
static int restore(struct sip *sip, uint32_t session, const struct sip_record *rec, size_t len, bool *told)
{
	struct sip_call *call;
	int err = call_create(sip, &call);

	if (err < 0)
		return err;
	err = call_from_record(call, rec, len);
	if (err < 0) {
		call_free(call);
		return err;
	}
	*told = true;
	err = media_session_adopt(sip->media, session);
	if (err == 0) {
		call_restore_session(call, session);
		go_on(call, rec);
	} else { // its media is gone: at least the two sides get to know
		call_end(call, "gateway", 500, "media lost in a restart");
	}
	return err;
}

void sip_record_restore(struct sip *sip)
{
	static struct sip_record rec;
	unsigned restored = 0, dropped = 0, ended = 0;
	mono_ns began = env_now(sip->env);

	if (sip->records == NULL)
		return;
	for (uint32_t session = 1; session <= call_records_count(sip->records); session++) {
		int len = call_record_read(sip->records, session, CALL_RECORD_SIP, &rec, sizeof(rec));
		bool told = false;
		int err = len < 0 ? 0 : (size_t)len >= sizeof(rec.call) ? restore(sip, session, &rec, (size_t)len, &told) : -EBADMSG;

		if (len >= 0)
			secret_wipe(rec.rest, sizeof(rec.rest));
		restored += len >= 0 && err == 0;
		if (err < 0) {
			dropped++;
			log_warning("sip", "call record dropped", LOG_UINT("session", session), LOG_ERRNO(err));
			call_record_write(sip->records, session, CALL_RECORD_SIP, NULL, 0);
		}
		ended += sip_pending_end(sip, session, told);
	}
	media_adopted(sip->media);
	if (restored + dropped + ended > 0) {
		sip_notice_restored(sip, restored, dropped + ended);
		log_info("sip", "calls taken up", LOG_UINT("restored", restored), LOG_UINT("dropped", dropped), LOG_UINT("ended", ended),
			 LOG_REAL("after_ms", (double)(env_now(sip->env) - began) / (double)MONO_MS(1)));
	}
}
