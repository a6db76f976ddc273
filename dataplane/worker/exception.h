// SPDX-License-Identifier: GPL-3.0-or-later
// exception.h - between a NIC that is all ours and Linux: a TAP interface, made by the operator, that has the port's
// name, the NIC's MAC, and the host's addresses. What is not media goes up by it, what Linux sends by it leaves by the
// NIC. A thread of its own reads and writes the TAPs; workers only pass frames by rings, which are bounded and counted.
#pragma once
#include "dataplane/worker/dp_port.h"

struct dp_exception; // one port's
struct exceptions;   // the thread
struct relay;

// `why` (256 bytes) gets a sentence for the operator on error. -ENODEV: no such TAP.
int exception_open(struct dp_exception **exp, struct dp_port *port, char why[256]);
void exception_close(struct dp_exception *ex); // NULL is fine
// Worker: takes the frame; false: the ring is full, it stays the caller's.
bool exception_push(struct dp_exception *ex, struct rte_mbuf *m);
void exception_carrier(struct dp_exception *ex, bool up); // as the NIC's link is

// Ports without a way to Linux need no thread: *ep stays NULL then.
int exceptions_start(struct exceptions **ep, struct relay *relay);
void exceptions_stop(struct exceptions *e); // NULL is fine
void exceptions_wake(struct exceptions *e); // after pushes; a call of the system only if it sleeps
