// SPDX-License-Identifier: GPL-3.0-or-later
// leg_line.h - one m-line of one dialog: its ports, its keying from offer to keys, what it tells the sip thread.
#pragma once
#include "base/log.h"
#include "mediarelay/media_priv.h"

struct leg_line *leg_line_open(struct media_session *session, uint32_t dialog, const struct media_line *plan);
void leg_line_close(struct leg_line *line); // frees; its ports end in the relay
int leg_line_apply(struct leg_line *line, const struct media_line *plan);
void leg_line_keyed(struct leg_line *line, enum leg_component component); // that transport got its keys
void leg_line_tick(struct leg_line *line, mono_ns now);
bool leg_line_secured(const struct leg_line *line); // its RTP has keys, those of before among them, or the line is plain
void leg_line_fail(struct leg_line *line, const char *cause); // tells the sip thread, once
void leg_line_keying_limit(struct leg_line *line);            // the keying timeout begins

const struct media_profile *leg_line_profile(const struct leg_line *line);
const char *leg_line_realm(const struct leg_line *line);
struct leg_transport *leg_line_rtcp(struct leg_line *line); // the transport that RTCP leaves by
// Answerers of one offer have lines of one seat. The next of them after that one, or the first; NULL: no more.
struct leg_line *leg_line_beside(const struct leg_line *line, const struct leg_line *after);
void leg_line_log_fields(const struct leg_line *line, struct log_field fields[6]);
