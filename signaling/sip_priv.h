// SPDX-License-Identifier: GPL-3.0-or-later
// sip_priv.h - what the files of the B2BUA share: the sip thread, its calls and their dialogs. All of it belongs to the
// sip thread; nothing here is touched by another one, except where a field says so.
#pragma once
#include "base/log.h"
#include "base/log_limit.h"
#include "base/mailbox.h"
#include "mediarelay/media.h"
#include "signaling/call_state.h"
#include "signaling/dialog_state.h"
#include "signaling/early_media.h"
#include "signaling/offer_answer.h"
#include "signaling/session_timer.h"
#include "signaling/sip.h"
#include "signaling/sip_agent.h"
#include "signaling/sip_notice.h"
#include "signaling/sip_pending.h"
#include "signaling/sip_record.h"
#include "signaling/sip_report.h"
#include <pthread.h>

#define SIP_ID_MAX 256    // Call-ID or tag; a longer one is answered 400
#define SIP_CAUSE_MAX 128 // in the log and in Reason
#define CALL_BUCKETS 1024
#define DIALOGS_MAX 24 // of one call: two for each fork that its INVITE may have at a time, and more of transfers
#define FORKS_MAX 8    // To tags of the far side that are followed up at a time

struct dialog_alias;
struct sip_refer;
struct sip_relayed;
struct sip_single;
struct sip_stray;
struct sip_traces;
struct sip_subscription;
struct call_transfer;
struct call_media; // call_media.c: descriptions, seats and plans of one call

struct call_body { // a message body; not a string, length counts
	const char *text;
	size_t len;
};

struct sip_call;

// Reliable provisional responses to one INVITE (RFC 3262): theirs to ours, or ours to theirs. call_reliable.c.
struct sip_reliable {
	bool able, required; // theirs names 100rel in Supported, in Require; of ours: we named it in Supported
	uint32_t seen;       // RSeq of the last one of theirs that counts; 0: none
	bool prack_due;      // it waits for our PRACK
	nta_reliable_t *sent; // our last one, if it waits for their PRACK
	bool precious;       // it has a description: no 2xx before the PRACK (section 3)
	su_timer_t *timer;
	msg_t *held;         // to be sent after the PRACK
	int held_status;
	bool held_precious;
};

// One dialog. The caller's is the first of its call; the others are those that our INVITE made.
struct sip_dialog {
	struct sip_dialog *next;
	struct sip *sip;
	struct sip_call *call;
	struct sip_dialog *joined; // whose media and requests this one exchanges
	struct sip_dialog *trunk;  // whose INVITE made it: itself, or, of a fork, the dialog that has the transaction
	uint32_t leg_number;       // in media plans
	struct call_media *media;  // of a fork that is not followed (call_fork.c), as the next
	struct early_media early;
	bool left;                 // it was followed before
	bool declined;             // its offer came second, and was answered with nothing
	uint32_t number;
	bool outgoing; // we sent its INVITE
	bool leaving;  // it has transferred the call: its end is not the call's (call_transfer.c)
	uint8_t side;  // of the call's media: 0 the caller's, 1 the callee's, or who came in their places
	struct dialog_fsm fsm;
	struct oa_fsm oa, oa_asked; // asked: as our INVITE left it, for each fork
	uint16_t peer, realm, profile;
	struct sip_hop hop;            // where our requests go to
	struct inet_endpoint source;   // where its INVITE, or the answer to ours, really came from
	nta_leg_t *leg;
	nta_incoming_t *invite_in;     // INVITE or re-INVITE of theirs that is not done: answer or ACK is due
	nta_outgoing_t *invite_out;    // INVITE or re-INVITE of ours that has no final response, or no ACK, yet
	nta_outgoing_t *bye_out;
	nta_incoming_t *update_in;     // UPDATE of theirs with an offer that is not answered
	nta_outgoing_t *update_out;
	nta_incoming_t *prack_in;      // the same for PRACK
	nta_outgoing_t *prack_out;
	struct sip_reliable reliable;  // provisional responses to its INVITE, either way
	su_timer_t *patience;          // call_carry.c: with a re-INVITE of ours that was their UPDATE
	su_timer_t *back_off;          // the same: until an offer of ours goes again
	bool stale;                    // it has not heard what the other side said last: an offer of ours is due
	uint8_t attempts;              // of that offer, when it meets one of theirs
	bool update;                   // its peer allows UPDATE
	bool no_refer;                 // its peer has said that it takes no REFER
	struct session_timer session;  // call_timer.c
	struct session_words session_asked; // by the request of theirs that waits for our 2xx
	mono_ns session_since;         // the last refresh
	su_timer_t *session_timer;
	nta_outgoing_t *refresh_out;
	struct sip_relayed *relayed;   // requests of theirs that the other side has to answer (sip_relay.h)
	bool cancelled;                // CANCEL of ours is out
	bool rang;                     // a provisional response came
	bool by_flow;                  // its Contact cannot be reached (NAT): our requests go back where its own come from
	bool secured;                  // media has said that it has its keys, if it needs any
	bool ack_due;                  // restored before the ACK for our 2xx had come
	uint32_t late;                 // number of the INVITE whose 2xx call_late.c has taken
	uint32_t loop_mark;            // of the request that made us call (call_invite.c)
	char call_id[SIP_ID_MAX], local_tag[SIP_TOKEN_LEN], remote_tag[SIP_ID_MAX];
	char contact[SIP_URI_MAX];     // ours
	char target[SIP_URI_MAX];      // Request-URI of our initial INVITE
	char local_uri[SIP_URI_MAX], remote_uri[SIP_URI_MAX]; // of From and To, for the record
};

