// SPDX-License-Identifier: GPL-3.0-or-later
// test_sdp_media.c - typed views: classes of lines, m-lines and what they inherit, holds, keying lines, leaks.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "signaling/sdp/sdp_attr.h"
#include "signaling/sdp/sdp_leak.h"
#include "signaling/sdp/sdp_media.h"
#include "tests/support/sdp_parsed.h"

#define FP "AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12"

static enum sdp_class class_of(const char *line)
{
	char text[256];
	struct sdp_doc *doc;
	enum sdp_class class;

	snprintf(text, sizeof(text), HEAD "%s\r\n", line);
	doc = parsed(text);
	class = sdp_line_class(sdp_doc_line(doc, SDP_SESSION, 5));
	sdp_doc_free(doc);
	return class;
}

static void lines_have_their_class(void **state)
{
	static const struct {
		const char *line;
		enum sdp_class class;
	} cases[] = {
		{ "a=3ge2ae:requested", SDP_CLASS_KEY },
		{ "a=crypto:1 x", SDP_CLASS_KEY },
		{ "a=Crypto:1 x", SDP_CLASS_KEY },
		{ "a= crypto :1 x", SDP_CLASS_KEY },
		{ "a=\tfingerprint:x", SDP_CLASS_KEY },
		{ "a=tls-id:x", SDP_CLASS_KEY },
		{ "a=ice-pwd:x", SDP_CLASS_KEY },
		{ "a=zrtp-hash:x", SDP_CLASS_KEY },
		{ "k=prompt", SDP_CLASS_KEY },
		{ "a=cryptoscale:x", SDP_CLASS_KEY },
		{ "a=cryptex", SDP_CLASS_OURS },
		{ "a=Cryptex", SDP_CLASS_OURS },
		{ "a=extmap:1 urn:x", SDP_CLASS_OURS },
		{ "a=extmap-allow-mixed", SDP_CLASS_OURS },
		{ "a=candidate:x", SDP_CLASS_ADDRESS },
		{ "a=rtcp:9", SDP_CLASS_ADDRESS },
		{ "u=http://a", SDP_CLASS_ADDRESS },
		{ "a=ssrc:1 cname:user@host", SDP_CLASS_ADDRESS },
		{ "a=ssrc:1 CNAME:a.example", SDP_CLASS_ADDRESS },
		{ "a=ssrc:1  cname:2001:db8::1", SDP_CLASS_ADDRESS },
		{ "a=ssrc:1 cname:Zk+/8Rtvq1L4fGz", SDP_CLASS_END_TO_END },
		{ "a=ssrc:1 msid:a.b c", SDP_CLASS_END_TO_END },
		{ "a=group:BUNDLE 0 1", SDP_CLASS_OURS },
		{ "a=group:bundle 0 1", SDP_CLASS_OURS },
		{ "a=group:LS 0 1", SDP_CLASS_END_TO_END },
		{ "a=group", SDP_CLASS_END_TO_END },
		{ "a=sendrecv", SDP_CLASS_OURS },
		{ "a=setup:active", SDP_CLASS_OURS },
		{ "a=rtpmap:0 PCMU/8000", SDP_CLASS_END_TO_END },
		{ "a=rtpma:0", SDP_CLASS_UNKNOWN },
		{ "a=rtpmapp:0", SDP_CLASS_UNKNOWN },
		{ "a=", SDP_CLASS_UNKNOWN },
		{ "a=:", SDP_CLASS_UNKNOWN },
		{ "a=zzz", SDP_CLASS_UNKNOWN },
		{ "b=AS:1", SDP_CLASS_END_TO_END },
		{ "Q=x", SDP_CLASS_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (class_of(cases[i].line) != cases[i].class)
			fail_msg("%s: %s", cases[i].line, sdp_class_name(class_of(cases[i].line)));
	}
}

static void numbers_are_digits_within_bounds(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_int_equal(sdp_text_number(SDP_TEXT("65535"), 65535, &n), 0);
	assert_int_equal(n, 65535);
	assert_int_equal(sdp_text_number(SDP_TEXT("000"), 9, &n), 0);
	assert_int_equal(sdp_text_number(SDP_TEXT("65536"), 65535, &n), -ERANGE);
	assert_int_equal(sdp_text_number(SDP_TEXT("9"), 5, &n), -ERANGE);
	assert_int_equal(sdp_text_number(SDP_TEXT("18446744073709551615"), UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(sdp_text_number(SDP_TEXT("18446744073709551616"), UINT64_MAX, &n), -ERANGE);
	assert_int_equal(sdp_text_number(SDP_TEXT(""), 9, &n), -EINVAL);
	assert_int_equal(sdp_text_number(SDP_TEXT("+1"), 9, &n), -EINVAL);
	assert_int_equal(sdp_text_number(SDP_TEXT("1 "), 9, &n), -EINVAL);
}

static void protos_are_exact_tokens(void **state)
{
	static const struct {
		const char *token;
		enum keying_transport transport;
		bool feedback;
	} cases[] = {
		{ "RTP/AVP", KEYING_RTP_AVP, false },
		{ "RTP/AVPF", KEYING_RTP_AVP, true },
		{ "RTP/SAVP", KEYING_RTP_SAVP, false },
		{ "RTP/SAVPF", KEYING_RTP_SAVP, true },
		{ "UDP/TLS/RTP/SAVP", KEYING_UDP_TLS_RTP_SAVP, false },
		{ "UDP/TLS/RTP/SAVPF", KEYING_UDP_TLS_RTP_SAVP, true },
		{ "TCP/RTP/AVP", KEYING_TRANSPORT_OTHER, false },
		{ "TCP/TLS/RTP/SAVP", KEYING_TRANSPORT_OTHER, false },
		{ "UDP/TLS/RTP/SAVPX", KEYING_TRANSPORT_OTHER, false },
		{ "RTP/AV", KEYING_TRANSPORT_OTHER, false },
		{ "udptl", KEYING_TRANSPORT_OTHER, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct keying_proto proto = keying_proto_parse(cases[i].token, strlen(cases[i].token));

		assert_int_equal(proto.transport, cases[i].transport);
		assert_int_equal(proto.feedback, cases[i].feedback);
		if (proto.transport != KEYING_TRANSPORT_OTHER)
			assert_string_equal(keying_proto_name(proto), cases[i].token);
	}
}

static void direction_is_inherited_and_held(void **state)
{
	static const struct {
		const char *session, *media;
		enum sdp_direction want;
	} cases[] = {
		{ "", "", SDP_SENDRECV },
		{ "a=sendonly\r\n", "", SDP_SENDONLY },
		{ "a=inactive\r\n", "a=recvonly\r\n", SDP_RECVONLY },
		{ "", "a=inactive\r\n", SDP_INACTIVE },
		{ "", "c=IN IP4 0.0.0.0\r\n", SDP_SENDONLY },
		{ "", "c=IN IP4 0.0.0.0\r\na=recvonly\r\n", SDP_INACTIVE },
		{ "", "c=IN IP4 0.0.0.0\r\na=sendonly\r\n", SDP_SENDONLY },
		{ "", "c=IN IP6 ::\r\n", SDP_SENDONLY },
		{ "a=recvonly\r\n", "c=IN IP6 0:0:0:0:0:0:0:0\r\n", SDP_INACTIVE },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sdp_doc *doc;
		struct sdp_media media;

		snprintf(text, sizeof(text), HEAD "%sm=audio 5000 RTP/AVP 0\r\n%s", cases[i].session, cases[i].media);
		doc = parsed(text);
		assert_int_equal(sdp_media_direction(doc, 0), cases[i].want);
		assert_int_equal(sdp_is_hold(doc), !(cases[i].want & SDP_RECVONLY));
		sdp_media_read(doc, 0, &media);
		assert_int_equal(media.held_by_address, strstr(cases[i].media, "c=") != NULL);
		assert_int_equal(media.rtp.addr.family, media.held_by_address ? INET_NONE : INET_V4);
		sdp_doc_free(doc);
	}
	assert_int_equal(sdp_direction_reverse(SDP_SENDONLY), SDP_RECVONLY);
	assert_int_equal(sdp_direction_reverse(SDP_SENDRECV), SDP_SENDRECV);
	assert_int_equal(sdp_direction_reverse(SDP_INACTIVE), SDP_INACTIVE);
}

static void rtcp_goes_where_it_is_told(void **state)
{
	static const struct {
		const char *media, *want;
	} cases[] = {
		{ "m=audio 5000 RTP/AVP 0\r\n", "192.0.2.1:5001" },
		{ "m=audio 5000 RTP/AVP 0\r\na=rtcp:7000\r\n", "192.0.2.1:7000" },
		{ "m=audio 5000 RTP/AVP 0\r\na=rtcp:7000 IN IP4 192.0.2.9\r\n", "192.0.2.9:7000" },
		{ "m=audio 5000 RTP/AVP 0\r\na=rtcp:7000 IN IP4 0.0.0.0\r\n", "192.0.2.1:7000" },
		{ "m=audio 5000 RTP/AVP 0\r\na=rtcp:7000 IN IP6 2001:db8::9\r\n", "192.0.2.1:7000" },
		{ "m=audio 5000 RTP/AVP 0\r\na=rtcp:7000 IN IP4 host.example\r\n", "192.0.2.1:7000" },
	};
	char text[512], have[INET_ENDPOINT_STRLEN];
	struct sdp_media media;
	struct sdp_doc *doc;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), HEAD "%s", cases[i].media);
		doc = parsed(text);
		sdp_media_read(doc, 0, &media);
		assert_string_equal(inet_endpoint_print(have, &media.rtcp), cases[i].want);
		sdp_doc_free(doc);
	}
	doc = parsed(HEAD "m=audio 65535 RTP/AVP 0\r\n");
	sdp_media_read(doc, 0, &media);
	assert_int_equal(media.rtp.port, 65535);
	assert_int_equal(media.rtcp.addr.family, INET_NONE);
	assert_int_equal(sdp_media_read(doc, 1, &media), -EINVAL);
	sdp_doc_free(doc);
}

static void refusals_have_reasons(void **state)
{
	static const struct {
		const char *media;
		enum sdp_refusal want;
	} cases[] = {
		{ "m=audio 5000 RTP/AVP 0", SDP_REFUSE_NONE },
		{ "m=audio 0 RTP/AVP 0", SDP_REFUSE_PORT_ZERO },
		{ "m=audio 0 RTP/AVP 0\r\na=bundle-only", SDP_REFUSE_BUNDLE_ONLY },
		{ "m=audio 5000/1 RTP/AVP 0", SDP_REFUSE_NONE },
		{ "m=audio 5000/2 RTP/AVP 0", SDP_REFUSE_PORT_COUNT },
		{ "m=audio 5000 RTP/AVP", SDP_REFUSE_FORMATS },
		{ "m=audio 5000 TCP/RTP/AVP 0", SDP_REFUSE_PROTO },
		{ "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 224.0.0.1/127", SDP_REFUSE_ADDRESS },
		{ "m=audio 5000 RTP/AVP 0\r\nc=IN IP6 FF15::101/3", SDP_REFUSE_ADDRESS },
		{ "m=audio 5000 RTP/AVP 0\r\nc=IN IP6 192.0.2.7", SDP_REFUSE_ADDRESS },
		{ "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 name.example", SDP_REFUSE_ADDRESS },
		{ "m=audio 5000 RTP/AVP 0\r\nc=ATM NSAP 47.0091", SDP_REFUSE_ADDRESS },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sdp_media media;
		struct sdp_doc *doc;

		snprintf(text, sizeof(text), HEAD "%s\r\n", cases[i].media);
		doc = parsed(text);
		sdp_media_read(doc, 0, &media);
		if (media.refusal != cases[i].want)
			fail_msg("%s: %s", cases[i].media, sdp_refusal_text[media.refusal]);
		sdp_doc_free(doc);
	}
}

static void keying_lines_are_inherited(void **state)
{
	struct sdp_doc *doc = parsed(HEAD "a=fingerprint:sha-256 " FP "\r\na=setup:active\r\na=tls-id:aaaaaaaaaaaaaaaaaaaa\r\n"
				     "a=crypto:9 not for the session\r\n"
				     "m=audio 1 UDP/TLS/RTP/SAVP 0\r\n"
				     "m=audio 2 UDP/TLS/RTP/SAVP 0\r\na=fingerprint:sha-384 zz\r\na=setup:sideways\r\na=crypto:1 x\r\n"
				     "m=audio 3 UDP/TLS/RTP/SAVP 0\r\na=fingerprint:md5 00\r\na=setup:PASSIVE \r\n");
	struct keying_lines lines;

	(void)state;
	sdp_media_keying(doc, 0, &lines);
	assert_int_equal(lines.fingerprints.n, 1);
	assert_int_equal(lines.setup, KEYING_ACTIVE);
	assert_string_equal(lines.tls_id, "aaaaaaaaaaaaaaaaaaaa");
	assert_int_equal(lines.n_crypto, 0);
	sdp_media_keying(doc, 1, &lines);
	assert_true(lines.fingerprint_seen && lines.fingerprint_malformed && lines.fingerprints.n == 0);
	assert_int_equal(lines.setup, KEYING_SETUP_BAD);
	assert_int_equal(lines.n_crypto, 1);
	sdp_media_keying(doc, 2, &lines);
	assert_true(lines.fingerprint_seen && lines.fingerprints.n == 0);
	assert_int_equal(lines.setup, KEYING_PASSIVE);
	sdp_media_keying(doc, 3, &lines);
	assert_int_equal(lines.proto.transport, KEYING_TRANSPORT_OTHER);
	sdp_doc_free(doc);
}

static void crypto_lines_beyond_the_bound_are_counted(void **state)
{
	char text[16384] = HEAD "m=audio 1 RTP/SAVP 0\r\n";
	struct keying_lines lines;
	struct sdp_doc *doc;

	(void)state;
	for (int i = 0; i < 300; i++)
		sprintf(text + strlen(text), "a=crypto:%d X inline:Y\r\n", i + 1);
	doc = parsed(text);
	sdp_media_keying(doc, 0, &lines);
	assert_int_equal(lines.n_crypto, KEYING_CRYPTO_MAX);
	assert_int_equal(lines.crypto_beyond, 300 - KEYING_CRYPTO_MAX);
	sdp_doc_free(doc);
}

static void leaks_are_found_as_wholes(void **state)
{
	struct sdp_doc *doc = parsed("v=0\r\no=a 1 1 IN IP6 2001:db8::5\r\ns=-\r\nt=0 0\r\nc=IN IP4 192.0.2.5\r\n"
				     "m=audio 1 RTP/AVP 0\r\na=rtcp:2 IN IP4 192.0.2.77\r\n"
				     "a=candidate:1 1 UDP 1 10.1.1.1 9 typ srflx raddr 10.2.2.2 rport 9\r\n");
	static const char *const in[] = { "192.0.2.5", "x 192.0.2.5:80", "<192.0.2.5>", "at 192.0.2.5.", "2001:DB8::5",
					  "[2001:db8::5]:9", "a=x:10.1.1.1", "10.2.2.2/8", "192.0.2.77" };
	static const char *const out[] = { "192.0.2.55", "1192.0.2.5", "9.192.0.2.5", "192.0.2.5.9", "192.0.2", "2001:db8::55",
					   "1:2001:db8::5", "a", "" };
	struct sdp_leak leak;

	(void)state;
	sdp_leak_collect(&leak, doc);
	assert_int_equal(leak.n, 5);
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		if (!sdp_leak_in(&leak, (struct sdp_text){ in[i], strlen(in[i]) }))
			fail_msg("%s", in[i]);
	}
	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
		if (sdp_leak_in(&leak, (struct sdp_text){ out[i], strlen(out[i]) }))
			fail_msg("%s", out[i]);
	}
	sdp_doc_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_have_their_class),
		cmocka_unit_test(numbers_are_digits_within_bounds),
		cmocka_unit_test(protos_are_exact_tokens),
		cmocka_unit_test(direction_is_inherited_and_held),
		cmocka_unit_test(rtcp_goes_where_it_is_told),
		cmocka_unit_test(refusals_have_reasons),
		cmocka_unit_test(keying_lines_are_inherited),
		cmocka_unit_test(crypto_lines_beyond_the_bound_are_counted),
		cmocka_unit_test(leaks_are_found_as_wholes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
