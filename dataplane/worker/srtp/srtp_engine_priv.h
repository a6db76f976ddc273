// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_engine_priv.h - inside of the SRTP engine: its scratch, and what its files call of each other.
#pragma once
#include "dataplane/worker/srtp/rtp_header.h"
#include "dataplane/worker/srtp/srtp_engine.h"
#include "dataplane/worker/srtp/srtp_offload.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <intel-ipsec-mb.h>

#define SRTP_BURST_MAX 64  // packets a crypto call; longer bursts are cut

enum srtp_cm_size { SRTP_CM_128, SRTP_CM_192, SRTP_CM_256, SRTP_CM_SIZES, SRTP_CM_NULL };

struct srtp_cm_list { // jobs of one key size, done in one call
	unsigned n;
	IMB_JOB *jobs;
};

struct srtp_handover { // jobs of a burst that are not ipsec-mb's
	struct srtp_offload *to;
	unsigned n_hash, n_cipher;
	struct srtp_job hash[SRTP_BURST_MAX], cipher[SRTP_BURST_MAX];
};

struct srtp_engine {
	IMB_MGR *mgr;
	struct srtp_handover *handover; // NULL: ipsec-mb does all
	uint32_t stamp; // never 0
	unsigned arch;  // enum srtp_arch, not AUTO
	// Scratch of a burst. What is the same in all jobs is set once, at start.
	unsigned n_cm;
	struct srtp_op *cm[SRTP_BURST_MAX];
	struct srtp_cm_list cipher[SRTP_CM_SIZES];
	IMB_JOB jobs[SRTP_CM_SIZES][SRTP_BURST_MAX];
	unsigned n_hash;
	struct hmac_sha1_job hash[SRTP_BURST_MAX];
	IMB_JOB library_hash[SRTP_BURST_MAX]; // the same, where the library does it
	alignas(64) uint8_t iv[SRTP_BURST_MAX][16];
	alignas(16) uint8_t digest[SRTP_BURST_MAX][32];
	alignas(16) uint8_t tag[SRTP_BURST_MAX][SRTP_TAG_MAX]; // as received
	uint8_t under_roc[SRTP_BURST_MAX][4]; // what stands where the roll-over counter is hashed
	bool hashed[SRTP_BURST_MAX];          // and the counter stands there
	uint64_t remaining[SRTP_BURST_MAX]; // of the key, when it was hashed
	unsigned n_cryptex; // heads to be moved back
	struct srtp_op *cryptex[SRTP_BURST_MAX];
	struct gcm_context_data gcm;
};

// What of a packet's header is encrypted.
enum srtp_header {
	SRTP_HEADER_CLEAR,       // nothing
	SRTP_HEADER_ELEMENTS,    // some elements of the extension
	SRTP_HEADER_CRYPTEX,     // CSRCs and extension
	SRTP_HEADER_CRYPTEX_ADD, // CSRCs; an empty extension is to be added
	SRTP_HEADER_BROKEN,      // elements reach beyond the extension
};

// srtp_header.c. _rx and _tx only look; what they say holds until the packet is changed.
enum srtp_header srtp_header_rx(const struct srtp_op *op);
enum srtp_header srtp_header_tx(const struct srtp_op *op);
void srtp_header_elements(struct srtp_engine *engine, const struct srtp_op *op); // there and back
// What is encrypted lies from SRTP_CRYPTEX_START on between these and their _done. Not `clear`: leaves the packet as it
// came.
#define SRTP_CRYPTEX_START 16
void srtp_cryptex_tx(struct srtp_op *op, enum srtp_header header);
void srtp_cryptex_tx_done(struct srtp_op *op);
void srtp_cryptex_rx(struct srtp_op *op);
void srtp_cryptex_rx_done(struct srtp_op *op, bool clear);