struct sip_call {
	struct sip_call *next, **link; // of sip->calls
	struct sip_call *session_next; // of its bucket
	struct sip *sip;
	uint32_t number, session; // session 0: none yet
	char name[12];            // number as text, for the log
	struct call_ids ids;      // for the log
	struct call_fsm fsm;
	struct sip_dialog *dialogs;
	unsigned n_dialogs;
	struct call_media *media;  // of the dialogs that are followed
	struct call_media *asked;  // of them when our INVITE was out, for other forks (call_fork.c); NULL while media still knows
	struct early_media early;
	struct sip_refer *refers;  // REFERs that were carried, and have not ended (call_refer.c)
	su_timer_t *refer_timer;
	struct call_transfer *transfer; // one that is made here (call_transfer.h)
	msg_t *redirect;           // the 3xx that is followed
	su_timer_t *timer_c;
	su_timer_t *grave;         // frees the call outside of nta's callbacks
	mono_ns started, rung, answered; // 0: never
	char caller_name[64];      // display name of the caller's INVITE; not in the record
	unsigned transfers;        // that are through
	struct sip_leg_report *left; // who has left the call by one, for the report; the latest
	unsigned n_left;
	bool recorded;             // it has a record that is kept up to date
	bool pending;              // its record names requests without a final response
	bool told_large;           // in the log, that the record has no room for its descriptions
	bool restored;             // from a record
	bool parallel;             // the caller gets a dialog for each fork
	bool frozen;               // from a record without its descriptions: it can end, not change
	uint32_t trace;            // sip_trace.c; 0: none. It may have ended
	bool keep_media;           // this thread ends, the session does not
	bool closing;              // an end was decided; the fields below say which
	bool bye_after_ack;
	bool buried;               // nothing is left; the grave timer frees it
	int status;
	char cause[SIP_CAUSE_MAX];
	char reason[SIP_CAUSE_MAX]; // the Reason header of the BYE or CANCEL that ended it, for the other side
	unsigned retry_after; // seconds, of the final response that ended it; 0: none
	const char *by; // "access", "core" (a realm's name), "gateway"
	enum sip_report_side by_side;
};

