// SPDX-License-Identifier: GPL-3.0-or-later
// sip.c - the sip thread: start, its mailbox, drain and end; and where requests outside and inside of dialogs go.
#include "signaling/sip.h"
#include "signaling/call_media.h"
#include "signaling/call_stray.h"
#include "signaling/call_timer.h"
#include "signaling/dialog_alias.h"
#include "signaling/sip_check.h"
#include "signaling/sip_count.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_priv.h"
#include "signaling/sip_question.h"
#include "signaling/sip_relay.h"
#include "signaling/sip_trace_priv.h"
#include <errno.h>
#include <semaphore.h>
#include <sofia-sip/nta_tag.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STRANGER_LINES 5 // a second
#define KEYS_WITHIN MONO_S(10)

enum mail_kind { MAIL_MEDIA = 1, MAIL_COUNT, MAIL_QUESTION, MAIL_CONFIG, MAIL_CLOSE_DOOR, MAIL_OPEN_DOOR, MAIL_DRAIN, MAIL_STOP };

struct count_question {
	struct sip_counts *counts;
	sem_t answered;
};

struct config_change {
	const struct sip_config *config;
	int err;
	sem_t taken;
};

struct mail {
	enum mail_kind kind;
	struct config_change *change;
	struct media_event media;
	struct count_question *count;
	struct sip_question *question;
};

struct sip_boot { // start-up, shared with the thread until `ready` is posted
	struct sip *sip;
	sem_t ready;
	int err;
};

static bool is_known_method(sip_method_t method)
{
	return method != sip_method_unknown && method != sip_method_invalid;
}

static void log_stranger(struct sip *sip, const struct sip_hop *from, const sip_t *request)
{
	char source[INET_ENDPOINT_STRLEN];
	uint64_t left_out;

	if (!log_limit_pass(&sip->strangers, env_now(sip->env), STRANGER_LINES, &left_out))
		return;
	log_info("sip", "unknown source", LOG_STR("source", inet_endpoint_print(source, &from->address)),
		 LOG_STR("realm", sip->config->realms[sip_agent_realm(from->listener)].name),
		 LOG_STR("method", request->sip_request->rq_method_name), LOG_UINT("left_out", left_out));
}

// The caller of a restored call whose ACK is due, if this is its first INVITE once more.
static struct sip_dialog *unacknowledged(const struct sip *sip, const sip_t *request, int peer)
{
	for (struct sip_call *call = sip->calls; call != NULL; call = call->next) {
		struct sip_dialog *d = call_caller(call);

		if (d->ack_due && !call->closing && d->peer == peer && strcmp(d->call_id, request->sip_call_id->i_id) == 0 &&
		    request->sip_from->a_tag != NULL && strcmp(d->remote_tag, request->sip_from->a_tag) == 0)
			return d;
	}
	return NULL;
}

// Our 2xx was lost with the process that would have repeated it. What its offer says is known, so the answer is what was said.
static int answer_again(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request)
{
	if (nta_incoming_tag(irq, d->local_tag) == NULL)
		return 500;
	log_info("sip", "answer repeated", LOG_CALL_IDS(&d->call->ids), LOG_STR("call", d->call->name));
	call_timer_asked(d, request);
	return call_reinvite_in(d, irq, request);
}

// Requests that belong to no dialog that we know.
static int outside_request(void *ctx, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *request)
{
	struct sip *sip = ctx;
	sip_method_t method = request->sip_request->rq_method;
	struct sip_dialog *d;
	struct sip_hop from;
	int peer;

	sip_count_request(SIP_STAT_IN, method);
	if (method == sip_method_ack) {
		nta_incoming_destroy(irq);
		return 0;
	}
	if (sip_agent_arrival(sip->agent, irq, &from) < 0)
		return 500;
	peer = sip_peer_by_source(sip->config, sip_agent_realm(from.listener), &from.address.addr);
	if (peer < 0) { // default deny, and the same for every method
		sip_count_stranger();
		log_stranger(sip, &from, request);
		sip_notice_stranger(sip, &from.address);
		return sip_refuse(sip, irq, 403, 0, NULL);
	}
	if (request->sip_to->a_tag != NULL || method == sip_method_cancel)
		return sip_refuse(sip, irq, 481, 0, NULL);
	if (method == sip_method_invite && sip->n_ack_due > 0 && (d = unacknowledged(sip, request, peer)) != NULL)
		return answer_again(d, irq, request);
	if (sip_check_refused(sip, irq, request, sip->config->peers[peer].profile))
		return 0;
	if (method == sip_method_invite)
		return call_invite_in(sip, irq, request, &from, peer);
	if (method == sip_method_options)
		return call_options_in(sip, irq);
	if (method == sip_method_refer && !sip->config->policies[sip->config->peers[peer].profile].refer_outside)
		return sip_refuse(sip, irq, 403, 0, NULL);
	if (method == sip_method_message || method == sip_method_publish || method == sip_method_subscribe ||
	    method == sip_method_refer)
		return sip_relay_outside(sip, irq, request, &from, peer);
	return sip_refuse(sip, irq, is_known_method(method) ? 405 : 501, 0, NULL);
}

