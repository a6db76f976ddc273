// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_wire.h - a connection to the management door: octets there and back, each with a bound in time.
#pragma once
#include <stddef.h>
#include <sys/types.h>

struct ctl_door;
struct ctl_wire;

// NULL: *why says what is wrong, for a person.
struct ctl_wire *ctl_wire_open(const struct ctl_door *door, const char **why);
void ctl_wire_close(struct ctl_wire *wire); // NULL is fine
int ctl_wire_send(struct ctl_wire *wire, const char *octets, size_t len); // all of them, or -1
ssize_t ctl_wire_receive(struct ctl_wire *wire, char *octets, size_t room); // 0: the end; -1: failed, or the time is up
