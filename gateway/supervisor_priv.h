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
	bool draining;
	mono_ns drain_until; // MONO_NEVER: not draining
};

// supervisor_change.c - signals and words of control that ask for something other than an end.
void supervisor_reload(struct supervisor *sv);
void supervisor_replace(struct supervisor *sv); // control, by what its path names now
void supervisor_drain(struct supervisor *sv, bool drain);
void supervisor_heard(struct supervisor *sv, const char *text); // from control
void supervisor_control_ended(struct supervisor *sv);           // its process is gone; before the next one starts
void supervisor_control_ready(struct supervisor *sv);
void supervisor_drain_look(struct supervisor *sv);              // at the deadline
void supervisor_forget_changes(struct supervisor *sv);          // at the end
