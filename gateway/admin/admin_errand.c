// SPDX-License-Identifier: GPL-3.0-or-later
// admin_errand.c - the list of those who wait for the supervisor.
#include "gateway/admin/admin_errand.h"
#include "gateway/link.h"
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_S 10

static void forget(struct admin_errand *errand)
{
	struct admin_errand **at = &errand->rq.admin->errands;

	while (*at != errand)
		at = &(*at)->next;
	*at = errand->next;
	event_free(errand->deadline);
	json_decref(errand->changes);
	free(errand);
}

static void client_left(void *arg)
{
	forget(arg);
}

static void too_late(evutil_socket_t fd, short what, void *arg)
{
	struct admin_errand *errand = arg;
	struct admin_request rq = errand->rq;

	forget(errand);
	admin_problem(&rq, 503, "the supervisor did not answer in time; GET /v1/configuration tells what came of it");
}

static struct admin_errand *errand_new(struct admin_request *rq)
{
	static const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct admin_errand *errand = calloc(1, sizeof(*errand));

	if (errand == NULL)
		return NULL;
	errand->deadline = event_new(rq->admin->start.base, -1, 0, too_late, errand);
	if (errand->deadline == NULL || event_add(errand->deadline, &patience) < 0) {
		if (errand->deadline != NULL)
			event_free(errand->deadline);
		free(errand);
		return NULL;
	}
	errand->rq = *rq;
	errand->number = ++rq->admin->last_errand;
	errand->next = rq->admin->errands;
	rq->admin->errands = errand;
	return errand;
}

void admin_errand_send(struct admin_request *rq, const char *verb, const char *rest, int attached, json_t *changes,
		       void (*answered)(struct admin_errand *errand, const char *word, const char *rest, int attached))
{
	const struct admin_start *start = &rq->admin->start;
	struct admin_errand *errand = errand_new(rq);
	char text[LINK_TEXT];

	if (errand == NULL) {
		json_decref(changes);
		admin_problem(rq, 503, "no memory");
		return;
	}
	errand->changes = changes;
	errand->answered = answered;
	snprintf(text, sizeof(text), "%s %u %s", verb, errand->number, rest);
	if (start->order(start->ctx, text, attached) < 0) {
		forget(errand);
		admin_problem(rq, 503, "the supervisor does not listen");
		return;
	}
	http_defer(rq->x, client_left, errand);
}

// "document N REST", "outcome N WORD REST"
void admin_heard(struct admin *admin, const char *text, int attached)
{
	struct admin_errand *errand = admin != NULL ? admin->errands : NULL;
	const char *rest = strchr(text, ' ');
	char word[24] = "document", *end;
	unsigned long number = rest != NULL ? strtoul(rest, &end, 10) : 0;

	while (errand != NULL && errand->number != number)
		errand = errand->next;
	if (errand == NULL)
		return;
	rest = *end == ' ' ? end + 1 : end;
	if (link_word(text, "outcome") != NULL) {
		size_t len = strcspn(rest, " ");

		snprintf(word, sizeof(word), "%.*s", (int)len, rest);
		rest += len + (rest[len] == ' ');
	}
	errand->answered(errand, word, rest, attached);
	forget(errand);
}
