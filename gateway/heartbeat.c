// SPDX-License-Identifier: GPL-3.0-or-later
// heartbeat.c - reads one number a worker; nothing else in the region is of interest here.
#include "gateway/heartbeat.h"
#include "dataplane/dp_record.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct heartbeat {
	struct dp_map map;
};

int heartbeat_open(struct heartbeat **hbp, int media_region_fd)
{
	struct heartbeat *hb = calloc(1, sizeof(*hb));
	int fd = fcntl(media_region_fd, F_DUPFD_CLOEXEC, 0), err;

	if (hb == NULL || fd < 0) {
		err = hb == NULL ? -ENOMEM : -errno;
		goto out;
	}
	err = dp_map_open(&hb->map, fd);
	if (err == -EPROTO || err == -EPROTONOSUPPORT)
		fd = -1; // closed with the mapping
	if (err < 0)
		goto out;
	*hbp = hb;
	return 0;
out:
	if (fd >= 0)
		close(fd);
	free(hb);
	return err;
}

void heartbeat_close(struct heartbeat *hb)
{
	if (hb == NULL)
		return;
	dp_map_close(&hb->map);
	free(hb);
}

mono_ns heartbeat_oldest(const struct heartbeat *hb)
{
	mono_ns oldest = MONO_NEVER;

	for (unsigned i = 0; i < hb->map.config.n_workers; i++) {
		mono_ns beat = atomic_load_explicit(&hb->map.workers[i].heartbeat, memory_order_relaxed);

		oldest = beat < oldest ? beat : oldest;
	}
	return oldest;
}
