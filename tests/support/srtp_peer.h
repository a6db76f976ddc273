// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_peer.h - the far end of a secured leg in tests of the relay's stages: makes a packet under any index, opens what
// it is sent. It remembers nothing, so that it can do what no peer should.
#pragma once
#include "dataplane/client/dp_client.h"
#include "tests/support/srtp_fixture.h"

struct srtp_peer {
	struct srtp_engine *engine;
	struct srtp_key *key;
	struct srtp_stream *stream;
};

// Keys of AES-CM that one octet makes.
static inline struct dp_keys srtp_peer_keys(enum dp_direction direction, uint32_t epoch, uint8_t octet)
{
	struct dp_keys keys = { .direction = direction, .epoch = epoch, .master.suite = SRTP_AES_CM_128_HMAC_SHA1_80 };

	memset(keys.master.key, octet, 16);
	memset(keys.master.salt, (uint8_t)(octet + 1), 14);
	return keys;
}

static inline void srtp_peer_open(struct srtp_peer *peer, struct srtp_engine *engine, const struct dp_keys *keys)
{
	peer->engine = engine;
	peer->key = aligned_alloc(64, sizeof(*peer->key));
	peer->stream = aligned_alloc(64, sizeof(*peer->stream));
	if (peer->key == NULL || peer->stream == NULL ||
	    srtp_key_derive(engine, peer->key, &keys->master, &keys->mki, 0) < 0)
		abort();
}

static inline void srtp_peer_close(struct srtp_peer *peer)
{
	free(peer->key);
	free(peer->stream);
}

// Secures the RTP packet in place as ROC || SEQ; SEQ is the packet's own. Returns its length.
static inline size_t srtp_peer_secure(struct srtp_peer *peer, uint8_t *packet, size_t len, uint32_t roc,
				      const struct dp_extensions *x)
{
	struct srtp_op op = { .packet = packet, .len = (uint16_t)len, .room = (uint16_t)(len + 64),
			      .hdr_len = rtp_header_len(packet, len), .key = peer->key, .stream = peer->stream,
			      .fixed_index = true, .index = (uint64_t)roc << 16 };

	if (x != NULL) {
		op.cryptex = x->cryptex;
		op.encrypted = x->encrypted;
	}
	srtp_stream_init(peer->stream, rtp_ssrc(packet), roc, 128);
	srtp_protect_burst(peer->engine, &op, 1);
	return op.result == SRTP_OK ? op.len : 0;
}

// In place. 0: it does not verify under this ROC.
static inline size_t srtp_peer_open_packet(struct srtp_peer *peer, uint8_t *packet, size_t len, uint32_t roc,
					   const struct dp_extensions *x)
{
	struct srtp_op op = { .packet = packet, .len = (uint16_t)len, .hdr_len = rtp_header_len(packet, len),
			      .key = peer->key, .stream = peer->stream, .fixed_index = true,
			      .index = (uint64_t)roc << 16 };

	if (x != NULL) {
		op.cryptex = x->cryptex;
		op.encrypted = x->encrypted;
	}
	srtp_stream_init(peer->stream, rtp_ssrc(packet), roc, 128);
	srtp_unprotect_burst(peer->engine, &op, 1);
	return op.result == SRTP_OK ? op.len : 0;
}
