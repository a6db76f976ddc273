// SPDX-License-Identifier: GPL-3.0-or-later
// media_record.h - the media part of a call record: enough for a new control to go on with the call's media.
#pragma once
#include "mediarelay/media_priv.h"

void media_record_save(struct media_session *session);
void media_record_erase(struct media_session *session);
// Rebuilds the session from its record and the flows that the relay still has. -ENOENT: no record; -ESTALE: flows gone.
int media_record_adopt(struct media *media, uint32_t id);
// At start: which sessions are in the records, and their seats out of the stock.
void media_record_find(struct media *media);
void media_record_heard(struct media *media, const struct dp_event *event); // DP_EVENT_EPOCH of what is not adopted yet
void media_record_reap(struct media *media); // ends what nobody adopted
