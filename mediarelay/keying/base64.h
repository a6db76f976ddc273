// SPDX-License-Identifier: GPL-3.0-or-later
// base64.h - RFC 4648 section 4, for keys in a description.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Octets written. -EINVAL: not base64, or bits set behind the end. -ENOSPC: more than size. Padding may be left out
// (RFC 4568 section 6.1 discards it), but not be wrong.
ssize_t base64_decode(uint8_t *dst, size_t size, const char *text, size_t len);
size_t base64_encode(char *dst, size_t size, const uint8_t *octets, size_t len); // with padding, terminated; 0: no room
