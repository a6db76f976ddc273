// SPDX-License-Identifier: GPL-3.0-or-later
// relay_size.h - what one core of this host can carry, by suite: the answer to `sallyport --size`.
#pragma once
#include <stdbool.h>
#include <stdio.h>

// Measures on the core that it happens to run on, some seconds; a table, or with `json` one object. Returns the exit
// status.
int relay_size_print(FILE *to, bool json);
