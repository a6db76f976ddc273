// SPDX-License-Identifier: GPL-3.0-or-later
// media_summary.h - one log line for each line of a leg at its end: what was negotiated, what passed, what was dropped.
#pragma once
struct leg_line;

void media_summary_line(const struct leg_line *line);
