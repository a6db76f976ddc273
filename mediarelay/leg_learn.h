// SPDX-License-Identifier: GPL-3.0-or-later
// leg_learn.h - where the peer of a plain leg really is, when that is not where its SDP says. Nothing authenticates its packets, so this
// is allowed by policy only, within a window after offer and answer, once; and the signalled address goes before any other.
#pragma once
#include "mediarelay/media_priv.h"

void leg_learn_begin(struct leg_transport *tp); // offer and answer are done, or named another address than before
uint32_t leg_learn_from(const struct leg_transport *tp); // inet_addr_hash() of the one address; 0: any
void leg_learn_tick(struct leg_transport *tp, mono_ns now);
void leg_learn_heard(struct leg_transport *tp, const struct inet_endpoint *source, mono_ns now); // not from the path's remote
