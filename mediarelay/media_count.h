// SPDX-License-Identifier: GPL-3.0-or-later
// media_count.h - what the media thread notes for media_stats.h.
#pragma once
#include "mediarelay/media_priv.h"
#include "mediarelay/media_stats.h"

struct media_tally; // of one second's round over the lines

int media_count_open(struct media *media);
void media_count_close(struct media *media);
void media_count_begin(struct media *media);
void media_count_line(struct leg_line *line, const struct dp_stats *stats, mono_ns now);
void media_count_drops(struct leg_line *line, const struct dp_stats *stats, mono_ns now); // when the last were, and why
void media_count_end(struct media *media);
void media_count_from_here(struct leg_line *line); // what it had before is of a control before us
void media_count_line_ends(struct leg_line *line);
struct media_stats_realm *media_count_realm(const struct leg_line *line);
