// SPDX-License-Identifier: GPL-3.0-or-later
// media_summary.h - one log line for each line of a leg at its end: what was negotiated, what passed, what was dropped;
// and one for the whole call, both directions side by side.
#pragma once
struct leg_line;
struct media_session;

void media_summary_line(const struct leg_line *line); // adds to the session's totals
void media_summary_total(const struct media_session *session);
