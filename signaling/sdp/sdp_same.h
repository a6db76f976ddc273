// SPDX-License-Identifier: GPL-3.0-or-later
// sdp_same.h - whether two descriptions that we wrote say the same to whoever reads them.
#pragma once
#include "signaling/sdp/sdp_doc.h"

// Lines, formats, directions and all that is end to end; not versions, addresses, ports, keys or names of lines. An offer
// whose onward form says what its reader knows already needs not go there (RFC 3264 section 8: a refresh).
bool sdp_same(const struct sdp_doc *a, const struct sdp_doc *b);
// Whether a side that answered with `answer` can be sent all that `other`, the other side's last word, has chosen: every
// format of each line there is in it, and nothing flows to a side that does not receive.
bool sdp_covers(const struct sdp_doc *answer, const struct sdp_doc *other);
