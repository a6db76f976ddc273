// SPDX-License-Identifier: GPL-3.0-or-later
// drops.h - every reason for which the packet path lets a packet go, by name. The text is the metric's help and the
// log's word.
#pragma once

#define RELAY_DROPS(X)                                                          \
	X(NO_TRANSPORT, "no_transport", "no leg on this local port")            \
	X(MALFORMED, "malformed", "IP, UDP or RTP lengths do not fit")          \
	X(CHECKSUM, "checksum", "IP or UDP checksum is wrong")                  \
	X(FRAGMENT, "fragment", "IP fragment to a media address")               \
	X(UNKNOWN_KIND, "unknown_kind", "first byte is none of RFC 7983 here")  \
	X(WRONG_SOURCE, "wrong_source", "plain packet not from the leg's peer") \
	X(NOT_KEYED, "not_keyed", "secured leg without keys yet")               \
	X(MKI, "mki", "SRTP packet names no key that is here")              \
	X(AUTH, "auth", "SRTP tag did not verify")                              \
	X(REPLAY, "replay", "SRTP index seen before")                           \
	X(OLD, "old", "SRTP index behind the replay window")                    \
	X(SSRC_LIMIT, "ssrc_limit", "no room for another SSRC on this leg")     \
	X(NO_EDGE, "no_edge", "stream is joined with nothing")                  \
	X(GATE, "gate", "direction is closed (hold, early media policy)")       \
	X(NO_PATH, "no_path", "the other leg's address is not known yet")       \
	X(NO_NEXTHOP, "no_nexthop", "neighbour not resolved")                   \
	X(EXTENSION, "extension", "header extension's elements do not fit")   \
	X(TX_NOT_KEYED, "tx_not_keyed", "other leg is secured, without keys yet") \
	X(TX_REPEAT, "tx_repeat", "send index used before under this key")      \
	X(KEY_EXPIRED, "key_expired", "key lifetime used up")                   \
	X(CRYPTO_DEVICE, "crypto_device", "crypto device failed or did not answer") \
	X(TOO_BIG, "too_big", "above the path's MTU")                           \
	X(LOOP, "loop", "hairpin limit reached")                                \
	X(PUNT_FULL, "punt_full", "ring to control full")                       \
	X(TX_FULL, "tx_full", "device did not take it")                         \
	X(INBOX_FULL, "inbox_full", "no room with the worker that it belongs to") \
	X(NO_MBUF, "no_mbuf", "packet memory used up")

#define X(name, word, text) RELAY_DROP_##name,
enum relay_drop { RELAY_OK, RELAY_DROPS(X) RELAY_DROP_COUNT };
#undef X

extern const char *const relay_drop_name[RELAY_DROP_COUNT]; // "auth"; [RELAY_OK] is "ok"
extern const char *const relay_drop_text[RELAY_DROP_COUNT];
