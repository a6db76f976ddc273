// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_engine.h - bulk SRTP (RFC 3711, 6188, 7714): whole bursts of packets of many streams in one crypto call. Also
// MKIs, encrypted header extensions (RFC 6904) and cryptex (RFC 9335); only packets that have them pay for them.
//
// One engine a worker thread; it belongs to that thread. It keeps nothing about streams: keys and streams are records
// (srtp_record.h) of the caller. No verb but _open allocates, and none blocks.
#pragma once
#include "dataplane/worker/srtp/srtp_record.h"
#include "dataplane/worker/srtp/srtp_result.h"
#include <stdbool.h>
#include <string.h>

struct srtp_engine;

// CPU level of the crypto code. AUTO: the best of this CPU; the others are for tests.
enum srtp_arch { SRTP_ARCH_AUTO = 0, SRTP_ARCH_SSE, SRTP_ARCH_AVX, SRTP_ARCH_AVX2, SRTP_ARCH_AVX512 };

// Runs known vectors of every suite through whole bursts before it says yes. -ENOTSUP: this CPU has no AES-NI or
// PCLMULQDQ, or not the level asked for; -EILSEQ: a vector came out wrong; -ENOMEM.
int srtp_engine_open(struct srtp_engine **enginep, enum srtp_arch arch);
void srtp_engine_close(struct srtp_engine *engine); // wipes its scratch; NULL is fine
const char *srtp_engine_arch(const struct srtp_engine *engine); // "AVX512" and so on, for the log

// Session keys by RFC 3711 4.3 with key derivation rate 0, expanded. `lifetime` in packets, 0 or above 2^48: 2^48.
// `mki` (NULL or length 0: none) is sent in each packet, and expected in each. -EINVAL: no such suite, or the MKI is too
// long. The key record is complete only on return: publish it afterwards.
int srtp_key_derive(struct srtp_engine *engine, struct srtp_key *key, const struct srtp_master *master,
		    const struct srtp_mki *mki, uint64_t lifetime);
// A key found after a restart: redoes the expansion if another library version or CPU level made it. May be interrupted
// and repeated. -EINVAL: not a key.
int srtp_key_adopt(struct srtp_engine *engine, struct srtp_key *key);
// Another worker's engine has it from now on: whatever this one keeps besides the record is given back.
void srtp_key_forget(struct srtp_engine *engine, const struct srtp_key *key);
// The engine forgets it, too. No key is fine; no engine: none ever had it.
void srtp_key_wipe(struct srtp_engine *engine, struct srtp_key *key);

// Does a received packet carry this key's MKI? Of a key without one, each does. Cheap: no crypto. It stands behind the
// payload and before the tag (RFC 3711 3.1); with AEAD the tag is part of the cipher text (RFC 7714 8.2), so it comes
// last.
static inline bool srtp_key_mki_is(const struct srtp_key *key, const uint8_t *packet, uint16_t len)
{
	unsigned behind = key->mki_len + (key->tag_len == SRTP_TAG_MAX ? 0u : key->tag_len);

	return key->mki_len == 0 || (len >= behind && memcmp(packet + len - behind, key->mki, key->mki_len) == 0);
}

struct srtp_op {
	uint8_t *packet;            // from the first byte of the RTP header
	uint16_t len;               // in: octets of the packet; out, if SRTP_OK: octets of the result
	uint16_t room;              // protect: octets that packet[] may hold
	uint16_t hdr_len;           // rtp_header_len(); protect, out: 4 more if cryptex had to add an extension
	bool fixed_index;           // in: take the roll-over counter from `index` instead of guessing it
	bool cryptex;               // in: RFC 9335 was negotiated: sent so if it can be; received so or not
	const uint8_t *encrypted;   // in: RFC 6904: 32 octets, id n is bit n % 8 of octet n / 8; NULL: no id is
	struct srtp_key *key;
	struct srtp_stream *stream; // of the packet's SSRC; packets of one SSRC in a burst name the same record
	uint64_t index;             // ROC || SEQ; out, with fixed_index its upper 32 of 48 bits also in
	enum srtp_result result;    // out
};

// Each packet in place; results as if the packets had come one by one, in this order. A packet that is not SRTP_OK
// keeps its bytes and leaves key and stream as they were, so that another key or index may be tried. Authenticates
// first: index and window of a stream move only with good tags. (SRTP_DEVICE alone may have used up the index of what
// was authentic: that packet is lost.)
//
// With cryptex a packet is received as it was before it was sent, but that one with CSRCs and no extension has an empty
// one then, and that the application's four bits of the two-octet form are 0 (RFC 9335 5). The key stream of RFC 6904
// counts padding between elements; libsrtp's (2.8 and before) does not. Behind the last element it makes no difference:
// whoever takes elements out should close the gap.
void srtp_unprotect_burst(struct srtp_engine *engine, struct srtp_op *ops, unsigned n);
// The index is taken before the packet is made: no (key, SSRC, index) is used twice, whatever happens in between.
void srtp_protect_burst(struct srtp_engine *engine, struct srtp_op *ops, unsigned n);
