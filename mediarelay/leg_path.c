// SPDX-License-Identifier: GPL-3.0-or-later
// leg_path.c - a leg without a way to its peer. In set-up that is the end of the call, unless a NAT is in between: then
// the peer's own packets will say where it is. In a call a link may flap and a router reboot: media goes on when the
// way is back, and the media timeout decides when to stop waiting.
#include "mediarelay/leg_path.h"
#include "base/log.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/media_session.h"

#include <stdio.h>

static bool in_use(const struct leg_transport *tp)
{
	struct dp_stats stats;

	return dp_transport_stats(tp->line->session->media->dp, tp->ref, &stats) == 0 &&
	       (stats.rx_packets > 0 || stats.tx_packets > 0);
}

static bool behind_nat(const struct leg_transport *tp)
{
	const struct inet_addr *sip = &tp->line->plan.sip_source;

	return sip->family != INET_NONE && !inet_addr_equal(sip, &tp->signalled.addr);
}

static mono_ns patience(const struct leg_transport *tp)
{
	const struct media_profile *profile = leg_line_profile(tp->line);

	if (in_use(tp))
		return profile->media_timeout != 0 ? profile->media_timeout : MONO_NEVER;
	if (!behind_nat(tp))
		return 0;
	if (tp->line->plan.keying.mechanism == KEYING_PLAIN) // whose packets count within the learning window only
		return tp->learn_until != 0 ? LEG_LEARN_WINDOW : 0;
	return profile->keying_timeout;
}

static void path_log(const struct leg_transport *tp, enum log_level level, const char *event, struct log_field more)
{
	char remote[INET_ENDPOINT_STRLEN];
	struct log_field f[9];

	leg_line_log_fields(tp->line, f);
	f[6] = (struct log_field)LOG_STR("remote", inet_endpoint_print(remote, &tp->remote));
	f[7] = more;
	f[8] = (struct log_field){ .key = NULL };
	log_emit(level, "media", event, f);
}

void leg_path_lost(struct leg_transport *tp, int cause)
{
	if (tp->component == LEG_RTCP)
		return; // a call goes on without reports
	if (tp->lost_since == 0)
		tp->lost_since = env_now(tp->line->session->media->env);
	tp->lost_cause = cause;
	path_log(tp, in_use(tp) ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "path lost",
		 (struct log_field)LOG_STR("cause", log_errno(cause)));
	leg_path_tick(tp, env_now(tp->line->session->media->env));
}

void leg_path_back(struct leg_transport *tp)
{
	mono_ns gap = env_now(tp->line->session->media->env) - tp->lost_since;

	if (tp->lost_since == 0)
		return;
	tp->lost_since = 0;
	path_log(tp, LOG_LEVEL_INFO, "path back", (struct log_field)LOG_REAL("gap_ms", (double)gap / 1e6));
}

void leg_path_tick(struct leg_transport *tp, mono_ns now)
{
	struct leg_line *line = tp->line;
	char remote[INET_ENDPOINT_STRLEN], cause[96];

	if (!transport_live(tp) || tp->lost_since == 0 || line->failed || line->plan.provisional || now - tp->lost_since < patience(tp))
		return;
	snprintf(cause, sizeof(cause), "no way to %s: %s", inet_endpoint_print(remote, &tp->remote),
		 log_errno(tp->lost_cause));
	leg_line_fail(line, cause);
}
