// SPDX-License-Identifier: GPL-3.0-or-later
// media.c - the media thread: its loop, its mail, and the verbs of the sip thread.
#include "mediarelay/media.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/secret.h"
#include "mediarelay/dtls_report.h"
#include "mediarelay/leg_dtls.h"
#include "mediarelay/leg_keys.h"
#include "mediarelay/leg_path.h"
#include "mediarelay/leg_rtcp.h"
#include "mediarelay/leg_transport.h"
#include "mediarelay/media_count.h"
#include "mediarelay/media_notice_priv.h"
#include "mediarelay/media_question.h"
#include "mediarelay/media_record.h"
#include "mediarelay/media_session.h"
#include "mediarelay/media_summary.h"

#include <errno.h>
#include <event2/thread.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define MAIL_ADOPTED UINT32_MAX // no session's number

struct media_change { // of configuration; shared with who waits
	const struct media_config *config;
	const struct media_profile *profiles;
	size_t n_profiles;
	sem_t taken;
};

struct media_mail {
	uint32_t session; // whose slot has orders; 0: end the thread; MAIL_ADOPTED
	struct media_change *change; // NULL: none
};

// From the relay

static void on_punt(void *ctx, const struct dp_punt *punt)
{
	struct leg_transport *tp = leg_transport_find(ctx, punt->transport);

	if (tp == NULL)
		return;
	if (punt->kind == DP_PUNT_DTLS)
		leg_dtls_input(tp, punt);
	else if (punt->kind == DP_PUNT_RTCP)
		leg_rtcp_input(tp, punt);
	else
		tp->drops[LEG_DROP_STUN]++;
}

static void on_event(void *ctx, const struct dp_event *event)
{
	struct media *media = ctx;
	struct leg_transport *tp = leg_transport_find(media, event->transport);

	switch (event->kind) {
	case DP_EVENT_SOURCE:
		if (tp != NULL)
			leg_transport_source(tp, event);
		break;
	case DP_EVENT_REMOVED:
		leg_removal_done(media, event->transport);
		break;
	case DP_EVENT_UNREACHABLE:
		if (tp != NULL)
			leg_path_lost(tp, event->cause);
		break;
	case DP_EVENT_REACHABLE:
		if (tp != NULL)
			leg_path_back(tp);
		break;
	case DP_EVENT_EPOCH:
		if (tp != NULL)
			leg_keys_epoch(tp, event);
		else
			media_record_heard(media, event);
		break;
	case DP_EVENT_KEY_REFUSED:
		if (tp != NULL)
			leg_keys_refused(tp, event);
		break;
	case DP_EVENT_MOVED: // the session knows: it said so
		break;
	case DP_EVENT_RELAY_BACK:
		counter_add(&media->stats->relay_restarts, 1);
		log_warning("media", "relay back", LOG_REAL("gap_ms", (double)event->gap / 1e6));
		media_notice_relay_back(media, event->gap);
		break;
	}
}

// From the sip thread

// There is not even memory for a session: the calls of the plan hear it as they would hear of keys that did not come.
static void tell_no_session(const struct media *media, const struct media_plan *plan)
{
	struct media_event event = { .kind = MEDIA_EVENT_FAILED, .session = plan->session, .cause = "no memory" };

	for (uint8_t l = 0; l < plan->n_legs; l++) {
		event.dialog = plan->legs[l].dialog;
		media->start.event(media->start.ctx, &event);
	}
	log_error("media", "no memory", LOG_STR("call_id_a", plan->call_id_a), LOG_STR("call_id_b", plan->call_id_b),
		  LOG_UINT("session", plan->session));
}

static void plan_free(struct media_plan *plan)
{
	if (plan != NULL)
		secret_wipe(plan, media_plan_size(plan));
	free(plan);
}

static void slot_apply(struct media *media, uint32_t id)
{
	struct media_slot *slot = &media->slots[id];
	struct media_plan *plan = atomic_exchange(&slot->pending, NULL);

	if (plan == NULL)
		return;
	if (slot->session == NULL)
		media_session_new(media, id);
	if (slot->session != NULL)
		media_session_follow(slot->session, plan);
	else
		tell_no_session(media, plan);
	plan_free(plan);
}

