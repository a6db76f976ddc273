// SPDX-License-Identifier: GPL-3.0-or-later
// leg_transport.h - one local port of a leg: published in the relay, its path, its keys, its end.
#pragma once
#include "mediarelay/media_priv.h"

int leg_transport_open(struct leg_transport *tp, struct leg_line *line, enum leg_component component);
void leg_transport_close(struct leg_transport *tp, bool last_of_seat); // removal goes on in the relay
int leg_transport_bind(struct leg_transport *tp, struct leg_line *line, enum leg_component component, struct dp_ref ref);
struct leg_transport *leg_transport_find(const struct media *media, struct dp_ref ref);

void leg_transport_signalled(struct leg_transport *tp, const struct inet_endpoint *remote); // the answer or offer says so
void leg_transport_remote(struct leg_transport *tp, const struct inet_endpoint *remote);    // it is proven: send there
void leg_transport_refresh(struct leg_transport *tp);                                       // publishes the path anew
void leg_transport_source(struct leg_transport *tp, const struct dp_event *event);          // a packet came from elsewhere
void leg_transport_move(struct leg_transport *tp, const struct inet_endpoint *source, mono_ns now); // and says so in the log
void leg_removal_done(struct media *media, struct dp_ref ref); // the relay has confirmed
