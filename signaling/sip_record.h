// SPDX-License-Identifier: GPL-3.0-or-later
// sip_record.h - what must be known of a confirmed call to go on with it after a restart of this process: two dialogs, their
// session timers and the last stable descriptions, in the call record of their media session (mediarelay/call_record.h).
#pragma once

struct sip;
struct sip_call;

// Writes or replaces the record of a call that is up. A call whose identifiers are too long for it is not restorable: logged.
void sip_record_write(struct sip_call *call);
void sip_record_touch(struct sip_call *call); // once more, if it has one
void sip_record_erase(struct sip_call *call);
// At start: makes a call of every record and has the media thread go on with its session.
void sip_record_restore(struct sip *sip);