static void slot_close(struct media *media, uint32_t id)
{
	if (media->slots[id].session != NULL) {
		media_session_end(media->slots[id].session);
		return;
	}
	media_summary_report(media, NULL, id); // it never came to one
	media_session_over(media, id);
}

static void take_change(struct media *media, struct media_change *change)
{
	media->config = media->start.config = change->config;
	media->start.profiles = change->profiles;
	media->start.n_profiles = change->n_profiles;
	sem_post(&change->taken);
}

static void on_mail(evutil_socket_t fd, short what, void *ctx)
{
	struct media *media = ctx;
	struct media_mail mail;

	(void)fd, (void)what;
	while (mailbox_pop(media->mail, &mail) == 0) {
		uint32_t orders;

		if (mail.change != NULL) {
			take_change(media, mail.change);
			continue;
		}
		if (mail.session == 0) {
			event_base_loopbreak(media->base);
			return;
		}
		if (mail.session == MAIL_ADOPTED) {
			media_record_reap(media);
			continue;
		}
		orders = atomic_exchange(&media->slots[mail.session].orders, 0);
		// One that was lost has ended, and its number is free.
		if (orders & MEDIA_ORDER_ADOPT && media_record_adopt(media, mail.session) < 0)
			orders &= ~(uint32_t)MEDIA_ORDER_CLOSE;
		if (orders & MEDIA_ORDER_APPLY)
			slot_apply(media, mail.session);
		if (orders & MEDIA_ORDER_TRACE)
			media_trace_take(media, mail.session);
		if (orders & MEDIA_ORDER_CLOSE)
			slot_close(media, mail.session);
	}
}

static void on_question(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	media_questions_answer(ctx, true);
}

static void on_dp(evutil_socket_t fd, short what, void *ctx)
{
	struct media *media = ctx;

	(void)fd, (void)what;
	dp_client_dispatch(media->dp);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct media *media = ctx;
	mono_ns now = env_now(media->env);

	(void)fd, (void)what;
	media_count_begin(media);
	for (uint32_t id = 1; id <= media->max_sessions; id++) {
		if (media->slots[id].session != NULL)
			media_session_tick(media->slots[id].session, now);
	}
	media_count_end(media);
	dtls_report_tick(media, now);
}