struct sip {
	const struct sip_config *config;
	struct media *media;
	const struct env *env;
	struct call_records *records;
	void (*drained)(void *ctx);
	void (*empty)(void *ctx);
	void *ctx;
	sip_report_fn *report; // NULL: nobody writes call records
	void *report_ctx;
	sip_notice_fn *notice; // NULL: nobody watches
	void *notice_ctx;
	unsigned t1_ms;
	pthread_t thread;
	su_root_t *root;
	struct sip_agent *agent;
	struct mailbox *mailbox; // any thread writes
	su_wait_t mailbox_wait;
	int mailbox_index;
	struct sip_call *calls;
	struct sip_call *by_session[CALL_BUCKETS];
	uint32_t last_call, last_dialog;
	bool draining, drained_told;
	bool ending;            // the thread ends: nobody is told anything, the records are what is left
	bool door_closed;
	unsigned n_calls, n_dialogs, n_requests;
	unsigned n_ack_due;                     // restored calls with ack_due
	struct sip_single *singles;             // requests out of dialog (sip_relay.c)
	struct sip_subscription *subscriptions;
	uint32_t *subscribed;                   // subscriptions of each peer
	uint64_t *routed;                       // calls that each route took; sip_inventory.c
	unsigned n_singles, n_subscriptions;
	struct dialog_alias *aliases;           // dialog_alias.h
	unsigned n_aliases;
	su_timer_t *alias_sweep, *second;
	struct sip_stats *stats;
	struct sip_traces *traces;              // NULL: nobody wants any
	struct sip_stray *strays;               // call_stray.c
	unsigned n_strays;
	su_timer_t *sweep;                      // frees singles outside of nta's callbacks
	struct log_limit strangers; // requests from no peer: every scanner on the Internet makes some
	mono_ns strangers_told;     // in a notice; 0: never
	uint64_t strangers_untold;
};

// sip_call.c - birth, death, lookup, and the one way a call ends.
int call_create(struct sip *sip, struct sip_call **callp);
struct sip_dialog *call_dialog_create(struct sip_call *call, bool outgoing, uint16_t peer);
void call_dialog_over(struct sip_dialog *d, enum dialog_event why); // steps, drops its nta objects, ends the call if it was the last
void call_forget_over(struct sip_call *call); // dialogs that have left it, and are over; not within their callbacks
void call_drop_over(struct sip_call *call); // what its dialogs that are over have kept for NOTIFYs
struct sip_dialog *call_caller(struct sip_call *call);
struct sip_call *call_by_session(struct sip *sip, uint32_t session);
int call_open_session(struct sip_call *call);
void call_restore_session(struct sip_call *call, uint32_t session);
void call_join(struct sip_dialog *a, struct sip_dialog *b);
void call_dialog_free(struct sip_dialog *d); // at once and silently: a fork that was not taken
// Ends the call on all sides, each in the way its state asks for: final response, CANCEL, BYE now or after the ACK.
// The first cause counts. status: what a caller in set-up is told, with an optional Warning or Retry-After.
void call_end(struct sip_call *call, const char *by, int status, const char *cause);
void call_end_by(struct sip_dialog *d, int status, const char *cause); // its peer has ended it
void call_start_timer_c(struct sip_call *call); // again with each provisional response (RFC 3261 section 16.7)
void call_settle(struct sip_call *call); // frees the call when nothing of it is left
void call_free(struct sip_call *call);   // at once, silently: the thread ends
void call_log(enum log_level level, const struct sip_call *call, const char *event);

// sip_dialog.c - a dialog on the wire: identifiers, nta's leg, where its requests go.
void sip_dialog_init(struct sip_dialog *d, struct sip *sip, bool outgoing, uint16_t peer);
// From a request of theirs that makes a dialog; `within` is called for what comes in it. On failure d->leg may be set.
int sip_dialog_accept(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from,
		      nta_request_f *within);
// Towards the target of d's peer, for a request of somebody's; d->call_id is set. -EHOSTUNREACH: no target for that user.
// like: the same place as this dialog's peer is; NULL: the target.
int sip_dialog_reach(struct sip_dialog *d, const sip_t *request, const struct sip_dialog *like, nta_request_f *within);
// For a call to `user`, or to the place where like's peer is, that is made in place of `by`, from whom that one talks to.
int sip_dialog_reach_for(struct sip_dialog *d, const char *user, const struct sip_dialog *by, const struct sip_dialog *like,
			 nta_request_f *within);
