// SPDX-License-Identifier: GPL-3.0-or-later
// leg_rtcp.h - RTCP across the gateway: opened with the keys of the leg it came by, checked, read for the line's
// quality, and closed with the keys of the leg it leaves by, on whichever port that leg agreed to. It is relayed as it
// came, compound or reduced-size (RFC 5506: a=rtcp-rsize passes from end to end, so the ends know what they agreed to);
// only SSRCs change where those of the media do (dp_transport_ssrc_maps()). Nothing plain enters or leaves a secured
// leg. We make no reports of our own.
#pragma once
#include "mediarelay/media_priv.h"

void leg_rtcp_input(struct leg_transport *tp, const struct dp_punt *punt);
