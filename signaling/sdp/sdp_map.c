// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_map.c - which stream of the call is which m-line of a dialog.
#include "signaling/sdp/sdp_build.h"
#include <errno.h>

int sdp_map_line(const struct sdp_map *map, unsigned stream)
{
	for (int i = 0; i < map->n_lines; i++) {
		if (map->stream[i] == stream)
			return i;
	}
	return -1;
}

int sdp_map_offer(struct sdp_map *here, struct sdp_map *there, unsigned *n_streams, size_t n)
{
	struct sdp_map new_here = *here, new_there = *there;
	unsigned streams = *n_streams;

	if (n < here->n_lines)
		return -EBADMSG; // RFC 3264 section 8
	if (n > SDP_MEDIA_MAX)
		return -ENOSPC;
	while (new_here.n_lines < n) {
		if (streams > UINT8_MAX)
			return -ENOSPC;
		new_here.stream[new_here.n_lines++] = (uint8_t)streams++;
	}
	// Also streams of earlier offers that never came this far.
	for (size_t i = 0; i < n; i++) {
		if (sdp_map_line(&new_there, new_here.stream[i]) >= 0)
			continue;
		if (new_there.n_lines == SDP_MEDIA_MAX)
			return -ENOSPC;
		new_there.stream[new_there.n_lines++] = new_here.stream[i];
	}
	*here = new_here;
	*there = new_there;
	*n_streams = streams;
	return 0;
}
