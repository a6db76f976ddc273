// SPDX-License-Identifier: GPL-3.0-or-later
// test_call_streams.c - from streams to the media plan: prepare, commit and roll-back; hold; lines that come and go.
#include "signaling/call_streams.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct plan_parties parties = { .dialog = { 11, 22 }, .profile = { 3, 4 } };
static struct media_plan plan;

static struct stream make(uint32_t seat, bool agreed, enum sdp_direction caller, enum sdp_direction callee)
{
	struct stream s = { .wanted = true, .agreed = agreed };

	s.side[SIDE_CALLER].seat.id = seat;
	s.side[SIDE_CALLEE].seat.id = seat + 100;
	s.side[SIDE_CALLER].direction = caller;
	s.side[SIDE_CALLEE].direction = callee;
	s.side[SIDE_CALLER].choice.mechanism = KEYING_DTLS_SRTP;
	s.side[SIDE_CALLEE].choice.mechanism = KEYING_PLAIN;
	return s;
}

static const struct media_line *line(int leg, int i)
{
	return &plan.legs[leg].lines[i];
}

static void prepared_has_ports_only(void **state)
{
	struct stream list[] = { make(1, false, SDP_SENDRECV, SDP_SENDRECV) };
	struct streams stable = { 0 }, fresh = { 1, list };

	plan_fill(&plan, &parties, &stable, &fresh);
	assert_int_equal(plan.n_legs, 2);
	assert_int_equal(plan.n_joins, 1);
	assert_int_equal(plan.legs[0].dialog, 11);
	assert_int_equal(plan.legs[1].dialog, 22);
	assert_int_equal(line(0, 0)->seat.id, 1);
	assert_int_equal(line(1, 0)->seat.id, 101);
	assert_false(line(0, 0)->agreed);
	assert_int_equal(line(0, 0)->keying.mechanism, KEYING_UNDECIDED);
	assert_int_equal(line(0, 0)->profile, 3);
	assert_int_equal(line(1, 0)->profile, 4);
}