// Towards this URI, of its peer's.
int sip_dialog_reach_at(struct sip_dialog *d, const sip_t *request, const char *uri, nta_request_f *within);
// Another dialog of the INVITE irq, which `of` has accepted: with a tag of its own.
int sip_dialog_accept_again(struct sip_dialog *d, const struct sip_dialog *of, nta_incoming_t *irq, nta_request_f *within);
void sip_dialog_retag(const struct sip_dialog *d, nta_incoming_t *irq); // what we answer to irq is d's from now on
// Whether a request within d comes from its peer; *from is where from.
bool sip_dialog_is_peer(const struct sip_dialog *d, nta_incoming_t *irq, struct sip_hop *from);
void sip_dialog_drop_leg(struct sip_dialog *d);
int sip_dialog_remote_tag(struct sip_dialog *d); // d->remote_tag is its peer's from now on, whatever it was before
// Another dialog of the INVITE that `of` has sent, with this To tag.
int sip_dialog_fork(struct sip_dialog *d, const struct sip_dialog *of, const char *tag);
void call_abilities(struct sip_dialog *d, const sip_t *message); // that a message of the peer's shows
void call_refresh(struct sip_dialog *d, const sip_t *message);   // the same, and its target (RFC 3261 section 12.2)
void call_route(struct sip_dialog *d, bool behind_nat); // where its requests go, from route set and remote target

// sip_inventory.c - calls that routes took.
int sip_route_take(struct sip *sip, uint16_t realm, int peer, const char *user); // the peer to call, counted; -ENOENT
int sip_routed_follow(struct sip *sip, const struct sip_config *next); // the counts, before next is in force; -ENOMEM

// A call that was not up when the life of this process before this one ended, as far as its record tells (sip_pending.c).
struct sip_ended {
	uint32_t number, session;
	mono_ns started, ended;
	int status;
	const char *cause;
	char called[SIP_REPORT_TEXT];
	struct sip_leg_report legs[2]; // the caller's, the callee's; Call-ID empty: there was none
};

// sip_report.c - for the call records: the last word on a call, and on an INVITE that never became one.
void sip_report_ended(const struct sip_call *call);
void sip_report_ended_before(const struct sip *sip, const struct sip_ended *e);
void sip_report_refused(struct sip *sip, const sip_t *request, const struct sip_hop *from, int peer, int status, const char *cause);

// sip_notice.c - for whoever watches.
void sip_notice_started(const struct sip_call *call);
void sip_notice_answered(const struct sip_call *call);
void sip_notice_ended(const struct sip_call *call);
void sip_notice_ended_before(const struct sip *sip, const struct sip_ended *e);
void sip_notice_restored(const struct sip *sip, unsigned restored, unsigned lost);
void sip_notice_stranger(struct sip *sip, const struct inet_endpoint *source);
void sip_report_left(struct sip_dialog *d); // a transfer is through: another has its place

// sip_body.c - bodies of calls' messages, which may have several parts.
struct call_body sip_body_of(const sip_t *sip); // the description; text NULL: none
bool sip_body_is_sdp(const sip_t *sip);         // whether there is one
// A valid answer that takes nothing of an offer that d's peer has made and nobody wants, when no call's media has taken it up
// (call_media_decline()). For the caller to free with sdp_body_free(); NULL: it is no description, or no memory.
char *sip_body_decline(const struct sip_dialog *d, const struct call_body *offer, size_t *len);
int sip_body_status(const struct sip *sip, uint16_t profile, const sip_t *request); // 0, or 400, 413, 415
// Puts a description (text NULL: none) and what goes on of the other parts of `source` (NULL: nothing) into a message of ours.
msg_t *sip_message_bodies(msg_t *msg, const struct call_body *sdp, const sip_t *source, const struct sip_dialog *from,
			  const struct sip_dialog *to);

