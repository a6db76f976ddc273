// SPDX-License-Identifier: GPL-3.0-or-later
// instance.h - one gateway a network namespace: two would fight for the XDP hook of an interface.
#pragma once

int instance_claim(void); // a descriptor that holds the claim while it is open in any process; -EADDRINUSE: another
			  // gateway has it
