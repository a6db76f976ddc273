// SPDX-License-Identifier: GPL-3.0-or-later
// media_summary.h - the last word on media: for each line of a leg what was negotiated, what passed, what was dropped; for the
// whole call, both directions side by side. In the log, and as a report (media_report.h) to whoever writes call records.
#pragma once
#include <stdint.h>

struct leg_line;
struct media_line_report;
struct media;
struct media_session;

void media_summary_read(struct media_line_report *r, const struct leg_line *line); // as it is now
void media_summary_line(struct leg_line *line); // adds to the session's totals and report
void media_summary_total(const struct media_session *session);
// Hands over the session's report; of one that never came to media (NULL) an empty one.
void media_summary_report(struct media *media, struct media_session *session, uint32_t id);
