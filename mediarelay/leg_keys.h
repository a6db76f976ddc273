// SPDX-License-Identifier: GPL-3.0-or-later
// leg_keys.h - the SRTP keys of one leg transport, and how one set takes the place of another while media flows.
//
// Receiving: the new key and the one before it are good until the overlap is over, a while after the first packet under
// the new one. Sending: the new key is used from the moment that the peer is known to have it; until then it is held and
// the old one goes on. What a new life of control must know is in the call record before the relay hears of it.
#pragma once
#include "mediarelay/media_priv.h"

enum leg_peer_has { // our new sending key
	LEG_PEER_HAS_IT,  // an answer of the peer's, or the last flight of a handshake, says so
	LEG_PEER_SOON,    // our last word is under way: at its first packet under its new key, or after LEG_KEYS_SOON
	LEG_PEER_TELLS,   // at its first packet under its new key, or at leg_keys_confirm()
};

struct leg_keyset {
	struct srtp_master rx, tx;
	struct srtp_mki rx_mki, tx_mki;
	uint64_t rx_lifetime; // packets; 0: the suite's limit
};

// First keys of ours are held as LEG_PEER_SOON alone. 0; else nothing has changed: -ENOMEM, -EINVAL.
// remote: where media goes once the new key is in use, NULL: the path stays.
int leg_keys_install(struct leg_transport *tp, const struct leg_keyset *keys, enum leg_peer_has peer,
		     const struct inet_endpoint *remote);
void leg_keys_confirm(struct leg_transport *tp); // the peer has our new key; nothing held: no-op
void leg_keys_epoch(struct leg_transport *tp, const struct dp_event *event);   // DP_EVENT_EPOCH
void leg_keys_refused(struct leg_transport *tp, const struct dp_event *event); // DP_EVENT_KEY_REFUSED
void leg_keys_tick(struct leg_transport *tp, mono_ns now);
// SDES: answerers of one offer are sent to under one key. Its SRTCP goes on where it is.
void leg_keys_bequeath(struct leg_line *line, struct leg_line *heir);
void leg_keys_forget(struct leg_transport *tp); // wipes; the relay's go with the transport

// Opens SRTCP in place, under the newest key or the one before it. As srtcp_unprotect(); -ENOKEY: there is none.
int leg_keys_unprotect_rtcp(struct leg_transport *tp, uint8_t *packet, size_t *len);
// RTCP changes its port under the same keys (SDES has one key for both): indices and windows go with it.
void leg_keys_swap_rtcp(struct leg_transport *a, struct leg_transport *b);

struct leg_keys_marks {
	struct srtcp_marks rx, rx_before, tx;
};
void leg_keys_save(struct leg_transport *tp, struct leg_keys_marks *marks); // for the record
// After a restart: masters and epochs are in place. The relay is told of them again, since it may not have heard; what it
// knows is passed over. seen: the peer has been heard under the newest key.
int leg_keys_adopt(struct leg_transport *tp, const struct leg_keys_marks *marks, bool seen);
