// SPDX-License-Identifier: GPL-3.0-or-later
// media_seat.h - the stock of media port pairs: taken by the sip thread, given back by the media thread after removal.
// A freed pair rests before it is used again, least recently used first, so that a late packet of an ended call cannot
// reach a new one. The order is shuffled at start, so that the next port cannot be guessed. Short lock inside.
#pragma once
#include "base/env.h"
#include "mediarelay/media.h"

struct seat_stock;

#define SEAT_REST MONO_S(60)

int seat_stock_open(struct seat_stock **stockp, const struct media_config *config, const struct env *env);
void seat_stock_close(struct seat_stock *stock);
// absent: bit n: the host does not have the n-th media address of the configuration now (dp_client_absent()).
// -ENOSPC: no pair is free, -EADDRNOTAVAIL: this realm's addresses of the family are all absent.
int seat_stock_take(struct seat_stock *stock, uint64_t absent, uint16_t realm, enum inet_family family,
		    struct media_seat *seat);
void seat_stock_give(struct seat_stock *stock, const struct media_seat *seat, bool rested); // rested: never was live
// After a restart: this pair is in use by a session found in the records.
int seat_stock_claim(struct seat_stock *stock, const struct media_seat *seat);
