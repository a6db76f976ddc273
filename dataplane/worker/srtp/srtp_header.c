// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_header.c - what of an RTP header is encrypted, where that was negotiated: elements of the header extension
// (RFC 6904), or all of it and the CSRCs (cryptex, RFC 9335).
#include "dataplane/worker/srtp/rtp_extension.h"
#include "dataplane/worker/srtp/srtp_engine_priv.h"
#include "dataplane/fastpath.h"

// "Defined by profile" of an encrypted extension (RFC 9335 5); RFC 8285's values stand in rtp_extension.h.
#define CRYPTEX_ONE_OCTET_FORM 0xc0de
#define CRYPTEX_TWO_OCTET_FORM 0xc2de

#define CHUNK 64 // octets of key stream made at a time

struct key_stream { // of RFC 6904: as long as the extension without its head
	const struct srtp_key *key;
	unsigned first; // octet of the stream that bytes[0] is; UINT_MAX: none yet
	alignas(16) uint8_t iv[16];
	uint8_t bytes[CHUNK];
};

static bool encrypts(const struct srtp_op *op)
{
	const struct srtp_suite_info *info = srtp_suite_info((enum srtp_suite)op->key->suite);

	return info != NULL && info->encrypts;
}

static bool is_encrypted(const struct srtp_op *op, const struct rtp_element *element)
{
	return op->encrypted[element->id / 8] >> element->id % 8 & 1;
}

static bool is_cryptex_form(uint16_t form)
{
	return form == CRYPTEX_ONE_OCTET_FORM || form == CRYPTEX_TWO_OCTET_FORM;
}

// The caller's hdr_len holds what the first octet promises.
static bool has_room(const struct srtp_op *op)
{
	return rtp_extension_at(op->packet) + (rtp_has_extension(op->packet) ? RTP_EXTENSION_HEAD : 0) <= op->hdr_len;
}

// Looks at elements only; their data may be encrypted or not.
static enum srtp_header elements_check(const struct srtp_op *op)
{
	enum srtp_header header = SRTP_HEADER_CLEAR;
	struct rtp_elements walk;
	struct rtp_element element;
	enum rtp_walk found;

	if (!rtp_elements_open(&walk, op->packet, op->hdr_len))
		return SRTP_HEADER_CLEAR;
	while ((found = rtp_elements_next(&walk, &element)) == RTP_WALK_ELEMENT) {
		if (is_encrypted(op, &element))
			header = SRTP_HEADER_ELEMENTS;
	}
	return found == RTP_WALK_BROKEN ? SRTP_HEADER_BROKEN : header;
}

enum srtp_header srtp_header_rx(const struct srtp_op *op)
{
	if (!rtp_has_extension(op->packet) || !encrypts(op))
		return SRTP_HEADER_CLEAR;
	if (!has_room(op))
		return SRTP_HEADER_BROKEN;
	if (op->cryptex && is_cryptex_form(rtp_extension_form(op->packet)))
		return SRTP_HEADER_CRYPTEX;
	return op->encrypted != NULL ? elements_check(op) : SRTP_HEADER_CLEAR;
}

// RFC 9335 5.1: not for extensions that are none of RFC 8285; sent in clear, one with a form of cryptex would be taken
// for encrypted.
enum srtp_header srtp_header_tx(const struct srtp_op *op)
{
	if (!encrypts(op))
		return SRTP_HEADER_CLEAR;
	if (!has_room(op))
		return SRTP_HEADER_BROKEN;
	if (op->cryptex && !rtp_has_extension(op->packet))
		return (op->packet[0] & 0x0f) != 0 ? SRTP_HEADER_CRYPTEX_ADD : SRTP_HEADER_CLEAR;
	if (op->cryptex && is_cryptex_form(rtp_extension_form(op->packet)))
		return SRTP_HEADER_BROKEN;
	if (op->cryptex && rtp_form_has_elements(rtp_extension_form(op->packet)))
		return SRTP_HEADER_CRYPTEX;
	return op->encrypted != NULL ? elements_check(op) : SRTP_HEADER_CLEAR;
}

// ---- RFC 6904

// RFC 6904 3.1.1: the stream of AES-CM (RFC 3711 4.1.1), with AEAD, too (RFC 7714 8.3), under the extension's keys.
static void key_stream_start(struct key_stream *stream, const struct srtp_op *op)
{
	uint32_t ssrc = htobe32(rtp_ssrc(op->packet));
	uint64_t low = htobe64(op->index << 16);

	stream->key = op->key;
	stream->first = UINT32_MAX;
	memset(stream->iv, 0, 4);
	memcpy(stream->iv + 4, &ssrc, sizeof(ssrc));
	memcpy(stream->iv + 8, &low, sizeof(low));
	for (unsigned i = 0; i < 14; i++)
		stream->iv[i] ^= op->key->extension_salt[i];
}

