// SPDX-License-Identifier: GPL-3.0-or-later
// media_session.h - a call's media: makes a plan so, by comparing it with what is.
#pragma once
#include "mediarelay/media_priv.h"

struct media_session *media_session_new(struct media *media, uint32_t id);
void media_session_follow(struct media_session *session, const struct media_plan *plan);
void media_session_end(struct media_session *session); // logs the summary; frees; its number comes back later
void media_session_over(struct media *media, uint32_t id); // of a number without a session: no record, and back it comes
void media_session_tick(struct media_session *session, mono_ns now);
void media_session_gone(struct media *media, uint32_t id); // no port of it is left in the relay
void media_session_edges(struct media_session *session);   // joins and directions become edges

// What the join has at its other end, NULL if `line` is at neither.
struct leg_line *media_session_joined(const struct leg_line *line, const struct media_join *join);
struct leg_line *media_session_line(const struct media_session *session, uint8_t leg, uint8_t index);

void media_session_tell(struct media_session *session, const struct media_event *event);
void media_session_secured(struct media_session *session, uint32_t dialog); // tells when all its lines are