void srtp_cm_init(struct srtp_engine *engine);
// Into engine->cm[], SRTP_BURST_MAX at most, before they are run.
void srtp_cm_unprotect_add(struct srtp_engine *engine, struct srtp_op *op);
void srtp_cm_unprotect_run(struct srtp_engine *engine);
void srtp_cm_protect_add(struct srtp_engine *engine, struct srtp_op *op);
void srtp_cm_protect_run(struct srtp_engine *engine);
// srtp_hash.c. Of packet [0, len) and the roll-over counter, which takes the place of what is behind them, into
// digest[slot].
void srtp_hash_init(struct srtp_engine *engine);
void srtp_hash_add(struct srtp_engine *engine, struct srtp_op *op, unsigned slot, unsigned len);
void srtp_hash_run(struct srtp_engine *engine);
void srtp_gcm_unprotect(struct srtp_engine *engine, struct srtp_op *op);
void srtp_gcm_protect(struct srtp_engine *engine, struct srtp_op *op);
void srtp_gcm_seal(struct srtp_engine *engine, const struct srtp_op *op, unsigned start);
void srtp_gcm_iv(const struct srtp_op *op, uint8_t iv[16]);

// srtp_handover.c: if engine_hands_over() only. False: there is no session for it, do it here. What fails is
// SRTP_DEVICE after the run. Not inline: the usual engine's code stays as small as it is.
#define SRTP_APART __attribute__((noinline))
SRTP_APART bool srtp_handover_hash(struct srtp_engine *engine, struct srtp_op *op, unsigned slot, unsigned len);
SRTP_APART bool srtp_handover_cipher(struct srtp_engine *engine, struct srtp_op *op, unsigned slot, unsigned start,
				     unsigned len);
SRTP_APART void srtp_handover_hash_run(struct srtp_engine *engine);
SRTP_APART void srtp_handover_cipher_run(struct srtp_engine *engine);
SRTP_APART void srtp_handover_gcm_unprotect(struct srtp_engine *engine, struct srtp_op **ops, unsigned n);
SRTP_APART void srtp_handover_gcm_protect(struct srtp_engine *engine, struct srtp_op **ops, unsigned n);
int srtp_selftest(struct srtp_engine *engine);

// Tags of 4, 10 or 16 octets. Spelled out, because loops and calls for a length not known to the compiler cost 10 ns.
static inline void srtp_tag_copy(uint8_t *to, const uint8_t *from, unsigned len)
{
	if (len == 16) {
		memcpy(to, from, 16);
	} else if (len == 10) {
		memcpy(to, from, 8);
		memcpy(to + 8, from + 8, 2);
	} else {
		memcpy(to, from, 4);
	}
}

// In constant time for each length.
static inline bool srtp_tag_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
	uint64_t a8, b8, differ;
	uint32_t a4, b4;
	uint16_t a2, b2;

	if (len == 4) {
		memcpy(&a4, a, 4);
		memcpy(&b4, b, 4);
		return a4 == b4;
	}
	memcpy(&a8, a, 8);
	memcpy(&b8, b, 8);
	differ = a8 ^ b8;
	if (len == 10) {
		memcpy(&a2, a + 8, 2);
		memcpy(&b2, b + 8, 2);
		differ |= a2 ^ b2;
	} else {
		memcpy(&a8, a + 8, 8);
		memcpy(&b8, b + 8, 8);
		differ |= a8 ^ b8;
	}
	return differ == 0;
}

// The usual engine does not.
static inline bool engine_hands_over(const struct srtp_engine *engine)
{
	return __builtin_expect(engine->handover != NULL, 0);
}

// CSRCs or an extension, and something negotiated about them.
static inline bool srtp_header_concerned(const struct srtp_op *op)
{
	return (op->encrypted != NULL || op->cryptex) && (op->packet[0] & 0x1f) != 0;
}

static inline bool srtp_header_is_cryptex(unsigned header)
{
	return header == SRTP_HEADER_CRYPTEX || header == SRTP_HEADER_CRYPTEX_ADD;
}

// What a packet grows by.
static inline unsigned srtp_trailer_len(const struct srtp_key *key)
{
	return (unsigned)key->tag_len + key->mki_len;
}

