// SPDX-License-Identifier: GPL-3.0-or-later
// regions.h - the shared memory that outlives the children, and with systemd's descriptor store the supervisor, too.
#pragma once
#include "base/region.h"
#include "gateway/config.h"

struct regions {
	struct region media; // relay's records: dataplane/dp_record.h
	struct region call;  // control's records: mediarelay/call_record.h
	bool kept;           // taken back from the descriptor store: calls may be up in them
};

int regions_open(struct regions *r, const struct config *cfg);
void regions_close(struct regions *r);
