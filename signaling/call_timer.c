// SPDX-License-Identifier: GPL-3.0-or-later
// call_timer.c - see call_timer.h. A refresh of ours is an UPDATE without a description where the peer allows UPDATE, else a
// re-INVITE with what was said last; theirs is answered like any other, and need not cross.
#include "signaling/call_timer.h"
#include "signaling/call_carry.h"
#include "signaling/sip_count.h"
#include <stdio.h>
#include <strings.h>

#define LATER_S 10u // a refresh that meets something else, or was refused

static struct session_policy policy_of(const struct sip *sip, uint16_t profile)
{
	const struct sip_policy *policy = &sip->config->policies[profile];

	return (struct session_policy){ policy->session_expires_s, policy->session_min_s };
}

static bool lists_timer(const msg_list_t *list)
{
	for (; list != NULL; list = list->k_next) {
		for (const msg_param_t *item = list->k_items; item != NULL && *item != NULL; item++) {
			if (strcasecmp(*item, "timer") == 0)
				return true;
		}
	}
	return false;
}

static struct session_words words_of(const sip_t *message)
{
	const sip_session_expires_t *x = message->sip_session_expires;
	struct session_words words = { .supported = lists_timer(message->sip_supported) || lists_timer(message->sip_require) };

	if (x != NULL)
		words.expires_s = (uint32_t)x->x_delta;
	if (x != NULL && x->x_refresher != NULL)
		words.refresher = strcasecmp(x->x_refresher, "uac") == 0 ? SESSION_UAC
			        : strcasecmp(x->x_refresher, "uas") == 0 ? SESSION_UAS
									 : SESSION_ANY;
	if (message->sip_min_se != NULL)
		words.min_s = (uint32_t)message->sip_min_se->min_delta;
	return words;
}

static void write_expires(msg_t *msg, const struct session_words *words)
{
	static const char *const refresher[] = { "", ";refresher=uac", ";refresher=uas" };

	if (words->expires_s != 0)
		sip_message_header(msg, "Session-Expires", "%u%s", words->expires_s, refresher[words->refresher]);
}

bool call_timer_by(const struct sip_dialog *d, sip_method_t method)
{
	return method == sip_method_invite || (method == sip_method_update && d->fsm.state != DIALOG_EARLY);
}

bool call_timer_refused(struct sip *sip, uint16_t profile, nta_incoming_t *irq, const sip_t *request)
{
	struct session_policy policy = policy_of(sip, profile);
	struct session_words asked = words_of(request);

	if (session_timer_check(&policy, &asked) == 0)
		return false;
	msg_t *msg = sip_response_new(sip, irq, NULL);

	sip_message_header(msg, "Min-SE", "%u", policy.min_s);
	sip_respond(irq, 422, msg);
	nta_incoming_destroy(irq);
	return true;
}

void call_timer_asked(struct sip_dialog *d, const sip_t *request)
{
	d->session_asked = words_of(request);
}

static uint32_t age_s(const struct sip_dialog *d)
{
	return (uint32_t)((call_now(d->call) - d->session_since) / MONO_S(1));
}

static void timer_fired(void *ctx, su_timer_t *timer, void *arg);

static void set_timer(struct sip_dialog *d, uint32_t seconds)
{
	if (d->session_timer == NULL)
		d->session_timer = su_timer_create(su_root_task(d->sip->root), 0);
	if (d->session_timer != NULL)
		su_timer_set_interval(d->session_timer, timer_fired, d, (su_duration_t)(seconds > 0 ? seconds : 1) * 1000);
}

// What is due next: a refresh of ours, or the end. `not_before`: seconds from now.
static void plan(struct sip_dialog *d, uint32_t not_before)
{
	uint32_t age = age_s(d), refresh = session_timer_refresh_s(&d->session), end = session_timer_end_s(&d->session);
	uint32_t next = refresh != 0 && age + not_before < end ? refresh : end;

	if (next < age + not_before)
		next = age + not_before;
	set_timer(d, (next < end ? next : end) > age ? (next < end ? next : end) - age : 0);
}

static void begin(struct sip_dialog *d)
{
	d->session_since = call_now(d->call);
	sip_record_touch(d->call);
	if (d->session_timer != NULL)
		su_timer_reset(d->session_timer);
	if (d->session.interval_s == 0)
		return;
	log_debug("sip", "session timer", LOG_CALL_IDS(&d->call->ids), LOG_STR("call", d->call->name),
		  LOG_STR("realm", sip_peer_realm_name(d)), LOG_UINT("interval_s", d->session.interval_s),
		  LOG_STR("refresher", d->session.refresher == SESSION_US ? "gateway" : "peer"));
	plan(d, 0);
}

void call_timer_resume(struct sip_dialog *d)
{
	mono_ns now = call_now(d->call);

	if (d->session_since > now)
		d->session_since = now;
	if (d->session.interval_s != 0)
		plan(d, 0);
}

static void end_call(struct sip_dialog *d, int status, const char *why)
{
	char cause[SIP_CAUSE_MAX];

	snprintf(cause, sizeof(cause), "session timer: %s", why);
	log_info("sip", "session expired", LOG_CALL_IDS(&d->call->ids), LOG_STR("call", d->call->name),
		 LOG_STR("realm", sip_peer_realm_name(d)), LOG_UINT("interval_s", d->session.interval_s),
		 LOG_STR("cause", why));
	call_end(d->call, "gateway", status, cause);
}

