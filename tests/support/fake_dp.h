// SPDX-License-Identifier: GPL-3.0-or-later
// fake_dp.h - the packet path as mediarelay's tests see it: dp_client.h in memory. A datagram that one transport sends to
// another one's local endpoint arrives there as a punt; any other is kept for the test. State is shared memory, so that a
// forked child can die and leave its flows behind as a killed control would.
#pragma once
#include "dataplane/client/dp_client.h"

#define FAKE_TRANSPORTS 64

struct fake_transport {
	struct dp_ref ref;
	struct dp_transport_conf conf;
	enum dp_security security;
	struct dp_path path;
	unsigned n_paths; // told so far
	struct dp_extensions extensions;
	enum dp_trace trace;
	struct dp_keys rx, tx;
	unsigned n_rx, n_tx; // keys installed so far
	uint32_t retired[2]; // of each direction: epochs below
	struct dp_ssrc_map ssrc_maps[8];
	size_t n_ssrc_maps;
	struct dp_edge edges[DP_EDGES_MAX];
	size_t n_edges;
	bool live;
};

void fake_dp_reset(void);
void fake_dp_keep(void); // what is now
void fake_dp_back(void); // is again
void fake_dp_hold_removals(bool hold); // DP_EVENT_REMOVED comes at once unless held
void fake_dp_lose(unsigned n);         // the next n datagrams between transports vanish
// Copies; false when no live transport has this local endpoint.
bool fake_dp_at(const struct inet_endpoint *local, struct fake_transport *copy);
bool fake_dp_of(uint32_t owner_tag, struct fake_transport *copy); // a dialog's port for RTP; several may have one
unsigned fake_dp_live(void);
void fake_dp_set_last_rx(const struct inet_endpoint *local, mono_ns last_rx);
// What dp_transport_ssrc_maps() says from now on; n up to 8.
void fake_dp_set_ssrc_maps(const struct inet_endpoint *local, const struct dp_ssrc_map *maps, size_t n);
// As if a packet under this receive epoch had been the first that was authenticated.
void fake_dp_epoch(const struct inet_endpoint *local, uint32_t epoch);
void fake_dp_heard(const struct inet_endpoint *local, uint32_t epoch); // the same, and it has been told
void fake_dp_refuse(const struct inet_endpoint *local, enum dp_direction direction, uint32_t epoch); // DP_EVENT_KEY_REFUSED
// As if a datagram had come to `local` from `source`.
void fake_dp_punt(const struct inet_endpoint *local, const struct inet_endpoint *source, enum dp_punt_kind kind,
		  const void *bytes, size_t len);
void fake_dp_source(const struct inet_endpoint *local, const struct inet_endpoint *source, bool authenticated);
// The next datagram sent to an endpoint outside; its length, or -1 after two seconds.
int fake_dp_sent(struct inet_endpoint *to, void *bytes, size_t room);
void fake_dp_forget_sent(void); // all that were, so far
