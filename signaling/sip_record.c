// SPDX-License-Identifier: GPL-3.0-or-later
// sip_record.c - dialogs to and from the call records; see sip_record.h.
#include "signaling/sip_record.h"
#include "mediarelay/call_record.h"
#include "signaling/call_media.h"
#include "signaling/sip_priv.h"
#include <errno.h>
#include <sofia-sip/sip_tag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION 1u
#define ROUTE_MAX 512
// Requests that were sent after the record was written have used numbers; gaps are allowed (RFC 3261 section 12.2.1.1).
#define CSEQ_RESERVE 1000u

struct dialog_record {
	char call_id[SIP_ID_MAX], local_tag[SIP_TOKEN_LEN], remote_tag[SIP_ID_MAX];
	char local_uri[SIP_URI_MAX], remote_uri[SIP_URI_MAX];
	char contact[SIP_URI_MAX], target[SIP_URI_MAX]; // ours, theirs
	char route[ROUTE_MAX];                          // a Route header's value; empty: none
	char peer[32];                                  // by name: the configuration may have changed
	uint32_t cseq_out, cseq_in;
	uint64_t sdp_id, sdp_version;
	struct sip_hop hop;
	struct inet_endpoint source;
	uint8_t outgoing;
};

struct sip_call_record {
	uint32_t version, size;
	struct dialog_record dialog[2]; // caller's, callee's
};

_Static_assert(sizeof(struct sip_call_record) <= CALL_RECORD_SIP_SIZE, "the record's sip part is too small");

static int route_print(char dst[ROUTE_MAX], const sip_route_t *route)
{
	size_t used = 0;

	dst[0] = '\0';
	for (; route != NULL; route = route->r_next) {
		char url[SIP_URI_MAX];

		if (url_e(url, sizeof(url), route->r_url) >= (isize_t)sizeof(url))
			return -ENAMETOOLONG;
		int n = snprintf(dst + used, ROUTE_MAX - used, "%s<%s>", used > 0 ? ", " : "", url);

		if (n < 0 || (size_t)n >= ROUTE_MAX - used)
			return -ENAMETOOLONG;
		used += (size_t)n;
	}
	return 0;
}

static int dialog_to_record(struct dialog_record *rec, const struct sip_dialog *d)
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
	rec->outgoing = d->outgoing;
	if (d->call->media != NULL)
		call_media_versions(d->call, d, &rec->sdp_id, &rec->sdp_version);
	return route_print(rec->route, route);
}

void sip_record_write(struct sip_call *call)
{
	static struct sip_call_record rec; // the sip thread is alone here
	struct sip_dialog *a = call_caller(call), *b = a->joined;
	int err;

	if (call->sip->records == NULL || call->closing || call->session == 0)
		return;
	memset(&rec, 0, sizeof(rec));
	rec.version = RECORD_VERSION;
	rec.size = sizeof(rec);
	err = dialog_to_record(&rec.dialog[0], a);
	if (err == 0)
		err = dialog_to_record(&rec.dialog[1], b);
	if (err == 0)
		err = call_record_write(call->sip->records, call->session, CALL_RECORD_SIP, &rec, sizeof(rec));
	if (err == 0)
		return;
	log_warning("sip", "call not restorable", LOG_STR("call", call->name), LOG_STR("call_id_a", a->call_id),
		    LOG_STR("call_id_b", b->call_id), LOG_ERRNO(err));
	sip_record_erase(call);
}

void sip_record_erase(struct sip_call *call)
{
	if (call->sip->records != NULL && call->session != 0)
		call_record_write(call->sip->records, call->session, CALL_RECORD_SIP, NULL, 0);
}

