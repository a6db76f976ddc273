// SPDX-License-Identifier: GPL-3.0-or-later
// version.h - what is linked.
#pragma once
#include <stdio.h>

// Ours, then what `relay --version` prints; NULL: there is no relay. Returns the exit status.
int version_print(FILE *to, const char *relay);