// Restored before the ACK came: it has our 2xx, whatever it says now.
static void answer_arrived(struct sip_dialog *d)
{
	if (!d->ack_due)
		return;
	call_ack_arrived(d);
	sip_record_touch(d->call);
}

// Of nothing that is open. nta does not say by which socket an ACK came.
static int stray_ack(struct sip_dialog *d, nta_incoming_t *irq)
{
	msg_t *msg = nta_incoming_getrequest(irq);
	struct inet_endpoint source;

	if (msg != NULL && sip_agent_source_of(d->sip->agent, msg, &source) == 0 &&
	    sip_peer_is_at(d->sip->config, d->peer, &source.addr))
		answer_arrived(d);
	if (msg != NULL)
		msg_destroy(msg);
	return sip_refuse_silently(irq);
}

int call_request_in(void *dialog, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *request)
{
	struct sip_dialog *d = dialog;
	struct sip *sip = d->call->sip;
	struct sip_hop from;

	sip_count_request(SIP_STAT_IN, request->sip_request->rq_method);
	if (request->sip_request->rq_method == sip_method_ack)
		return stray_ack(d, irq);
	if (!sip_dialog_is_peer(d, irq, &from))
		return sip_refuse(sip, irq, 403, 0, NULL);
	if (d->by_flow && from.listener == d->hop.listener &&
	    !inet_endpoint_equal(&d->hop.address, &from.address)) { // its NAT has given it another port meanwhile
		d->source = d->hop.address = from.address;
		sip_record_touch(d->call);
	}
	answer_arrived(d);
	if (dialog_is_over(&d->fsm)) // kept for the NOTIFYs of a transfer
		return call_refer_late(d, irq, request);
	if (sip_check_refused(sip, irq, request, d->profile))
		return 0;
	if ((request->sip_request->rq_method == sip_method_invite || request->sip_request->rq_method == sip_method_update) &&
	    request->sip_max_forwards != NULL && request->sip_max_forwards->mf_count == 0)
		return sip_refuse(sip, irq, 483, 0, NULL);
	if (call_timer_by(d, request->sip_request->rq_method)) {
		if (call_timer_refused(sip, d->profile, irq, request))
			return 0;
		call_timer_asked(d, request);
	}
	switch (request->sip_request->rq_method) {
	case sip_method_bye:
		return call_bye_in(d, irq, request);
	case sip_method_invite:
		return call_reinvite_in(d, irq, request);
	case sip_method_update:
		return call_update_in(d, irq, request);
	case sip_method_options:
		return call_options_in(sip, irq);
	case sip_method_refer:
		return call_refer_in(d, irq, request);
	case sip_method_subscribe:
	case sip_method_notify:
		if (call_refer_takes(d, irq, request))
			return 0;
		return call_relay_in(d, irq, request);
	case sip_method_info:
	case sip_method_message:
		return call_relay_in(d, irq, request);
	case sip_method_cancel:
		return sip_refuse(sip, irq, 481, 0, NULL);
	default:
		return sip_refuse(sip, irq, is_known_method(request->sip_request->rq_method) ? 405 : 501, 0, NULL);
	}
}

static void note_secured(struct sip_call *call, uint32_t leg)
{
	for (struct sip_dialog *d = call->dialogs; d != NULL; d = d->next)
		d->secured |= d->leg_number == leg;
}

