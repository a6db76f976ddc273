// SPDX-License-Identifier: GPL-3.0-or-later
// wall_clock.h - steps the wall's clock as this process sees it; see wall_clock.c.
#pragma once
#include <stdint.h>

void wall_clock_step(int64_t seconds);
