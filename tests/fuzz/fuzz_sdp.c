// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_sdp.c - any body: what is accepted prints as it came, its views hold, and a call made of it (as an offer, and as
// the answer to that) only makes descriptions that parse and say nothing of the other side's keys. The first byte picks
// policies.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/sdp/sdp_attr.h"
#include "signaling/sdp/sdp_same.h"
#include "tests/support/sdp_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

// Parses with the printed text as the only reference.
static struct sdp_doc *reparsed(const struct sdp_doc *doc)
{
	struct sdp_error error;
	struct sdp_doc *again = NULL;
	size_t len, len_again;
	char *body = sdp_doc_print(doc, &len), *body_again;

	must(body != NULL && sdp_doc_parse(&again, body, len, &error) == 0);
	body_again = sdp_doc_print(again, &len_again);
	must(body_again != NULL && len == len_again && memcmp(body, body_again, len) == 0);
	sdp_body_free(body, len);
	sdp_body_free(body_again, len_again);
	must(sdp_same(doc, again) && sdp_same(again, doc));
	(void)sdp_covers(doc, again);
	return again;
}

static void view(const struct sdp_doc *doc)
{
	struct keying_lines lines;
	struct sdp_media media;
	const struct sdp_line *line;

	for (size_t i = 0; i < sdp_doc_media_count(doc); i++) {
		must(sdp_media_read(doc, i, &media) == 0);
		must((media.refusal == SDP_REFUSE_NONE) <= (media.formats.len > 0 && media.port != 0));
		sdp_media_keying(doc, i, &lines);
		must(lines.n_crypto <= KEYING_CRYPTO_MAX);
	}
	for (int s = SDP_SESSION; s < (int)sdp_doc_media_count(doc); s++) {
		for (size_t i = 0; (line = sdp_doc_line(doc, s, i)) != NULL; i++)
			must(sdp_class_name(sdp_line_class(line)) != NULL);
	}
	sdp_is_hold(doc);
}

// In what we made, key-bearing lines are ours alone: crypto with keys of our random source, our fingerprint, our
// tls-id.
static void only_our_keys(const struct sdp_doc *made)
{
	const struct sdp_line *line;

	for (int s = SDP_SESSION; s < (int)sdp_doc_media_count(made); s++) {
		for (size_t i = 0; (line = sdp_doc_line(made, s, i)) != NULL; i++) {
			if (sdp_line_class(line) != SDP_CLASS_KEY)
				continue;
			must(s != SDP_SESSION &&
			     (sdp_text_is(line->name, "crypto") || sdp_text_is(line->name, "fingerprint") ||
			      sdp_text_is(line->name, "tls-id")));
		}
	}
}

// A plain m-line of ours says nothing of encrypted header extensions; what is said of extensions can be read.
static void extensions_sound(const struct sdp_doc *made)
{
	struct sdp_extensions extensions;
	struct sdp_media media;

	for (size_t i = 0; sdp_media_read(made, i, &media) == 0; i++) {
		sdp_extensions_read(made, i, &extensions);
		must(extensions.unread == 0);
		if (media.proto.transport != KEYING_RTP_AVP)
			continue;
		must(!extensions.cryptex);
		for (size_t e = 0; e < extensions.n; e++)
			must(!extensions.list[e].encrypted);
	}
}

static void extension_policies(struct sdp_case *c, size_t pick)
{
	c->near.extensions.encryption = c->far.extensions.encryption = (enum media_wish)(pick % 3);
	c->near.extensions.cryptex = c->far.extensions.cryptex = (enum media_wish)(pick / 3 % 3);
	c->far.extensions.filter = pick / 9 % 3 > 0;
	c->far.extensions.n_uris = pick / 9 % 3 == 1;
	strcpy(c->far.uris[0].text, "urn:ietf:params:rtp-hdrext:ssrc-audio-level");
}

static void policies(struct sdp_case *c, uint8_t pick)
{
	static const enum keying_mechanism accepts[4][3] = {
		{ KEYING_DTLS_SRTP, KEYING_SDES, KEYING_PLAIN },
		{ KEYING_SDES, KEYING_DTLS_SRTP },
		{ KEYING_PLAIN },
		{ KEYING_PLAIN, KEYING_SDES, KEYING_DTLS_SRTP },
	};
	static const enum keying_mechanism offers[4][2] = {
		{ KEYING_PLAIN },
		{ KEYING_SDES },
		{ KEYING_DTLS_SRTP },
		{ KEYING_DTLS_SRTP, KEYING_SDES },
	};

	memcpy(c->near.policy.accept, accepts[pick & 3], sizeof(accepts[0]));
	memcpy(c->far.policy.offer, offers[pick >> 2 & 3], sizeof(offers[0]));
	c->near.policy.offer[0] = c->far.policy.accept[0] = KEYING_PLAIN;
	c->far.mux_offer = pick & 16;
	c->near.mux_never = pick & 32;
	if (pick & 32) {
		c->far.policy.mki = KEYING_MKI_OFFER;
		c->near.policy.suites[0] = c->far.policy.suites[1] = SRTP_NULL_HMAC_SHA1_80;
		c->near.policy.suites[1] = c->far.policy.suites[0] = SRTP_AES_192_CM_HMAC_SHA1_80;
	}
	c->pass_unknown = pick & 64;
}

static void make_answer(struct sdp_case *c, const struct sdp_doc *offer, const struct sdp_doc *ours,
			const struct sdp_doc *answer)
{
	struct sdp_doc *back = NULL;
	struct sdp_error error;

	if (sdp_case_answer(c, offer, ours, answer, &back, &error) == 0) {
		sdp_doc_free(reparsed(back));
		only_our_keys(back);
		extensions_sound(back);
		must(sdp_doc_media_count(back) == sdp_doc_media_count(offer));
	}
	sdp_doc_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sdp_doc *doc = NULL, *ours = NULL, *again;
	struct sdp_error error;
	struct sdp_case c;
	size_t len;
	char *body;

	if (size < 1)
		return 0;
	if (sdp_doc_parse(&doc, (const char *)data + 1, size - 1, &error) < 0) {
		must(error.line > 0 && error.column > 0);
		return 0;
	}
	body = sdp_doc_print(doc, &len);
	must(body != NULL && len == size - 1 && memcmp(body, data + 1, len) == 0);
	sdp_body_free(body, len);
	view(doc);
	sdp_case_init(&c);
	policies(&c, data[0]);
	extension_policies(&c, size);
	if (sdp_case_offer(&c, doc, NULL, &ours) == 0) {
		again = reparsed(ours);
		only_our_keys(again);
		extensions_sound(again);
		must(sdp_doc_media_count(again) == sdp_doc_media_count(doc));
		make_answer(&c, doc, again, doc); // the body once more, as if it had been the answer
		sdp_doc_free(again);
	}
	sdp_doc_free(ours);
	sdp_doc_free(doc);
	sdp_case_wipe(&c);
	return 0;
}
