// SPDX-License-Identifier: GPL-3.0-or-later
// cdr.c - the two halves of a call record meet. A call that media has heard of waits for media's half, some seconds at most.
#include "gateway/cdr.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "gateway/cdr_file.h"
#include "gateway/cdr_line.h"
#include "gateway/event_drop.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TAG "cdr"
#define PATIENCE MONO_S(5)
#define SLOTS(sessions) (4 * (size_t)(sessions) + 1024) // both halves of every call, twice, and calls that are refused
#define TICK_S 1

struct cdr_mail {
	struct sip_call_report *call; // or
	struct media_report *media;
};

struct cdr_wait { // one that waits for media; all wait equally long, so the first came first
	struct cdr_wait *next;
	struct sip_call_report *call;
	mono_ns until;
};

struct cdr {
	struct cdr_config config;
	const struct env *env;
	struct mailbox *mail;
	struct event *on_mail, *on_tick;
	struct cdr_file *file; // NULL: none configured
	struct cdr_wait *first, **last;
	uint64_t alone, unmade, before_written, before_lost, before_failures; // before: of files that were configured earlier
	_Atomic bool on;         // main: wo
	_Atomic uint64_t no_room; // any thread
};

static void write_record(struct cdr *cdr, const struct sip_call_report *call, const struct media_report *media)
{
	struct timespec wall;
	size_t len;
	char *line;

	if (cdr->file == NULL)
		return;
	clock_gettime(CLOCK_REALTIME, &wall);
	line = cdr_line(call, media, env_now(cdr->env), &wall, &len);
	if (line == NULL) {
		cdr->unmade++;
		log_error(TAG, "call record lost", LOG_STR("error", "no memory"));
		return;
	}
	cdr_file_add(cdr->file, line, len, env_now(cdr->env));
	free(line);
}

// Takes *link out of those that wait, and writes it.
static void finish(struct cdr *cdr, struct cdr_wait **link, const struct media_report *media)
{
	struct cdr_wait *w = *link;

	*link = w->next;
	if (*link == NULL)
		cdr->last = link;
	cdr->alone += media == NULL;
	write_record(cdr, w->call, media);
	free(w->call);
	free(w);
}

// A session number comes again only after its media has ended, so it waits once at most.
static void take_media(struct cdr *cdr, struct media_report *media)
{
	for (struct cdr_wait **link = &cdr->first; *link != NULL; link = &(*link)->next) {
		if ((*link)->call->session == media->session) {
			finish(cdr, link, media);
			break;
		}
	}
	free(media);
}

static void take_call(struct cdr *cdr, struct sip_call_report *call)
{
	struct cdr_wait *w = call->session != 0 ? malloc(sizeof(*w)) : NULL;

	if (w == NULL) { // nothing to wait for, or nothing to wait with
		cdr->alone += call->session != 0;
		write_record(cdr, call, NULL);
		free(call);
		return;
	}
	*w = (struct cdr_wait){ .call = call, .until = env_now(cdr->env) + PATIENCE };
	*cdr->last = w;
	cdr->last = &w->next;
}

static void take_mail(struct cdr *cdr)
{
	struct cdr_mail mail;

	while (mailbox_pop(cdr->mail, &mail) == 0) {
		if (mail.call != NULL)
			take_call(cdr, mail.call);
		else
			take_media(cdr, mail.media);
	}
}

static void on_mail(evutil_socket_t fd, short what, void *ctx)
{
	take_mail(ctx);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct cdr *cdr = ctx;
	mono_ns now = env_now(cdr->env);

	while (cdr->first != NULL && cdr->first->until <= now)
		finish(cdr, &cdr->first, NULL);
	if (cdr->file != NULL)
		cdr_file_retry(cdr->file, now);
}

static void file_close(struct cdr *cdr)
{
	struct cdr_file_counts counts;

	if (cdr->file == NULL)
		return;
	cdr_file_counts(cdr->file, &counts);
	cdr->before_written += counts.written;
	cdr->before_lost += counts.lost;
	cdr->before_failures += counts.failures;
	cdr_file_close(cdr->file);
	cdr->file = NULL;
}

void cdr_configure(struct cdr *cdr, const struct cdr_config *config)
{
	if (memcmp(&cdr->config, config, sizeof(*config)) == 0 && (cdr->file != NULL) == (config->file[0] != '\0'))
		return;
	file_close(cdr);
	cdr->config = *config;
	if (config->file[0] != '\0' && cdr_file_open(&cdr->file, config->file, config->max_size, config->keep) < 0)
		log_error(TAG, "no call records", LOG_STR("error", "no memory"));
	cdr->on = cdr->file != NULL;
}

bool cdr_is_idle(const struct cdr *cdr)
{
	return cdr->first == NULL;
}

void cdr_reopen(struct cdr *cdr)
{
	if (cdr->file != NULL)
		cdr_file_reopen(cdr->file);
}

int cdr_open(struct cdr **cdrp, const struct cdr_start *start)
{
	static const struct timeval second = { .tv_sec = TICK_S };
	struct cdr *cdr = calloc(1, sizeof(*cdr));
	int err = -ENOMEM;

	if (cdr == NULL)
		return err;
	cdr->env = start->env;
	cdr->last = &cdr->first;
	err = mailbox_open(&cdr->mail, SLOTS(start->max_sessions), sizeof(struct cdr_mail));
	if (err < 0)
		goto out;
	err = -ENOMEM;
	cdr->on_mail = event_new(start->base, mailbox_fd(cdr->mail), EV_READ | EV_PERSIST, on_mail, cdr);
	cdr->on_tick = event_new(start->base, -1, EV_PERSIST, on_tick, cdr);
	if (cdr->on_mail == NULL || cdr->on_tick == NULL || event_add(cdr->on_mail, NULL) < 0 ||
	    event_add(cdr->on_tick, &second) < 0)
		goto out;
	cdr_configure(cdr, start->config);
	*cdrp = cdr;
	cdr = NULL;
	err = 0;
out:
	cdr_close(cdr);
	return err;
}

void cdr_close(struct cdr *cdr)
{
	if (cdr == NULL)
		return;
	if (cdr->mail != NULL)
		take_mail(cdr);
	while (cdr->first != NULL)
		finish(cdr, &cdr->first, NULL);
	file_close(cdr);
	event_drop(cdr->on_mail);
	event_drop(cdr->on_tick);
	mailbox_close(cdr->mail);
	free(cdr);
}

static bool post(struct cdr *cdr, const struct cdr_mail *mail)
{
	if (!cdr->on)
		return false;
	if (mailbox_push(cdr->mail, mail) == 0)
		return true;
	cdr->no_room++;
	return false;
}

void cdr_call(void *cdr, struct sip_call_report *report)
{
	if (!post(cdr, &(struct cdr_mail){ .call = report }))
		free(report);
}

void cdr_media(void *cdr, struct media_report *report)
{
	if (!post(cdr, &(struct cdr_mail){ .media = report }))
		free(report);
}

void cdr_counts(const struct cdr *cdr, struct cdr_counts *counts)
{
	struct cdr_file_counts file = { 0 };

	if (cdr->file != NULL)
		cdr_file_counts(cdr->file, &file);
	*counts = (struct cdr_counts){
		.records = cdr->before_written + file.written,
		.lost = cdr->before_lost + file.lost + cdr->no_room + cdr->unmade,
		.alone = cdr->alone,
		.failures = cdr->before_failures + file.failures,
		.buffered = file.buffered,
	};
}
