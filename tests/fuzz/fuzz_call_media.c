// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_call_media.c - the descriptions in a call's record, damaged anywhere: what signalling takes up of them after its death, and
// what it then makes of offers from either side.
//
// Input: the first octet chooses the record (even: SDES to plain, odd: DTLS-SRTP to plain with a line refused); the rest are
// patches of it, each an offset (2 octets), a length (1 octet) and what is put there. What is refused leaves nothing; what is
// taken up can be offered to, answered, rolled back and written again.
#include "base/log.h"
#include "signaling/call_media.h"
#include "signaling/sofia.h"
#include "tests/support/fake_media.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 16384
#define KEY "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
#define HEAD(address) "v=0\r\no=- 7 1 IN IP4 " address "\r\ns=-\r\nc=IN IP4 " address "\r\nt=0 0\r\n"
#define SDES "m=audio 4000 RTP/SAVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY "\r\n"
#define PRINT "9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C:9C"
#define DTLS "m=audio 4000 UDP/TLS/RTP/SAVP 0 8\r\na=setup:actpass\r\na=fingerprint:sha-256 " PRINT "\r\n"
#define VIDEO "m=video 4002 UDP/TLS/RTP/SAVP 96\r\na=rtpmap:96 VP8/90000\r\na=setup:actpass\r\na=fingerprint:sha-256 " PRINT "\r\n"
#define PLAIN "m=audio 5000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"

static const char *const offers[] = { HEAD("192.0.2.1") SDES, HEAD("192.0.2.1") DTLS VIDEO };
static const char *const answers[] = { HEAD("10.0.0.9") PLAIN, HEAD("10.0.0.9") PLAIN "m=video 0 RTP/AVP 96\r\n" };
static const char *const holds[] = { HEAD("192.0.2.1") SDES "a=sendonly\r\n", HEAD("192.0.2.1") DTLS "a=sendonly\r\n" VIDEO };

static struct sip_realm realms[2] = { { .name = "access" }, { .name = "core" } };
static struct media_realm media_realms[2] = { { .name = "access" }, { .name = "core" } };
static struct media_profile profiles[2] = {
	{ .name = "any",
	  .keying = { .accept = { KEYING_DTLS_SRTP, KEYING_SDES, KEYING_PLAIN }, .offer = { KEYING_DTLS_SRTP } } },
	{ .name = "plain", .keying = { .accept = { KEYING_PLAIN }, .offer = { KEYING_PLAIN } } },
};
static struct sip_policy policies[2];
static struct sip_peer peers[2] = { { .name = "phone" }, { .name = "pbx", .realm = 1, .profile = 1 } };
static struct sip_config config = {
	.realms = realms, .n_realms = 2, .peers = peers, .n_peers = 2, .profiles = profiles, .n_profiles = 2, .policies = policies,
};
static struct media_config media_config = { .realms = media_realms, .n_realms = 2, .max_sessions = 4 };
static struct sip sip = { .config = &config, .env = &env_real };

static uint8_t whole[2][ROOM]; // as they were written
static int whole_len[2];

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_call_media: %s\n", what);
	abort();
}

struct stand {
	struct sip_call call;
	struct sip_dialog a, b;
};

static void open_call(struct stand *s)
{
	memset(s, 0, sizeof(*s));
	sip_dialog_init(&s->a, &sip, false, 0);
	sip_dialog_init(&s->b, &sip, true, 1);
	s->call.sip = &sip;
	s->call.dialogs = &s->a;
	s->a.next = s->a.joined = &s->b;
	s->b.joined = &s->a;
	s->b.side = 1;
	s->a.trunk = &s->a;
	s->b.trunk = &s->b;
	s->a.call = s->b.call = &s->call;
	s->a.fsm.state = s->b.fsm.state = DIALOG_CONFIRMED;
	oa_fsm_start(&s->a.oa, 1, 0);
	oa_fsm_start(&s->b.oa, 2, 0);
	must(inet_addr_parse(&s->a.source.addr, "192.0.2.1") == 0 && inet_addr_parse(&s->b.source.addr, "10.0.0.9") == 0, "address");
	s->a.hop.address = s->a.source;
	s->b.hop = (struct sip_hop){ .address = s->b.source, .listener = SIP_LISTENERS_A_REALM };
	must(call_media_create(&s->call) == 0 && media_session_open(sip.media, &s->call.session) == 0, "call");
}

