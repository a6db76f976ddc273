// SPDX-License-Identifier: GPL-3.0-or-later
// admin_orders.c - what an operator asks of the supervisor: it does the work, control only passes the word on (gateway/link.h). What
// comes of it is in the log, and in GET /v1/status.
#include "gateway/admin/admin_priv.h"

static void order(struct admin_request *rq, const char *word)
{
	const struct admin_start *start = &rq->admin->start;

	if (start->order(start->ctx, word, -1) < 0)
		admin_problem(rq, 503, "the supervisor does not listen");
	else
		admin_answer_json(rq, 202, json_pack("{s:s}", "status", "asked"));
}

void admin_drain(struct admin_request *rq)
{
	order(rq, "drain");
}

void admin_resume(struct admin_request *rq)
{
	order(rq, "resume");
}

void admin_reload(struct admin_request *rq)
{
	order(rq, "reload");
}

void admin_replace(struct admin_request *rq)
{
	order(rq, "replace");
}

void admin_shut_down(struct admin_request *rq)
{
	order(rq, "stop");
}
