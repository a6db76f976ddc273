// SPDX-License-Identifier: GPL-3.0-or-later
// media_notice_priv.h - where the media thread has something to tell.
#pragma once
#include "dataplane/client/dp_client.h"
#include "mediarelay/media_notice.h"
#include "mediarelay/media_priv.h"

void media_notice_secured(const struct leg_line *line);
void media_notice_rekeyed(const struct leg_line *line, const char *cause);
void media_notice_look(struct leg_line *line, const struct dp_stats *stats, bool silent, mono_ns now); // once a second
void media_notice_from_here(struct leg_line *line, const struct dp_stats *stats); // what was dropped before is of a control before us
void media_notice_strangers(struct media *media, uint64_t dropped, mono_ns now); // datagrams, ever; once a second
void media_notice_relay_back(const struct media *media, mono_ns away);
