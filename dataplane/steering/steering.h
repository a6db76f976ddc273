// SPDX-License-Identifier: GPL-3.0-or-later
// steering.h - the XDP programs that lead media to the relay and leave the rest to Linux. One program an AF_XDP
// interface, loaded and attached by the supervisor; the relay only puts its sockets into the map. A program stays
// attached while the relay is away: its packets are dropped then, never answered by the kernel with ICMP.
#pragma once
#include "dataplane/dp_config.h"
#include "dataplane/steering/steering_abi.h"

struct steering; // the programs of all AF_XDP ports of a configuration

// Attaches to every AF_XDP port. A stale program of ours is replaced; a foreign one is refused (-EBUSY) and left alone.
// -ENODEV: no such interface. `why` (256 bytes) gets a sentence for the operator on error.
int steering_open(struct steering **stp, const struct dp_config *config, char why[256]);
void steering_close(struct steering *st); // detaches; NULL is fine

int steering_map_fd(const struct steering *st, unsigned port);   // XSKMAP of a port, -1: the port has none
bool steering_native(const struct steering *st, unsigned port);  // else generic XDP
int steering_counters(const struct steering *st, unsigned port, uint64_t counts[STEERING_COUNTERS]);
extern const char *const steering_counter_name[STEERING_COUNTERS];

int steering_program_fd(const struct steering *st, unsigned port); // the loaded program's, -1: the port has none

// Detaches a program that a life before left on an interface; `program` is its descriptor, which somebody has kept. Another
// program there stays. Without it steering_open() has to look the program up by its number, which needs CAP_SYS_ADMIN.
void steering_detach(const char *interface, int program);
