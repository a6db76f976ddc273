// SPDX-License-Identifier: GPL-3.0-or-later
// test_sip_header.c - which headers cross, by class and trust; and the mapping of responses.
#include "signaling/sip_header.h"
#include "signaling/sip_status.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void classes(void **state)
{
	static const struct {
		const char *name;
		enum sip_header_class class;
	} cases[] = {
		{ "Via", SIP_HEADER_OURS },           { "v", SIP_HEADER_OURS },
		{ "CALL-ID", SIP_HEADER_OURS },       { "subject", SIP_HEADER_END },
		{ "s", SIP_HEADER_END },              { "P-Asserted-Identity", SIP_HEADER_TRUST },
		{ "diversion", SIP_HEADER_TRUST },    { "Proxy-Authorization", SIP_HEADER_DROP },
		{ "Replaces", SIP_HEADER_DROP },      { "X-Anything", SIP_HEADER_UNKNOWN },
		{ "User-Agent", SIP_HEADER_OURS },    { "Server", SIP_HEADER_OURS },
		{ "Session-Expires", SIP_HEADER_DROP },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(sip_header_class(cases[i].name), cases[i].class);
}

static const char request[] =
	"INVITE sip:a@192.0.2.1 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n"
	"From: <sip:b@192.0.2.9>;tag=1\r\nTo: <sip:a@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
	"Contact: <sip:b@192.0.2.9>\r\n"
	"User-Agent: secret phone\r\n"
	"Subject: one\r\n"
	"Priority: urgent\r\n"
	"P-Asserted-Identity: <sip:boss@inside>\r\n"
	"Authorization: Digest username=\"b\"\r\n"
	"Replaces: 1;to-tag=2;from-tag=3\r\n"
	"X-Custom: value\r\n"
	"Content-Length: 0\r\n\r\n";

static char *cross(bool from_trusted, bool to_trusted)
{
	static char text[4096];
	msg_t *from = msg_make(sip_default_mclass(), 0, request, sizeof(request) - 1);
	msg_t *to = msg_create(sip_default_mclass(), 0);

	assert_non_null(from);
	assert_non_null(to);
	assert_int_equal(sip_headers_cross(to, from, from_trusted, to_trusted), 0);
	text[0] = '\0';
	const sip_t *sip = sip_object(to);

	for (const sip_unknown_t *un = sip->sip_unknown; un != NULL; un = un->un_next) {
		strcat(text, un->un_name);
		strcat(text, "\n");
	}
	if (sip->sip_subject != NULL)
		strcat(text, "Subject\n");
	if (sip->sip_priority != NULL)
		strcat(text, "Priority\n");
	if (sip->sip_user_agent != NULL)
		strcat(text, "User-Agent\n");
	if (sip->sip_authorization != NULL)
		strcat(text, "Authorization\n");
	if (sip->sip_via != NULL)
		strcat(text, "Via\n");
	msg_destroy(from);
	msg_destroy(to);
	return text;
}

static void crossing(void **state)
{
	for (int trust = 0; trust < 4; trust++) {
		bool from = trust & 1, to = trust & 2;
		const char *text = cross(from, to);

		assert_non_null(strstr(text, "Subject"));
		assert_non_null(strstr(text, "Priority"));
		assert_int_equal(strstr(text, "P-Asserted-Identity") != NULL, from && to);
		assert_int_equal(strstr(text, "X-Custom") != NULL, from);
		assert_null(strstr(text, "User-Agent"));
		assert_null(strstr(text, "Authorization"));
		assert_null(strstr(text, "Replaces"));
		assert_null(strstr(text, "Via"));
	}
}

static void finals(void **state)
{
	for (int status = 300; status < 700; status++) {
		int told = sip_status_map_final(status, SIP_ANSWERED_BY_PEER, true);

		assert_in_range(told, 400, 699);
		assert_int_not_equal(told, 401);
		assert_int_not_equal(told, 407);
		assert_int_not_equal(told, 503);
		assert_int_equal(told / 100 == 6, status / 100 == 6);
	}
	assert_int_equal(sip_status_map_final(486, SIP_ANSWERED_BY_PEER, true), 486);
	assert_int_equal(sip_status_map_final(302, SIP_ANSWERED_BY_PEER, true), 480);
	assert_int_equal(sip_status_map_final(408, SIP_ANSWERED_BY_NOBODY, false), 504);
	assert_int_equal(sip_status_map_final(408, SIP_ANSWERED_BY_NOBODY, true), 408);
	assert_int_equal(sip_status_map_final(503, SIP_ANSWERED_BY_NOBODY, false), 502);
	assert_int_equal(sip_status_map_final(200, SIP_ANSWERED_BY_PEER, true), 500);
	assert_int_equal(sip_status_map_final(999, SIP_ANSWERED_BY_PEER, true), 500);
}

static void provisionals(void **state)
{
	assert_int_equal(sip_status_map_provisional(100), 0);
	for (int status = 101; status < 200; status++)
		assert_int_equal(sip_status_map_provisional(status), status >= 180 && status <= 183 ? status : 183);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(crossing),
		cmocka_unit_test(finals),
		cmocka_unit_test(provisionals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
