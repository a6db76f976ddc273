// SPDX-License-Identifier: GPL-3.0-or-later
// relay_trace.c - copies of what traced transports receive and send, for control: as it came in, still encrypted, and as it goes out.
// A full ring loses them, and counts. While nothing is traced a burst asks once, here and on its way out.
#include "dataplane/worker/relay.h"
#include "dataplane/worker/srtp/rtp_header.h"
#include <rte_ether.h>
#include "dataplane/fastpath.h"

// What of a datagram is kept: all, or of RTP its header alone. What is neither RTP nor what accompanies it is content, too.
static size_t kept(const struct dp_transport *tp, const uint8_t *bytes, size_t len)
{
	uint8_t type;

	if (tp->work & DP_WORK_TRACE_ALL)
		return len;
	if (len < 8)
		return 0;
	type = bytes[1] & 0x7f;
	if (bytes[0] <= 3 || (bytes[0] >= 20 && bytes[0] <= 63))
		return len; // STUN, DTLS
	if (bytes[0] < 128 || bytes[0] > 191)
		return 0;
	if (tp->mode == DP_MODE_RTCP || (type >= 64 && type <= 95))
		return len;
	return rtp_header_len(bytes, len);
}

// A datagram at `bytes`, in an IP packet that begins at `ip`. No wake: control looks by the clock while it traces.
static void copy(struct relay_worker *w, const struct dp_transport *tp, bool out, const uint8_t *ip, const uint8_t *bytes, size_t len)
{
	size_t headers = (size_t)(bytes - ip);
	struct dp_trace_head head = {
		.transport = { .index = (uint32_t)(tp - w->relay->map.transports), .generation = tp->generation },
		.time = w->now, .out = out, .original = (uint32_t)(headers + len),
	};

	(void)byte_ring_push2(&w->traces, &head, sizeof(head), ip, headers + kept(tp, bytes, len)); // the ring counts what does not fit
}

void relay_trace_in(struct relay_worker *w, const struct packet *p)
{
	if (p->tp->work & DP_WORK_TRACE)
		copy(w, p->tp, false, p->source - (p->family == INET_V4 ? 12 : 8), p->bytes, p->len);
}

// Of our own making: one segment, IP without options, UDP.
void relay_trace_out(struct relay_worker *w, uint32_t index, const struct rte_mbuf *m)
{
	const struct dp_transport *tp = &w->relay->map.transports[index];
	const uint8_t *at = rte_pktmbuf_mtod(m, const uint8_t *), *end = at + m->data_len, *ip = at + RTE_ETHER_HDR_LEN, *bytes;

	if (!(tp->out.work & DP_WORK_TRACE))
		return;
	if (at[12] == 0x81 && at[13] == 0x00)
		ip += 4;
	bytes = ip + (ip[0] >> 4 == 6 ? 40 : 20) + 8;
	if (bytes <= end)
		copy(w, tp, true, ip, bytes, (size_t)(end - bytes));
}