static int refresh_response(void *dialog, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_dialog *d = dialog;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);

	sip_count_answer(response);
	if (orq != d->refresh_out || status < 200)
		return 0;
	if (status == 422 && call_timer_again(d, &d->refresh_out, sip_method_update, response, refresh_response))
		return 0;
	sip_drop_outgoing(d->sip, &d->refresh_out);
	if (d->call->closing)
		return 0;
	if (status < 300)
		call_timer_learn(d, response);
	else if (session_timer_lost(status))
		end_call(d, status, "the refresh was not answered");
	else if (!d->session.able)
		begin(d); // it knows no session timers, but it is there
	else
		plan(d, LATER_S);
	return 0;
}

static void refresh(struct sip_dialog *d)
{
	bool busy = d->invite_in != NULL || d->invite_out != NULL || d->update_in != NULL || d->update_out != NULL ||
		    d->refresh_out != NULL || d->fsm.state != DIALOG_CONFIRMED || d->oa.state != OA_STABLE;

	log_debug("sip", "session refresh", LOG_CALL_IDS(&d->call->ids), LOG_STR("call", d->call->name),
		  LOG_STR("realm", sip_peer_realm_name(d)), LOG_STR("by", busy ? "later" : d->update ? "update" : "re-invite"), LOG_UINT("age_s", age_s(d)));
	if (!busy && d->update)
		d->refresh_out = sip_dialog_send(d, sip_request_new(d, 70), sip_method_update, refresh_response);
	else if (!busy)
		call_carry_again(d); // its 2xx comes to call_timer_learn(), what else comes ends the call or is tried again
	plan(d, LATER_S);
}

static void timer_fired(void *ctx, su_timer_t *timer, void *arg)
{
	struct sip_dialog *d = arg;
	uint32_t due = session_timer_refresh_s(&d->session);

	if (d->call->closing || d->session.interval_s == 0)
		return;
	if (age_s(d) >= session_timer_end_s(&d->session))
		end_call(d, 408, d->session.refresher == SESSION_US ? "no refresh was taken" : "the peer did not refresh");
	else if (due != 0 && age_s(d) >= due)
		refresh(d);
	else
		plan(d, 0);
}

void call_timer_serve(struct sip_dialog *d, msg_t *msg)
{
	struct session_policy policy = policy_of(d->sip, d->profile);
	struct session_words said = session_timer_serve(&d->session, &policy, &d->session_asked);

	write_expires(msg, &said);
	if (said.required)
		sip_message_header(msg, "Require", "timer");
	begin(d);
}

void call_timer_ask(struct sip_dialog *d, msg_t *msg)
{
	struct session_policy policy = policy_of(d->sip, d->profile);
	struct session_words said = session_timer_ask(&d->session, &policy);

	write_expires(msg, &said);
	if (said.min_s != 0)
		sip_message_header(msg, "Min-SE", "%u", said.min_s);
}

void call_timer_learn(struct sip_dialog *d, const sip_t *response)
{
	struct session_policy policy = policy_of(d->sip, d->profile);
	struct session_words said = words_of(response);

	session_timer_learn(&d->session, &policy, &said);
	begin(d);
}

static void remove_all(msg_t *msg, const char *const names[], size_t n)
{
	sip_t *sip = sip_object(msg);

	while (sip->sip_via != NULL)
		msg_header_remove(msg, NULL, (msg_header_t *)sip->sip_via);
	if (sip->sip_cseq != NULL)
		msg_header_remove(msg, NULL, (msg_header_t *)sip->sip_cseq);
	while (sip->sip_route != NULL)
		msg_header_remove(msg, NULL, (msg_header_t *)sip->sip_route);
	for (sip_unknown_t *un = sip->sip_unknown, *next; un != NULL; un = next) {
		next = un->un_next;
		for (size_t i = 0; i < n; i++) {
			if (un->un_name != NULL && strcasecmp(un->un_name, names[i]) == 0) {
				msg_header_remove(msg, NULL, (msg_header_t *)un);
				break;
			}
		}
	}
}

// The same request once more, but for what sip_dialog_send() writes.
static msg_t *copy_of(nta_outgoing_t *orq)
{
	static const char *const anew[] = { "Session-Expires", "Min-SE" };
	msg_t *sent = nta_outgoing_getrequest(orq), *msg = sent != NULL ? msg_dup(sent) : NULL;

	if (sent != NULL)
		msg_destroy(sent);
	if (msg != NULL)
		remove_all(msg, anew, sizeof(anew) / sizeof(anew[0]));
	return msg;
}

bool call_timer_again(struct sip_dialog *d, nta_outgoing_t **orqp, sip_method_t method, const sip_t *response,
		      nta_response_f *callback)
{
	struct session_words said = response != NULL ? words_of(response) : (struct session_words){ 0 };

	if (d->call->closing || d->fsm.state == DIALOG_EARLY || (method == sip_method_invite && d->cancelled) ||
	    !session_timer_raise(&d->session, &said))
		return false;
	msg_t *msg = copy_of(*orqp);
	nta_outgoing_t *again = msg != NULL ? sip_dialog_send(d, msg, method, callback) : NULL;

	if (again == NULL)
		return false;
	log_info("sip", "session timer raised", LOG_CALL_IDS(&d->call->ids), LOG_STR("call", d->call->name),
		 LOG_STR("realm", sip_peer_realm_name(d)), LOG_UINT("min_s", said.min_s));
	sip_drop_outgoing(d->sip, orqp);
	*orqp = again;
	return true;
}

// A peer that knows no session timers has at least shown that it is there.
void call_timer_refusal(struct sip_dialog *d, int status)
{
	if (!d->call->closing && d->session.refresher == SESSION_US && !d->session.able && !session_timer_lost(status))
		begin(d);
}

void call_timer_drop(struct sip_dialog *d)
{
	sip_drop_outgoing(d->sip, &d->refresh_out);
	if (d->session_timer != NULL)
		su_timer_destroy(d->session_timer);
	d->session_timer = NULL;
}
