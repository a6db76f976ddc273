// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_put.h - pieces of tables. What strangers chose reaches the terminal as printable characters alone.
#pragma once
#include <jansson.h>

void ctl_put(const char *text, int width);                              // cut and filled up to it; 0: as it is
void ctl_put_number(const json_t *object, const char *key, int width); // "-" where there is none
const char *ctl_text(const json_t *object, const char *key);           // "-" where there is none
double ctl_number(const json_t *object, const char *key);
