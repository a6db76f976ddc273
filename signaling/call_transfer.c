// SPDX-License-Identifier: GPL-3.0-or-later
// call_transfer.c - transfers made here; see call_transfer.h and decision 0119. The target gets an INVITE without an offer; what it
// offers is offered to the side that stays, whose answer is the target's. Until then the old call goes on untouched.
#include "signaling/call_transfer.h"
#include "signaling/call_carry.h"
#include "signaling/call_media.h"
#include "signaling/call_timer.h"
#include "signaling/oa_crossing.h"
#include "signaling/sip_check.h"
#include "signaling/sip_count.h"
#include "signaling/sip_peer.h"
#include "signaling/sip_relay.h"
#include "signaling/sip_status.h"
#include <sofia-sip/sip_tag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX 8 // of a re-offer that meets one

enum transfer_state {
	TRANSFER_CALLING = 1, // our INVITE to the target is out
	TRANSFER_ANSWERED,    // its 2xx is here; the staying side cannot be asked yet
	TRANSFER_MEETING,     // it is asked
	TRANSFER_OVER,        // the last NOTIFY is out
};

struct call_transfer {
	struct sip_call *call;
	struct sip_dialog *by, *target; // who asked for it; who shall take its place, NULL when that is settled
	enum transfer_state state;
	uint32_t number; // of the REFER
	struct dialog_name replaced; // the other call of who asked for it, as he named it; empty: none
	bool silent;     // without a subscription (RFC 4488)
	bool done;       // it took place
	int told, due;   // status that the last NOTIFY had; that the next one will have, 0: none
	unsigned attempts;
	nta_outgoing_t *notify_out;
	su_timer_t *timer;
};

static void log_transfer(const struct call_transfer *t, const char *event, int status)
{
	const struct sip_call *call = t->call;

	log_info("sip", event, LOG_CALL_IDS(&call->ids), LOG_STR("call", call->name),
		 LOG_STR("by", t->by->call_id), LOG_STR("target", t->target != NULL ? t->target->call_id : ""), LOG_INT("status", status));
}

bool call_transfer_leaves(const struct sip_dialog *d)
{
	return d->leaving;
}

bool call_transfer_moving(const struct sip_dialog *d)
{
	return d->leaving && d->joined == NULL;
}

bool call_transfer_keeps(const struct sip_dialog *d)
{
	return d->call->transfer != NULL && d->call->transfer->by == d && !d->call->closing;
}

void call_transfer_drop(struct sip_call *call)
{
	struct call_transfer *t = call->transfer;

	if (t == NULL)
		return;
	call->transfer = NULL;
	sip_drop_outgoing(call->sip, &t->notify_out);
	if (t->timer != NULL)
		su_timer_destroy(t->timer);
	free(t);
}

// The transferor has been told: it may go, or has gone, and the call is the others'.
static void close_transfer(struct call_transfer *t)
{
	struct sip_call *call = t->call;
	struct sip_dialog *by = t->by;
	bool done = t->done;

	call_transfer_drop(call);
	if (dialog_is_over(&by->fsm))
		call_drop_over(call);
	if (done && by->fsm.state == DIALOG_CONFIRMED)
		call_bye_out(by, 200, "transferred");
}

static int notify_response(void *ctx, nta_outgoing_t *orq, const sip_t *response);

static void send_notify(struct call_transfer *t)
{
	int status = t->due;
	bool last = status >= 200;
	msg_t *msg = sip_request_bare(t->by, SIP_MAX_FORWARDS, true);

	t->due = 0;
	t->told = status;
	sip_message_header(msg, "Event", "refer;id=%u", t->number);
	if (last)
		sip_message_header(msg, "Subscription-State", "terminated;reason=noresource");
	else
		sip_message_header(msg, "Subscription-State", "active;expires=%u", t->call->sip->config->timer_c_s);
	msg = sip_refer_fragment_write(msg, status);
	t->notify_out = t->by->leg != NULL ? sip_dialog_send_for(t->by, msg, sip_method_notify, notify_response, t) : NULL;
	if (t->by->leg == NULL && msg != NULL)
		msg_destroy(msg);
}

