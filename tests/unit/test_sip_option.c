// SPDX-License-Identifier: GPL-3.0-or-later
// test_sip_option.c - option tags by class; words of Privacy; hosts hidden in values.
#include "signaling/sip_option.h"
#include "signaling/sip_privacy.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

static const char request[] =
	"INVITE sip:a@192.0.2.1 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n"
	"From: <sip:b@192.0.2.9>;tag=1\r\nTo: <sip:a@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
	"Supported: timer, histinfo, replaces\r\nSupported: uui, x-any\r\n"
	"%s"
	"Content-Length: 0\r\n\r\n";

static msg_t *with(const char *more)
{
	char text[2048];

	snprintf(text, sizeof(text), request, more);
	return msg_make(sip_default_mclass(), 0, text, (ssize_t)strlen(text));
}

static void tags_by_class(void **state)
{
	assert_int_equal(sip_option_class("TIMER"), SIP_OPTION_OURS);
	assert_int_equal(sip_option_class("histinfo"), SIP_OPTION_END);
	assert_int_equal(sip_option_class("replaces"), SIP_OPTION_TRANSFER);
	assert_int_equal(sip_option_class("gruu"), SIP_OPTION_REFUSED);
	assert_int_equal(sip_option_class("nobody-knows"), SIP_OPTION_UNKNOWN);
}

static void every_tag_once(void **state)
{
	enum sip_option_class class, other;
	const char *tag, *again;

	for (size_t i = 0; sip_option_at(i, &tag, &class); i++) {
		for (size_t j = i + 1; sip_option_at(j, &again, &other); j++)
			assert_int_not_equal(strcasecmp(tag, again), 0);
	}
}

static void what_is_not_met(void **state)
{
	msg_t *msg = with("Require: timer, histinfo\r\nProxy-Require: privacy\r\n");

	assert_null(sip_option_unmet(sip_object(msg), NULL, false));
	msg_destroy(msg);
	msg = with("Require: one, timer, two\r\nRequire: gruu\r\nProxy-Require: three\r\n");
	const sip_t *sip = sip_object(msg);
	const char *tag = sip_option_unmet(sip, NULL, false);

	assert_string_equal(tag, "one");
	assert_string_equal(tag = sip_option_unmet(sip, tag, false), "two");
	assert_string_equal(tag = sip_option_unmet(sip, tag, false), "gruu");
	assert_string_equal(tag = sip_option_unmet(sip, tag, false), "three");
	assert_null(sip_option_unmet(sip, tag, false));
	msg_destroy(msg);
}

static const char *written(const sip_t *sip, const char *name)
{
	for (const sip_unknown_t *un = sip->sip_unknown; un != NULL; un = un->un_next) {
		if (strcmp(un->un_name, name) == 0)
			return un->un_value;
	}
	return "";
}

static void lists_written_anew(void **state)
{
	msg_t *in = with("Require: uui, timer\r\n"), *to = msg_create(sip_default_mclass(), 0);

	assert_int_equal(sip_options_cross(to, sip_object(in), sip_method_invite, false), 0);
	assert_string_equal(written(sip_object(to), "Supported"), "timer, histinfo, uui");
	assert_string_equal(written(sip_object(to), "Require"), "uui");
	assert_int_equal(sip_options_cross(to, NULL, sip_method_invite, false), 0); // once
	assert_string_equal(written(sip_object(to), "Supported"), "timer, histinfo, uui");
	msg_destroy(to);
	to = msg_create(sip_default_mclass(), 0);
	assert_int_equal(sip_options_cross(to, sip_object(in), sip_method_message, false), 0);
	assert_string_equal(written(sip_object(to), "Supported"), "histinfo, uui");
	msg_destroy(to);
	to = msg_create(sip_default_mclass(), 0);
	assert_int_equal(sip_options_cross(to, NULL, sip_method_bye, false), 0);
	assert_string_equal(written(sip_object(to), "Supported"), "");
	msg_destroy(to);
	msg_destroy(in);
}

