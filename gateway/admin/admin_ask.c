// SPDX-License-Identifier: GPL-3.0-or-later
// admin_ask.c - asks that are out, and their answers' way back to the main loop.
#include "gateway/admin/admin_ask.h"
#include "base/mailbox.h"
#include "gateway/event_drop.h"
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#define PATIENCE_S 3

struct admin_asks {
	struct mailbox *answers; // of pointers; any thread writes
	struct event *on_answer;
	size_t n, most; // out now; the mailbox has room for all of them
};

static void ask_free(struct admin_asks *asks, struct admin_ask *ask)
{
	event_drop(ask->deadline);
	free(ask->list);
	sip_call_look_free(ask->call);
	free(ask->media);
	sip_inventory_free(ask->inventory);
	free(ask);
	asks->n--;
}

int admin_asks_open(struct admin_asks **asksp, size_t most)
{
	struct admin_asks *asks = calloc(1, sizeof(*asks));
	int err;

	if (asks == NULL)
		return -ENOMEM;
	asks->most = most;
	err = mailbox_open(&asks->answers, most, sizeof(struct admin_ask *));
	if (err < 0)
		free(asks);
	else
		*asksp = asks;
	return err;
}

void admin_asks_close(struct admin_asks *asks)
{
	struct admin_ask *ask;

	if (asks == NULL)
		return;
	while (mailbox_pop(asks->answers, &ask) == 0)
		ask_free(asks, ask);
	mailbox_close(asks->answers);
	free(asks);
}

static void answer_came(evutil_socket_t fd, short what, void *arg)
{
	struct admin_asks *asks = arg;
	struct admin_ask *ask;

	while (mailbox_pop(asks->answers, &ask) == 0) {
		if (ask->over)
			ask_free(asks, ask);
		else
			ask->answered(ask);
	}
}

int admin_asks_listen(struct admin_asks *asks, struct event_base *base)
{
	asks->on_answer = event_new(base, mailbox_fd(asks->answers), EV_READ | EV_PERSIST, answer_came, asks);
	return asks->on_answer != NULL && event_add(asks->on_answer, NULL) == 0 ? 0 : -ENOMEM;
}

void admin_asks_deaf(struct admin_asks *asks)
{
	event_drop(asks->on_answer);
	asks->on_answer = NULL;
}

static void client_left(void *arg)
{
	struct admin_ask *ask = arg;

	ask->over = true; // and freed when its answer has come
	event_free(ask->deadline);
	ask->deadline = NULL;
}

static void too_late(evutil_socket_t fd, short what, void *arg)
{
	struct admin_ask *ask = arg;

	client_left(ask);
	admin_problem(&ask->rq, 503, "a thread of the gateway did not answer in time");
}

struct admin_ask *admin_ask_new(struct admin_request *rq, void (*answered)(struct admin_ask *ask))
{
	static const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct admin_asks *asks = rq->admin->asks;
	struct admin_ask *ask = asks->n < asks->most ? calloc(1, sizeof(*ask)) : NULL;

	if (ask != NULL)
		ask->deadline = event_new(rq->admin->start.base, -1, 0, too_late, ask);
	if (ask == NULL || ask->deadline == NULL) {
		free(ask);
		admin_problem(rq, 503, "too many questions are out");
		return NULL;
	}
	asks->n++;
	ask->asks = asks;
	ask->rq = *rq;
	ask->answered = answered;
	event_add(ask->deadline, &patience);
	http_defer(rq->x, client_left, ask);
	return ask;
}

void admin_ask_sent(struct admin_ask *ask, int err)
{
	if (err == 0)
		return;
	admin_problem(&ask->rq, 503, "a thread of the gateway has no room for questions");
	ask_free(ask->asks, ask);
}

void admin_ask_over(struct admin_ask *ask)
{
	ask_free(ask->asks, ask);
}

static void back(struct admin_ask *ask)
{
	mailbox_push(ask->asks->answers, &ask);
}

void admin_ask_list(void *ctx, struct sip_call_list *list)
{
	struct admin_ask *ask = ctx;

	ask->list = list;
	back(ask);
}

void admin_ask_call(void *ctx, struct sip_call_look *look)
{
	struct admin_ask *ask = ctx;

	ask->call = look;
	back(ask);
}

void admin_ask_media(void *ctx, struct media_look *look)
{
	struct admin_ask *ask = ctx;

	ask->media = look;
	back(ask);
}

void admin_ask_inventory(void *ctx, struct sip_inventory *inventory)
{
	struct admin_ask *ask = ctx;

	ask->inventory = inventory;
	back(ask);
}

void admin_ask_done(void *ctx, int err)
{
	struct admin_ask *ask = ctx;

	ask->err = err;
	back(ask);
}
