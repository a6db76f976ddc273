// SPDX-License-Identifier: GPL-3.0-or-later
// supervisor_document.c - the configuration document that an operator hands in at the management door (decision 0121). It takes the
// place of the file before control gets it, and the old one comes back if control does not take it: what is in force and what a
// restart would read are the same at any moment that somebody can ask about.
//
// Control may be in other hands. It can make the file a document that is valid, changes nothing that only who can write the file
// may change, and needs no more than a new control; it names no path, and nothing else is written.
#include "base/log.h"
#include "gateway/config_file.h"
#include "gateway/link.h"
#include "gateway/supervisor_priv.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAG "supervisor"
#define WHAT "configuration by the management door"

struct document {
	char *text;
	size_t len;
};

struct request { // "N MARK SCOPE"
	unsigned number;
	unsigned long long mark;
	enum config_scope most, needs;
};

static const char *path_before(const struct supervisor *sv, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s.before", sv->programs->file);
	return path;
}

static void answer(struct supervisor *sv, unsigned number, const char *word, const char *more)
{
	char text[LINK_TEXT];

	if (number == 0)
		return;
	snprintf(text, sizeof(text), "outcome %u %s %.180s", number, word, more);
	link_say(sv->control.ready_fd, text, -1);
}

static void refuse(struct supervisor *sv, unsigned number, const char *word, const char *why)
{
	log_warning(TAG, WHAT, LOG_STR("refused", why));
	snprintf(sv->last_change, sizeof(sv->last_change), "refused: %.140s", why);
	answer(sv, number, word, why);
}

// The file as it is, and its mark together with what is in force.
static int look(const struct supervisor *sv, struct document *file, unsigned long long *mark)
{
	char *text = NULL;
	size_t len;
	FILE *to;
	int err = config_file_read(sv->programs->file, &file->text, &file->len);

	if (err < 0)
		return err;
	to = open_memstream(&text, &len);
	err = to != NULL ? config_print(sv->cfg, to) : -ENOMEM;
	if (to != NULL && fclose(to) != 0)
		err = -ENOMEM;
	if (err == 0)
		*mark = config_file_mark(file->text, file->len, text, len);
	else
		free(file->text);
	free(text);
	return err;
}

void supervisor_document_asked(struct supervisor *sv, const char *rest)
{
	unsigned number = (unsigned)strtoul(rest, NULL, 10);
	char path[PATH_MAX], text[LINK_TEXT];
	struct document file;
	unsigned long long mark;
	int fd, err = look(sv, &file, &mark);

	if (err < 0) {
		answer(sv, number, "failed", log_errno(err));
		return;
	}
	fd = config_file_give(file.text, file.len);
	snprintf(text, sizeof(text), "document %u %016llx %d %s", number, mark, access(path_before(sv, path), R_OK) == 0, sv->last_change);
	if (fd < 0 || link_say(sv->control.ready_fd, text, fd) < 0)
		answer(sv, number, "failed", "the file cannot be handed over");
	if (fd >= 0)
		close(fd);
	free(file.text);
}

static bool read_request(struct request *rq, const char *rest)
{
	char scope[16] = "";

	if (sscanf(rest, "%u %16llx %15s", &rq->number, &rq->mark, scope) != 3)
		return false;
	rq->most = strcmp(scope, "control") == 0 ? CONFIG_CONTROL : CONFIG_LIVE;
	return true;
}

static void find_forbidden(void *ctx, const char *key, enum config_scope scope)
{
	char *found = ctx;

	if (found[0] == '\0' && config_by_file_alone(key))
		snprintf(found, CONFIG_PATH_MAX, "%s", key);
}

static void refuse_at(struct supervisor *sv, const struct request *rq, const struct config_error *why)
{
	char text[LINK_TEXT];

	snprintf(text, sizeof(text), "line %u: %.150s", why->line, why->message);
	refuse(sv, rq->number, "invalid", text);
}

// May it: before anything that it names is looked at. False: it has been refused.
static bool is_allowed(struct supervisor *sv, struct request *rq)
{
	char forbidden[CONFIG_PATH_MAX] = "";
	struct config_change change;
	int err = config_change_each(sv->cfg, sv->next, find_forbidden, forbidden);

	if (err == 0)
		err = config_change(&change, sv->cfg, sv->next);
	if (err < 0)
		refuse(sv, rq->number, "failed", log_errno(err));
	else if (forbidden[0] != '\0')
		refuse(sv, rq->number, "forbidden", forbidden);
	else if (change.scope > rq->most)
		refuse(sv, rq->number, change.scope == CONFIG_CONTROL ? "control" : "restart", change.refused);
	rq->needs = err == 0 ? change.scope : CONFIG_RELAY;
	return forbidden[0] == '\0' && rq->needs <= rq->most;
}