// sip_message.c - building what we send.
msg_t *sip_request_new(struct sip_dialog *d, unsigned max_forwards);
msg_t *sip_request_bare(struct sip_dialog *d, unsigned max_forwards, bool contact); // without Allow
// The request of the other side that irq is (NULL: none, it is ours), within `to`, with this description.
msg_t *sip_request_onward(struct sip_dialog *to, nta_incoming_t *irq, const struct call_body *offer);
msg_t *sip_message_body(msg_t *msg, const char *type, const char *body, size_t len); // NULL: no memory, msg is gone
void sip_message_header(msg_t *msg, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
nta_outgoing_t *sip_dialog_ack(struct sip_dialog *d, msg_t *msg, const char *branch); // for a 2xx to what may be gone
nta_outgoing_t *sip_dialog_send(struct sip_dialog *d, msg_t *msg, sip_method_t method, nta_response_f *callback);
// What of a message of theirs goes on to the other side: sip_header.h, by what the realms of the two dialogs are.
void sip_request_headers(msg_t *to, nta_incoming_t *irq, const struct sip_dialog *from, const struct sip_dialog *onward);
void sip_response_headers(msg_t *to, nta_outgoing_t *orq, const struct sip_dialog *from, const struct sip_dialog *onward);
bool sip_method_is_relayed(sip_method_t method); // carried each for itself: INFO, MESSAGE, SUBSCRIBE, NOTIFY, PUBLISH
unsigned sip_request_privacy(const sip_t *request); // SIP_PRIVACY_*
bool sip_request_behind_nat(const sip_t *request); // by the Via of the client that sent it
// The same with another context for the callback.
nta_outgoing_t *sip_dialog_send_for(struct sip_dialog *d, msg_t *msg, sip_method_t method, nta_response_f *callback,
				    void *magic);
msg_t *sip_response_new(struct sip *sip, nta_incoming_t *irq, const struct sip_dialog *d);
// Takes msg; NULL or no memory to send it: -1, and the final response was 500 if one was due.
int sip_respond(nta_incoming_t *irq, int status, msg_t *msg);
// A final response without a dialog; the transaction is given up. text: Warning's, or NULL.
int sip_refuse(struct sip *sip, nta_incoming_t *irq, int status, int warning, const char *text);
int sip_refuse_later(struct sip_dialog *d, nta_incoming_t *irq); // 500 with Retry-After: what they sent before is still open
int sip_answer_ok(struct sip_dialog *d, nta_incoming_t *irq, const struct call_body *answer); // 200; answer may be NULL
int sip_refuse_silently(nta_incoming_t *irq); // an ACK gets no response
void sip_message_reason(msg_t *msg, int status, const char *text);
void sip_message_retry_after(msg_t *msg);
void sip_message_allow(msg_t *msg); // outside of dialogs
void sip_drop_incoming(struct sip *sip, nta_incoming_t **irqp);
void sip_drop_outgoing(struct sip *sip, nta_outgoing_t **orqp);

// Verbs. in: a request of theirs; out: one of ours.
int call_invite_in(struct sip *sip, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from, int peer);
struct dialog_named;
// The caller's INVITE goes on to b, with this offer.
int call_invite_out(struct sip_dialog *b, nta_incoming_t *irq, const sip_t *request, const struct call_body *offer,
		    const struct dialog_named *named);
void call_invite_opens(struct sip_dialog *b, bool offers); // b's exchange, when it is out
int call_reinvite_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request);
int call_reinvite_response(struct sip_dialog *d, const sip_t *response);
// irq: the request whose headers go with it; NULL: none, it is ours.
int call_reinvite_out(struct sip_dialog *to, nta_incoming_t *irq, const struct call_body *offer);
int call_update_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request);
int call_update_out(struct sip_dialog *to, nta_incoming_t *irq, const struct call_body *offer);
int call_prack_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request); // for the response that was open
int call_prack_out(struct sip_dialog *to, const struct call_body *body); // for the reliable response that is due one

// call_reliable.c - provisional responses that are sent until they are acknowledged.
// Of ours to d->invite_in; msg has all but RSeq and Require. precious: it has a description. Takes msg.
int call_reliable_send(struct sip_dialog *d, int status, msg_t *msg, bool precious);
// A 2xx of ours: sent, or held until the PRACK that must come first. Takes msg.
int call_reliable_final(struct sip_dialog *d, msg_t *msg);
void call_reliable_go_on(struct sip_dialog *d); // after the PRACK: what was held
void call_reliable_end(struct sip_dialog *d); // before the transaction of its INVITE is given up
// Of theirs to d->invite_out: whether it counts. false: a repetition, or one out of order.
bool call_reliable_arrived(struct sip_dialog *d, const sip_t *response);
bool call_reliable_is(const struct sip_dialog *d, const sip_t *response);
unsigned sip_t1(const struct sip *sip);
void call_keep_reason(struct sip_call *call, const sip_t *message);
int call_bye_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request);
void call_bye_out(struct sip_dialog *d, int status, const char *cause);
int call_ack_or_cancel_in(void *dialog, nta_incoming_t *irq, const sip_t *request);
int call_ack_out(struct sip_dialog *d, const struct call_body *answer); // for the 2xx to d->invite_out, which is done then
// The same, when what the 2xx offers is not read, or cannot be taken: a valid answer all the same (RFC 3261 section 13.2.2.4).
int call_ack_decline(struct sip_dialog *d, const struct call_body *in);
int call_ack_decline_kept(struct sip_dialog *d); // of the 2xx that d->invite_out had last
int call_ack_late(struct sip_dialog *d, uint32_t number, const char *branch,
		  const struct call_body *answer); // for a 2xx to an INVITE of a life before; NULL: it offers nothing
