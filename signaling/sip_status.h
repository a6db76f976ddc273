// SPDX-License-Identifier: GPL-3.0-or-later
// sip_status.h - which response the caller gets for the far side's, and which Reason a BYE of ours carries.
#pragma once
#include <stdbool.h>

enum sip_answer_source {
	SIP_ANSWERED_BY_PEER,    // a response came in
	SIP_ANSWERED_BY_NOBODY,  // our transaction layer made it up: time-out or no transport
};

// Final response to the INVITE (300-699) -> what the caller is told. rang: a provisional response had come.
int sip_status_map_final(int status, enum sip_answer_source source, bool rang);
// Final response to a request that was carried each for itself (sip_relay.h).
int sip_status_map_relayed(int status, enum sip_answer_source source);
// Provisional response -> what the caller is told; 0: nothing (100 is hop by hop).
int sip_status_map_provisional(int status);
