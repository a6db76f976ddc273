// SPDX-License-Identifier: GPL-3.0-or-later
// log_limit.c - counts lines in windows of one second.
#include "base/log_limit.h"

bool log_limit_pass(struct log_limit *limit, mono_ns now, unsigned lines_a_second, uint64_t *left_out)
{
	if (limit->since == 0 || now - limit->since >= MONO_S(1)) {
		limit->since = now;
		limit->lines = 0;
	}
	if (limit->lines >= lines_a_second) {
		limit->left_out++;
		return false;
	}
	limit->lines++;
	*left_out = limit->left_out;
	limit->left_out = 0;
	return true;
}
