// SPDX-License-Identifier: GPL-3.0-or-later
// calls_dtls.h - DTLS-SRTP of the callers of bench_calls: all have one port, and tell associations apart by the gateway's.
#pragma once
#include "tests/bench/calls_text.h"
#include "tests/bench/calls_wire.h"
#include <stdint.h>

void calls_dtls_open(const char *own);
void calls_dtls_offer(char *dst, size_t size, const char *own); // the whole description
void calls_dtls_answer(uint32_t slot, struct piece sdp);        // a handshake may come from where it says
void calls_dtls_end(uint32_t slot);
uint64_t calls_dtls_secured(void); // handshakes that are through
uint64_t calls_dtls_failed(void);
unsigned calls_dtls_waiting(void); // handshakes that are not over
