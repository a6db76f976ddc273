// SPDX-License-Identifier: GPL-3.0-or-later
// leg_rtcp.c - RTCP across the gateway.
#include "mediarelay/leg_rtcp.h"
#include "base/log.h"
#include "mediarelay/leg_keys.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/leg_transport.h"
#include "mediarelay/media_record.h"
#include "mediarelay/media_session.h"

#include <errno.h>
#include <string.h>

#define RTCP_MAX 1500 // longest packet, trailer included
#define MAPS_MAX 16

#define X(name, word, text) [RTCP_DROP_##name] = word,
const char *const rtcp_drop_name[RTCP_DROP_COUNT] = { [RTCP_OK] = "ok", RTCP_DROPS(X) };
#undef X

struct rtcp_packet {
	uint8_t bytes[RTCP_MAX + SRTCP_TRAILER_MAX];
	size_t len;
	struct rtcp_facts facts;
};

// A line that ever had keys stays secured, whatever a later offer says.
static bool is_plain(const struct leg_line *line)
{
	return line->plan.keying.mechanism == KEYING_PLAIN && line->transports[LEG_RTP].epoch == 0 &&
	       line->transports[LEG_RTCP].epoch == 0;
}

// SSRCs

static size_t maps_of(const struct leg_line *line, enum rtcp_role role, struct rtcp_ssrc_map maps[MAPS_MAX])
{
	const struct leg_transport *tp = &line->transports[LEG_RTP]; // whose RTP has them
	struct dp_ssrc_map found[MAPS_MAX];
	size_t n = 0;

	if (transport_live(tp))
		n = dp_transport_ssrc_maps(line->session->media->dp, tp->ref, found, MAPS_MAX);
	for (size_t i = 0; i < n; i++) {
		bool leaves = role == RTCP_ROLE_SENDER;

		maps[i].from = leaves ? found[i].in : found[i].out;
		maps[i].to = leaves ? found[i].out : found[i].in;
	}
	return n;
}

// Where it comes in

// Plain RTCP must come from where the leg's peer is. Behind a NAT, the port of RTCP may be another than the signalled one:
// it is learnt once, in its window, and only at the address that its RTP has.
static bool plain_source_fits(struct leg_transport *tp, const struct inet_endpoint *source)
{
	const struct inet_endpoint *rtp = &tp->line->transports[LEG_RTP].remote;
	bool known = inet_endpoint_equal(&tp->remote, source);

	if (tp->component != LEG_RTCP || tp->learn_until == 0)
		return known;
	if (!known && !inet_addr_equal(&rtp->addr, &source->addr))
		return false;
	tp->learn_until = 0;
	tp->remote = *source;
	leg_transport_refresh(tp);
	return true;
}

// RTCP never moves media, and on its own port it follows no further than to the host that authenticated RTP has shown;
// then as media does, by two packets and at most once in two seconds.
static void secured_source(struct leg_transport *tp, const struct inet_endpoint *source)
{
	const struct inet_endpoint *rtp = &tp->line->transports[LEG_RTP].remote;
	struct dp_event event = { .kind = DP_EVENT_SOURCE, .source = *source, .authenticated = true };

	if (tp->component == LEG_RTCP && !inet_endpoint_equal(&tp->remote, source) &&
	    inet_addr_equal(&rtp->addr, &source->addr))
		leg_transport_source(tp, &event);
}

static enum rtcp_drop open_drop(int err)
{
	switch (err) {
	case 0:
		return RTCP_OK;
	case -ENOKEY:
		return RTCP_DROP_NOT_KEYED;
	case -EALREADY:
		return RTCP_DROP_REPLAY;
	case -EPERM:
		return RTCP_DROP_CLEAR;
	case -ENOSPC:
		return RTCP_DROP_SSRC_LIMIT;
	default:
		return RTCP_DROP_AUTH;
	}
}

static enum rtcp_drop rtcp_unseal(struct leg_transport *tp, const struct inet_endpoint *source, struct rtcp_packet *p)
{
	enum rtcp_drop drop;

	if (is_plain(tp->line))
		return plain_source_fits(tp, source) ? RTCP_OK : RTCP_DROP_WRONG_SOURCE;
	drop = open_drop(leg_keys_unprotect_rtcp(tp, p->bytes, &p->len));
	if (drop == RTCP_OK)
		secured_source(tp, source);
	return drop;
}

static enum rtcp_drop rtcp_receive(struct leg_transport *tp, const struct dp_punt *punt, struct rtcp_packet *p)
{
	struct rtcp_ssrc_map maps[MAPS_MAX];
	struct leg_line *line = tp->line;
	enum rtcp_drop drop;