// One NOTIFY is under way at a time: the next has what is true then.
static void tell(struct call_transfer *t, int status)
{
	if (t->silent || t->told >= 200 || (status == t->told && t->due == 0))
		return;
	t->due = status;
	if (t->notify_out == NULL)
		send_notify(t);
}

static int notify_response(void *ctx, nta_outgoing_t *orq, const sip_t *response)
{
	struct call_transfer *t = ctx;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);

	sip_count_answer(response);
	if (orq != t->notify_out || status < 200)
		return 0;
	sip_drop_outgoing(t->call->sip, &t->notify_out);
	if (status == 481) // RFC 6665 section 4.2.2: nobody wants to know
		t->silent = true;
	else if (t->due != 0)
		send_notify(t);
	if (t->state == TRANSFER_OVER && t->notify_out == NULL)
		close_transfer(t);
	return 0;
}

// Both legs of who asked for it: the target says BYE in its old dialog by itself (RFC 3891 section 3), or now.
static void end_replaced(struct call_transfer *t)
{
	struct sip_dialog *d = t->replaced.call_id[0] != '\0' ? sip_refer_dialog(t->call->sip, &t->replaced) : NULL;

	if (d != NULL && d->call != t->call)
		call_end(d->call, "gateway", 200, "transferred");
}

// Whether its peer lives, or knows what was said last, is nobody's concern any more.
static void retire(struct sip_dialog *by)
{
	call_timer_drop(by);
	if (by->patience != NULL)
		su_timer_reset(by->patience);
	by->stale = false;
}

// It is decided. done: the target has taken the place of who asked for it.
static void finish(struct call_transfer *t, bool done, int status)
{
	struct sip_call *call = t->call;

	log_transfer(t, done ? "call transferred" : "transfer failed", status);
	if (done) { // what the two had with each other, beside the session, is over
		sip_report_left(t->by);
		sip_relay_end(t->by, 487);
		sip_relay_end(t->target->joined, 481);
		end_replaced(t);
	}
	t->state = TRANSFER_OVER;
	t->done = done;
	t->target = NULL;
	su_timer_reset(t->timer);
	t->by->leaving = done;
	if (done)
		retire(t->by);
	tell(t, status);
	bool gone = dialog_is_over(&t->by->fsm);

	if (t->notify_out == NULL)
		close_transfer(t);
	if (!done && gone) // nobody is left to talk to
		call_end(call, "gateway", 200, "the transfer failed, and who asked for it has gone");
}

// In the place of `from`, or back in it.
static void take_place(struct sip_dialog *d, struct sip_dialog *from)
{
	struct sip_call *call = d->call;
	struct sip_dialog *stays = from->joined, **link = &call->dialogs;

	from->joined = NULL;
	d->joined = stays;
	stays->joined = d;
	if (d->side == 1) {
		call->ids.b = d->call_id;
		return;
	}
	call->ids.a = d->call_id;
	while (*link != d) // the caller's side is the first
		link = &(*link)->next;
	*link = d->next;
	d->next = call->dialogs;
	call->dialogs = d;
}

// The target's offer is read in the transferor's place, so that it can be answered.
static int read_offer(struct call_transfer *t, struct call_offer *offer, struct call_refusal *why)
{
	struct sip_call *call = t->call;
	msg_t *msg = nta_outgoing_getresponse(t->target->invite_out);
	struct call_body in = msg != NULL ? sip_body_of(sip_object(msg)) : (struct call_body){ NULL, 0 };
	int err = call_media_relieve(t->by, t->target);

	if (err < 0) {
		*why = (struct call_refusal){ .status = 500, .text = "no memory" };
	} else {
		take_place(t->target, t->by);
		err = call_media_offer(t->target, in.text, in.len, offer, why);
		if (err == 0) {
			oa_open(&t->target->oa, OA_EV_RECV_OFFER, OA_BY_OK, call_now(call));
		} else {
			take_place(t->by, t->target);
			call_media_relieve_undo(call);
		}
	}
	if (msg != NULL)
		msg_destroy(msg);
	return err;
}

