// SPDX-License-Identifier: GPL-3.0-or-later
// secret.h - handling of bytes that must not leak: wipe, compare, make.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void secret_wipe(void *secret, size_t len);                       // never optimised away; NULL is fine
bool secret_equal(const void *a, const void *b, size_t len);      // in constant time
int secret_random(void *dst, size_t len);                         // getrandom(2); 0 or negative errno