// What does not change while a burst is worked on.
static inline enum srtp_result srtp_op_check(const struct srtp_engine *engine, const struct srtp_op *op,
					     unsigned min_len)
{
	if (op->key->stamp != engine->stamp || op->key->suite == SRTP_SUITE_NONE)
		return SRTP_NO_KEY;
	if (op->hdr_len < RTP_HEADER_MIN || op->len < min_len)
		return SRTP_SHORT;
	if (rtp_ssrc(op->packet) != op->stream->ssrc)
		return SRTP_WRONG_SSRC;
	return SRTP_OK;
}

// Before any crypto: what another key's packet would cost is a comparison.
static inline enum srtp_result srtp_rx_check(const struct srtp_engine *engine, const struct srtp_op *op, unsigned trailer)
{
	enum srtp_result result = srtp_op_check(engine, op, op->hdr_len + trailer);

	if (result == SRTP_OK && op->key->mki_len != 0 && !srtp_key_mki_is(op->key, op->packet, op->len))
		return SRTP_MKI;
	return result;
}

static inline uint64_t srtp_op_index(const struct srtp_op *op)
{
	uint16_t seq = rtp_seq(op->packet);

	if (op->fixed_index)
		return (op->index & ~UINT64_C(0xffff)) | seq;
	return srtp_index_guess(op->stream, seq);
}

static inline enum srtp_result srtp_index_check(const struct srtp_op *op)
{
	if (op->key->remaining == 0)
		return SRTP_KEY_EXPIRED;
	return srtp_window_check(op->stream, op->index);
}

static inline void srtp_rx_accept(struct srtp_op *op, unsigned trailer)
{
	op->key->remaining--;
	op->len -= (uint16_t)trailer;
	srtp_window_accept(op->stream, op->index);
	op->result = SRTP_OK;
}

// All there is to decide before a packet is made; takes the index when it says yes.
static inline enum srtp_result srtp_tx_take(const struct srtp_engine *engine, struct srtp_op *op, unsigned *header)
{
	enum srtp_result result = srtp_op_check(engine, op, op->hdr_len);
	size_t grown = op->len + srtp_trailer_len(op->key);

	*header = SRTP_HEADER_CLEAR;
	if (result != SRTP_OK)
		return result;
	if (srtp_header_concerned(op))
		*header = srtp_header_tx(op);
	if (*header == SRTP_HEADER_BROKEN)
		return SRTP_EXTENSION;
	if (grown + (*header == SRTP_HEADER_CRYPTEX_ADD ? 4 : 0) > op->room)
		return SRTP_NO_ROOM;
	op->index = srtp_op_index(op);
	result = srtp_index_check(op);
	if (result == SRTP_REPLAY || result == SRTP_OLD)
		return SRTP_TX_REPEAT;
	if (result != SRTP_OK)
		return result;
	op->key->remaining--;
	srtp_window_accept(op->stream, op->index);
	return SRTP_OK;
}

// Before and after the packet is sealed; `start`: what is encrypted begins there.
// RFC 7714 8.3: elements are encrypted before.
static inline bool srtp_gcm_tx_begin(struct srtp_engine *engine, struct srtp_op *op, enum srtp_header *headerp,
				     unsigned *start)
{
	unsigned header;

	op->result = srtp_tx_take(engine, op, &header);
	if (op->result != SRTP_OK)
		return false;
	if (header == SRTP_HEADER_ELEMENTS)
		srtp_header_elements(engine, op);
	if (srtp_header_is_cryptex(header))
		srtp_cryptex_tx(op, (enum srtp_header)header);
	*start = srtp_header_is_cryptex(header) ? SRTP_CRYPTEX_START : op->hdr_len;
	*headerp = (enum srtp_header)header;
	return true;
}

// RFC 7714 8.2: the MKI is appended after encryption, behind the tag.
static inline void srtp_gcm_tx_end(struct srtp_op *op, enum srtp_header header)
{
	if (srtp_header_is_cryptex(header))
		srtp_cryptex_tx_done(op);
	if (op->key->mki_len != 0)
		memcpy(op->packet + op->len + SRTP_TAG_MAX, op->key->mki, op->key->mki_len);
	op->len += (uint16_t)srtp_trailer_len(op->key);
}