// Everything is as it was before the target's offer was read: its 2xx waits for our ACK.
static void undo_offer(struct call_transfer *t)
{
	struct sip_call *call = t->call;

	call_media_rollback(call);
	if (call->fsm.state == CALL_MODIFYING)
		call_step(&call->fsm, CALL_EV_SETTLED, call_now(call));
	take_place(t->by, t->target);
	call_media_relieve_undo(call);
	oa_open(&t->target->oa, OA_EV_ASK, OA_BY_INVITE, call_now(call));
}

// It has accepted, and is not wanted: an answer that takes nothing, and BYE.
static void send_off(struct call_transfer *t, int status, const char *cause)
{
	struct sip_dialog *target = t->target;

	if (t->state == TRANSFER_MEETING)
		undo_offer(t);
	call_ack_decline_kept(target);
	dialog_step(&target->fsm, DIALOG_EV_ACK, call_now(t->call));
	call_bye_out(target, status, cause);
}

static void meet(struct call_transfer *t);

static void timer_over(void *ctx, su_timer_t *timer, void *arg)
{
	struct call_transfer *t = arg;

	if (t->call->closing)
		return;
	if (t->state == TRANSFER_ANSWERED)
		meet(t);
	else if (t->state == TRANSFER_CALLING)
		call_cancel_out(t->target); // its final response, or none, is told
}

// RFC 3261 section 16.7, item 2: timer C.
static void wait_for_answer(struct call_transfer *t)
{
	su_timer_set_interval(t->timer, timer_over, t, (su_duration_t)t->call->sip->config->timer_c_s * 1000);
}

static void meet_later(struct call_transfer *t)
{
	uint32_t random = 0;

	t->state = TRANSFER_ANSWERED;
	if (++t->attempts > ATTEMPTS_MAX || env_random(t->call->sip->env, &random, sizeof(random)) < 0) {
		send_off(t, 491, "the other side is busy");
		finish(t, false, 491);
		return;
	}
	unsigned ms = oa_back_off_ms(false, random) * sip_t1(t->call->sip) / NTA_SIP_T1 + 1;

	su_timer_set_interval(t->timer, timer_over, t, (su_duration_t)ms);
}

static bool can_be_asked(const struct sip_dialog *stays)
{
	return stays->fsm.state == DIALOG_CONFIRMED && stays->oa.state == OA_STABLE && stays->invite_in == NULL &&
	       stays->invite_out == NULL && call_allows(&stays->call->fsm, CALL_EV_REINVITE) && !call_media_offered(stays->call);
}

static void met_here(struct call_transfer *t)
{
	struct call_body answer;
	struct call_refusal why;

	if (call_media_answer_here(t->target, &answer, &why) < 0) {
		t->state = TRANSFER_MEETING;
		send_off(t, why.status, why.text);
		finish(t, false, why.status);
		return;
	}
	call_carry_answer(t->target, &answer);
	sip_record_write(t->call);
	call_transfer_met(t->call);
}

static void meet(struct call_transfer *t)
{
	struct sip_dialog *stays = t->by->joined;
	struct call_offer offer;
	struct call_refusal why;

	if (!can_be_asked(stays) || t->by->oa.state != OA_STABLE) {
		meet_later(t);
		return;
	}
	if (read_offer(t, &offer, &why) < 0) {
		int status = why.status == 400 ? 488 : why.status;

		send_off(t, status, why.text);
		finish(t, false, status);
		return;
	}
	t->state = TRANSFER_MEETING;
	if (!offer.concerns) { // it would learn nothing new: the target has what it had
		met_here(t);
		return;
	}
	if (call_reinvite_out(stays, NULL, &offer.body) < 0) {
		send_off(t, 500, "cannot send to the other side");
		finish(t, false, 500);
		return;
	}
	oa_open(&stays->oa, OA_EV_SEND_OFFER, OA_BY_INVITE, call_now(t->call));
}

bool call_transfer_refused(struct sip_dialog *stays, int status)
{
	struct call_transfer *t = stays->call->transfer;

	if (t == NULL || t->state != TRANSFER_MEETING || t->target != stays->joined)
		return false;
	if (status == 491) {
		undo_offer(t);
		meet_later(t);
		return true;
	}
	send_off(t, status, "the other side refused");
	finish(t, false, sip_status_map_final(status, SIP_ANSWERED_BY_PEER, true));
	if (status == 408 || status == 481) { // RFC 3261 section 12.2.1.2
		call_dialog_over(stays, DIALOG_EV_LOST);
		call_end_by(stays, status, "the far side lost the dialog");
	}
	return true;
}

