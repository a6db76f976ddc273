// SPDX-License-Identifier: GPL-3.0-or-later
// call_insert.c - the offer that we make to a peer that wants one, when the caller's INVITE has none, from the codecs of its profile.
#include "signaling/call_media.h"
#include <stdarg.h>
#include <stdio.h>

#define DYNAMIC_FIRST 96u

// Numbers of RFC 3551 table 4 where it has one.
static const struct {
	const char *map, *format;
	int number; // -1: dynamic
} codecs[SIP_CODEC_COUNT] = {
	[SIP_CODEC_PCMU] = { "PCMU/8000", NULL, 0 },
	[SIP_CODEC_PCMA] = { "PCMA/8000", NULL, 8 },
	[SIP_CODEC_G722] = { "G722/8000", NULL, 9 },
	[SIP_CODEC_G729] = { "G729/8000", "annexb=no", 18 },
	[SIP_CODEC_OPUS] = { "opus/48000/2", "useinbandfec=1", -1 },
	[SIP_CODEC_EVENTS] = { "telephone-event/8000", "0-15", -1 },
};

struct text {
	char *to;
	size_t room, len;
};

static __attribute__((format(printf, 2, 3))) void put(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text->to + text->len, text->room - text->len, format, args);

	va_end(args);
	text->len += n > 0 && (size_t)n < text->room - text->len ? (size_t)n : 0;
}

static unsigned number_of(const struct sip_policy *policy, unsigned index)
{
	unsigned next = DYNAMIC_FIRST;

	for (unsigned i = 0; i < index; i++)
		next += codecs[policy->codecs[i]].number < 0;
	return codecs[policy->codecs[index]].number < 0 ? next : (unsigned)codecs[policy->codecs[index]].number;
}

size_t call_insert_write(const struct sip_policy *policy, char *to, size_t room)
{
	struct text text = { to, room, 0 };

	// An address must be there, of a network that nobody has (RFC 5737); ours stands in its place in what goes out.
	put(&text, "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP");
	for (unsigned i = 0; i < policy->n_codecs; i++)
		put(&text, " %u", number_of(policy, i));
	put(&text, "\r\n");
	for (unsigned i = 0; i < policy->n_codecs; i++) {
		unsigned number = number_of(policy, i);

		put(&text, "a=rtpmap:%u %s\r\n", number, codecs[policy->codecs[i]].map);
		if (codecs[policy->codecs[i]].format != NULL)
			put(&text, "a=fmtp:%u %s\r\n", number, codecs[policy->codecs[i]].format);
	}
	put(&text, "a=sendrecv\r\n");
	return text.len;
}

int call_insert(struct sip_dialog *b, struct call_body *out, struct call_refusal *why)
{
	const struct sip_policy *policy = &b->sip->config->policies[b->profile];
	char body[2048];

	if (policy->delayed_offer == SIP_DELAYED_PASS)
		return 0;
	return call_media_insert(b, body, call_insert_write(policy, body, sizeof(body)), out, why);
}
