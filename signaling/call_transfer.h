// SPDX-License-Identifier: GPL-3.0-or-later
// call_transfer.h - a transfer that is made here (profile: transfer: resolve). A call has two sides; a transfer puts another
// dialog in the place of the one that asked for it, and the other side's dialog, seats and keys stay as they are.
#pragma once
#include "signaling/sip_refer.h"

// A REFER of d's peer; irq is taken over.
int call_transfer_in(struct sip_dialog *d, nta_incoming_t *irq, const sip_t *request, const struct refer_target *target);
// The staying side's response to the re-offer. true: it was for this, and has been seen to.
bool call_transfer_refused(struct sip_dialog *stays, int status);
void call_transfer_met(struct sip_call *call); // both have the other's description now; nothing if no transfer is open
bool call_transfer_leaves(const struct sip_dialog *d); // its end is not the call's
bool call_transfer_moving(const struct sip_dialog *d); // it has just lost its place: nothing of the session can be changed by it
bool call_transfer_keeps(const struct sip_dialog *d);  // a NOTIFY of ours may still go in it
void call_transfer_call_ends(struct sip_call *call);
void call_transfer_drop(struct sip_call *call);
