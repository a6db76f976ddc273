// SPDX-License-Identifier: GPL-3.0-or-later
// media_record.c - sessions written for the next life of control, and found there.
#include "mediarelay/media_record.h"
#include "base/log.h"
#include "base/secret.h"
#include "mediarelay/leg_keys.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/leg_rekey.h"
#include "mediarelay/leg_transport.h"
#include "mediarelay/media_count.h"
#include "mediarelay/media_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_LINES 6
#define RECORD_JOINS 8

struct recorded_transport {
	struct dp_ref ref;
	struct inet_endpoint remote, signalled;
	bool rekeying;
	uint32_t epoch, tx_epoch;
	struct srtp_master rx_master, rx_master_before, tx_master, next_master;
	struct srtp_mki rx_mki, tx_mki, next_mki;
	struct inet_endpoint next_remote;
	uint64_t rx_lifetime;
	struct leg_keys_marks marks;
};

struct recorded_line {
	uint32_t dialog;
	uint8_t leg, index;
	bool agreed, rtcp_mux, send, receive, silent_allowed;
	char profile[32]; // by name: the configuration may have changed
	enum keying_mechanism mechanism;
	enum leg_change change;
	enum dtls_role dtls_role;
	char dtls_version[8]; // and the next one: for the call record
	uint32_t rekeys;
	struct dtls_fingerprints fingerprints;
	enum srtp_suite suites[KEYING_SUITES_MAX + 1];
	char tls_id[sizeof(((struct keying_choice *)0)->tls_id)];
	struct media_seat seat;
	struct recorded_transport transports[LEG_COMPONENTS];
};

struct media_record {
	char call_id_a[MEDIA_CALL_ID_MAX], call_id_b[MEDIA_CALL_ID_MAX];
	uint8_t n_lines, n_joins;
	struct media_join joins[RECORD_JOINS];
	struct recorded_line lines[RECORD_LINES];
};

_Static_assert(sizeof(struct media_record) <= CALL_RECORD_MEDIA_SIZE, "the record's media part is too small");

// Writing

static void record_transport(struct recorded_transport *rt, struct leg_transport *tp)
{
	rt->ref = tp->ref;
	rt->remote = tp->remote;
	rt->signalled = tp->signalled;
	rt->rekeying = tp->keying == KEYING_STATE_REKEYING;
	rt->epoch = tp->epoch;
	rt->tx_epoch = tp->tx_epoch;
	rt->rx_master = tp->rx_master;
	rt->rx_master_before = tp->rx_master_before;
	rt->tx_master = tp->tx_master;
	rt->rx_mki = tp->rx_mki;
	rt->tx_mki = tp->tx_mki;
	rt->rx_lifetime = tp->rx_lifetime;
	rt->next_master = tp->next.tx;
	rt->next_mki = tp->next.mki;
	rt->next_remote = tp->next.remote;
	leg_keys_save(tp, &rt->marks);
}

static void record_line(struct recorded_line *rl, struct leg_line *line)
{
	*rl = (struct recorded_line){
		.dialog = line->dialog,
		.leg = line->leg,
		.index = line->index,
		.agreed = line->plan.agreed,
		.rtcp_mux = line->plan.rtcp_mux,
		.send = line->plan.send,
		.receive = line->plan.receive,
		.silent_allowed = line->plan.silent_allowed,
		.mechanism = line->plan.keying.mechanism,
		.change = line->rekey.change,
		.dtls_role = line->plan.keying.dtls_role,
		.fingerprints = line->plan.keying.fingerprints,
		.seat = line->plan.seat,
		.rekeys = line->rekeys,
	};
	memcpy(rl->dtls_version, line->dtls_version, sizeof(rl->dtls_version));
	memcpy(rl->profile, leg_line_profile(line)->name, sizeof(rl->profile));
	memcpy(rl->suites, line->plan.keying.suites, sizeof(rl->suites));
	memcpy(rl->tls_id, line->plan.keying.tls_id, sizeof(rl->tls_id));
	for (size_t i = 0; i < LEG_COMPONENTS; i++) {
		if (transport_live(&line->transports[i]))
			record_transport(&rl->transports[i], &line->transports[i]);
	}
}

