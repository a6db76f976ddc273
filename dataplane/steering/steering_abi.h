// SPDX-License-Identifier: GPL-3.0-or-later
// steering_abi.h - what the XDP program and its loader share. Included by code for the BPF machine: no libc here.
#pragma once
#include <linux/types.h>

#define STEERING_PROGRAM "sallyport_xdp" // name of the program: how we know our own
#define STEERING_ADDRESSES 64
#define STEERING_QUEUES 64

struct steering_range { // a media address of ours, as the program compares it
	__u8 family;   // 4, 6; 0: unused
	__u8 zero;
	__u16 vlan;    // host order; 0 untagged
	__u16 first, last; // host order
	__u8 addr[16];
};

struct steering_settings { // constants of a loaded program
	__u8 mac[6];
	__u8 loopback;  // the interface is lo: any VLAN, loopback sources, our own addresses as sources
	__u8 n_ranges;
	struct steering_range ranges[STEERING_ADDRESSES];
};

#define STEERING_COUNTS(X) \
	X(REDIRECTED, "redirected") /* handed to the relay */ \
	X(PASSED, "passed")         /* not media: Linux */ \
	X(FRAGMENT, "fragment")     /* first fragment to a media port: dropped */ \
	X(BAD_SOURCE, "bad_source") /* impossible source to a media port: dropped */ \
	X(NO_SOCKET, "no_socket")   /* relay away, or a queue it does not serve: dropped */ \
	X(TOO_DEEP, "too_deep")     /* more IPv6 extension headers than we follow, to a media address: dropped */

enum steering_counter {
#define X(name, word) STEERING_##name,
	STEERING_COUNTS(X)
#undef X
	STEERING_COUNTERS
};