void call_transfer_met(struct sip_call *call)
{
	struct call_transfer *t = call->transfer;

	if (t != NULL && t->state == TRANSFER_MEETING)
		finish(t, true, 200);
}

void call_transfer_call_ends(struct sip_call *call)
{
	struct call_transfer *t = call->transfer;

	if (t == NULL)
		return;
	sip_drop_outgoing(call->sip, &t->notify_out);
	if (t->state != TRANSFER_OVER && !dialog_is_over(&t->by->fsm))
		tell(t, 487); // nobody waits for its response
	call_transfer_drop(call);
}

// The call ended while its INVITE was out.
static void unwanted(struct sip_dialog *target, int status)
{
	struct sip_call *call = target->call;

	if (status >= 300) {
		call_dialog_over(target, DIALOG_EV_FAIL);
		return;
	}
	call_ack_decline_kept(target);
	dialog_step(&target->fsm, DIALOG_EV_ACK, call_now(call));
	call_bye_out(target, call->status, call->cause);
}

static int take_tag(struct sip_dialog *target, const sip_t *response)
{
	const char *tag = response->sip_to != NULL ? response->sip_to->a_tag : NULL;

	if (tag == NULL || strlen(tag) >= SIP_ID_MAX)
		return -1;
	strcpy(target->remote_tag, tag);
	return 0;
}

// The dialog as the 2xx shows it. -1: it shows none.
static int learn(struct sip_dialog *target, nta_outgoing_t *orq, const sip_t *response)
{
	struct inet_endpoint source;

	if (take_tag(target, response) < 0 || sip_dialog_remote_tag(target) < 0)
		return -1;
	msg_t *msg = nta_outgoing_getresponse(orq);

	call_abilities(target, response);
	nta_leg_client_reroute(target->leg, response->sip_record_route, response->sip_contact, 1);
	if (msg != NULL && sip_agent_source_of(target->sip->agent, msg, &source) == 0)
		target->source = source;
	if (msg != NULL)
		msg_destroy(msg);
	call_route(target, false);
	call_timer_learn(target, response);
	dialog_step(&target->fsm, DIALOG_EV_ANSWER, call_now(target->call));
	return 0;
}

static int target_response(void *dialog, nta_outgoing_t *orq, const sip_t *response)
{
	struct sip_dialog *target = dialog;
	struct sip_call *call = target->call;
	struct call_transfer *t = call->transfer;
	int status = response != NULL ? response->sip_status->st_status : nta_outgoing_status(orq);
	bool internal = response == NULL || nta_sip_is_internal(response);

	sip_count_answer(response);
	if (orq != target->invite_out)
		return 0;
	if (target->fsm.state != DIALOG_TRYING && target->fsm.state != DIALOG_EARLY)
		return 0; // a repetition
	if (status < 200) {
		target->rang = true;
		dialog_step(&target->fsm, DIALOG_EV_PROGRESS, call_now(call));
		if (t != NULL && status > 100) {
			tell(t, sip_status_map_provisional(status));
			wait_for_answer(t);
		}
		return 0;
	}
	if (status == 422 && call_timer_again(target, &target->invite_out, sip_method_invite, response, target_response))
		return 0;
	if (status < 300 && learn(target, orq, response) < 0)
		status = 500; // there is nobody to acknowledge it to, nor to say BYE to
	if (call->closing || t == NULL) {
		unwanted(target, status);
		return 0;
	}
	if (status >= 300) {
		call_dialog_over(target, DIALOG_EV_FAIL);
		finish(t, false, sip_status_map_final(status, internal ? SIP_ANSWERED_BY_NOBODY : SIP_ANSWERED_BY_PEER, target->rang));
		return 0;
	}
	su_timer_reset(t->timer);
	meet(t);
	return 0;
}