void media_record_save(struct media_session *session)
{
	static struct media_record record; // the media thread is alone here; a record that is missing for want of memory is a call lost
	bool whole = session->n_joins <= RECORD_JOINS;

	memcpy(record.call_id_a, session->call_id_a, sizeof(record.call_id_a));
	memcpy(record.call_id_b, session->call_id_b, sizeof(record.call_id_b));
	for (struct leg_line *line = session->lines; line != NULL && whole; line = line->next) {
		whole = record.n_lines < RECORD_LINES;
		if (whole)
			record_line(&record.lines[record.n_lines++], line);
	}
	if (whole) {
		record.n_joins = session->n_joins;
		memcpy(record.joins, session->joins, session->n_joins * sizeof(session->joins[0]));
		call_record_write(session->media->records, session->id, CALL_RECORD_MEDIA, &record, sizeof(record));
	} else { // too large to be found again: said once a session, in its record's absence
		media_record_erase(session);
	}
	secret_wipe(&record, sizeof(record));
}

void media_record_erase(struct media_session *session)
{
	call_record_write(session->media->records, session->id, CALL_RECORD_MEDIA, NULL, 0);
}

// Finding again

static struct media_found *flow_of(const struct media *media, struct dp_ref ref)
{
	for (size_t i = 0; i < media->n_found; i++) {
		const struct dp_ref *found = &media->found[i].flow.transport;

		if (found->index == ref.index && found->generation == ref.generation)
			return &media->found[i];
	}
	return NULL;
}

void media_record_heard(struct media *media, const struct dp_event *event)
{
	struct media_found *found = flow_of(media, event->transport);

	if (found != NULL)
		found->heard_epoch = event->epoch;
}

static int adopt_transport(struct leg_line *line, enum leg_component component, const struct recorded_transport *rt)
{
	struct leg_transport *tp = &line->transports[component];
	struct media_found *found;
	bool heard;
	int err;

	if (rt->ref.generation == 0)
		return 0;
	found = flow_of(line->session->media, rt->ref);
	if (found == NULL)
		return -ESTALE;
	err = leg_transport_bind(tp, line, component, rt->ref);
	if (err < 0)
		return err;
	// Told to us, or to a life of ours that had no time for it.
	heard = found->heard_epoch == rt->epoch || (found->flow.rx_heard && found->flow.rx_epoch == rt->epoch);
	found->flow.transport.generation = 0; // no longer to be reaped
	line->session->worker = found->flow.conf.worker;
	tp->remote = rt->remote;
	tp->signalled = rt->signalled;
	tp->epoch = rt->epoch;
	tp->tx_epoch = rt->tx_epoch;
	tp->rx_master = rt->rx_master;
	tp->rx_master_before = rt->rx_master_before;
	tp->tx_master = rt->tx_master;
	tp->rx_mki = rt->rx_mki;
	tp->tx_mki = rt->tx_mki;
	tp->rx_lifetime = rt->rx_lifetime;
	tp->next.tx = rt->next_master;
	tp->next.mki = rt->next_mki;
	tp->next.remote = rt->next_remote;
	tp->keying = rt->rekeying ? KEYING_STATE_REKEYING : KEYING_STATE_SECURED;
	return leg_keys_adopt(tp, &rt->marks, heard);
}

// The plan of the sip thread says soon which one it is; until then any serves for one that is no more.
static uint16_t profile_by_name(const struct media_start *start, const char *name)
{
	for (size_t i = 0; i < start->n_profiles; i++) {
		if (strcmp(start->profiles[i].name, name) == 0)
			return (uint16_t)i;
	}
	return 0;
}

static int adopt_line(struct media_session *session, const struct recorded_line *rl)
{
	struct media_line plan = {
		.seat = rl->seat,
		.rtcp_mux = rl->rtcp_mux,
		.send = rl->send,
		.receive = rl->receive,
		.silent_allowed = rl->silent_allowed,
		.profile = profile_by_name(&session->media->start, rl->profile),
		.remote = rl->transports[LEG_RTP].signalled,
		.remote_rtcp = rl->transports[LEG_RTCP].signalled,
		.keying = { .mechanism = rl->mechanism, .dtls_role = rl->dtls_role },
	};
	struct leg_line *line;
	int err = 0;

	if (rl->seat.realm >= session->media->config->n_realms)
		return -ESTALE; // the configuration changed in between
	line = leg_line_open(session, rl->dialog, &plan);
	if (line == NULL)
		return -ENOMEM;
	line->leg = rl->leg;
	line->index = rl->index;
	line->adopted = line->marked = true;
	line->plan.agreed = rl->agreed;
	line->rekeys = rl->rekeys;
	memcpy(line->dtls_version, rl->dtls_version, sizeof(line->dtls_version));
	for (size_t i = 0; i < LEG_COMPONENTS && err == 0; i++)
		err = adopt_transport(line, (enum leg_component)i, &rl->transports[i]);
	media_count_from_here(line);
	line->plan.keying.fingerprints = rl->fingerprints;
	memcpy(line->plan.keying.suites, rl->suites, sizeof(rl->suites));
	memcpy(line->plan.keying.tls_id, rl->tls_id, sizeof(rl->tls_id));
	if (rl->mechanism == KEYING_SDES) { // so that a re-offer with the same keys is seen to be the same
		line->plan.keying.rx = line->transports[LEG_RTP].rx_master;
		line->plan.keying.tx = line->transports[LEG_RTP].next.tx.suite != SRTP_SUITE_NONE ?
					       line->transports[LEG_RTP].next.tx :
					       line->transports[LEG_RTP].tx_master;
	}
	line->rekey.change = rl->change;
	if (err == 0 && rl->change != LEG_CHANGE_NONE)
		leg_rekey_resume(line);
	if (err == 0 && rl->agreed && rl->receive && !rl->silent_allowed)
		line->expecting_since = env_now(session->media->env);
	return err;
}

