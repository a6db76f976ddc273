// SPDX-License-Identifier: GPL-3.0-or-later
// config.h - the configuration as an immutable snapshot: read, checked, and turned into what each folder is given.
#pragma once
#include "base/log.h"
#include "dataplane/dp_config.h"
#include "gateway/admin_config.h"
#include "gateway/cdr_config.h"
#include "gateway/yaml_tree.h"
#include "mediarelay/media_config.h"
#include "signaling/sip_config.h"
#include <stdio.h>

struct settings;

struct config {
	enum log_level log_level;
	enum log_format log_format;
	const char *user, *state_dir; // of control; see process.*
	struct admin_config admin;
	uint32_t drain_timeout_s;
	struct dp_config dataplane;
	struct media_config media;
	struct sip_config sip;
	struct cdr_config call_records;
	struct media_uri *retired_uris; // of profiles that only calls have still; see config_change.h
	struct settings *settings; // the file, value for value
	struct yaml_tree *tree;    // places in it
};

// -EINVAL with line, column and message for a person. Knows nothing of the host: see config_check_host().
int config_load(struct config **cfgp, const char *path, struct config_error *why);
int config_parse(struct config **cfgp, const char *text, size_t len, struct config_error *why);
// The same, and all the mistakes that can be told at once: of the table's, or if there is none, of what stands together.
int config_examine(struct config **cfgp, const char *text, size_t len, struct config_errors *errors);
void config_free(struct config *cfg);

// Does this host have what the configuration names: interfaces, addresses, files, a user, ports that nobody else uses.
int config_check_host(const struct config *cfg, struct config_error *why);

// The whole effective configuration as a file that loads to the same: load(print(load(x))) == load(x).
int config_print(const struct config *cfg, FILE *to);

// "FILE:LINE:COLUMN: message", or "FILE: message".
void config_error_print(const struct config_error *why, const char *path, FILE *to);
