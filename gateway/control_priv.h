// SPDX-License-Identifier: GPL-3.0-or-later
// control_priv.h - what the files of control's main thread share.
#pragma once
#include "gateway/cdr.h"
#include "gateway/config.h"
#include "mediarelay/call_record.h"
#include "mediarelay/media.h"
#include "signaling/sip.h"
#include <event2/event.h>
#include <stdatomic.h>

struct admin;
struct admin_door;
struct traces;

struct control {
	struct config *cfg; // in force
	struct event_base *base;
	struct event *on_term, *on_drained, *on_drain_timeout, *on_supervisor, *on_empty, *on_leave;
	struct admin_door *door; // NULL: there is none
	struct admin *admin;
	int media_region;        // for the door: the relay's heartbeat
	struct call_records *records;
	struct cdr *cdr;
	struct traces *traces;
	struct media *media;
	_Atomic(struct sip *) sip; // main: wo; read by the media thread
	int drained;               // eventfd: the sip thread says that the last call has ended
	int empty;                 // eventfd: the same, while the door is closed
	int supervisor;            // link: we say when we are ready, and are told what to do
	bool draining;             // the end
	bool door_closed;          // the supervisor has said so
	bool leaving;              // another control is to take our place
	bool leave_told;           // in the log, that it waits
	mono_ns leave_until;
};

// control_orders.c - what the supervisor asks for.
int orders_start(struct control *ct);
void orders_stop(struct control *ct);
void orders_sip_empty(void *control); // of sip_start, on the sip thread
