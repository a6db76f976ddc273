// SPDX-License-Identifier: GPL-3.0-or-later
// media_stand.h - a media thread for tests: two realms, one profile, a packet path in memory (fake_dp.h), call records in a
// region of its own, events that can be waited for, and a clock that a test puts ahead. Plans as the sip thread would make them.
#pragma once
#include "mediarelay/media.h"
#include "tests/support/fake_dp.h"

#include <stdatomic.h>
#include <unistd.h>

enum { ACCESS, CORE };

extern struct media *media;
extern struct media_profile stand_profile; // a test that changes it puts it back
extern _Atomic mono_ns stand_ahead;        // of the media thread's clock; each test begins with 0

int stand_group_setup(void **state);
int stand_group_teardown(void **state);
int stand_setup(void **state);
int stand_teardown(void **state);
struct media *stand_open(void); // once more, after media_close()
struct call_records *stand_records(void); // the same ones, for the test
#define STAND_TEST(f) cmocka_unit_test_setup_teardown(f, stand_setup, stand_teardown)

// Polls what the media thread does asynchronously: true within ten seconds, or the test fails.
#define EVENTUALLY(condition)                                 \
	do {                                                  \
		mono_ns until_ = clock_now() + MONO_S(10);    \
		while (!(condition) && clock_now() < until_)  \
			usleep(1000);                         \
		assert_true(condition);                       \
	} while (0)

struct media_event wait_event(enum media_event_kind kind, uint32_t dialog); // or the test fails
bool told(enum media_event_kind kind, uint32_t dialog);                     // so far, and not waited for
void stand_forget_events(void);

struct media_seat seat(uint16_t realm);
struct inet_endpoint endpoint(const char *text);
struct media_plan two_legs(uint32_t session); // dialogs 1 and 2, joined; nothing is agreed
struct media_plan one_leg(uint32_t session, uint32_t dialog, uint16_t realm);
void agree_plain(struct media_line *line, const char *remote);
void agree_sdes(struct media_line *line, const char *remote); // with fresh keys
void agree_dtls(struct media_line *line, enum dtls_role role, const struct inet_endpoint *remote,
		const char *fingerprint); // rtcp-mux
struct fake_transport at(const struct inet_endpoint *local);
bool sends_to(const struct inet_endpoint *local, const struct inet_endpoint *remote);
void apply(const struct media_plan *plan);
void end_session(uint32_t session); // the last one: nothing may be left

// Two sessions of ours that shake hands with each other through the packet path.
struct dtls_pair {
	uint32_t session[2];
	struct media_plan plan[2];
	struct media_line *line[2];
};

void pair_open(struct dtls_pair *p);
void pair_end(struct dtls_pair *p);
void assert_cross_keys(const struct dtls_pair *p);
