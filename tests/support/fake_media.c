// SPDX-License-Identifier: GPL-3.0-or-later
// fake_media.c - see fake_media.h.
#include "tests/support/fake_media.h"
#include "base/log.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX 4096u
#define SEATS_MAX 32768u
#define FIRST_PORT 20000u

struct fake_seat {
	bool out;
	uint32_t session; // whose plan has it; 0: none
};

struct media {
	pthread_mutex_t lock;
	struct media_start start;
	unsigned session_limit, seat_limit;
	bool open[SESSIONS_MAX + 1];
	bool adopted[SESSIONS_MAX + 1]; // by the sip thread that has just begun
	struct fake_seat seats[SEATS_MAX + 1];
	uint32_t last_seat, last_session;
	struct fake_media_counts counts;
};

int media_open(struct media **mediap, const struct media_start *start)
{
	struct media *media = calloc(1, sizeof(*media));

	if (media == NULL)
		return -ENOMEM;
	pthread_mutex_init(&media->lock, NULL);
	media->start = *start;
	media->session_limit = SESSIONS_MAX;
	media->seat_limit = SEATS_MAX;
	*mediap = media;
	return 0;
}

void media_close(struct media *media)
{
	if (media == NULL)
		return;
	pthread_mutex_destroy(&media->lock);
	free(media);
}

const char *media_fingerprint(const struct media *media)
{
	return "sha-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD";
}

const char *media_seat_fingerprint(const struct media *media, const struct media_seat *seat)
{
	return media_fingerprint(media);
}

static const struct media_realm *realm_of(const struct media *media, uint16_t realm)
{
	return realm < media->start.config->n_realms ? &media->start.config->realms[realm] : NULL;
}

int media_seat_take(struct media *media, uint16_t realm, enum inet_family family, struct media_seat *seat)
{
	const struct media_realm *r = realm_of(media, realm);
	int err = -EAFNOSUPPORT;

	pthread_mutex_lock(&media->lock);
	for (size_t i = 0; r != NULL && i < r->n_addresses && err == -EAFNOSUPPORT; i++) {
		if (r->address[i].bind.family != family)
			continue;
		err = -ENOSPC;
		if (media->counts.seats >= media->seat_limit)
			break;
		do
			media->last_seat = media->last_seat % SEATS_MAX + 1;
		while (media->seats[media->last_seat].out);
		uint32_t id = media->last_seat;

		media->seats[id] = (struct fake_seat){ .out = true };
		media->counts.seats++;
		*seat = (struct media_seat){ .id = id, .realm = realm, .advertise = r->address[i].advertise };
		seat->rtp = (struct inet_endpoint){ .addr = r->address[i].bind, .port = (uint16_t)(FIRST_PORT + 2 * (id % 10000)) };
		seat->rtcp = seat->rtp;
		seat->rtcp.port++;
		snprintf(seat->tls_id, sizeof(seat->tls_id), "%032x", id);
		err = 0;
	}
	pthread_mutex_unlock(&media->lock);
	return err;
}

static void free_seat(struct media *media, uint32_t id)
{
	if (id == 0 || id > SEATS_MAX || !media->seats[id].out) {
		media->counts.faults++;
		return;
	}
	media->seats[id] = (struct fake_seat){ 0 };
	media->counts.seats--;
}

void media_seat_return(struct media *media, const struct media_seat *seat)
{
	pthread_mutex_lock(&media->lock);
	if (seat->id <= SEATS_MAX && media->seats[seat->id].session != 0)
		media->counts.faults++; // it is in a plan
	free_seat(media, seat->id);
	pthread_mutex_unlock(&media->lock);
}

int media_session_open(struct media *media, uint32_t *session)
{
	int err = -ENOSPC;

	pthread_mutex_lock(&media->lock);
	if (media->counts.sessions < media->session_limit) {
		do
			media->last_session = media->last_session % SESSIONS_MAX + 1;
		while (media->open[media->last_session]);
		media->open[media->last_session] = true;
		media->counts.sessions++;
		*session = media->last_session;
		err = 0;
	}
	pthread_mutex_unlock(&media->lock);
	return err;
}

void media_session_name(struct media *media, uint32_t session, uint32_t call)
{
	(void)call;
	pthread_mutex_lock(&media->lock);
	if (session == 0 || session > SESSIONS_MAX || !media->open[session])
		media->counts.faults++;
	pthread_mutex_unlock(&media->lock);
}

static void log_line(const struct media_plan *plan, const struct media_leg *leg, const struct media_line *line, int number)
{
	static const char *const confirm_names[] = { "confirmed", "soon", "awaited" };
	const struct keying_choice *keying = &line->keying;
	char rtp[INET_ENDPOINT_STRLEN], remote[INET_ENDPOINT_STRLEN] = "";

	if (line->remote.addr.family != INET_NONE)
		inet_endpoint_print(remote, &line->remote);
	log_info("fake_media", "plan line", LOG_UINT("session", plan->session), LOG_STR("call_id_a", plan->call_id_a),
		 LOG_STR("call_id_b", plan->call_id_b), LOG_UINT("dialog", leg->dialog), LOG_UINT("leg", (unsigned)(leg - plan->legs)),
		 LOG_UINT("realm", line->seat.realm),
		 LOG_INT("line", number), LOG_BOOL("agreed", line->agreed),
		 LOG_STR("local", inet_endpoint_print(rtp, &line->seat.rtp)), LOG_STR("remote", remote),
		 LOG_BOOL("send", line->send), LOG_BOOL("receive", line->receive), LOG_BOOL("mux", line->rtcp_mux),
		 LOG_STR("mechanism", keying_mechanism_name(line->keying.mechanism)),
		 LOG_STR("suite", srtp_suite_name(line->keying.tx.suite)), LOG_UINT("mki", line->keying.rx_mki.len),
		 LOG_BOOL("strip", line->extensions.mode == DP_EXTENSION_STRIP),
		 LOG_UINT("encrypted", line->extensions.encrypted[0]), LOG_BOOL("cryptex", line->extensions.cryptex),
		 LOG_BOOL("changing", line->changing), LOG_BOOL("provisional", line->provisional), LOG_STR("confirm", confirm_names[line->confirm]),
		 LOG_STR("role", keying->mechanism != KEYING_DTLS_SRTP ? "" : keying->dtls_role == DTLS_ACTIVE ? "active" : "passive"),
		 LOG_STR("tls_id", keying->tls_id), LOG_STR("our_tls_id", keying->our_tls_id),
		 LOG_UINT("fingerprint", keying->fingerprints.list[0].digest[0]), LOG_UINT("key", keying->rx.key[0]));
}