static void *media_run(void *ctx)
{
	struct media *media = ctx;

	event_base_loop(media->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

// Start and end

static int open_dtls(struct media *media)
{
	struct dtls_listener_config config = { .env = media->env, .mtu = media->config->dtls_mtu };
	int err = media_identities_open(&media->identities, media->config);

	if (err < 0)
		return err;
	err = dtls_cookie_open(&media->cookie, media->env, 0);
	if (err < 0)
		return err;
	config.identity = media_identity_now(&media->identities)->identity; // it shows none: it answers before a handshake begins
	config.cookie = media->cookie;
	config.min_version = media_dtls_version(media->config->dtls_min);
	config.max_version = media_dtls_version(media->config->dtls_max);
	return dtls_listener_open(&media->listener, &config);
}

static int open_tables(struct media *media)
{
	uint32_t max = media->max_sessions;

	media->slots = calloc(max + 1, sizeof(*media->slots));
	media->free_ids = calloc(max, sizeof(*media->free_ids));
	media->removals_of = calloc(max + 1, sizeof(*media->removals_of));
	if (media->slots == NULL || media->free_ids == NULL || media->removals_of == NULL ||
	    media_count_open(media) < 0 || media_questions_open(media) < 0)
		return -ENOMEM;
	return mailbox_open(&media->mail, max + 3, sizeof(struct media_mail)); // and the three that are no slot's
}

static int open_relay(struct media *media)
{
	const struct media_start *start = &media->start;
	struct dp_callbacks callbacks = { .punt = on_punt, .event = on_event, .traced = media_trace_packet, .ctx = media };
	int err = call_records_open(&media->records, start->call_region_fd, media->max_sessions);

	if (err < 0)
		return err;
	err = dp_client_open(&media->dp, start->dp_region_fd, start->relay_eventfd, start->our_eventfd, &callbacks);
	if (err < 0)
		return err;
	err = seat_stock_open(&media->seats, media->config, media->env);
	if (err < 0)
		return err;
	media_record_find(media);
	for (uint32_t id = 1; id <= media->max_sessions; id++) {
		if (!media->slots[id].found)
			media->free_ids[media->free_count++] = id;
	}
	return 0;
}

static int open_loop(struct media *media)
{
	static const struct timeval tick = { .tv_usec = MEDIA_TICK_MS % 1000 * 1000, .tv_sec = MEDIA_TICK_MS / 1000 };

	media->mail_event = event_new(media->base, mailbox_fd(media->mail), EV_READ | EV_PERSIST, on_mail, media);
	media->dp_event = event_new(media->base, dp_client_fd(media->dp), EV_READ | EV_PERSIST, on_dp, media);
	media->tick_event = event_new(media->base, -1, EV_PERSIST, on_tick, media);
	media->question_event = event_new(media->base, mailbox_fd(media->questions), EV_READ | EV_PERSIST, on_question, media);
	if (media_trace_open(media) < 0)
		return -ENOMEM;
	if (media->question_event == NULL || media->mail_event == NULL || media->dp_event == NULL || media->tick_event == NULL)
		return -ENOMEM;
	event_add(media->mail_event, NULL);
	event_add(media->question_event, NULL);
	event_add(media->dp_event, NULL);
	event_add(media->tick_event, &tick);
	event_active(media->dp_event, EV_READ, 0); // what came before we listened
	if (pthread_create(&media->thread, NULL, media_run, media) != 0)
		return -EAGAIN;
	media->running = true;
	return 0;
}

int media_open(struct media **mediap, const struct media_start *start)
{
	static int (*const steps[])(struct media *) = { open_tables, open_dtls, open_relay, open_loop };
	struct media *media;
	int err;

	if (mediap == NULL || start == NULL || start->config->max_sessions == 0)
		return -EINVAL;
	err = srtcp_setup();
	if (err < 0)
		return err;
	media = calloc(1, sizeof(*media));
	if (media == NULL)
		return -ENOMEM;
	media->start = *start;
	media->config = start->config;
	media->max_sessions = start->config->max_sessions;
	media->env = start->env;
	pthread_mutex_init(&media->free_lock, NULL);
	media->base = event_base_new();
	err = media->base == NULL ? -ENOMEM : 0;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && err == 0; i++)
		err = steps[i](media);
	if (err < 0)
		goto out;
	*mediap = media;
	media = NULL;
out:
	media_close(media);
	return err;
}

static void close_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

static void close_sessions(struct media *media)
{
	for (uint32_t id = 1; media->slots != NULL && id <= media->max_sessions; id++) {
		struct media_plan *plan = atomic_exchange(&media->slots[id].pending, NULL);

		if (media->slots[id].session != NULL)
			media_session_end(media->slots[id].session);
		plan_free(plan);
	}
	for (uint32_t i = 0; i < media->by_index_size; i++)
		free(media->by_index[i].removal);
}

void media_close(struct media *media)
{
	struct media_mail end = { .session = 0 };

	if (media == NULL)
		return;
	if (media->running) {
		mailbox_push(media->mail, &end);
		pthread_join(media->thread, NULL);
	}
	if (media->dp != NULL)
		close_sessions(media);
	close_event(media->mail_event);
	close_event(media->question_event);
	close_event(media->dp_event);
	close_event(media->tick_event);
	media_trace_close(media);
	if (media->base != NULL)
		event_base_free(media->base);
	dp_client_close(media->dp);
	seat_stock_close(media->seats);
	call_records_close(media->records);
	if (media->listener != NULL)
		dtls_report_write(media);
	dtls_listener_close(media->listener);
	dtls_cookie_close(media->cookie);
	media_identities_close(&media->identities);
	mailbox_close(media->mail);
	media_questions_close(media);
	pthread_mutex_destroy(&media->free_lock);
	media_count_close(media);
	free(media->by_index);
	free(media->removals_of);
	free(media->free_ids);
	free(media->found);
	free(media->slots);
	free(media);
}

void media_configure(struct media *media, const struct media_config *config, const struct media_profile *profiles,
		     size_t n_profiles)
{
	struct media_change change = { .config = config, .profiles = profiles, .n_profiles = n_profiles };

	sem_init(&change.taken, 0, 0);
	mailbox_push(media->mail, &(struct media_mail){ .change = &change });
	while (sem_wait(&change.taken) < 0 && errno == EINTR)
		continue;
	sem_destroy(&change.taken);
}

// Verbs of the sip thread

const char *media_fingerprint(const struct media *media)
{
	return dtls_identity_facts(media_identity_now(&media->identities)->identity)->fingerprint;
}

const char *media_seat_fingerprint(const struct media *media, const struct media_seat *seat)
{
	return dtls_identity_facts(media_identity_of(&media->identities, seat->identity)->identity)->fingerprint;
}

int media_seat_take(struct media *media, uint16_t realm, enum inet_family family, struct media_seat *seat)
{
	int err = seat_stock_take(media->seats, dp_client_absent(media->dp), realm, family, seat);

	if (err == 0)
		seat->identity = media_identity_now(&media->identities)->tag;
	return err;
}

void media_seat_return(struct media *media, const struct media_seat *seat)
{
	seat_stock_give(media->seats, seat, true);
}

int media_session_open(struct media *media, uint32_t *session)
{
	int err = -ENOSPC;

	pthread_mutex_lock(&media->free_lock);
	if (media->free_count > 0) {
		*session = media->free_ids[media->free_head];
		media->free_head = (media->free_head + 1) % media->max_sessions;
		media->free_count--;
		err = 0;
	}
	pthread_mutex_unlock(&media->free_lock);
	return err;
}

void media_session_name(struct media *media, uint32_t session, uint32_t call)
{
	if (session != 0 && session <= media->max_sessions)
		atomic_store_explicit(&media->slots[session].call, call, memory_order_relaxed); // its plans follow by mailbox
}

// A slot stands in the mailbox at most once, so the mailbox has room for all of them, always.
void media_session_order(struct media *media, uint32_t session, enum media_order order)
{
	struct media_mail mail = { .session = session };

	if (atomic_fetch_or(&media->slots[session].orders, (uint32_t)order) == 0)
		mailbox_push(media->mail, &mail);
}

int media_session_apply(struct media *media, const struct media_plan *plan)
{
	struct media_plan *copy, *older;

	if (plan->session == 0 || plan->session > media->max_sessions)
		return -EINVAL;
	copy = malloc(media_plan_size(plan));
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, plan, media_plan_size(plan));
	older = atomic_exchange(&media->slots[plan->session].pending, copy);
	plan_free(older);
	media_session_order(media, plan->session, MEDIA_ORDER_APPLY);
	return 0;
}

void media_session_close(struct media *media, uint32_t session)
{
	if (session != 0 && session <= media->max_sessions)
		media_session_order(media, session, MEDIA_ORDER_CLOSE);
}

int media_session_adopt(struct media *media, uint32_t session)
{
	if (session == 0 || session > media->max_sessions)
		return -EINVAL;
	media_session_order(media, session, MEDIA_ORDER_ADOPT);
	return 0;
}

// Behind the orders to adopt, in the mailbox.
void media_adopted(struct media *media)
{
	mailbox_push(media->mail, &(struct media_mail){ .session = MAIL_ADOPTED });
}

unsigned media_session_count(const struct media *media)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&media->free_lock;
	unsigned count;

	pthread_mutex_lock(lock);
	count = media->max_sessions - media->free_count;
	pthread_mutex_unlock(lock);
	return count;
}

const struct media_stats *media_stats(const struct media *media)
{
	return media->stats;
}

const struct dp_client *media_packet_path(const struct media *media)
{
	return media->dp;
}