void call_media_event(struct sip *sip, const struct media_event *event)
{
	struct sip_call *call = call_by_session(sip, event->session);
	const struct sip_dialog *a = call != NULL ? call->dialogs : NULL;

	if (call == NULL || call->closing)
		return;
	switch (event->kind) {
	case MEDIA_EVENT_SECURED:
		note_secured(call, event->dialog);
		log_info("sip", "call leg secured", LOG_STR("call", call->name), LOG_STR("call_id_a", a->call_id),
			 LOG_STR("call_id_b", a->joined->call_id), LOG_UINT("dialog", event->dialog));
		break;
	case MEDIA_EVENT_FAILED:
		call_end(call, "gateway", 488, event->cause);
		break;
	case MEDIA_EVENT_SILENT:
		call_end(call, "gateway", 408, event->cause);
		break;
	}
}

void call_drain(struct sip *sip)
{
	sip->draining = true;
	log_info("sip", "draining", LOG_UINT("calls", sip->n_calls));
	for (struct sip_call *call = sip->calls, *next; call != NULL; call = next) {
		next = call->next;
		call_end(call, "gateway", call_is_setting_up(&call->fsm) ? 503 : 200, "gateway stops");
	}
	if (sip->n_calls == 0)
		call_none_left(sip);
}

void call_none_left(struct sip *sip)
{
	if (sip->door_closed && !sip->draining && sip->empty != NULL)
		sip->empty(sip->ctx);
	if (!sip->draining || sip->drained_told)
		return;
	sip->drained_told = true;
	if (sip->drained != NULL)
		sip->drained(sip->ctx);
}

static void set_door(struct sip *sip, bool closed)
{
	if (closed != sip->door_closed)
		log_info("sip", closed ? "door closed" : "door open", LOG_UINT("calls", sip->n_calls));
	sip->door_closed = closed;
	if (closed && sip->n_calls == 0)
		call_none_left(sip);
}

// Subscriptions are counted by peer, and there may be more peers.
static void take_config(struct sip *sip, struct config_change *change)
{
	size_t before = sip->config->n_peers + 1, after = change->config->n_peers + 1;
	uint32_t *subscribed = after > before ? realloc(sip->subscribed, after * sizeof(*subscribed)) : sip->subscribed;

	if (subscribed != NULL) {
		if (after > before)
			memset(subscribed + before, 0, (after - before) * sizeof(*subscribed));
		sip->subscribed = subscribed;
	}
	change->err = subscribed == NULL ? -ENOMEM : sip_routed_follow(sip, change->config);
	if (change->err == 0) {
		sip->config = change->config;
		sip_agent_configure(sip->agent, change->config);
	}
	sem_post(&change->taken);
}

// Answered, and a handshake is on its way, which another control could not take up. Longer than this it is no use to wait for it.
static bool awaits_keys(const struct sip_call *call, mono_ns now)
{
	const struct sip_dialog *a = call->dialogs;

	if (call->restored || call->closing || call->answered == 0 || now >= call->answered + KEYS_WITHIN || a == NULL)
		return false;
	return !a->secured || (a->joined != NULL && !a->joined->secured);
}

static void count(struct sip *sip, struct count_question *question)
{
	usize_t legs = 0, incoming = 0, outgoing = 0;
	unsigned setting_up = 0;

	for (const struct sip_call *call = sip->calls; call != NULL; call = call->next)
		setting_up += call_is_setting_up(&call->fsm) || awaits_keys(call, env_now(sip->env));
	nta_agent_get_stats(sip_agent_nta(sip->agent), NTATAG_S_LEG_HASH_USED_REF(legs),
			    NTATAG_S_IRQ_HASH_USED_REF(incoming), NTATAG_S_ORQ_HASH_USED_REF(outgoing), TAG_END());
	*question->counts = (struct sip_counts){
		.calls = sip->n_calls, .dialogs = sip->n_dialogs, .requests = sip->n_requests,
		.setting_up = setting_up,
		.subscriptions = sip->n_subscriptions,
		.legs = (unsigned)legs, .incoming = (unsigned)incoming, .outgoing = (unsigned)outgoing,
	};
	sem_post(&question->answered);
}

