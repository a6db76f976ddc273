// SPDX-License-Identifier: GPL-3.0-or-later
// sip_relay.h - requests that are carried each for itself: INFO, MESSAGE, SUBSCRIBE, NOTIFY, PUBLISH. One of theirs waits
// while one of ours, to the other side, is out; its response is theirs. Bodies pass as they are.
#pragma once
#include "signaling/sip_priv.h"

struct sip_relayed;

// The final response, before it is passed on; NULL: nobody answered. status is what the waiting side is told.
typedef void sip_relayed_fn(struct sip_relayed *relayed, int status, const sip_t *response);

struct sip_relayed {
	struct sip_relayed *next, **link; // of from->relayed
	struct sip_dialog *from, *to;
	nta_incoming_t *in;
	nta_outgoing_t *out;
	sip_method_t method;
	sip_relayed_fn *done; // NULL: nobody wants to know
	void *owner;
	bool last; // NOTIFY: nothing comes after it
};

// The method's bit of enum sip_relay if both dialogs' profiles have it; 0: it is not carried.
unsigned sip_relay_allowed(const struct sip_dialog *from, const struct sip_dialog *to, sip_method_t method);
// Carries the request from dialog to dialog, or refuses it; irq is taken over. owner: for done. Returns 0 if it is on its way.
int sip_relay_request(struct sip_dialog *from, struct sip_dialog *to, nta_incoming_t *irq, const sip_t *request,
		      sip_relayed_fn *done, void *owner);
// The same for a request that is written already; msg is taken over. 0, or -1 if it was refused.
int sip_relay_send(struct sip_dialog *from, struct sip_dialog *to, nta_incoming_t *irq, msg_t *msg, sip_method_t method,
		   sip_relayed_fn *done, void *owner);
int sip_relay_status(const struct sip_dialog *from, const sip_t *request); // 0, or why it cannot be carried at all
bool sip_relay_busy(const struct sip_dialog *from);                        // too much is open in it
// The dialog is over: whoever waits for a response in it gets this status.
void sip_relay_end(struct sip_dialog *from, int status);

// Out of dialog: MESSAGE, PUBLISH, SUBSCRIBE, by the routes of calls.
int sip_relay_outside(struct sip *sip, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from, int peer);
void sip_relay_close(struct sip *sip); // the thread ends

// sip_subscription.c - a SUBSCRIBE out of dialog and the NOTIFYs that come of it: a pair of dialogs.
// The same for a REFER. like: where it goes to is the peer of this dialog; NULL: the target of to_peer.
int sip_subscribe_in(struct sip *sip, nta_incoming_t *irq, const sip_t *request, const struct sip_hop *from, int peer,
		     int to_peer, const struct sip_dialog *like);
void sip_subscriptions_close(struct sip *sip);
