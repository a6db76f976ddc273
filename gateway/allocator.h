// SPDX-License-Identifier: GPL-3.0-or-later
// allocator.h - whose malloc() this process has.
#pragma once

// As it is at run time, static: "5.3.0-0-g...".
const char *allocator_version(void);
