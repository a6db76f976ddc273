// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_show.h - answers of the management door as tables for people.
#pragma once
#include <jansson.h>

void ctl_show_status(const json_t *status);
void ctl_show_calls(const json_t *list);
void ctl_show_call(const json_t *call);
void ctl_show_flat(const json_t *object); // whatever else: one line a key
void ctl_show_realms(const json_t *answer); // ctl_inventory.c, as those below
void ctl_show_peers(const json_t *answer);
void ctl_show_routes(const json_t *answer);
void ctl_show_transports(const json_t *answer);
void ctl_show_workers(const json_t *answer);
void ctl_show_errors(const json_t *answer); // ctl_config.c, on standard error: the mistakes of a document; none: nothing