static void use_seat(struct media *media, uint32_t session, const struct media_line *line)
{
	struct fake_seat *seat = line->seat.id <= SEATS_MAX ? &media->seats[line->seat.id] : NULL;

	if (line->seat.id == 0) // keeps its place, has no media
		return;
	if (seat == NULL || !seat->out || (seat->session != 0 && seat->session != session)) {
		media->counts.faults++;
		return;
	}
	seat->session = session;
}

// A line that is in no plan any more is closed, and its ports go back to the stock.
static void free_unnamed(struct media *media, const struct media_plan *plan)
{
	for (uint32_t id = 1; id <= SEATS_MAX; id++) {
		bool named = media->seats[id].session != plan->session;

		for (int i = 0; i < plan->n_legs && !named; i++) {
			for (int j = 0; j < plan->legs[i].n_lines && !named; j++)
				named = plan->legs[i].lines[j].seat.id == id;
		}
		if (!named)
			free_seat(media, id);
	}
}

int media_session_apply(struct media *media, const struct media_plan *plan)
{
	int err = 0;

	pthread_mutex_lock(&media->lock);
	if (plan->session == 0 || plan->session > SESSIONS_MAX || !media->open[plan->session]) {
		media->counts.faults++;
		err = -ENOENT;
	}
	for (int i = 0; err == 0 && i < plan->n_legs; i++) {
		for (int j = 0; j < plan->legs[i].n_lines; j++) {
			use_seat(media, plan->session, &plan->legs[i].lines[j]);
			log_line(plan, &plan->legs[i], &plan->legs[i].lines[j], j);
		}
	}
	if (err == 0)
		free_unnamed(media, plan);
	media->counts.plans++;
	pthread_mutex_unlock(&media->lock);
	return err;
}

void media_session_close(struct media *media, uint32_t session)
{
	pthread_mutex_lock(&media->lock);
	if (session == 0 || session > SESSIONS_MAX || !media->open[session]) {
		media->counts.faults++;
	} else {
		media->open[session] = false;
		media->counts.sessions--;
		for (uint32_t id = 1; id <= SEATS_MAX; id++) {
			if (media->seats[id].session == session)
				free_seat(media, id);
		}
	}
	pthread_mutex_unlock(&media->lock);
}

int media_session_adopt(struct media *media, uint32_t session)
{
	pthread_mutex_lock(&media->lock);
	int err = session > 0 && session <= SESSIONS_MAX && media->open[session] ? 0 : -ENOENT;

	if (err == 0) {
		media->adopted[session] = true;
		media->counts.adopted++;
	}
	pthread_mutex_unlock(&media->lock);
	return err;
}

// It has no packets.
void media_session_trace(struct media *media, uint32_t session, uint32_t trace, enum dp_trace what)
{
	(void)media, (void)session, (void)trace, (void)what;
}

void media_adopted(struct media *media)
{
	for (uint32_t session = 1; session <= SESSIONS_MAX; session++) {
		if (media->open[session] && !media->adopted[session])
			media_session_close(media, session);
		media->adopted[session] = false;
	}
}

unsigned media_session_count(const struct media *media)
{
	return media->counts.sessions;
}

void fake_media_counts(struct media *media, struct fake_media_counts *counts)
{
	pthread_mutex_lock(&media->lock);
	*counts = media->counts;
	pthread_mutex_unlock(&media->lock);
}

void fake_media_set_limits(struct media *media, unsigned sessions, unsigned seats)
{
	pthread_mutex_lock(&media->lock);
	media->session_limit = sessions < SESSIONS_MAX ? sessions : SESSIONS_MAX;
	media->seat_limit = seats < SEATS_MAX ? seats : SEATS_MAX;
	pthread_mutex_unlock(&media->lock);
}

void fake_media_event(struct media *media, enum media_event_kind kind, uint32_t session, const char *cause)
{
	struct media_event event = { .kind = kind, .session = session };

	snprintf(event.cause, sizeof(event.cause), "%s", cause);
	media->start.event(media->start.ctx, &event);
}

void fake_media_forget(struct media *media)
{
	pthread_mutex_lock(&media->lock);
	memset(media->open, 0, sizeof(media->open));
	memset(media->seats, 0, sizeof(media->seats));
	media->counts.sessions = media->counts.seats = 0;
	pthread_mutex_unlock(&media->lock);
}

void fake_media_set_receiver(struct media *media, media_event_fn *event, void *ctx)
{
	media->start.event = event;
	media->start.ctx = ctx;
}