static int mailbox_ready(void *magic, su_wait_t *wait, void *arg)
{
	struct sip *sip = arg;
	struct mail mail;

	while (mailbox_pop(sip->mailbox, &mail) == 0) {
		switch (mail.kind) {
		case MAIL_MEDIA:
			mail.media.cause[sizeof(mail.media.cause) - 1] = '\0';
			call_media_event(sip, &mail.media);
			break;
		case MAIL_COUNT:
			count(sip, mail.count);
			break;
		case MAIL_QUESTION:
			sip_question_answer(sip, mail.question, true);
			break;
		case MAIL_CONFIG:
			take_config(sip, mail.change);
			break;
		case MAIL_CLOSE_DOOR:
		case MAIL_OPEN_DOOR:
			set_door(sip, mail.kind == MAIL_CLOSE_DOOR);
			break;
		case MAIL_DRAIN:
			call_drain(sip);
			break;
		case MAIL_STOP:
			su_root_break(sip->root);
			return 0;
		}
	}
	return 0;
}

static void second_passed(void *ctx, su_timer_t *timer, void *arg)
{
	sip_count_tick(arg);
}

static int thread_open(struct sip *sip)
{
	int err;

	sip->root = su_root_create(sip);
	if (sip->root == NULL)
		return -ENOMEM;
	su_root_threading(sip->root, 0);
	struct sip_agent_start start = {
		.root = sip->root, .config = sip->config, .env = sip->env, .t1_ms = sip->t1_ms,
		.request = outside_request, .late = call_late, .ctx = sip,
	};

	err = sip_agent_open(&sip->agent, &start);
	if (err < 0)
		return err;
	sip->sweep = su_timer_create(su_root_task(sip->root), 0);
	sip->alias_sweep = su_timer_create(su_root_task(sip->root), 0);
	sip->second = su_timer_create(su_root_task(sip->root), 1000);
	sip->subscribed = calloc(sip->config->n_peers + 1, sizeof(*sip->subscribed));
	sip->routed = calloc(sip->config->n_routes + 1, sizeof(*sip->routed));
	if (sip->sweep == NULL || sip->alias_sweep == NULL || sip->second == NULL || sip->subscribed == NULL || sip->routed == NULL ||
	    su_timer_run(sip->second, second_passed, sip) < 0)
		return -ENOMEM;
	if (su_wait_create(&sip->mailbox_wait, mailbox_fd(sip->mailbox), SU_WAIT_IN) < 0)
		return -ENOMEM;
	sip->mailbox_index = su_root_register(sip->root, &sip->mailbox_wait, mailbox_ready, sip, 0);
	if (sip->mailbox_index < 0)
		return -ENOMEM;
	sofia_on_stray(call_stray, sip);
	sip_record_restore(sip);
	return 0;
}

static void thread_close(struct sip *sip)
{
	sip->ending = true;
	while (sip->calls != NULL) {
		sip->calls->keep_media = true;
		call_free(sip->calls);
	}
	sofia_on_stray(NULL, NULL);
	sip_traces_close(sip);
	call_strays_close(sip);
	sip_relay_close(sip);
	sip_subscriptions_close(sip);
	dialog_alias_close(sip);
	if (sip->sweep != NULL)
		su_timer_destroy(sip->sweep);
	if (sip->alias_sweep != NULL)
		su_timer_destroy(sip->alias_sweep);
	if (sip->second != NULL)
		su_timer_destroy(sip->second);
	free(sip->subscribed);
	free(sip->routed);
	if (sip->mailbox_index > 0)
		su_root_deregister(sip->root, sip->mailbox_index);
	sip_agent_close(sip->agent);
	if (sip->root != NULL)
		su_root_destroy(sip->root);
}

static void *sip_thread(void *arg)
{
	struct sip_boot *boot = arg;
	struct sip *sip = boot->sip;
	int err;

	su_init();
	sip_count_here(sip->stats);
	err = thread_open(sip);
	boot->err = err;
	sem_post(&boot->ready); // boot is gone after this
	if (err == 0)
		su_root_run(sip->root);
	thread_close(sip);
	sip_count_here(NULL);
	su_deinit();
	return NULL;
}

