// SPDX-License-Identifier: GPL-3.0-or-later
// config_priv.h - the steps of config_load().
#pragma once
#include "gateway/config.h"
#include "gateway/settings.h"

// Values that may not stand together, names that nobody bears.
int config_check(const struct settings *s, struct config_error *why);
int config_check_peer(const struct settings *s, const struct peer_settings *peer, struct config_error *why);
int config_check_admin(const struct admin_settings *a, struct config_error *why);
int config_check_keying(const struct keying_settings *k, struct config_error *why);
// Fills cfg->dataplane, media, sip from checked settings. -ENOMEM; -EINVAL: above a bound of the data plane.
int config_build(struct config *cfg, const struct settings *s, struct config_error *why);

int config_build_admin(struct admin_config *to, const struct admin_settings *a); // -ENOMEM

// A value's place: of the key in the mapping, else the mapping itself. `index` picks a list's value, -1 the list.
const struct yaml_node *config_at(const struct yaml_node *mapping, const char *key, int index);
// Copies a text that fits by the table's bounds.
void config_text(char *dst, size_t size, const char *text);
uint32_t config_capacity(const struct settings *s); // calls that shared memory is made for
const struct realm_settings *config_realm(const struct settings *s, const char *name); // NULL: no such
const struct profile_settings *config_profile(const struct settings *s, const char *name);
const struct peer_settings *config_peer(const struct settings *s, const char *name);
