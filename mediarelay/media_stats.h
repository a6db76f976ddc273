// SPDX-License-Identifier: GPL-3.0-or-later
// media_stats.h - figures of the media side since it was opened. The media thread writes, any thread reads (base/counter.h).
// Traffic is taken over once a second from the records of the lines that are up, and once more when a line ends.
#pragma once
#include "base/counter.h"
#include "dtls/dtls_endpoint.h"
#include "dtls/dtls_listener.h"
#include "mediarelay/keying/keying.h"
#include "mediarelay/leg_drops.h"
#include "mediarelay/rtcp_drops.h"

#define MEDIA_STATS_ROLES 2 // enum dtls_role, ours

extern const struct histogram_scale media_stats_handshake_scale; // milliseconds
extern const struct histogram_scale media_stats_jitter_scale;    // microseconds
extern const struct histogram_scale media_stats_mos_scale;       // hundredths of a MOS

struct media_stats_realm {
	_Atomic uint64_t rx_packets, rx_octets, tx_packets, tx_octets, lost; // RTP; lost: of what should have come in
	// Now: lines that have their keys, by mechanism; lines that have none yet; lines that media should come by and has not
	// for five seconds; mean of those that have heard something, 0 without any.
	_Atomic uint64_t secured[KEYING_MECHANISM_COUNT], unsecured, silent, jitter_us, mos;
	struct histogram ended_jitter_us, ended_mos; // of lines that have ended
	struct histogram handshake_ms[MEDIA_STATS_ROLES];
	_Atomic uint64_t handshake_failures[DTLS_FAILURE_COUNT];
	_Atomic uint64_t rtcp_unanswered; // hellos for RTCP of its own port that nobody answered; the media of those lines is secured
	_Atomic uint64_t keying_timeouts;                  // lines whose keys did not come in time
	_Atomic uint64_t rekeys;                           // that are through
	_Atomic uint64_t dtls_drops[LEG_DROP_COUNT];       // of lines that have ended
	_Atomic uint64_t rtcp_drops[RTCP_DROP_COUNT];      // the same
	_Atomic uint64_t rtcp_received, rtcp_sent;         // the same
};

struct media_stats {
	_Atomic uint64_t sessions;       // now
	_Atomic uint64_t relay_restarts; // since this process was started
	_Atomic uint64_t listener_drops[DTLS_LISTENER_DROP_COUNT], listener_datagrams, listener_proven;
	size_t n_realms;
	struct media_stats_realm realms[]; // as media_config has them
};
