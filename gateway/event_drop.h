// SPDX-License-Identifier: GPL-3.0-or-later
// event_drop.h - the end of a libevent event that may never have been made.
#pragma once
#include <event2/event.h>

static inline void event_drop(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}
