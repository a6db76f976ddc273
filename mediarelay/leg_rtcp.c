// SPDX-License-Identifier: GPL-3.0-or-later
// leg_rtcp.c - RTCP across the gateway.
#include "mediarelay/leg_rtcp.h"
#include "base/log.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/leg_transport.h"
#include "mediarelay/media_record.h"
#include "mediarelay/media_session.h"

#include <string.h>

#define RTCP_MAX 1500 // longest packet, trailer included

// A plain leg's RTCP must come from the address that its RTP has; behind a NAT its port may differ from the signalled one.
static bool plain_source_fits(struct leg_transport *tp, const struct inet_endpoint *source)
{
	const struct inet_endpoint *rtp = &tp->line->transports[LEG_RTP].remote;

	return inet_endpoint_equal(&tp->remote, source) || inet_addr_equal(&rtp->addr, &source->addr);
}

// Opens the packet in place. Returns false when it ends here.
static bool rtcp_open_packet(struct leg_transport *tp, const struct inet_endpoint *source, uint8_t *packet, size_t *len)
{
	if (tp->line->plan.keying.mechanism == KEYING_PLAIN) {
		if (!plain_source_fits(tp, source))
			return false;
	} else if (tp->rx_rtcp == NULL || srtcp_unprotect(tp->rx_rtcp, packet, len) < 0) {
		return false;
	}
	if (tp->component == LEG_RTCP)
		leg_transport_remote(tp, source); // authenticated, or from the peer's own address
	return true;
}

static void rtcp_send(struct leg_line *line, const uint8_t *packet, size_t len)
{
	struct leg_transport *tp = leg_line_rtcp(line);
	uint8_t out[RTCP_MAX + SRTCP_TRAILER_MAX];

	line->rtcp_drops++; // taken back when it leaves
	if (!line->plan.agreed || !transport_live(tp) || tp->remote.addr.family == INET_NONE)
		return;
	memcpy(out, packet, len);
	if (line->plan.keying.mechanism != KEYING_PLAIN) {
		if (tp->tx_rtcp == NULL || srtcp_protect(tp->tx_rtcp, out, &len, sizeof(out)) < 0)
			return;
		if (srtcp_unsaved(tp->tx_rtcp))
			media_record_save(line->session); // before the packet leaves: its indices must never come again
	}
	dp_transport_send(line->session->media->dp, tp->ref, &tp->remote, out, len);
	line->rtcp_drops--;
	line->rtcp_tx++;
}

void leg_rtcp_input(struct leg_transport *tp, const struct dp_punt *punt)
{
	struct leg_line *line = tp->line;
	uint8_t packet[RTCP_MAX];
	size_t len = punt->len;

	line->rtcp_drops++; // taken back when it is accepted
	if (!line->plan.agreed || tp != leg_line_rtcp(line) || len > sizeof(packet))
		return;
	memcpy(packet, punt->payload, len);
	if (!rtcp_open_packet(tp, &punt->source, packet, &len))
		return;
	line->rtcp_drops--;
	line->rtcp_rx++;
	for (size_t i = 0; i < line->session->n_joins; i++) {
		struct leg_line *other = media_session_joined(line, &line->session->joins[i]);

		if (other != NULL)
			rtcp_send(other, packet, len);
	}
}
