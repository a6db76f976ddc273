// SPDX-License-Identifier: GPL-3.0-or-later
// relay_version.h - what is linked into the relay.
#pragma once
#include <stdio.h>

int relay_version_print(FILE *to); // returns the exit status