static int exchange(struct sip_dialog *from, const char *offer, const char *answer)
{
	struct call_refusal why;
	struct call_offer on;
	struct call_body out;
	int err = call_media_offer(from, offer, strlen(offer), &on, &why);

	if (err == 0)
		err = call_media_answer(from->joined, answer, strlen(answer), false, &out, &why);
	if (err < 0)
		call_media_withdraw(from->call);
	return err;
}

static void start(void)
{
	struct media_start begin = { .config = &media_config, .profiles = profiles, .n_profiles = 2, .env = &env_real };

	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, "fuzz");
	for (int i = 0; i < 2; i++) {
		struct sip_listener *l = &realms[i].listeners[realms[i].n_listeners++];

		must(inet_endpoint_parse(&l->bind, i == 0 ? "127.0.0.1:0" : "127.0.0.2:0") == 0, "listener");
		media_realms[i].address[media_realms[i].n_addresses++].bind = l->bind.addr;
	}
	must(media_open(&sip.media, &begin) == 0, "media");
	sofia_setup();
	sip.root = su_root_create(NULL);
	must(sip.root != NULL, "root");
	su_root_threading(sip.root, 0);
	struct sip_agent_start agent = { .root = sip.root, .config = &config, .env = &env_real };

	must(sip_agent_open(&sip.agent, &agent) == 0, "agent");
	for (int i = 0; i < 2; i++) {
		struct stand s;

		open_call(&s);
		must(exchange(&s.a, offers[i], answers[i]) == 0, "the call that is recorded");
		whole_len[i] = call_media_save(&s.call, whole[i], ROOM);
		must(whole_len[i] > 0, "record");
		call_media_free(&s.call);
	}
}

static void damage(uint8_t *record, size_t len, const uint8_t *data, size_t size)
{
	while (size >= 3) {
		size_t at = (size_t)(data[0] << 8 | data[1]) % len, n = data[2];

		data += 3, size -= 3;
		n = n < size ? n : size;
		n = n < len - at ? n : len - at;
		memcpy(record + at, data, n);
		data += n, size -= n;
	}
}

static void go_on(struct stand *s, int kind)
{
	static uint8_t again[ROOM];
	struct call_refusal why;
	struct call_body out;
	struct call_offer on;

	call_media_resume(&s->call);
	exchange(&s->a, holds[kind], answers[kind]);
	exchange(&s->b, answers[kind], holds[kind]);
	if (call_media_offer(&s->a, offers[kind], strlen(offers[kind]), &on, &why) == 0) {
		if (on.concerns || call_media_answer_here(&s->a, &out, &why) < 0)
			call_media_withdraw(&s->call);
	}
	if (call_media_offer_again(&s->b, &out, &why) == 0)
		call_media_rollback(&s->call);
	must(call_media_save(&s->call, again, sizeof(again)) != 0, "what was taken up cannot be written");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t record[ROOM];
	struct stand s;

	if (sip.media == NULL)
		start();
	if (size == 0 || size > 4096)
		return 0;
	int kind = data[0] & 1;

	memcpy(record, whole[kind], sizeof(record));
	damage(record, (size_t)whole_len[kind], data + 1, size - 1);
	open_call(&s);
	if (call_media_load(&s.call, record, (size_t)whole_len[kind]) == 0)
		go_on(&s, kind);
	else
		must(call_media_save(&s.call, record, sizeof(record)) == -ENOENT, "something is left of what was refused");
	call_media_free(&s.call);
	fake_media_forget(sip.media);
	return 0;
}