void call_ack_arrived(struct sip_dialog *d); // of a restored one: no longer due
int call_cancel_in(struct sip_dialog *d, const sip_t *request);
void call_cancel_out(struct sip_dialog *d);
void call_answered(struct sip_dialog *a); // a 2xx of ours to its first INVITE is out
int call_response_in(void *dialog, nta_outgoing_t *orq, const sip_t *response);
int call_relay_in(struct sip_dialog *from, nta_incoming_t *irq, const sip_t *request);
void call_relay_end(struct sip_dialog *d); // nobody will answer what is open in it
// call_refer.c - REFER within a call that goes on to the other side.
int call_refer_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request);
bool call_refer_takes(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request); // NOTIFY, SUBSCRIBE: it was of a REFER
int call_refer_late(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request);   // in a dialog that is over
bool call_refer_keeps(const struct sip_dialog *d);  // NOTIFYs may still come in it, or go
void call_refer_call_ends(struct sip_call *call);   // they are waited for, for a while
void call_refer_drop(struct sip_call *call);
// call_early.c - media before the answer.
void call_early_begin(struct sip_call *call); // both its dialogs are there
void call_early_read(struct sip_dialog *b, const sip_t *response); // a 1xx of the called side
bool call_early_withheld(const struct sip_dialog *a);              // no description for the caller yet
unsigned call_early_gate(const struct sip_call *call, unsigned line); // EARLY_*; both once it is answered
unsigned call_early_gate_of(const struct sip_dialog *fork, unsigned line); // that is not followed
// call_fork.c - dialogs that share one INVITE of ours, told apart by their To tags.
struct sip_dialog *call_fork_find(struct sip_dialog *trunk, const char *tag); // makes it, if need be; NULL: one too many
void call_fork_follow(struct sip_dialog *b); // its descriptions and its media are the call's
bool call_fork_is(const struct sip_dialog *d); // there are several that may still answer
bool call_fork_is_own(const struct sip_dialog *b); // the caller has a dialog of its own with it
struct sip_dialog *call_fork_win(struct sip_dialog *trunk, const char *tag); // the others leave nothing
// The caller has had its offer from another fork, and this one may make one, too. Once the caller has answered, this one can be
// answered here, if that would tell the caller nothing new; else it is declined, and cannot win.
bool call_fork_is_second(const struct sip_dialog *b);
int call_fork_offering(struct sip_dialog *b); // before it is followed with its offer
void call_fork_offered(struct sip_dialog *b, enum oa_carrier by, const struct call_body *in, struct call_body *answer);
void call_fork_put_back(struct sip_dialog *b, struct sip_dialog *was); // it was declined
void call_fork_only(struct sip_dialog *trunk); // the others leave nothing, though nobody has won
void call_fork_end(struct sip_call *call); // nobody has won
int call_late(void *sip, nta_outgoing_t *orq, const sip_t *response); // a response of no transaction that we have
// call_redirect.c - a final response of b that is no 2xx: whether the call goes on with another dialog in its place.
bool call_redirect(struct sip_dialog *b, const sip_t *response, int status);
void call_redirect_end(struct sip_call *call);
int call_options_in(struct sip *sip, nta_incoming_t *irq);
int call_request_in(void *dialog, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *request); // within a dialog
void call_drain(struct sip *sip);
void call_none_left(struct sip *sip); // the last call is over
void call_media_event(struct sip *sip, const struct media_event *event);

static inline mono_ns call_now(const struct sip_call *call)
{
	return env_now(call->sip->env);
}

static inline const char *sip_peer_realm_name(const struct sip_dialog *d)
{
	return d->sip->config->realms[d->realm].name;
}