static void key_stream_load(struct srtp_engine *engine, struct key_stream *stream, unsigned first)
{
	const struct srtp_suite_info *info = srtp_suite_info((enum srtp_suite)stream->key->suite);
	IMB_JOB job = {
		.enc_keys = stream->key->extension_rounds,
		.dec_keys = stream->key->extension_rounds,
		.key_len_in_bytes = info->key_len,
		.src = stream->bytes,
		.dst = stream->bytes,
		.msg_len_to_cipher_in_bytes = CHUNK,
		.iv = stream->iv,
		.iv_len_in_bytes = sizeof(stream->iv),
		.cipher_mode = IMB_CIPHER_CNTR,
		.cipher_direction = IMB_DIR_ENCRYPT,
		.hash_alg = IMB_AUTH_NULL,
	};

	stream->first = first;
	stream->iv[14] = (uint8_t)(first / 16 >> 8);
	stream->iv[15] = (uint8_t)(first / 16);
	memset(stream->bytes, 0, CHUNK);
	IMB_SUBMIT_CIPHER_BURST_NOCHECK(engine->mgr, &job, 1, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT,
					(IMB_KEY_SIZE_BYTES)info->key_len);
}

// The stream begins with the extension's first octet behind its head, and heads of elements and padding use it up, too.
void srtp_header_elements(struct srtp_engine *engine, const struct srtp_op *op)
{
	struct rtp_elements walk;
	struct rtp_element element;
	struct key_stream stream;
	unsigned begin;

	if (!rtp_elements_open(&walk, op->packet, op->hdr_len))
		return;
	begin = walk.next;
	key_stream_start(&stream, op);
	while (rtp_elements_next(&walk, &element) == RTP_WALK_ELEMENT) {
		if (!is_encrypted(op, &element))
			continue;
		for (unsigned at = element.at; at < (unsigned)element.at + element.len; at++) {
			unsigned i = (at - begin) % CHUNK;

			if (stream.first != at - begin - i)
				key_stream_load(engine, &stream, at - begin - i);
			op->packet[at] ^= stream.bytes[i];
		}
	}
	explicit_bzero(&stream, sizeof(stream));
}

// ---- RFC 9335
//
// What is encrypted is in two parts, CSRCs and what is behind the extension's head. With the head moved to before the
// CSRCs they are one, and the associated data of AEAD is in one piece, too (RFC 9335 6.2).

static void head_forward(uint8_t *packet)
{
	uint16_t at = rtp_extension_at(packet);
	uint8_t head[RTP_EXTENSION_HEAD];

	memcpy(head, packet + at, sizeof(head));
	memmove(packet + RTP_HEADER_MIN + sizeof(head), packet + RTP_HEADER_MIN, at - RTP_HEADER_MIN);
	memcpy(packet + RTP_HEADER_MIN, head, sizeof(head));
}

static void head_back(uint8_t *packet)
{
	uint16_t at = rtp_extension_at(packet);
	uint8_t head[RTP_EXTENSION_HEAD];

	memcpy(head, packet + RTP_HEADER_MIN, sizeof(head));
	memmove(packet + RTP_HEADER_MIN, packet + RTP_HEADER_MIN + sizeof(head), at - RTP_HEADER_MIN);
	memcpy(packet + at, head, sizeof(head));
}

// RFC 9335 5.1: CSRCs are encrypted only with an extension that says so.
static void extension_add(struct srtp_op *op)
{
	uint16_t at = rtp_extension_at(op->packet);

	memmove(op->packet + at + RTP_EXTENSION_HEAD, op->packet + at, op->len - at);
	memset(op->packet + at, 0, RTP_EXTENSION_HEAD);
	op->packet[0] |= 0x10;
	op->len += RTP_EXTENSION_HEAD;
	op->hdr_len += RTP_EXTENSION_HEAD;
	rtp_extension_form_set(op->packet, RTP_ONE_OCTET_FORM);
}

void srtp_cryptex_tx(struct srtp_op *op, enum srtp_header header)
{
	if (header == SRTP_HEADER_CRYPTEX_ADD)
		extension_add(op);
	rtp_extension_form_set(op->packet, rtp_extension_form(op->packet) == RTP_ONE_OCTET_FORM
						   ? CRYPTEX_ONE_OCTET_FORM
						   : CRYPTEX_TWO_OCTET_FORM);
	head_forward(op->packet);
}

void srtp_cryptex_tx_done(struct srtp_op *op)
{
	head_back(op->packet);
}

void srtp_cryptex_rx(struct srtp_op *op)
{
	head_forward(op->packet);
}

void srtp_cryptex_rx_done(struct srtp_op *op, bool clear)
{
	head_back(op->packet);
	if (clear)
		rtp_extension_form_set(op->packet, rtp_extension_form(op->packet) == CRYPTEX_ONE_OCTET_FORM
							   ? RTP_ONE_OCTET_FORM
							   : RTP_TWO_OCTET_FORM);
}
