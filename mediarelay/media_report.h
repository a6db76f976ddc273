// SPDX-License-Identifier: GPL-3.0-or-later
// media_report.h - what is left to say of a session's media when it has ended: for the call record. The log's `media summary`
// is made of the same figures.
#pragma once
#include "base/inet.h"
#include "dataplane/drops.h"
#include "mediarelay/keying/keying.h"
#include "mediarelay/leg_drops.h"
#include "mediarelay/rtcp_drops.h"
#include <stdbool.h>
#include <stdint.h>

#define MEDIA_REPORT_LINES 32 // of one session, ended ones among them; what is above is counted
#define MEDIA_DROPS_MAX (2 * RELAY_DROP_COUNT + LEG_DROP_COUNT + RTCP_DROP_COUNT)

struct media_drop { // "auth", or of a port of RTCP's own "rtcp_port_auth"
	const char *prefix, *name;
	uint64_t n;
};

struct media_score { // times 100: 421 is a MOS of 4.21
	bool known;
	unsigned mos;
};

struct media_line_report {
	uint32_t dialog; // the sip thread's number of the dialog whose m-line it was
	uint8_t leg, index;
	char realm[32];
	struct inet_endpoint local, remote;

	enum keying_mechanism mechanism;
	const char *suite;    // "none" without keys
	bool keyed;           // with DTLS: only after the certificate's fingerprint was compared with the signalled one
	uint32_t rekeys, mismatches;
	char dtls_version[8]; // empty: not DTLS, or not known
	char dtls_cipher[48], dtls_group[32];
	char fingerprint[DTLS_FINGERPRINT_STRLEN]; // of the peer's certificate as seen; empty: not known
	const char *dtls_role; // ours: "active", "passive"; NULL without DTLS

	uint64_t rx_packets, rx_octets, tx_packets, tx_octets, lost;
	uint32_t jitter_us;
	uint64_t rtcp_rx, rtcp_tx;
	uint64_t dropped, rtcp_dropped; // sums
	struct media_drop drops[MEDIA_DROPS_MAX];
	unsigned n_drops;

	struct media_score mos, peer_mos; // of what came; of what the peer heard, by its RTCP
	uint32_t peer_reports;            // 0: the next two are not known
	uint64_t peer_lost;
	uint32_t peer_jitter_us;
	bool rtt_known;
	uint32_t rtt_us, rtt_min_us, rtt_max_us; // mean, least, most
};

struct media_report {
	uint32_t session;
	uint32_t left_out; // lines above the bound, or for which there was no memory
	uint32_t n_lines;
	struct media_line_report lines[];
};