static void committed_has_keys_and_gates(void **state)
{
	static const struct {
		enum sdp_direction caller, callee;
		bool caller_send, caller_receive; // our gates on the caller's leg; the callee's are their mirror
	} cases[] = {
		{ SDP_SENDRECV, SDP_SENDRECV, true, true },  { SDP_SENDONLY, SDP_RECVONLY, false, true },
		{ SDP_RECVONLY, SDP_SENDONLY, true, false }, { SDP_INACTIVE, SDP_INACTIVE, false, false },
		{ SDP_SENDRECV, SDP_RECVONLY, false, true }, { SDP_SENDRECV, SDP_INACTIVE, false, false },
		{ SDP_SENDONLY, SDP_SENDONLY, false, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stream list[] = { make(1, true, cases[i].caller, cases[i].callee) };
		struct streams fresh = { 1, list };

		plan_fill(&plan, &parties, NULL, &fresh);
		assert_int_equal(line(0, 0)->send, cases[i].caller_send);
		assert_int_equal(line(0, 0)->receive, cases[i].caller_receive);
		assert_int_equal(line(1, 0)->send, cases[i].caller_receive);
		assert_int_equal(line(1, 0)->receive, cases[i].caller_send);
		assert_int_equal(line(0, 0)->silent_allowed, !(cases[i].caller_send && cases[i].caller_receive));
		assert_int_equal(line(0, 0)->keying.mechanism, KEYING_DTLS_SRTP);
		assert_int_equal(line(1, 0)->keying.mechanism, KEYING_PLAIN);
	}
}

static void reoffer_leaves_what_is_agreed(void **state)
{
	struct stream old[] = { make(1, true, SDP_SENDRECV, SDP_SENDRECV) };
	struct stream new[] = { make(1, false, SDP_SENDONLY, SDP_SENDRECV), make(2, false, SDP_SENDRECV, SDP_SENDRECV) };
	struct streams stable = { 1, old }, fresh = { 2, new };

	plan_fill(&plan, &parties, &stable, &fresh);
	assert_int_equal(plan.legs[0].n_lines, 2);
	assert_true(line(0, 0)->agreed && line(0, 0)->send);
	assert_false(line(0, 1)->agreed);
	plan_fill(&plan, &parties, &stable, NULL); // refused
	assert_int_equal(plan.legs[0].n_lines, 1);
	assert_true(line(0, 0)->agreed && line(0, 0)->send);
}

static void line_taken_away(void **state)
{
	struct stream old[] = { make(1, true, SDP_SENDRECV, SDP_SENDRECV), make(2, true, SDP_SENDRECV, SDP_SENDRECV) };
	struct stream new[] = { make(1, true, SDP_SENDRECV, SDP_SENDRECV), make(2, true, SDP_SENDRECV, SDP_SENDRECV) };
	struct streams stable = { 2, old }, fresh = { 2, new };

	new[0].wanted = new[0].agreed = false;
	plan_fill(&plan, &parties, &stable, &fresh); // asked: still there, for the answer may refuse
	assert_int_equal(plan.legs[0].n_lines, 2);
	plan_fill(&plan, &parties, NULL, &fresh); // answered
	assert_int_equal(plan.legs[0].n_lines, 1);
	assert_int_equal(line(0, 0)->seat.id, 2);
	assert_int_equal(plan.joins[0].line_a, 0);
}

static void never_more_lines_than_a_leg_holds(void **state)
{
	struct stream list[MEDIA_LINES_MAX + 3];
	struct streams fresh = { MEDIA_LINES_MAX + 3, list };

	for (unsigned i = 0; i < fresh.n; i++)
		list[i] = make(i + 1, true, SDP_SENDRECV, SDP_SENDRECV);
	plan_fill(&plan, &parties, NULL, &fresh);
	assert_int_equal(plan.legs[0].n_lines, MEDIA_LINES_MAX);
	assert_int_equal(plan.n_joins, MEDIA_LINES_MAX);
}

static void copies_are_deep_and_grow(void **state)
{
	struct stream list[] = { make(1, true, SDP_SENDRECV, SDP_SENDRECV) };
	struct streams from = { 1, list }, to = { 0 };

	assert_int_equal(streams_copy(&to, &from, 3), 0);
	assert_int_equal(to.n, 3);
	assert_memory_equal(&to.list[0], &list[0], sizeof(list[0]));
	assert_false(to.list[1].wanted);
	assert_int_equal(streams_wanted(&to), 1);
	streams_wipe(&to);
	assert_null(to.list);
	streams_wipe(&to);
}

static struct sdp_extensions extensions_of(const char *attributes)
{
	char body[1024];
	struct sdp_extensions extensions;
	struct sdp_error error;
	struct sdp_doc *doc = NULL;
	int len = snprintf(body, sizeof(body), "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"
					       "m=audio 6000 RTP/AVP 0\n%s",
			   attributes);

	assert_int_equal(sdp_doc_parse(&doc, body, (size_t)len, &error), 0);
	sdp_extensions_read(doc, 0, &extensions);
	for (size_t i = 0; i < extensions.n; i++) // the URIs outlive the document
		extensions.list[i].uri = extensions.list[i].uri.len == 5 ? SDP_TEXT("urn:a") : SDP_TEXT("urn:bb");
	sdp_doc_free(doc);
	return extensions;
}

static bool bit(const uint8_t bitmap[32], unsigned id)
{
	return bitmap[id / 8] & 1u << id % 8;
}

static unsigned bits(const uint8_t bitmap[32])
{
	unsigned n = 0;

	for (unsigned id = 0; id < 256; id++)
		n += bit(bitmap, id);
	return n;
}

// The caller (encrypted, DTLS-SRTP) offers two extensions to a plain callee; what each side's transport is told.
static void transports_are_told_of_extensions(void **state)
{
	static const struct media_uri both[] = { { "urn:a" }, { "urn:bb" } };
	struct sdp_extensions offered = extensions_of("a=extmap:3 urn:ietf:params:rtp-hdrext:encrypt urn:a\n"
						      "a=extmap:200/recvonly urn:bb\na=cryptex\n");
	struct sdp_extensions answered = extensions_of("a=extmap:3/recvonly urn:a\na=extmap:200/sendonly urn:bb\n");
	struct sdp_extensions none = { .n = 0 };
	struct media_profile secure = { .name = "a" }, plain = { .name = "b" };
	const struct media_profile *profiles[SIDES] = { &secure, &plain };
	struct stream s = make(1, true, SDP_SENDRECV, SDP_SENDRECV);
	const struct dp_extensions *caller = &s.side[SIDE_CALLER].extensions, *callee = &s.side[SIDE_CALLEE].extensions;
	struct sdp_extension_hops hops;

	(void)state;
	s.side[SIDE_CALLEE].local.mechanisms[0] = KEYING_PLAIN;
	hops = stream_hops(&s, SIDE_CALLER, profiles);
	assert_true(hops.offerer.secured);
	assert_false(hops.answerer.secured);
	stream_extend(&s, SIDE_CALLER, &hops, &offered, &answered);
	assert_int_equal(caller->mode, DP_EXTENSION_PASS);
	assert_true(bit(caller->encrypted, 3));
	assert_int_equal(bits(caller->encrypted), 1);
	assert_true(caller->cryptex);
	assert_int_equal(bits(callee->encrypted), 0);
	assert_false(callee->cryptex);

	plain.extensions = (struct media_extensions){ .filter = true, .uris = both, .n_uris = 2 };
	stream_extend(&s, SIDE_CALLER, &hops, &offered, &answered);
	assert_int_equal(caller->mode, DP_EXTENSION_FILTER); // either profile filters both ways
	assert_int_equal(callee->mode, DP_EXTENSION_FILTER);
	assert_int_equal(bits(caller->allowed), 1);
	assert_true(bit(caller->allowed, 3)); // the callee receives it
	assert_int_equal(bits(callee->allowed), 1);
	assert_true(bit(callee->allowed, 200)); // the callee sends it
	stream_extend(&s, SIDE_CALLER, &hops, &offered, &none);
	assert_int_equal(caller->mode, DP_EXTENSION_STRIP);
	assert_int_equal(callee->mode, DP_EXTENSION_STRIP);
	assert_true(caller->cryptex); // of CSRCs

	// The other way round, in a re-offer.
	plain.extensions = (struct media_extensions){ .filter = false };
	secure.extensions = (struct media_extensions){ .filter = true };
	s.side[SIDE_CALLER].local.mechanisms[0] = KEYING_DTLS_SRTP;
	hops = stream_hops(&s, SIDE_CALLEE, profiles);
	assert_false(hops.offerer.secured);
	assert_true(hops.answerer.secured);
	stream_extend(&s, SIDE_CALLEE, &hops, &answered, &answered);
	assert_int_equal(caller->mode, DP_EXTENSION_STRIP);

	struct streams fresh = { 1, &s };

	plan_fill(&plan, &parties, NULL, &fresh);
	assert_int_equal(line(0, 0)->extensions.mode, DP_EXTENSION_STRIP);
	s.agreed = false;
	plan_fill(&plan, &parties, NULL, &fresh);
	assert_int_equal(line(0, 0)->extensions.mode, DP_EXTENSION_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transports_are_told_of_extensions),
		cmocka_unit_test(prepared_has_ports_only),
		cmocka_unit_test(committed_has_keys_and_gates),
		cmocka_unit_test(reoffer_leaves_what_is_agreed),
		cmocka_unit_test(line_taken_away),
		cmocka_unit_test(never_more_lines_than_a_leg_holds),
		cmocka_unit_test(copies_are_deep_and_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
