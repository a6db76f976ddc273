// SPDX-License-Identifier: GPL-3.0-or-later
// sip_refer.h - what messages say of transfers (RFC 3515, 3891, 3892, 3911, 4488, 4538), read from one leg and written for
// another: a place to call becomes a place at our address, a dialog of one leg that of the other, a NOTIFY's message one line.
#pragma once
#include "signaling/dialog_name.h"
#include "signaling/sip_priv.h"

struct refer_target { // Refer-To
	char user[128];
	enum dialog_naming naming; // among its headers
	struct dialog_name dialog;
	bool required;             // they say that the other end must understand it
};

// Whether both sides may take part in transfers; NULL: no.
bool sip_refer_between(const struct sip_dialog *a, const struct sip_dialog *b);
bool sip_refer_allowed(const struct sip_dialog *d); // whether d may send a REFER
// 0, or the status to refuse it with.
int sip_refer_read(struct refer_target *target, const sip_t *request);
// All that a REFER has of its own, in one of ours to `to`. 0, or the status to refuse it with.
int sip_refer_write(msg_t *msg, const sip_t *request, const struct refer_target *target, const struct sip_dialog *from,
		    const struct sip_dialog *to);
void sip_refer_by(msg_t *msg, const sip_t *request, const struct sip_dialog *to); // Referred-By
void sip_refer_sub(msg_t *msg, const sip_t *message);                            // Refer-Sub
bool sip_refer_no_sub(const sip_t *message);                                     // it says false
// Event of a NOTIFY or SUBSCRIBE: true if it is of a REFER; *id is its number, 0: none.
bool sip_refer_event(const sip_t *message, uint32_t *id);
bool sip_refer_notify_is_sound(const sip_t *notify); // RFC 3515 section 2.4.5
// A NOTIFY or SUBSCRIBE of a REFER, for the other side, which knows that by this number; 0: by none.
msg_t *sip_refer_event_on(struct sip_dialog *from, struct sip_dialog *to, nta_incoming_t *irq, const sip_t *request, uint32_t id);
msg_t *sip_refer_fragment_write(msg_t *msg, int status); // the body of a NOTIFY

// A dialog that a request names, which does not belong to it.
struct dialog_named {
	enum dialog_naming naming; // nothing: it names none, or need not be understood
	struct dialog_name name;   // for whoever gets the request
	struct sip_dialog *target; // whose peer that is; NULL: not of our calls,
	int only_peer;             // then the only peer that it means anything to
};

struct sip_dialog *sip_refer_dialog(struct sip *sip, const struct dialog_name *name); // of a call of ours that is no wreck
// Of an INVITE. 0, or the status to refuse it with. peer: who sent it.
int sip_refer_named(struct sip *sip, const sip_t *request, int peer, struct dialog_named *named);
// Of a Refer-To that `peer` has sent us: what the call that we make says. 0, or the status to refuse it with.
int sip_refer_target_named(struct sip *sip, const struct refer_target *target, int peer, struct dialog_named *named);
void sip_refer_named_write(msg_t *msg, const struct dialog_named *named);
// Of a REFER out of dialog: on whose other side it is meant to be read, by its Target-Dialog; NULL: it says nothing of it.
struct sip_dialog *sip_refer_outside(struct sip *sip, const sip_t *request, int peer);
// Target-Dialog, if it names a dialog of the sender's, for whoever is on the other side of that.
void sip_refer_target_dialog(msg_t *msg, const sip_t *request, const struct sip_dialog *from, const struct sip_dialog *to);
