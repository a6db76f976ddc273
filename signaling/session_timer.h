// SPDX-License-Identifier: GPL-3.0-or-later
// session_timer.h - session timers (RFC 4028) of one dialog as plain values: what is asked for and agreed, who refreshes, and
// when. No SIP in here, and no clock: the caller has both (call_timer.c).
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define SESSION_MIN_S 90u      // section 4: no session may be shorter
#define SESSION_MAX_S 86400u

enum session_refresher { SESSION_NOBODY, SESSION_US, SESSION_PEER };
enum session_role { SESSION_ANY, SESSION_UAC, SESSION_UAS }; // the refresher parameter, seen from one request

struct session_policy { // of a profile
	uint32_t expires_s; // what we ask for; 0: nothing
	uint32_t min_s;     // the least that we let a peer ask for
};

struct session_words { // what a request or response says
	uint32_t expires_s; // 0: no Session-Expires
	enum session_role refresher;
	uint32_t min_s;     // of Min-SE; 0: none
	bool supported;     // timer is in Supported, or in a response in Require
	bool required;      // of ours: Require: timer is to be said
};

struct session_timer {
	uint32_t interval_s; // 0: the session does not expire
	enum session_refresher refresher;
	uint32_t min_s;      // what a 422 of the peer's has named; 0: nothing
	bool able;           // the peer has session timers
};

// A request of theirs: 0, or 422, whose Min-SE is policy->min_s.
int session_timer_check(const struct session_policy *policy, const struct session_words *asked);
// Our 2xx to it: what is agreed, and what it says.
struct session_words session_timer_serve(struct session_timer *timer, const struct session_policy *policy,
					 const struct session_words *asked);
// A request of ours: what it says. A session that has a timer keeps interval and refresher.
struct session_words session_timer_ask(const struct session_timer *timer, const struct session_policy *policy);
// Their 2xx to it.
void session_timer_learn(struct session_timer *timer, const struct session_policy *policy, const struct session_words *said);
// Their 422 to it. false: not worth another try.
bool session_timer_raise(struct session_timer *timer, const struct session_words *said);

// Seconds after the last refresh. 0: never.
uint32_t session_timer_refresh_s(const struct session_timer *timer); // ours is due
uint32_t session_timer_end_s(const struct session_timer *timer);     // nobody has refreshed: BYE
// Whether a final response to a refresh of ours says that the session is gone. Others: alive; tried again until the end.
bool session_timer_lost(int status);
