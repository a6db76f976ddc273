// SPDX-License-Identifier: GPL-3.0-or-later
// dp_trace.c - transports whose packets the workers copy to us.
#include "dataplane/client/dp_client_priv.h"
#include <string.h>

#define BUDGET 4096 // packets of one worker a call

void dp_client_traced(struct dp_client *dp, uint32_t index, bool traced)
{
	struct dp_index *ix = &dp->indices[index];

	if (ix->traced == traced)
		return;
	ix->traced = traced;
	dp->n_traced += traced ? 1 : -1u;
	atomic_store_explicit(&dp->map.header->traced, dp->n_traced, memory_order_relaxed);
}

unsigned dp_client_tracing(const struct dp_client *dp)
{
	return dp->n_traced;
}

void dp_transport_trace(struct dp_client *dp, struct dp_ref ref, enum dp_trace trace)
{
	struct dp_command c = { .kind = DP_COMMAND_TRACE, .transport = ref, .trace = trace };

	if (!dp_client_owns(dp, ref))
		return;
	dp_client_traced(dp, ref.index, trace != DP_TRACE_NONE);
	dp_client_command(dp, &c, NULL, 0);
}

// Its traces have ended with it.
void dp_traces_forget(struct dp_client *dp)
{
	atomic_store_explicit(&dp->map.header->traced, 0, memory_order_relaxed);
	for (uint32_t i = 0; i < dp->map.n_transports; i++) {
		struct dp_ref ref = { .index = i, .generation = dp->indices[i].generation };

		if (dp->indices[i].used && (dp->map.transports[i].work & DP_WORK_TRACE))
			dp_transport_trace(dp, ref, DP_TRACE_NONE);
	}
}

static void deliver(struct dp_client *dp, const void *message, size_t len)
{
	struct dp_trace_head head;

	if (len < sizeof(head) || dp->callbacks.traced == NULL)
		return;
	memcpy(&head, message, sizeof(head)); // checked as a copy: the worker could still write there
	if (!dp_client_owns(dp, head.transport))
		return;
	dp->callbacks.traced(dp->callbacks.ctx, &(struct dp_traced){
		.transport = head.transport, .time = head.time, .out = head.out != 0,
		.bytes = (const uint8_t *)message + sizeof(head), .len = len - sizeof(head), .original = head.original,
	});
}

void dp_client_traces(struct dp_client *dp)
{
	const void *message;
	size_t len;

	for (unsigned w = 0; w < dp->map.config.n_workers; w++) {
		for (unsigned i = 0; i < BUDGET && byte_ring_peek(&dp->traces[w], &message, &len) == 0; i++) {
			deliver(dp, message, len);
			byte_ring_next(&dp->traces[w]);
		}
	}
}
