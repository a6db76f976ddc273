// SPDX-License-Identifier: GPL-3.0-or-later
// call_ids.h - the two Call-IDs of a call, which every log line of it carries.
#pragma once
#include "base/log.h"

struct call_ids { // of the caller's leg and of the one that it is joined with; NULL before they are known
	const char *a, *b;
};

#define LOG_CALL_IDS(ids) \
	LOG_STR("call_id_a", (ids) != NULL ? (ids)->a : NULL), LOG_STR("call_id_b", (ids) != NULL ? (ids)->b : NULL)
