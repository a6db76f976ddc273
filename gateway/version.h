// SPDX-License-Identifier: GPL-3.0-or-later
// version.h - what is linked.
#pragma once
#include <stdio.h>

int version_print(FILE *to); // returns the exit status
