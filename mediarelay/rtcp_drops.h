// SPDX-License-Identifier: GPL-3.0-or-later
// rtcp_drops.h - every reason for which an RTCP packet ends here, by name: on the line that it came by, or (the last
// group) on the line that it should have left by. The word appears in the media summary's drops_by.
#pragma once

#define RTCP_DROPS(X)                                                                    \
	X(NOT_AGREED, "rtcp_not_agreed", "offer and answer are not complete")            \
	X(WRONG_PORT, "rtcp_wrong_port", "not the port that was agreed for RTCP")        \
	X(TOO_BIG, "rtcp_too_big", "longer than any path takes")                         \
	X(WRONG_SOURCE, "rtcp_wrong_source", "plain packet not from the leg's peer")     \
	X(NOT_KEYED, "rtcp_not_keyed", "secured leg without keys yet")                   \
	X(CLEAR, "rtcp_clear", "not encrypted: E is 0, or it is no SRTCP at all")         \
	X(AUTH, "rtcp_auth", "SRTCP tag did not verify, or too short for one")           \
	X(REPLAY, "rtcp_replay", "SRTCP index seen before, or behind the window")        \
	X(SSRC_LIMIT, "rtcp_ssrc_limit", "no room for another SSRC on this leg")         \
	X(MALFORMED, "rtcp_malformed", "lengths do not fit (RFC 3550 A.2)")              \
	X(NO_PEER, "rtcp_no_peer", "joined with nothing")                                \
	X(NO_PATH, "rtcp_no_path", "the leg to leave by has no address yet")             \
	X(TX_NOT_KEYED, "rtcp_tx_not_keyed", "the leg to leave by has no keys yet")      \
	X(KEY_EXPIRED, "rtcp_key_expired", "SRTCP indices used up")                      \
	X(TX_FAILED, "rtcp_tx_failed", "could not be protected")

#define X(name, word, text) RTCP_DROP_##name,
enum rtcp_drop { RTCP_OK, RTCP_DROPS(X) RTCP_DROP_COUNT };
#undef X

extern const char *const rtcp_drop_name[RTCP_DROP_COUNT]; // "rtcp_auth"; [RTCP_OK] is "ok"