// sv->next, from the text. False: it has been refused.
static bool examine(struct supervisor *sv, struct request *rq, const struct document *new)
{
	struct config_error why;

	if (config_parse(&sv->next, new->text, new->len, &why) < 0) {
		sv->next = NULL;
		refuse_at(sv, rq, &why);
		return false;
	}
	if (!is_allowed(sv, rq))
		return false;
	if (config_check_host(sv->next, &why) == 0)
		return true;
	refuse_at(sv, rq, &why);
	return false;
}

// The file has the new text; control may have to take it.
static void begin(struct supervisor *sv, const struct request *rq)
{
	int err = supervisor_take_next(sv, WHAT, rq->most);

	if (err < 0) {
		supervisor_document_undone(sv, log_errno(err));
	} else if (err == 1) {
		supervisor_document_done(sv); // another wording of the same
	} else if (rq->needs == CONFIG_CONTROL) {
		answer(sv, rq->number, "replacing", "");
		sv->document.number = 0; // the next control counts anew
		snprintf(sv->last_change, sizeof(sv->last_change), "control is being replaced");
		supervisor_begin_replace(sv);
	} else {
		supervisor_begin_reload(sv);
	}
}

static void forget_next(struct supervisor *sv)
{
	config_free(sv->next);
	sv->next = NULL;
}

// False: it has been refused.
static bool write_file(struct supervisor *sv, const struct request *rq, const struct document *new)
{
	const char *path = sv->programs->file;
	int err = config_file_write(path, path, new->text, new->len);

	if (err == 0)
		return true;
	log_error(TAG, "cannot write", LOG_STR("file", path), LOG_ERRNO(err));
	refuse(sv, rq->number, "failed", log_errno(err));
	return false;
}

static void put_in_place(struct supervisor *sv, struct request *rq, const struct document *new)
{
	struct document file;
	unsigned long long mark;
	int err;

	if (sv->task != TASK_NONE || !sv->control.ready || sv->stop > 0) {
		refuse(sv, rq->number, "busy", "another change is under way");
		return;
	}
	err = look(sv, &file, &mark);
	if (err < 0) {
		refuse(sv, rq->number, "failed", log_errno(err));
		return;
	}
	if (mark != rq->mark)
		refuse(sv, rq->number, "conflict", "the file or what is in force has changed meanwhile");
	if (mark != rq->mark || !examine(sv, rq, new) || !write_file(sv, rq, new)) {
		forget_next(sv);
		free(file.text);
		return;
	}
	sv->document.on = true;
	sv->document.number = rq->number;
	sv->document.old = file.text;
	sv->document.old_len = file.len;
	begin(sv, rq);
}

void supervisor_document_given(struct supervisor *sv, const char *rest, int attached)
{
	struct document new = { .text = NULL };
	struct request rq;

	if (!read_request(&rq, rest))
		return;
	if (config_file_take(attached, &new.text, &new.len) < 0)
		refuse(sv, rq.number, "failed", "the document cannot be read");
	else
		put_in_place(sv, &rq, &new);
	free(new.text);
}

void supervisor_document_back(struct supervisor *sv, const char *rest)
{
	struct document before = { .text = NULL };
	char path[PATH_MAX];
	struct request rq;

	if (!read_request(&rq, rest))
		return;
	if (config_file_read(path_before(sv, path), &before.text, &before.len) < 0)
		refuse(sv, rq.number, "none", "there is no document before this one");
	else
		put_in_place(sv, &rq, &before);
	free(before.text);
}

static void forget(struct supervisor *sv)
{
	free(sv->document.old);
	memset(&sv->document, 0, sizeof(sv->document));
}

void supervisor_document_done(struct supervisor *sv)
{
	struct document file = { .text = NULL };
	unsigned long long mark = 0;
	char path[PATH_MAX], text[24];
	int err;

	if (!sv->document.on)
		return;
	err = config_file_write(path_before(sv, path), sv->programs->file, sv->document.old, sv->document.old_len);
	if (err < 0)
		log_warning(TAG, "cannot keep the document before", LOG_STR("file", path), LOG_ERRNO(err));
	snprintf(sv->last_change, sizeof(sv->last_change), "applied");
	if (look(sv, &file, &mark) == 0)
		free(file.text);
	snprintf(text, sizeof(text), "%016llx", mark);
	answer(sv, sv->document.number, "applied", text);
	forget(sv);
}

void supervisor_document_undone(struct supervisor *sv, const char *why)
{
	int err;

	if (!sv->document.on)
		return;
	err = config_file_write(sv->programs->file, sv->programs->file, sv->document.old, sv->document.old_len);
	if (err < 0)
		log_error(TAG, "cannot write back the document before", LOG_STR("file", sv->programs->file), LOG_ERRNO(err));
	refuse(sv, sv->document.number, "refused", why);
	forget(sv);
}
