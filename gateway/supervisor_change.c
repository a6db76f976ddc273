// SPDX-License-Identifier: GPL-3.0-or-later
// supervisor_change.c - reload, drain, and another control in the place of the one that serves (decision 0120). A configuration
// is in force when control has said that it has taken it, for the whole of it: until then nothing has changed, and if
// it is refused nothing will have.
#include "base/log.h"
#include "gateway/link.h"
#include "gateway/service.h"
#include "gateway/snapshot.h"
#include "gateway/supervisor_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAG "supervisor"

static const char *remedy(enum config_scope scope)
{
	return scope == CONFIG_CONTROL ? "replace control (SIGUSR2): calls stay" : "restart the gateway: calls end";
}

static void drop_next(struct supervisor *sv)
{
	config_free(sv->next);
	sv->next = NULL;
	if (sv->next_snapshot >= 0)
		close(sv->next_snapshot);
	sv->next_snapshot = -1;
	sv->task = TASK_NONE;
}

static void free_config(const struct supervisor *sv, const struct config *cfg)
{
	if (cfg != sv->first_cfg)
		config_free((struct config *)(uintptr_t)cfg);
}

// For relay, and for what it prints in its next life.
static void level_everywhere(const struct supervisor *sv)
{
	static const char *const levels[] = { "debug", "info", "warning", "error" };
	char text[16];

	log_set_level(sv->cfg->log_level);
	setenv("SALLYPORT_LOG_LEVEL", levels[sv->cfg->log_level], 1);
	snprintf(text, sizeof(text), "level %u", (unsigned)sv->cfg->log_level);
	if (sv->relay.ready)
		link_say(sv->relay.ready_fd, text, -1);
}

static void forget_before(struct supervisor *sv)
{
	if (sv->before == NULL)
		return;
	free_config(sv, sv->before);
	sv->before = NULL;
	close(sv->before_snapshot);
}

// sv->next is in force from now on, also for lives of control to come.
static void adopt_next(struct supervisor *sv, bool reversible)
{
	forget_before(sv);
	if (reversible) {
		sv->before = (struct config *)(uintptr_t)sv->cfg;
		sv->before_snapshot = fcntl(sv->snapshot, F_DUPFD_CLOEXEC, 0);
	} else {
		free_config(sv, sv->cfg);
	}
	sv->cfg = sv->next;
	sv->next = NULL;
	dup3(sv->next_snapshot, sv->snapshot, O_CLOEXEC);
	drop_next(sv);
	level_everywhere(sv);
}

static void go_back(struct supervisor *sv)
{
	free_config(sv, sv->cfg);
	sv->cfg = sv->before;
	sv->before = NULL;
	dup3(sv->before_snapshot, sv->snapshot, O_CLOEXEC);
	close(sv->before_snapshot);
	level_everywhere(sv);
	log_error(TAG, "configuration taken back", LOG_STR("cause", "control did not start with it"));
}

int supervisor_take_next(struct supervisor *sv, const char *what, enum config_scope most)
{
	struct config_change change;
	int err = config_change(&change, sv->cfg, sv->next);

	if (err == 0 && change.scope > most) {
		log_error(TAG, what, LOG_STR("refused", "cannot change while it runs"), LOG_STR("keys", change.refused),
			  LOG_STR("restart", config_scope_name(change.scope)), LOG_STR("remedy", remedy(change.scope)));
		err = -EPERM;
	} else if (err == 0 && change.scope != CONFIG_SAME) {
		err = sv->next_snapshot = snapshot_make(sv->next);
		log_info(TAG, what, LOG_STR("changes", change.keys));
	} else if (err == 0) {
		drop_next(sv);
		return 1;
	}
	if (err < 0)
		drop_next(sv);
	if (err < 0 && err != -EPERM)
		log_error(TAG, what, LOG_STR("refused", log_errno(err)));
	return err < 0 ? err : 0;
}

// Reads the file into sv->next if it may become the one in force by a change of this scope. false: refused, and said so. A file
// that says what is in force already leaves sv->next NULL.
static bool read_next(struct supervisor *sv, const char *what, enum config_scope most)
{
	struct config_error why = { .line = 0 };
	int err;

	if (sv->task != TASK_NONE || !sv->control.ready) {
		log_warning(TAG, what, LOG_STR("refused", sv->task != TASK_NONE ? "another change is under way" : "control does not serve"));
		return false;
	}
	err = config_load(&sv->next, sv->programs->file, &why);
	if (err < 0) {
		sv->next = NULL;
		log_error(TAG, what, LOG_STR("refused", why.message), LOG_STR("file", sv->programs->file), LOG_UINT("line", why.line),
			  LOG_UINT("column", why.column));
		return false;
	}
	return supervisor_take_next(sv, what, most) >= 0;
}

// What was under way has come to nothing.
static void give_up(struct supervisor *sv, const char *what, const char *why)
{
	log_error(TAG, what, LOG_STR("refused", why));
	supervisor_document_undone(sv, why);
	drop_next(sv);
}

