// SPDX-License-Identifier: GPL-3.0-or-later
// call_timer.h - session timers (RFC 4028) of a call's dialogs, each for itself: what its INVITEs and UPDATEs say of them, refreshes
// of ours, and the end of a call that nobody has refreshed. The rules are session_timer.h's.
#pragma once
#include "signaling/sip_priv.h"

// Whether these speak of session timers: INVITE, and UPDATE once there is a session. What rings is timer C's to end.
bool call_timer_by(const struct sip_dialog *d, sip_method_t method);
// A request of theirs, before its method is looked at: refused with 422, or noted for the 2xx to it.
bool call_timer_refused(struct sip *sip, uint16_t profile, nta_incoming_t *irq, const sip_t *request);
void call_timer_asked(struct sip_dialog *d, const sip_t *request);
void call_timer_serve(struct sip_dialog *d, msg_t *msg); // into our 2xx to it; NULL is fine
// Of ours: into an INVITE or UPDATE; their 2xx to it; their 422, after which it is sent once more (false: it is not).
void call_timer_ask(struct sip_dialog *d, msg_t *msg);
void call_timer_learn(struct sip_dialog *d, const sip_t *response);
bool call_timer_again(struct sip_dialog *d, nta_outgoing_t **orqp, sip_method_t method, const sip_t *response,
		      nta_response_f *callback);
void call_timer_refusal(struct sip_dialog *d, int status); // their final response to a re-INVITE of ours
void call_timer_resume(struct sip_dialog *d); // of a restored call: as agreed before, and as long ago
void call_timer_drop(struct sip_dialog *d); // the dialog is over