	if (!line->plan.agreed)
		return RTCP_DROP_NOT_AGREED;
	if (tp != leg_line_rtcp(line))
		return RTCP_DROP_WRONG_PORT;
	if (punt->len > RTCP_MAX)
		return RTCP_DROP_TOO_BIG;
	memcpy(p->bytes, punt->payload, punt->len);
	p->len = punt->len;
	drop = rtcp_unseal(tp, &punt->source, p);
	if (drop != RTCP_OK)
		return drop;
	if (rtcp_parse(p->bytes, p->len, &p->facts) < 0)
		return RTCP_DROP_MALFORMED;
	// What it says of streams that left by this leg, it says with the SSRCs that they had there.
	rtcp_map(p->bytes, p->len, RTCP_ROLE_MEDIA, maps, maps_of(line, RTCP_ROLE_MEDIA, maps));
	return RTCP_OK;
}

// Where it leaves

static enum rtcp_drop seal_drop(int err)
{
	switch (err) {
	case -EKEYEXPIRED:
		return RTCP_DROP_KEY_EXPIRED;
	case -ENOSPC:
		return RTCP_DROP_SSRC_LIMIT;
	case -EMSGSIZE:
		return RTCP_DROP_TOO_BIG;
	default:
		return RTCP_DROP_TX_FAILED;
	}
}

static enum rtcp_drop rtcp_seal(struct leg_transport *tp, struct rtcp_packet *p)
{
	int err;

	if (is_plain(tp->line))
		return RTCP_OK;
	if (tp->tx_rtcp == NULL)
		return RTCP_DROP_TX_NOT_KEYED;
	err = srtcp_protect(tp->tx_rtcp, p->bytes, &p->len, sizeof(p->bytes));
	if (err < 0)
		return seal_drop(err);
	if (srtcp_unsaved(tp->tx_rtcp))
		media_record_save(tp->line->session); // before it leaves: its indices must never come again
	return RTCP_OK;
}

static enum rtcp_drop rtcp_send(struct leg_line *line, const struct rtcp_packet *packet)
{
	struct leg_transport *tp = leg_line_rtcp(line);
	struct media *media = line->session->media;
	struct rtcp_ssrc_map maps[MAPS_MAX];
	struct rtcp_packet out = *packet;
	size_t n_maps;
	enum rtcp_drop drop;

	if (!line->plan.agreed)
		return RTCP_DROP_NOT_AGREED;
	if (!transport_live(tp) || tp->remote.addr.family == INET_NONE)
		return RTCP_DROP_NO_PATH;
	n_maps = maps_of(line, RTCP_ROLE_SENDER, maps);
	rtcp_map(out.bytes, out.len, RTCP_ROLE_SENDER, maps, n_maps);
	drop = rtcp_seal(tp, &out);
	if (drop != RTCP_OK)
		return drop;
	for (unsigned i = 0; i < out.facts.n_senders; i++)
		media_quality_sent(&line->quality, rtcp_mapped(out.facts.senders[i].ssrc, maps, n_maps),
				   out.facts.senders[i].ntp_middle, env_now(media->env));
	dp_transport_send(media->dp, tp->ref, &tp->remote, out.bytes, out.len);
	return RTCP_OK;
}

// Quality

// The clock of what the peer reports on: the pace of the media that comes in at the other end.
static uint32_t clock_of(const struct leg_line *far)
{
	struct dp_stats stats;

	if (far == NULL || !transport_live(&far->transports[LEG_RTP]) ||
	    dp_transport_stats(far->session->media->dp, far->transports[LEG_RTP].ref, &stats) < 0)
		return 0;
	return stats.clock_hz;
}

static void quality_account(struct leg_line *line, const struct leg_line *far, const struct rtcp_facts *facts, mono_ns now)
{
	uint32_t clock_hz = facts->n_blocks > 0 ? clock_of(far) : 0;
	struct quality_figures figures;

	for (unsigned i = 0; i < facts->n_blocks; i++)
		media_quality_report(&line->quality, &facts->blocks[i], clock_hz, now);
	if (far == NULL)
		return;
	media_quality_read(&far->quality, &figures);
	if (figures.rtt_samples > 0)
		line->quality.far_rtt_us = figures.rtt_us;
}

static void rtcp_pass(struct leg_line *to, const struct rtcp_packet *packet)
{
	enum rtcp_drop drop = rtcp_send(to, packet);

	if (drop == RTCP_OK)
		to->rtcp_tx++;
	else
		to->rtcp_drops[drop]++;
}

void leg_rtcp_input(struct leg_transport *tp, const struct dp_punt *punt)
{
	struct leg_line *line = tp->line, *far = NULL;
	struct media_session *session = line->session;
	mono_ns now = env_now(session->media->env);
	struct rtcp_packet packet;
	enum rtcp_drop drop = rtcp_receive(tp, punt, &packet);

	if (drop != RTCP_OK) {
		line->rtcp_drops[drop]++;
		return;
	}
	line->rtcp_rx++;
	for (size_t i = 0; i < session->n_joins; i++) {
		struct leg_line *other = media_session_joined(line, &session->joins[i]);

		if (other == NULL)
			continue;
		rtcp_pass(other, &packet);
		far = other;
	}
	if (far == NULL)
		line->rtcp_drops[RTCP_DROP_NO_PEER]++;
	quality_account(line, far, &packet.facts, now);
}