// A record of another version, or damaged, is not used at all: what is an index, a choice or a text must be one.

static bool is_flag(const bool *flag)
{
	return *(const uint8_t *)flag <= 1;
}

static bool endpoint_is_sound(const struct inet_endpoint *ep)
{
	return ep->addr.family == INET_NONE || ep->addr.family == INET_V4 || ep->addr.family == INET_V6;
}

static bool transport_is_sound(const struct recorded_transport *rt)
{
	const struct srtp_master *masters[] = { &rt->rx_master, &rt->rx_master_before, &rt->tx_master, &rt->next_master };

	for (size_t i = 0; i < sizeof(masters) / sizeof(masters[0]); i++) {
		if ((unsigned)masters[i]->suite >= SRTP_SUITE_COUNT)
			return false;
	}
	return is_flag(&rt->rekeying) && rt->rx_mki.len <= SRTP_MKI_MAX && rt->tx_mki.len <= SRTP_MKI_MAX &&
	       rt->next_mki.len <= SRTP_MKI_MAX && endpoint_is_sound(&rt->remote) && endpoint_is_sound(&rt->signalled) &&
	       endpoint_is_sound(&rt->next_remote);
}

static bool fingerprints_are_sound(const struct dtls_fingerprints *prints)
{
	for (size_t i = 0; i < DTLS_FINGERPRINTS_MAX; i++) {
		if ((unsigned)prints->list[i].hash >= DTLS_HASH_COUNT || prints->list[i].len > DTLS_DIGEST_MAX)
			return false;
	}
	return prints->n <= DTLS_FINGERPRINTS_MAX;
}

static bool line_is_sound(const struct recorded_line *rl)
{
	for (size_t i = 0; i < KEYING_SUITES_MAX + 1; i++) {
		if ((unsigned)rl->suites[i] >= SRTP_SUITE_COUNT)
			return false;
	}
	return rl->leg < MEDIA_LEGS_MAX && rl->index < MEDIA_LINES_MAX && is_flag(&rl->agreed) && is_flag(&rl->rtcp_mux) &&
	       is_flag(&rl->send) && is_flag(&rl->receive) && is_flag(&rl->silent_allowed) &&
	       (unsigned)rl->mechanism < KEYING_MECHANISM_COUNT && (unsigned)rl->change < LEG_CHANGE_COUNT &&
	       (unsigned)rl->dtls_role <= DTLS_PASSIVE && fingerprints_are_sound(&rl->fingerprints) &&
	       memchr(rl->tls_id, 0, sizeof(rl->tls_id)) != NULL &&
	       memchr(rl->dtls_version, 0, sizeof(rl->dtls_version)) != NULL &&
	       memchr(rl->profile, 0, sizeof(rl->profile)) != NULL && rl->suites[KEYING_SUITES_MAX] == SRTP_SUITE_NONE &&
	       memchr(rl->seat.tls_id, 0, sizeof(rl->seat.tls_id)) != NULL && endpoint_is_sound(&rl->seat.rtp) &&
	       endpoint_is_sound(&rl->seat.rtcp) && transport_is_sound(&rl->transports[LEG_RTP]) &&
	       transport_is_sound(&rl->transports[LEG_RTCP]);
}

static bool record_is_sound(const struct media_record *record)
{
	if (record->n_lines > RECORD_LINES || record->n_joins > RECORD_JOINS ||
	    memchr(record->call_id_a, 0, sizeof(record->call_id_a)) == NULL ||
	    memchr(record->call_id_b, 0, sizeof(record->call_id_b)) == NULL)
		return false;
	for (uint8_t i = 0; i < record->n_lines; i++) {
		if (!line_is_sound(&record->lines[i]))
			return false;
	}
	return true;
}

static int record_read(const struct media *media, uint32_t id, struct media_record *record)
{
	int len = call_record_read(media->records, id, CALL_RECORD_MEDIA, record, sizeof(*record));

	if (len < 0)
		return len;
	if ((size_t)len != sizeof(*record) || !record_is_sound(record))
		return -ESTALE;
	return 0;
}

