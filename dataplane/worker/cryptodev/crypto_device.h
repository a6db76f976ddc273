// SPDX-License-Identifier: GPL-3.0-or-later
// crypto_device.h - a DPDK crypto device as the second engine of SRTP: an accelerator's, or one of DPDK's in software.
//
// One device a relay, one of its queues a worker. What the device can do it does; the rest, whole suites or single
// packets, stays with ipsec-mb: that is decided by what the device says of itself and told at start, not tried out under
// load. Packets are copied to and from buffers that the device's queue owns, so that one which answers late, or never,
// writes into no packet that has become another's.
#pragma once
#include "dataplane/dp_config.h"
#include "dataplane/worker/srtp/srtp_offload.h"

struct crypto_device;

struct crypto_counters { // of a queue; its worker writes
	uint64_t jobs;    // that the device did
	uint64_t failed;  // that it refused or did with an error
	uint64_t stalled; // that it did not answer in time, or that found no room behind these
	uint64_t late;    // of these: answered in the end
	uint32_t keys, sessions, no_session; // now; ever: keys and header lengths for which there was no session left
};

// After the EAL. There are sessions for a key a transport; with more keys at once, ipsec-mb does the rest. `why` says what
// is wrong: -ENODEV no such device or driver, -ENOTSUP it can do no suite, -ENOSPC it has fewer queues than workers,
// -ENOMEM.
int crypto_device_open(struct crypto_device **devicep, const struct dp_config *config, char why[256]);
void crypto_device_close(struct crypto_device *device); // after the engines; NULL is fine
struct srtp_offload *crypto_device_queue(struct crypto_device *device, unsigned worker);
bool crypto_device_does(const struct crypto_device *device, enum srtp_suite suite);
const char *crypto_device_driver(const struct crypto_device *device);
const struct crypto_counters *crypto_device_counters(const struct crypto_device *device, unsigned worker);

// Before the EAL: what it needs of DPDK's memory, and what EAL may touch for it (address and devargs; false: nothing).
unsigned crypto_device_megabytes(const struct dp_config *config);
bool crypto_device_address(const struct dp_crypto *config, char address[192]);
