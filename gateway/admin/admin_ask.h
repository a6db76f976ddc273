// SPDX-License-Identifier: GPL-3.0-or-later
// admin_ask.h - a request whose answer must be asked of another thread. That thread answers by a mailbox; what is asked, lives until
// it has, whether the client is still there or not, and whether its time is up or not.
#pragma once
#include "gateway/admin/admin_priv.h"
#include "mediarelay/media_look.h"
#include "signaling/sip_calls.h"
#include "signaling/sip_inventory.h"

struct admin_asks; // all that are out

struct admin_ask {
	struct admin_asks *asks; // outlives the threads that answer
	struct admin_request rq;
	struct event *deadline;
	bool over; // the client has its answer, or has left
	// On the main loop, with the answer in place; never when `over`. Ends the request, or asks on.
	void (*answered)(struct admin_ask *ask);
	// The answers, malloc'ed.
	struct sip_call_list *list;
	struct sip_call_look *call;
	struct media_look *media;
	struct sip_inventory *inventory;
	int err;
	int32_t realm; // of the question
	uint32_t trace; // the same
};

int admin_asks_open(struct admin_asks **asksp, size_t most);
void admin_asks_close(struct admin_asks *asks); // when no thread is left that could answer; NULL is fine
int admin_asks_listen(struct admin_asks *asks, struct event_base *base);
void admin_asks_deaf(struct admin_asks *asks);

// NULL: the client has been told 503. The request is deferred from now on.
struct admin_ask *admin_ask_new(struct admin_request *rq, void (*answered)(struct admin_ask *ask));
void admin_ask_sent(struct admin_ask *ask, int err); // what asking returned: of an error the client is told, and the ask is gone
void admin_ask_over(struct admin_ask *ask);          // the client is being answered now
// Callbacks for those who answer, on their threads; ctx is the ask.
void admin_ask_list(void *ctx, struct sip_call_list *list);
void admin_ask_call(void *ctx, struct sip_call_look *look);
void admin_ask_media(void *ctx, struct media_look *look);
void admin_ask_inventory(void *ctx, struct sip_inventory *inventory);
void admin_ask_done(void *ctx, int err);
