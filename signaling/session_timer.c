// SPDX-License-Identifier: GPL-3.0-or-later
// session_timer.c - the rules of RFC 4028; see session_timer.h.
#include "signaling/session_timer.h"

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

// Section 9: only a client that knows session timers can make sense of a 422.
int session_timer_check(const struct session_policy *policy, const struct session_words *asked)
{
	return asked->expires_s != 0 && asked->expires_s < policy->min_s && asked->supported ? 422 : 0;
}

// Section 9: we may lower what is asked for, but never below its Min-SE.
static uint32_t served_interval(const struct session_policy *policy, const struct session_words *asked)
{
	uint32_t least = greater(greater(asked->min_s, policy->min_s), SESSION_MIN_S);

	if (asked->expires_s == 0)
		return policy->expires_s == 0 ? 0 : greater(policy->expires_s, least);
	if (asked->expires_s < SESSION_MIN_S)
		return 0; // by a proxy of a client that knows nothing of it
	if (policy->expires_s == 0 || policy->expires_s >= asked->expires_s)
		return asked->expires_s;
	return lesser(asked->expires_s, greater(policy->expires_s, least));
}

// Section 9, table 2. Who asked for a timer and left it open does the work; who did not ask is refreshed by us.
static enum session_role served_refresher(const struct session_words *asked)
{
	if (!asked->supported || asked->expires_s == 0)
		return SESSION_UAS;
	return asked->refresher == SESSION_ANY ? SESSION_UAC : asked->refresher;
}

struct session_words session_timer_serve(struct session_timer *timer, const struct session_policy *policy,
					 const struct session_words *asked)
{
	struct session_words said = { .expires_s = served_interval(policy, asked) };

	timer->able = asked->supported;
	timer->interval_s = said.expires_s;
	timer->refresher = SESSION_NOBODY;
	if (said.expires_s == 0)
		return said;
	said.refresher = served_refresher(asked);
	said.required = said.refresher == SESSION_UAC;
	timer->refresher = said.refresher == SESSION_UAC ? SESSION_PEER : SESSION_US;
	return said;
}

struct session_words session_timer_ask(const struct session_timer *timer, const struct session_policy *policy)
{
	struct session_words said = { .min_s = greater(greater(timer->min_s, policy->min_s), SESSION_MIN_S) };
	uint32_t wanted = timer->interval_s != 0 ? timer->interval_s : policy->expires_s;

	if (wanted == 0)
		return (struct session_words){ .min_s = 0 };
	said.expires_s = greater(wanted, said.min_s);
	if (timer->refresher != SESSION_NOBODY) // section 7.4: roles stay
		said.refresher = timer->refresher == SESSION_US ? SESSION_UAC : SESSION_UAS;
	return said;
}

void session_timer_learn(struct session_timer *timer, const struct session_policy *policy, const struct session_words *said)
{
	struct session_words asked = session_timer_ask(timer, policy);

	timer->able = said->supported || said->expires_s != 0;
	if (said->expires_s == 0) { // section 7.2: nothing expires at the peer; that it still lives, we want to know all the same
		timer->interval_s = asked.expires_s;
		timer->refresher = asked.expires_s != 0 ? SESSION_US : SESSION_NOBODY;
		return;
	}
	timer->interval_s = lesser(greater(said->expires_s, SESSION_MIN_S), SESSION_MAX_S);
	timer->refresher = said->refresher == SESSION_UAS ? SESSION_PEER : SESSION_US;
}

bool session_timer_raise(struct session_timer *timer, const struct session_words *said)
{
	if (said->min_s <= timer->min_s || said->min_s > SESSION_MAX_S)
		return false;
	timer->min_s = said->min_s;
	return true;
}

uint32_t session_timer_refresh_s(const struct session_timer *timer)
{
	return timer->refresher == SESSION_US ? timer->interval_s / 2 : 0;
}

uint32_t session_timer_end_s(const struct session_timer *timer)
{
	return timer->interval_s - lesser(32, timer->interval_s / 3); // section 10
}

bool session_timer_lost(int status)
{
	return status == 408 || status == 481;
}
