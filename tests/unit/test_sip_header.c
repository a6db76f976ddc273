// SPDX-License-Identifier: GPL-3.0-or-later
// test_sip_header.c - which headers cross, by class and trust; and the mapping of responses.
#include "signaling/sip_header.h"
#include "signaling/sip_status.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
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
		{ "Replaces", SIP_HEADER_TRANSFER },  { "X-Anything", SIP_HEADER_UNKNOWN },
		{ "User-Agent", SIP_HEADER_OURS },    { "Server", SIP_HEADER_OURS },
		{ "Session-Expires", SIP_HEADER_OURS },   { "o", SIP_HEADER_RELAY },
		{ "Reason", SIP_HEADER_REFUSAL },     { "Recv-Info", SIP_HEADER_END },
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

static const char request_relayed[] =
	"NOTIFY sip:a@192.0.2.1 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n"
	"From: <sip:b@192.0.2.9>;tag=1\r\nTo: <sip:a@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 NOTIFY\r\n"
	"Event: presence\r\nSubscription-State: active;expires=60\r\nExpires: 60\r\n"
	"Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n";

static const char history[] =
	"INVITE sip:a@192.0.2.1 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n"
	"From: <sip:b@192.0.2.9>;tag=1\r\nTo: <sip:a@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
	"Diversion: <sip:+43@pbx.inner>;reason=busy\r\n"
	"History-Info: <sip:c@10.0.0.7:5080;user=phone>;index=1, <sips:d@inner.example>;index=1.1\r\n"
	"P-Asserted-Identity: \"Boss\" <sip:boss@10.0.0.5>\r\n"
	"Subject: one\r\nPrivacy: user;id\r\n"
	"Content-Length: 0\r\n\r\n";

// The headers of what goes on, as text.
static char *cross_as(const char *text, const struct sip_crossing *how)
{
	static char out[4096];
	msg_t *from = msg_make(sip_default_mclass(), 0, text, (ssize_t)strlen(text));
	msg_t *to = msg_create(sip_default_mclass(), 0);

	assert_non_null(from);
	assert_non_null(to);
	assert_int_equal(sip_headers_cross(to, from, how), 0);
	out[0] = '\0';
	// A message made by hand has no chain of headers: what was put in is in its fields.
	const sip_t *sip = sip_object(to);
	const sip_header_t *known[] = {
		(const sip_header_t *)sip->sip_subject, (const sip_header_t *)sip->sip_priority,
		(const sip_header_t *)sip->sip_user_agent, (const sip_header_t *)sip->sip_authorization,
		(const sip_header_t *)sip->sip_via, (const sip_header_t *)sip->sip_event,
		(const sip_header_t *)sip->sip_subscription_state, (const sip_header_t *)sip->sip_expires,
		(const sip_header_t *)sip->sip_content_type, (const sip_header_t *)sip->sip_content_length,
		(const sip_header_t *)sip->sip_privacy,
	};

	for (const sip_unknown_t *un = sip->sip_unknown; un != NULL; un = un->un_next)
		sprintf(out + strlen(out), "%s: %s\n", un->un_name, un->un_value);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i] != NULL)
			sprintf(out + strlen(out), "%s\n", known[i]->sh_common->h_class->hc_name);
	}
	msg_destroy(from);
	msg_destroy(to);
	return out;
}

static char *cross(bool from_trusted, bool to_trusted)
{
	return cross_as(request, &(struct sip_crossing){
					 .from_trusted = from_trusted, .to_trusted = to_trusted, .host = "192.0.2.1" });
}

static void crossing(void **state)
{
	for (int trust = 0; trust < 4; trust++) {
		bool from = trust & 1, to = trust & 2;
		const char *text = cross(from, to);

		assert_non_null(strstr(text, "Subject"));
		assert_non_null(strstr(text, "Priority"));
		assert_int_equal(strstr(text, "P-Asserted-Identity: <sip:boss@inside>") != NULL, from && to);
		assert_int_equal(strstr(text, "X-Custom") != NULL, from);
		assert_null(strstr(text, "User-Agent"));
		assert_null(strstr(text, "Authorization"));
		assert_null(strstr(text, "Replaces"));
		assert_null(strstr(text, "Via"));
	}
}

