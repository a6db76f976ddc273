// SPDX-License-Identifier: GPL-3.0-or-later
// cdr_config.h - where call records go.
#pragma once
#include <stdint.h>

struct cdr_config {
	char file[256];    // empty: there are none
	uint64_t max_size; // octets of a file before it is renamed to FILE.1; 0: that is somebody else's affair
	uint32_t keep;     // FILE.1 to FILE.keep
};
