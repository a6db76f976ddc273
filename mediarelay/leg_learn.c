// SPDX-License-Identifier: GPL-3.0-or-later
// leg_learn.c - a plain leg's learning window (RFC 7362).
#include "mediarelay/leg_learn.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/leg_transport.h"
#include "mediarelay/media_session.h"

static void learn_end(struct leg_transport *tp)
{
	tp->learn_until = 0;
	leg_transport_refresh(tp);
}

// Behind a NAT the SDP has an address that its SIP does not come from. A peer whose two addresses are equal has no NAT
// before it, and nothing that comes from elsewhere is its own.
static bool behind_nat(const struct leg_transport *tp)
{
	const struct inet_addr *sip = &tp->line->plan.sip_source;

	return sip->family != INET_NONE && !inet_addr_equal(sip, &tp->signalled.addr);
}

static bool source_fits(const struct leg_transport *tp, const struct inet_endpoint *source)
{
	switch (leg_line_profile(tp->line)->learn) {
	case MEDIA_LEARN_NAT:
		return behind_nat(tp) && inet_addr_equal(&source->addr, &tp->line->plan.sip_source);
	case MEDIA_LEARN_ANY:
		return true;
	case MEDIA_LEARN_NEVER:
		break;
	}
	return false;
}

uint32_t leg_learn_from(const struct leg_transport *tp)
{
	bool one = tp->component == LEG_RTP && leg_line_profile(tp->line)->learn == MEDIA_LEARN_NAT;

	return one ? inet_addr_hash(&tp->line->plan.sip_source) : 0;
}

static bool at_signalled(const struct leg_transport *tp)
{
	return inet_endpoint_equal(&tp->remote, &tp->signalled);
}

void leg_learn_begin(struct leg_transport *tp)
{
	enum media_learn learn = leg_line_profile(tp->line)->learn;
	bool rtcp = tp->component == LEG_RTCP; // is learnt at the address that RTP has: leg_rtcp.c

	if (learn == MEDIA_LEARN_NEVER || (learn == MEDIA_LEARN_NAT && !behind_nat(tp)))
		return;
	tp->learn_since = env_now(tp->line->session->media->env);
	tp->learn_until = tp->learn_since + (rtcp ? LEG_LEARN_WINDOW_RTCP : LEG_LEARN_WINDOW);
	tp->move = (struct leg_move){ .last = 0 };
	leg_transport_refresh(tp);
}

// Once the signalled peer was heard, or the time is over, no other address can take the leg.
static bool learn_open(struct leg_transport *tp, mono_ns now)
{
	struct dp_stats stats;

	if (tp->learn_until == 0)
		return false;
	if (now < tp->learn_until &&
	    !(at_signalled(tp) && dp_transport_stats(tp->line->session->media->dp, tp->ref, &stats) == 0 &&
	      stats.last_rx > tp->learn_since))
		return true;
	learn_end(tp);
	return false;
}

void leg_learn_tick(struct leg_transport *tp, mono_ns now)
{
	learn_open(tp, now);
}

// The first that keeps on sending, while the signalled address stays silent. That address itself needs no proof.
static bool candidate_waits(struct leg_transport *tp, const struct inet_endpoint *source, mono_ns now)
{
	mono_ns settle = leg_line_profile(tp->line)->learn == MEDIA_LEARN_ANY ? LEG_LEARN_SETTLE : 0;
	struct leg_move *move = &tp->move;

	if (inet_endpoint_equal(source, &tp->signalled))
		return false;
	if (!inet_endpoint_equal(&move->source, source)) {
		move->source = *source;
		move->packets = 0;
		move->since = now;
	}
	return ++move->packets < LEG_MOVE_PACKETS || now - move->since < settle;
}

void leg_learn_heard(struct leg_transport *tp, const struct inet_endpoint *source, mono_ns now)
{
	bool signalled = inet_endpoint_equal(source, &tp->signalled);

	if (!learn_open(tp, now) || (!signalled && (!at_signalled(tp) || !source_fits(tp, source))) ||
	    candidate_waits(tp, source, now))
		return;
	leg_transport_move(tp, source, now);
	if (signalled)
		learn_end(tp); // for good: what was learned was wrong
}
