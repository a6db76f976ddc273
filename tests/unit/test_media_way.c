// SPDX-License-Identifier: GPL-3.0-or-later
// test_media_way.c - why a way is silent: each reason, and which goes before which.
#include "mediarelay/media_look.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

struct pair {
	struct media_line_look from, to;
};

// Two lines by which all flows.
static struct pair flowing(void)
{
	struct pair p;

	memset(&p, 0, sizeof(p));
	p.from = (struct media_line_look){ .agreed = true, .secured = true, .send = true, .receive = true,
					   .keying_state = "secured", .not_heard_ms = 10, .not_sent_ms = 10,
					   .dropped_in = { UINT64_MAX, "ok" }, .dropped_out = { UINT64_MAX, "ok" } };
	p.from.figures.mechanism = KEYING_DTLS_SRTP;
	p.to = p.from;
	strcpy(p.from.figures.realm, "access");
	strcpy(p.to.figures.realm, "core");
	return p;
}

static struct media_way judged(const struct pair *p)
{
	struct media_way way = { .from = 0, .to = 1 };

	media_way_judge(&way, &p->from, &p->to);
	assert_true(way.text[0] != '\0' && strlen(way.text) < sizeof(way.text) - 1);
	return way;
}

static void reason_is(const struct pair *p, enum media_why why, const char *word)
{
	struct media_way way = judged(p);

	if (way.why != why || strstr(way.text, word) == NULL)
		fail_msg("%s: %s", media_why_word[way.why], way.text);
}

static void every_reason(void **state)
{
	struct pair p = flowing();

	reason_is(&p, MEDIA_WHY_FLOWS, "from access to core");
	p.to.not_sent_ms = UINT64_MAX;
	reason_is(&p, MEDIA_WHY_NOT_SENT, "none leaves to core");
	p.from.dropped_in = (struct media_drop_look){ 100, "no_edge" };
	reason_is(&p, MEDIA_WHY_DROPPED, "no_edge");
	p.to.dropped_out = (struct media_drop_look){ 100, "no_path" };
	reason_is(&p, MEDIA_WHY_NO_PATH, "no_path");
	p.to.dropped_out.by = "no_nexthop";
	reason_is(&p, MEDIA_WHY_NO_PATH, "in core (no_nexthop)");
	p.to.dropped_out.by = "too_big";
	reason_is(&p, MEDIA_WHY_DROPPED, "on their way out to core: too_big");
	p.to.lost_cause = -EHOSTUNREACH;
	reason_is(&p, MEDIA_WHY_NO_PATH, "No route to host");
	p = flowing();
	p.from.not_heard_ms = UINT64_MAX;
	reason_is(&p, MEDIA_WHY_NOTHING_COMES, "one-way");
	p.from.not_heard_ms = 9000, p.from.figures.rx_packets = 77;
	reason_is(&p, MEDIA_WHY_NOTHING_COMES, "for 9000 ms; before, 77 came");
	p.from.dropped_out = (struct media_drop_look){ 100, "too_big" }; // the other way's
	reason_is(&p, MEDIA_WHY_NOTHING_COMES, "for 9000 ms");
	p.from.dropped_in = (struct media_drop_look){ 100, "auth" };
	reason_is(&p, MEDIA_WHY_WRONG_KEYS, "tags do not verify");
	p.from.dropped_in.by = "mki";
	reason_is(&p, MEDIA_WHY_WRONG_KEYS, "(mki)");
	p.from.dropped_in.by = "wrong_source";
	reason_is(&p, MEDIA_WHY_WRONG_SOURCE, "learn: nat");
	p.from.dropped_in.by = "replay";
	reason_is(&p, MEDIA_WHY_DROPPED, "replay");
	p.from.dropped_in.ms = 60000; // long ago: of no matter now
	reason_is(&p, MEDIA_WHY_NOTHING_COMES, "9000");
}

// What stands in front hides what is behind.
static void the_first_hindrance_counts(void **state)
{
	struct pair p = flowing();

	p.from.not_heard_ms = UINT64_MAX;
	p.to.send = false;
	reason_is(&p, MEDIA_WHY_HOLD, "leg in core");
	p.from.receive = false;
	reason_is(&p, MEDIA_WHY_HOLD, "leg in access");
	p.to.shut_send = true;
	reason_is(&p, MEDIA_WHY_GATE, "from access to core until the call is answered");
	p.to.shut_send = false, p.from.shut_receive = true;
	reason_is(&p, MEDIA_WHY_GATE, "from access to core until the call is answered");
	p.to.secured = false, p.to.keying_state = "pending", p.to.keying_ms = 1234;
	reason_is(&p, MEDIA_WHY_NO_KEYS, "leg in core has no keys yet: pending by dtls-srtp for 1234 ms");
	p.to.figures.mismatches = 1;
	strcpy(p.to.expected, "sha-256 AA"), strcpy(p.to.seen, "sha-256 BB");
	reason_is(&p, MEDIA_WHY_WRONG_FINGERPRINT, "expected sha-256 AA, seen sha-256 BB");
	p.from.secured = false, p.from.keying_state = "pending";
	reason_is(&p, MEDIA_WHY_NO_KEYS, "leg in access");
	p.to.agreed = false;
	reason_is(&p, MEDIA_WHY_NOT_AGREED, "leg in core");
	p.from.agreed = false;
	reason_is(&p, MEDIA_WHY_NOT_AGREED, "leg in access");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason),
		cmocka_unit_test(the_first_hindrance_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
