// SPDX-License-Identifier: GPL-3.0-or-later
// privileges.h - control gives up what it does not need before it reads a byte from the network.
#pragma once
#include <stdbool.h>

// To the user, without groups, capabilities (but CAP_NET_BIND_SERVICE if `bind_low`) or a way back. One thread yet.
int privileges_drop(const char *user, bool bind_low);