static void of_transfers(void **state)
{
	msg_t *msg = with("Require: replaces, uui\r\nSupported: tdialog, 100rel\r\n"), *to = msg_create(sip_default_mclass(), 0);
	const sip_t *sip = sip_object(msg);

	assert_null(sip_option_unmet(sip, NULL, true));
	assert_string_equal(sip_option_unmet(sip, NULL, false), "replaces");
	assert_int_equal(sip_options_cross(to, sip, sip_method_message, true), 0);
	assert_string_equal(written(sip_object(to), "Require"), "replaces, uui");
	assert_string_equal(written(sip_object(to), "Supported"), "histinfo, replaces, uui, tdialog");
	msg_destroy(to);
	to = msg_create(sip_default_mclass(), 0);
	assert_int_equal(sip_options_cross(to, sip, sip_method_message, false), 0);
	assert_string_equal(written(sip_object(to), "Require"), "uui");
	assert_string_equal(written(sip_object(to), "Supported"), "histinfo, uui");
	msg_destroy(to);
	msg_destroy(msg);
	msg = with("Unsupported: replaces, timer, uui, nobody-knows\r\n");
	to = msg_create(sip_default_mclass(), 0);
	assert_int_equal(sip_options_unsupported(to, sip_object(msg)), 2);
	assert_string_equal(written(sip_object(to), "Unsupported"), "replaces, uui");
	msg_destroy(to);
	msg_destroy(msg);
}

static void words_of_privacy(void **state)
{
	assert_int_equal(sip_privacy_read(NULL), 0);
	assert_int_equal(sip_privacy_read("id"), SIP_PRIVACY_ID);
	assert_int_equal(sip_privacy_read("Header; USER,session ;history"),
			 SIP_PRIVACY_HEADER | SIP_PRIVACY_USER | SIP_PRIVACY_SESSION | SIP_PRIVACY_HISTORY);
	assert_int_equal(sip_privacy_read("none"), SIP_PRIVACY_NONE);
	assert_int_equal(sip_privacy_read("userx"), SIP_PRIVACY_OTHER);
	assert_true(sip_privacy_can(sip_privacy_read("userx")));
	assert_true(sip_privacy_can(sip_privacy_read("user;critical")));
	assert_false(sip_privacy_can(sip_privacy_read("userx;critical")));
}

static void hosts(void **state)
{
	static const struct {
		const char *in, *all, *numeric;
	} cases[] = {
		{ "<sip:a@b.example>", "<sip:a@US>", "<sip:a@b.example>" },
		{ "\"A, b\" <SIPS:a:pw@10.0.0.1:5061;x=y?h=v>;q=1", "\"A, b\" <SIPS:a:pw@US;x=y?h=v>;q=1",
		  "\"A, b\" <SIPS:a:pw@US;x=y?h=v>;q=1" },
		{ "<sip:[2001:db8::1]:5060>", "<sip:US>", "<sip:US>" },
		{ "sip:a@[::1],sip:h", "sip:a@US,sip:US", "sip:a@US,sip:h" },
		{ "<tel:+43123>", "<tel:+43123>", "<tel:+43123>" },
		{ "gossip:a@b", "gossip:a@b", "gossip:a@b" },
		{ "<sip:", "<sip:", "<sip:" },
		{ "<sip:>", "<sip:>", "<sip:>" },
		{ "<sip:[", "<sip:US", "<sip:US" },
	};
	char out[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(sip_hosts_hide(out, sizeof(out), cases[i].in, "US", false), 0);
		assert_string_equal(out, cases[i].all);
		assert_int_equal(sip_hosts_hide(out, sizeof(out), cases[i].in, "US", true), 0);
		assert_string_equal(out, cases[i].numeric);
		for (size_t room = 0; room <= strlen(cases[i].all); room++)
			assert_int_equal(sip_hosts_hide(out, room, cases[i].in, "US", false), -ENAMETOOLONG);
	}
}

static void addresses(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "no way to 10.20.0.99:50000: No route", "no way to ...:50000: No route" },
		{ "no way to [2001:db8::7]:6000: x", "no way to [...]:6000: x" },
		{ "10.0.0.1,10.0.0.2 and ::1", "...,... and ..." },
		{ "<sip:a@10.0.0.1;x> 2001:DB8::7.", "<sip:a@...;x> ...." },
		{ "SIP;cause=503;text=\"10.0.0.7 down\"", "SIP;cause=503;text=\"... down\"" },
		{ "at 12:30:45, version 1.2.3, 7", "at 12:30:45, version 1.2.3, 7" },
		{ "v10.0.0.1 x_10.0.0.1 10.0.0.1x", "v10.0.0.1 x_10.0.0.1 10.0.0.1x" },
		{ "", "" },
	};
	char text[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "%s", cases[i].in);
		sip_addresses_hide(text);
		assert_string_equal(text, cases[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_by_class),      cmocka_unit_test(every_tag_once),   cmocka_unit_test(what_is_not_met),
		cmocka_unit_test(lists_written_anew), cmocka_unit_test(words_of_privacy), cmocka_unit_test(hosts),
		cmocka_unit_test(of_transfers),       cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
