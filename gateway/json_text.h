// SPDX-License-Identifier: GPL-3.0-or-later
// json_text.h - a text of a stranger's as a JSON string. jansson takes UTF-8 alone.
#pragma once
#include <jansson.h>

json_t *json_text(const char *text); // bytes that are no UTF-8 become U+FFFD; NULL: no memory