void supervisor_begin_reload(struct supervisor *sv)
{
	sv->task = TASK_RELOAD;
	if (link_say(sv->control.ready_fd, "config", sv->next_snapshot) < 0)
		give_up(sv, "reload", "control does not listen");
}

void supervisor_begin_replace(struct supervisor *sv)
{
	sv->task = TASK_REPLACE;
	if (link_say(sv->control.ready_fd, "leave", -1) < 0)
		give_up(sv, "replace control", "control does not listen");
}

void supervisor_reload(struct supervisor *sv)
{
	if (!read_next(sv, "reload", CONFIG_LIVE))
		return;
	if (sv->next == NULL) {
		log_info(TAG, "reload", LOG_STR("changes", NULL));
		link_say(sv->control.ready_fd, "reopen", -1); // what a SIGHUP means to those who rotate files
		return;
	}
	supervisor_begin_reload(sv);
}

void supervisor_replace(struct supervisor *sv)
{
	if (read_next(sv, "replace control", CONFIG_CONTROL))
		supervisor_begin_replace(sv);
}

void supervisor_drain(struct supervisor *sv, bool drain)
{
	if (drain == sv->draining)
		return;
	sv->draining = drain;
	sv->drain_until = drain ? clock_now() + MONO_S(sv->cfg->drain_timeout_s) : MONO_NEVER;
	log_info(TAG, drain ? "draining begun" : "draining ended", LOG_UINT("deadline_s", drain ? sv->cfg->drain_timeout_s : 0));
	service_status(drain ? "draining: no new calls" : "calls are served");
	link_say(sv->control.ready_fd, drain ? "drain" : "resume", -1);
}

void supervisor_drain_look(struct supervisor *sv)
{
	if (!sv->draining || clock_now() < sv->drain_until || sv->stop > 0)
		return;
	log_warning(TAG, "drain deadline", LOG_STR("remedy", "the calls that are left get BYE"));
	sv->stop++;
}

static void applied(struct supervisor *sv)
{
	adopt_next(sv, false);
	log_info(TAG, "reload done");
	supervisor_document_done(sv);
}

void supervisor_heard(struct supervisor *sv, const char *text, int attached)
{
	const char *rest;

	if (link_word(text, "applied") != NULL && sv->task == TASK_RELOAD) {
		applied(sv);
	} else if ((rest = link_word(text, "refused")) != NULL && sv->task == TASK_RELOAD) {
		give_up(sv, "reload", rest);
	} else if ((rest = link_word(text, "staying")) != NULL && sv->task == TASK_REPLACE) {
		give_up(sv, "replace control", rest);
	} else if (link_word(text, "leaving") != NULL && sv->task == TASK_REPLACE) {
		sv->control.leaves = true;
	} else if (link_word(text, "empty") != NULL && sv->draining && sv->stop == 0) {
		log_info(TAG, "drained");
		sv->stop++;
	} else if (link_word(text, "reload") != NULL) {
		supervisor_reload(sv);
	} else if (link_word(text, "replace") != NULL) {
		supervisor_replace(sv);
	} else if (link_word(text, "drain") != NULL || link_word(text, "resume") != NULL) {
		supervisor_drain(sv, text[0] == 'd');
	} else if ((rest = link_word(text, "document")) != NULL) {
		supervisor_document_asked(sv, rest);
	} else if ((rest = link_word(text, "apply")) != NULL) {
		supervisor_document_given(sv, rest, attached);
	} else if ((rest = link_word(text, "rollback")) != NULL) {
		supervisor_document_back(sv, rest);
	} else if (link_word(text, "stop") != NULL && sv->stop == 0) {
		sv->stop++;
	}
}

// Whatever was under way with it has come to nothing, but for one: that it made room.
void supervisor_control_ended(struct supervisor *sv)
{
	bool left = sv->control.left;

	if (sv->before != NULL) {
		go_back(sv); // it never served
		supervisor_document_undone(sv, "control did not start with it, and is back with the one before");
	}
	if (sv->task == TASK_REPLACE && left && sv->next != NULL)
		adopt_next(sv, true);
	else if (sv->task != TASK_NONE && !left)
		give_up(sv, sv->task == TASK_RELOAD ? "reload" : "replace control", "control died meanwhile");
	drop_next(sv);
}

void supervisor_control_ready(struct supervisor *sv)
{
	if (sv->before != NULL)
		supervisor_document_done(sv);
	forget_before(sv);
	if (sv->draining)
		link_say(sv->control.ready_fd, "drain", -1);
}

void supervisor_forget_changes(struct supervisor *sv)
{
	supervisor_document_undone(sv, "the gateway stopped");
	drop_next(sv);
	forget_before(sv);
	free_config(sv, sv->cfg);
	sv->cfg = sv->first_cfg;
}
