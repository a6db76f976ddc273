// SPDX-License-Identifier: GPL-3.0-or-later
// supervisor_priv.h - what the files of the supervisor share.
#pragma once
#include "gateway/child.h"
#include "gateway/config_change.h"
#include "gateway/regions.h"
#include "gateway/supervisor.h"

enum supervisor_task { // with control, one at a time
	TASK_NONE,
	TASK_RELOAD,  // control was handed a configuration
	TASK_REPLACE, // control was asked to make room for another one
};

struct supervisor {
	const struct config *cfg;       // in force
	const struct config *first_cfg; // the caller's
	const struct supervisor_programs *programs;
	int instance;  // holds the name; see instance.h
	int signals;   // signalfd
	unsigned stop; // SIGTERM and SIGINT so far; from the second on nothing is waited for
	mono_ns alive_every, alive_at; // what systemd's watchdog wants to hear; MONO_NEVER: nothing
	bool stopping; // who dies now is not brought back
	struct regions regions;
	int relay_event, control_event; // eventfds that wake the relay and control's media thread
	int snapshot;                   // memfd: the configuration in force as printed; its number never changes
	char snapshot_path[32];
	struct steering *steering;
	struct heartbeat *heartbeat;
	struct child relay, control;
	enum supervisor_task task;
	struct config *next; // of the task; NULL: the configuration stays
	int next_snapshot;
	struct config *before; // in force until control was replaced; back if the new one does not serve under `cfg`
	int before_snapshot;
	struct { // a document of the management door on its way; the file has it already
		bool on;
		unsigned number;  // of control's question; 0: it has been answered
		char *old;        // that was in the file
		size_t old_len;
	} document;
	char last_change[160];    // by the management door, and what came of it
	bool draining;
	mono_ns drain_until; // MONO_NEVER: not draining
};

// supervisor_change.c - signals and words of control that ask for something other than an end.
void supervisor_reload(struct supervisor *sv);
void supervisor_replace(struct supervisor *sv); // control, by what its path names now
void supervisor_drain(struct supervisor *sv, bool drain);
void supervisor_heard(struct supervisor *sv, const char *text, int attached); // from control; the descriptor stays the caller's
void supervisor_control_ended(struct supervisor *sv);           // its process is gone; before the next one starts
void supervisor_control_ready(struct supervisor *sv);
void supervisor_drain_look(struct supervisor *sv);              // at the deadline
void supervisor_forget_changes(struct supervisor *sv);          // at the end
// sv->next, which is there, becomes what is in force, if that takes no more than `most`: the tasks begin with it. what: for the log.
// 0: asked for; 1: nothing differs, sv->next is gone; -EPERM: it takes more; other errors. Then sv->next is gone, too.
int supervisor_take_next(struct supervisor *sv, const char *what, enum config_scope most);
void supervisor_begin_reload(struct supervisor *sv);
void supervisor_begin_replace(struct supervisor *sv);

// supervisor_document.c - the configuration document, for the management door (decision 0121).
void supervisor_document_asked(struct supervisor *sv, const char *rest);           // "document N"
void supervisor_document_given(struct supervisor *sv, const char *rest, int attached); // "apply N MARK live|control", with the document
void supervisor_document_back(struct supervisor *sv, const char *rest);            // "rollback N MARK live|control"
void supervisor_document_done(struct supervisor *sv);                              // it is in force
void supervisor_document_undone(struct supervisor *sv, const char *why);           // and will not be