int sip_open(struct sip **sipp, const struct sip_start *start)
{
	struct sip *sip = calloc(1, sizeof(*sip));
	struct sip_boot boot = { .sip = sip };
	int err = -ENOMEM;

	if (sip == NULL)
		return -ENOMEM;
	sip->config = start->config;
	sip->media = start->media;
	sip->env = start->env;
	sip->records = start->records;
	sip->drained = start->drained;
	sip->empty = start->empty;
	sip->ctx = start->ctx;
	sip->report = start->report;
	sip->report_ctx = start->report_ctx;
	sip->notice = start->notice;
	sip->notice_ctx = start->notice_ctx;
	sip->t1_ms = start->t1_ms;
	sofia_setup(); // before any root is made
	err = sip_count_open(&sip->stats, start->config->n_realms);
	if (err == 0)
		err = sip_traces_open(sip, start->trace);
	if (err < 0)
		goto out;
	// Room for a failure of every call at once, and the few that come twice.
	size_t most = start->config->most_calls > 0 ? start->config->most_calls : start->config->max_calls;

	err = mailbox_open(&sip->mailbox, 4 * most + 64, sizeof(struct mail));
	if (err < 0)
		goto out;
	sem_init(&boot.ready, 0, 0);
	err = -pthread_create(&sip->thread, NULL, sip_thread, &boot);
	if (err == 0) {
		while (sem_wait(&boot.ready) < 0 && errno == EINTR)
			continue;
		err = boot.err;
		if (err < 0)
			pthread_join(sip->thread, NULL);
	}
	sem_destroy(&boot.ready);
	if (err < 0)
		goto out;
	*sipp = sip;
	return 0;
out:
	mailbox_close(sip->mailbox);
	sip_traces_close(sip);
	free(sip->stats);
	free(sip);
	return err;
}

static void post(struct sip *sip, const struct mail *mail)
{
	int err = mailbox_push(sip->mailbox, mail);

	if (err < 0)
		log_error("sip", "mailbox full", LOG_INT("kind", mail->kind), LOG_UINT("session", mail->media.session),
			  LOG_ERRNO(err));
}

// What must arrive waits for a slot: the sip thread is emptying the mailbox.
static void post_surely(struct sip *sip, const struct mail *mail)
{
	while (mailbox_push(sip->mailbox, mail) < 0)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

void sip_media_event(void *ctx, const struct media_event *event)
{
	post(ctx, &(struct mail){ .kind = MAIL_MEDIA, .media = *event });
}

int sip_question_post(struct sip *sip, struct sip_question *q)
{
	return mailbox_push(sip->mailbox, &(struct mail){ .kind = MAIL_QUESTION, .question = q });
}

void sip_question_post_surely(struct sip *sip, struct sip_question *q)
{
	post_surely(sip, &(struct mail){ .kind = MAIL_QUESTION, .question = q });
}

// Who asked when the thread was ending hears that there is no answer.
static void answer_the_rest(struct sip *sip)
{
	struct mail mail;

	while (mailbox_pop(sip->mailbox, &mail) == 0) {
		if (mail.kind == MAIL_QUESTION)
			sip_question_answer(sip, mail.question, false);
	}
}

void sip_drain(struct sip *sip)
{
	post_surely(sip, &(struct mail){ .kind = MAIL_DRAIN });
}

void sip_close_door(struct sip *sip, bool closed)
{
	post_surely(sip, &(struct mail){ .kind = closed ? MAIL_CLOSE_DOOR : MAIL_OPEN_DOOR });
}

int sip_configure(struct sip *sip, const struct sip_config *config)
{
	struct config_change change = { .config = config };

	sem_init(&change.taken, 0, 0);
	post_surely(sip, &(struct mail){ .kind = MAIL_CONFIG, .change = &change });
	while (sem_wait(&change.taken) < 0 && errno == EINTR)
		continue;
	sem_destroy(&change.taken);
	return change.err;
}

void sip_end(struct sip *sip)
{
	if (sip == NULL)
		return;
	post_surely(sip, &(struct mail){ .kind = MAIL_STOP });
	pthread_join(sip->thread, NULL);
	answer_the_rest(sip);
}

void sip_close(struct sip *sip)
{
	if (sip == NULL)
		return;
	mailbox_close(sip->mailbox);
	free(sip->stats);
	free(sip);
}

const struct sip_stats *sip_stats(const struct sip *sip)
{
	return sip->stats;
}

void sip_counts(struct sip *sip, struct sip_counts *counts)
{
	struct count_question question = { .counts = counts };

	*counts = (struct sip_counts){ 0 };
	sem_init(&question.answered, 0, 0);
	if (mailbox_push(sip->mailbox, &(struct mail){ .kind = MAIL_COUNT, .count = &question }) == 0) {
		while (sem_wait(&question.answered) < 0 && errno == EINTR)
			continue;
	}
	sem_destroy(&question.answered);
}