static int peer_by_name(const struct sip_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_peers; i++) {
		if (strcmp(config->peers[i].name, name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

// A record that does not hold strings was not written by this version: nothing of it is used.
static bool is_sound(const struct dialog_record *rec)
{
	return memchr(rec->call_id, 0, sizeof(rec->call_id)) != NULL &&
	       memchr(rec->local_tag, 0, sizeof(rec->local_tag)) != NULL &&
	       memchr(rec->remote_tag, 0, sizeof(rec->remote_tag)) != NULL &&
	       memchr(rec->local_uri, 0, sizeof(rec->local_uri)) != NULL &&
	       memchr(rec->remote_uri, 0, sizeof(rec->remote_uri)) != NULL &&
	       memchr(rec->contact, 0, sizeof(rec->contact)) != NULL &&
	       memchr(rec->target, 0, sizeof(rec->target)) != NULL && memchr(rec->route, 0, sizeof(rec->route)) != NULL &&
	       memchr(rec->peer, 0, sizeof(rec->peer)) != NULL;
}

static int leg_from_record(struct sip_dialog *d, const struct dialog_record *rec)
{
	struct sip *sip = d->call->sip;
	su_home_t home[1] = { SU_HOME_INIT(home) };
	int err = -ENOMEM;

	su_home_init(home);
	sip_from_t *from = sip_from_format(home, "<%s>;tag=%s", rec->local_uri, rec->local_tag);
	sip_to_t *to = sip_to_format(home, "<%s>;tag=%s", rec->remote_uri, rec->remote_tag);
	sip_contact_t *target = sip_contact_format(home, "<%s>", rec->target);
	sip_cseq_t *cseq = sip_cseq_create(home, rec->cseq_out + CSEQ_RESERVE, SIP_METHOD_INVITE);
	sip_record_route_t *route = rec->route[0] != '\0' ? sip_record_route_make(home, rec->route) : NULL;

	if (from == NULL || to == NULL || target == NULL || cseq == NULL || (rec->route[0] != '\0' && route == NULL))
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

static int dialog_from_record(struct sip_call *call, const struct dialog_record *rec)
{
	int peer = is_sound(rec) ? peer_by_name(call->sip->config, rec->peer) : -EBADMSG;

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
	if (sip_agent_listener(call->sip->agent, d->hop.listener) == NULL ||
	    sip_agent_realm(d->hop.listener) != d->realm)
		return -ENOENT;
	dialog_step(&d->fsm, DIALOG_EV_ANSWER, call_now(call));
	dialog_step(&d->fsm, DIALOG_EV_ACK, call_now(call));
	return leg_from_record(d, rec);
}

static int restore(struct sip *sip, uint32_t session, const struct sip_call_record *rec)
{
	struct sip_call *call;
	int err = call_create(sip, &call);

	if (err < 0)
		return err;
	call->restored = true;
	err = rec->version == RECORD_VERSION && rec->size == sizeof(*rec) ? 0 : -EBADMSG;
	for (int i = 0; i < 2 && err == 0; i++)
		err = dialog_from_record(call, &rec->dialog[i]);
	if (err < 0) {
		call_free(call);
		return err;
	}
	su_timer_reset(call->timer_c);
	call_join(call->dialogs, call->dialogs->next);
	call_fsm_restore(&call->fsm, call->number, call_now(call));
	call->fsm.ids = &call->ids;
	call->answered = call_now(call);
	err = media_session_adopt(sip->media, session);
	if (err == 0) {
		call_restore_session(call, session);
		call_log(LOG_LEVEL_INFO, call, "call restored");
	} else { // its media is gone: at least the two sides get to know
		call_end(call, "gateway", 500, "media lost in a restart");
	}
	return err;
}

void sip_record_restore(struct sip *sip)
{
	static struct sip_call_record rec;

	if (sip->records == NULL)
		return;
	for (uint32_t session = 1; session <= call_records_count(sip->records); session++) {
		int len = call_record_read(sip->records, session, CALL_RECORD_SIP, &rec, sizeof(rec));

		if (len < 0)
			continue;
		int err = (size_t)len == sizeof(rec) ? restore(sip, session, &rec) : -EBADMSG;

		if (err < 0) {
			log_warning("sip", "call record dropped", LOG_UINT("session", session), LOG_ERRNO(err));
			call_record_write(sip->records, session, CALL_RECORD_SIP, NULL, 0);
		}
	}
}