static void relayed(void **state)
{
	const char *text = cross_as(request_relayed, &(struct sip_crossing){ .relayed = true, .host = "192.0.2.1" });

	assert_non_null(strstr(text, "Event"));
	assert_non_null(strstr(text, "Subscription-State"));
	assert_non_null(strstr(text, "Expires"));
	assert_non_null(strstr(text, "Content-Type"));
	assert_null(strstr(text, "Content-Length"));
	assert_string_equal(cross_as(request_relayed, &(struct sip_crossing){ .host = "192.0.2.1" }), "");
}

static void hosts_hidden(void **state)
{
	struct sip_crossing how = { .from_trusted = true, .to_trusted = true, .host = "192.0.2.1" };
	const char *text = cross_as(history, &how);

	assert_non_null(strstr(text, "Diversion: <sip:+43@192.0.2.1>;reason=busy\n"));
	assert_non_null(strstr(text, "<sip:c@192.0.2.1;user=phone>;index=1, <sips:d@192.0.2.1>;index=1.1\n"));
	assert_non_null(strstr(text, "<sip:boss@192.0.2.1>\n"));
	assert_non_null(strstr(text, "Privacy\n"));
	how.history = SIP_HISTORY_PASS;
	text = cross_as(history, &how);
	assert_non_null(strstr(text, "<sip:+43@pbx.inner>"));
	assert_non_null(strstr(text, "10.0.0.7:5080"));
	how.history = SIP_HISTORY_STRIP;
	text = cross_as(history, &how);
	assert_null(strstr(text, "Diversion"));
	assert_null(strstr(text, "History-Info"));
	how.to_trusted = false;
	how.history = SIP_HISTORY_PASS;
	assert_string_equal(cross_as(history, &how), "Subject\n");
	how.privacy = SIP_PRIVACY_USER;
	assert_string_equal(cross_as(history, &how), "");
}

static void every_header_once(void **state)
{
	enum sip_header_class class, other;
	const char *name, *again;

	for (size_t i = 0; sip_header_at(i, &name, &class); i++) {
		for (size_t j = i + 1; sip_header_at(j, &again, &other); j++)
			assert_int_not_equal(strcasecmp(name, again), 0);
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

static void relayed_finals(void **state)
{
	for (int status = 200; status < 700; status++) {
		int told = sip_status_map_relayed(status, SIP_ANSWERED_BY_PEER);

		assert_in_range(told, 200, 699);
		assert_int_equal(told / 100 == 2, status / 100 == 2);
		assert_int_not_equal(told / 100, 3);
		assert_int_not_equal(told, 401);
		assert_int_not_equal(told, 407);
		assert_int_not_equal(told, 503);
	}
	assert_int_equal(sip_status_map_relayed(412, SIP_ANSWERED_BY_PEER), 412);
	assert_int_equal(sip_status_map_relayed(423, SIP_ANSWERED_BY_PEER), 423);
	assert_int_equal(sip_status_map_relayed(489, SIP_ANSWERED_BY_PEER), 489);
	assert_int_equal(sip_status_map_relayed(408, SIP_ANSWERED_BY_NOBODY), 408);
	assert_int_equal(sip_status_map_relayed(503, SIP_ANSWERED_BY_NOBODY), 502);
	assert_int_equal(sip_status_map_relayed(100, SIP_ANSWERED_BY_PEER), 500);
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
		cmocka_unit_test(relayed),
		cmocka_unit_test(hosts_hidden),
		cmocka_unit_test(every_header_once),
		cmocka_unit_test(finals),
		cmocka_unit_test(relayed_finals),
		cmocka_unit_test(provisionals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