static int send_invite(struct sip_dialog *target, const sip_t *request, const struct dialog_named *named)
{
	msg_t *msg = sip_request_new(target, SIP_MAX_FORWARDS);

	sip_refer_by(msg, request, target);
	sip_refer_named_write(msg, named);
	if (msg != NULL && named->naming != DIALOG_NAMED_BY_NOTHING) // who ignores it would ring somebody's phone
		sip_message_header(msg, "Require", named->naming == DIALOG_NAMED_BY_JOIN ? "join" : "replaces");
	target->invite_out = sip_dialog_send(target, msg, sip_method_invite, target_response);
	if (target->invite_out == NULL)
		return -1;
	oa_open(&target->oa, OA_EV_ASK, OA_BY_INVITE, call_now(target->call));
	return 0;
}

// Where it goes, as if who asks for it had called there. 0, or the status to refuse it with.
static int find_peer(struct sip *sip, const struct sip_dialog *d, const struct refer_target *target,
		     const struct dialog_named *named, int *to_peer)
{
	*to_peer = named->target != NULL ? named->target->peer : sip_route_take(sip, d->realm, d->peer, target->user);
	if (*to_peer < 0)
		return 404;
	if (named->only_peer >= 0 && named->only_peer != *to_peer)
		return 481;
	if (named->target != NULL && (named->target->call == d->call ||
				      sip->config->policies[named->target->profile].transfer == SIP_TRANSFER_REFUSE))
		return 403;
	return sip->config->profiles[sip->config->peers[*to_peer].profile].keying.signalling_security_required ? 488 : 0;
}

static int begin(struct call_transfer *t, const sip_t *request, const struct refer_target *target,
		 const struct dialog_named *named, int to_peer)
{
	struct sip_dialog *d = call_dialog_create(t->call, true, (uint16_t)to_peer);

	if (d == NULL)
		return 500;
	t->target = d;
	d->side = t->by->side;
	sip_agent_token(d->sip->agent, d->call_id);
	d->loop_mark = sip_check_mark(request, t->by->realm);
	int err = sip_dialog_reach_for(d, target->user, t->by, named->target, call_request_in);

	if (err == 0)
		err = send_invite(d, request, named);
	if (err == 0)
		return 0;
	call_dialog_over(d, DIALOG_EV_FAIL);
	return 404;
}

static void say_accepted(struct call_transfer *t, nta_incoming_t *irq)
{
	struct sip *sip = t->call->sip;
	msg_t *msg = sip_response_new(sip, irq, t->by);

	if (t->silent)
		sip_message_header(msg, "Refer-Sub", "false");
	sip_respond(irq, t->silent ? 200 : 202, msg);
	nta_incoming_destroy(irq);
}

// What of the call forbids it now.
static int call_status(const struct sip_dialog *d)
{
	const struct sip_call *call = d->call;

	if (call->transfer != NULL || call->fsm.state != CALL_UP || call_media_offered(call) || d->leaving)
		return 491;
	if (call->frozen)
		return 488;
	return call->sip->draining ? 503 : 0;
}

int call_transfer_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request, const struct refer_target *target)
{
	struct sip_call *call = d->call;
	struct sip *sip = d->sip;
	struct dialog_named named;
	int to_peer, status = call_status(d);

	if (status == 0)
		status = sip_refer_target_named(sip, target, d->peer, &named);
	if (status == 0)
		status = find_peer(sip, d, target, &named, &to_peer);
	if (status != 0)
		return sip_refuse(sip, irq, status, 0, NULL);
	struct call_transfer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return sip_refuse(sip, irq, 500, 0, NULL);
	*t = (struct call_transfer){ .call = call, .by = d, .state = TRANSFER_CALLING, .number = request->sip_cseq->cs_seq,
				    .silent = sip_refer_no_sub(request) };
	if (named.target != NULL && named.naming == DIALOG_NAMED_BY_REPLACES)
		t->replaced = target->dialog;
	call->transfer = t;
	call_forget_over(call);
	t->timer = su_timer_create(su_root_task(sip->root), 0);
	status = t->timer != NULL ? begin(t, request, target, &named, to_peer) : 500;
	if (status != 0) {
		call_transfer_drop(call);
		return sip_refuse(sip, irq, status, 0, NULL);
	}
	d->leaving = true;
	say_accepted(t, irq);
	log_transfer(t, "transfer begun", 202);
	wait_for_answer(t);
	tell(t, 100);
	return 0;
}
