// SPDX-License-Identifier: GPL-3.0-or-later
// leg_rekey.h - a line that has keys is to get others: why, what its old ones are worth meanwhile, and how it ends.
#pragma once
#include "mediarelay/media_priv.h"

// What the plan changes about the line's keys, as offer and answer left them. NONE: association or keys go on.
enum leg_change leg_rekey_change(const struct leg_line *line, const struct media_line *plan);
void leg_rekey_begin(struct leg_line *line, enum leg_change change);
void leg_rekey_done(struct leg_line *line); // says so in the log
// No new keys came in time. Whether the old ones may stay: they are still those of a peer that is signalled, and that
// goes on with them.
bool leg_rekey_may_stay(const struct leg_line *line);
void leg_rekey_keep(struct leg_line *line);
void leg_rekey_end_rtcp(struct leg_line *line); // media has its new keys, RTCP on its own port has none: it ends
void leg_rekey_resume(struct leg_line *line); // after a restart

const char *leg_change_name(enum leg_change change);