static bool seat_is_earlier(const struct media_record *record, uint8_t line)
{
	for (uint8_t i = 0; i < line; i++) {
		if (inet_endpoint_equal(&record->lines[i].seat.rtp, &record->lines[line].seat.rtp))
			return true;
	}
	return false;
}

// Of a session that cannot go on: the flows that it has not taken up go, and so do the ports of lines that it has not opened.
static void session_lose(struct media_session *session, const struct media_record *record)
{
	struct media *media = session->media;
	uint8_t opened = 0;

	for (const struct leg_line *line = session->lines; line != NULL; line = line->next)
		opened++;
	for (uint8_t i = 0; i < record->n_lines; i++) {
		for (size_t c = 0; c < LEG_COMPONENTS; c++) {
			struct media_found *found = flow_of(media, record->lines[i].transports[c].ref);

			if (found != NULL && found->flow.transport.generation != 0) {
				dp_transport_remove(media->dp, found->flow.transport);
				found->flow.transport.generation = 0;
			}
		}
		if (i >= opened && !seat_is_earlier(record, i))
			seat_stock_give(media->seats, &record->lines[i].seat, false);
	}
	media_session_end(session);
}

int media_record_adopt(struct media *media, uint32_t id)
{
	struct media_record *record = calloc(1, sizeof(*record));
	struct media_session *session = NULL;
	int err = record == NULL ? -ENOMEM : record_read(media, id, record);

	if (err < 0)
		goto out;
	session = media_session_new(media, id);
	if (session == NULL) {
		err = -ENOMEM;
		goto out;
	}
	memcpy(session->call_id_a, record->call_id_a, sizeof(session->call_id_a));
	memcpy(session->call_id_b, record->call_id_b, sizeof(session->call_id_b));
	session->n_joins = record->n_joins;
	memcpy(session->joins, record->joins, record->n_joins * sizeof(record->joins[0]));
	for (uint8_t i = 0; i < record->n_lines && err == 0; i++)
		err = adopt_line(session, &record->lines[i]);
	media->slots[id].found = false;
	if (err == 0) {
		log_info("media", "session adopted", LOG_STR("call_id_a", session->call_id_a),
			 LOG_STR("call_id_b", session->call_id_b), LOG_UINT("session", id));
	} else {
		log_warning("media", "session lost", LOG_STR("call_id_a", session->call_id_a),
			    LOG_STR("call_id_b", session->call_id_b), LOG_UINT("session", id), LOG_ERRNO(err));
		session_lose(session, record);
	}
out:
	if (record != NULL)
		secret_wipe(record, sizeof(*record));
	free(record);
	return err;
}

static void flow_found(void *ctx, const struct dp_found *flow)
{
	struct media *media = ctx;

	if (media->n_found == media->found_room) {
		size_t room = media->found_room == 0 ? 64 : 2 * media->found_room;
		struct media_found *grown = realloc(media->found, room * sizeof(*grown));

		if (grown == NULL)
			return;
		media->found = grown;
		media->found_room = room;
	}
	media->found[media->n_found++] = (struct media_found){ .flow = *flow };
}

void media_record_find(struct media *media)
{
	struct media_record *record = calloc(1, sizeof(*record));

	dp_client_walk(media->dp, flow_found, media);
	for (uint32_t id = 1; record != NULL && id <= media->max_sessions; id++) {
		if (record_read(media, id, record) < 0)
			continue;
		media->slots[id].found = true;
		for (uint8_t i = 0; i < record->n_lines; i++)
			seat_stock_claim(media->seats, &record->lines[i].seat);
	}
	if (record != NULL)
		secret_wipe(record, sizeof(*record));
	free(record);
}

void media_record_reap(struct media *media)
{
	size_t reaped = 0;

	// A session whose flows had gone when its control died may still have a record.
	for (uint32_t id = 1; id <= media->max_sessions; id++) {
		struct media_session *session;

		if (!media->slots[id].found || media_record_adopt(media, id) < 0)
			continue;
		session = media->slots[id].session;
		media_session_end(session);
		reaped++;
	}
	for (size_t i = 0; i < media->n_found; i++) { // ports without a record
		if (media->found[i].flow.transport.generation == 0)
			continue;
		dp_transport_remove(media->dp, media->found[i].flow.transport);
		reaped++;
	}
	if (reaped > 0)
		log_info("media", "unclaimed flows reaped", LOG_UINT("flows", reaped));
	free(media->found);
	media->found = NULL;
	media->n_found = media->found_room = 0;
}
