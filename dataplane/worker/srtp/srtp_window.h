// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_window.h - the packet index of RFC 3711 3.3.1 and the memory of indices done (3.3.2), for both directions.
//
// Received: an index is accepted once, after its tag was good. Sent: an index is taken once, before the packet is made,
// because two packets under one (key, SSRC, index) give their plaintext away. Inline: the packet path does all of it
// for each packet.
#pragma once
#include "dataplane/worker/srtp/srtp_record.h"
#include "dataplane/worker/srtp/srtp_result.h"
#include <stdatomic.h>

// A kill must find the stores done in the order in which they are written; the CPU keeps it, so shall the compiler.
#define srtp_window_order() atomic_signal_fence(memory_order_seq_cst)

// `window` outside SRTP_WINDOW_MIN..MAX is brought inside.
static inline void srtp_stream_init(struct srtp_stream *stream, uint32_t ssrc, uint32_t roc, unsigned window)
{
	if (window < SRTP_WINDOW_MIN)
		window = SRTP_WINDOW_MIN;
	if (window > SRTP_WINDOW_MAX)
		window = SRTP_WINDOW_MAX;
	*stream = (struct srtp_stream){
		.ssrc = ssrc, .roc = roc, .window = (uint16_t)window, .word_mask = (uint8_t)(srtp_window_words(window) - 1)
	};
}

// RFC 3711 3.3.1, appendix A: of the three roll-over counters around, the one that puts seq nearest to the highest
// index. Below ROC 0 there is none: what would be index -n is taken in ROC 0, the nearest that exists. May give
// SRTP_INDEX_LIMIT or more: then the key is used up.
static inline uint64_t srtp_index_guess(const struct srtp_stream *stream, uint16_t seq)
{
	uint64_t roc = stream->highest >> 16;
	uint32_t newest = stream->highest & 0xffff;

	if (!stream->started)
		return (uint64_t)stream->roc << 16 | seq;
	if (newest < 0x8000) {
		if (seq > newest + 0x8000 && roc > 0)
			roc--;
	} else if (seq < newest - 0x8000) {
		roc++;
	}
	return roc << 16 | seq;
}

// The record lies in memory that another process can write: no mask of its may lead outside of bits[].
static inline unsigned srtp_window_mask(const struct srtp_stream *stream)
{
	return stream->word_mask & (SRTP_WINDOW_WORDS - 1);
}

// What the window says of an index; changes nothing.
static inline enum srtp_result srtp_window_check(const struct srtp_stream *stream, uint64_t index)
{
	if (index >= SRTP_INDEX_LIMIT)
		return SRTP_KEY_EXPIRED;
	if (!stream->started || index > stream->highest)
		return SRTP_OK;
	if (stream->highest - index >= stream->window)
		return SRTP_OLD;
	if (stream->bits[index / 64 & srtp_window_mask(stream)] >> index % 64 & 1)
		return SRTP_REPLAY;
	return SRTP_OK;
}

static inline void srtp_window_start(struct srtp_stream *stream, uint64_t index)
{
	for (unsigned w = 0; w <= srtp_window_mask(stream); w++)
		stream->bits[w] = 0;
	stream->bits[index / 64 & srtp_window_mask(stream)] = UINT64_C(1) << index % 64;
	stream->highest = index;
	srtp_window_order();
	stream->started = 1; // a stream that a kill left unstarted starts again; its packet went nowhere
}

// Words of blocks that the window has moved to.
static inline void srtp_window_clear(struct srtp_stream *stream, uint64_t first, uint64_t last)
{
	for (uint64_t b = first; b <= last; b++)
		stream->bits[b & srtp_window_mask(stream)] = 0;
	srtp_window_order();
}

// Notes an index that srtp_window_check() found fresh. The packet leaves the relay only after this.
//
// The window moves by blocks of 64 (RFC 6479), but in another order: advance, clear, set. The words to clear may still
// hold indices of the window as it was; cleared first, a kill before the advance would let them in again. Advanced
// first, these indices are behind the window at once, and what a kill leaves is: bits of a former lap not cleared (a
// fresh packet is refused: loss) or the newest bit not set (its packet was neither delivered nor sent). The bitmap has
// one block more than the window, so no word to be cleared belongs to the window as it will be.
static inline void srtp_window_accept(struct srtp_stream *stream, uint64_t index)
{
	uint64_t block = index / 64, mask = srtp_window_mask(stream), newest;

	if (!stream->started) {
		srtp_window_start(stream, index);
		return;
	}
	if (index > stream->highest) {
		newest = stream->highest / 64;
		stream->highest = index;
		srtp_window_order();
		if (block != newest)
			srtp_window_clear(stream, block - newest > mask ? block - mask : newest + 1, block);
	}
	stream->bits[block & mask] |= UINT64_C(1) << index % 64;
}
