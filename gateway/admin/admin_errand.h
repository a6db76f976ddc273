// SPDX-License-Identifier: GPL-3.0-or-later
// admin_errand.h - a request whose answer the supervisor has: it goes by the link with a number, which comes back with the answer. A
// client that leaves, or whose time is up, is forgotten; what it asked for goes on.
#pragma once
#include "gateway/admin/admin_priv.h"

struct admin_errand {
	struct admin_errand *next; // of admin->errands
	struct admin_request rq;
	unsigned number;
	struct event *deadline;
	// word: "document", or that of an outcome; rest: what follows; attached: the caller's. Ends the request.
	void (*answered)(struct admin_errand *errand, const char *word, const char *rest, int attached);
	json_t *changes; // of the question, for the answer
};

// Says "VERB NUMBER REST" with the descriptor, which stays the caller's. Takes changes. The client waits from now on, or has been
// told 503.
void admin_errand_send(struct admin_request *rq, const char *verb, const char *rest, int attached, json_t *changes,
		       void (*answered)(struct admin_errand *errand, const char *word, const char *rest, int attached));
