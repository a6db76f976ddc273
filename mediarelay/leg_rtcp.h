// SPDX-License-Identifier: GPL-3.0-or-later
// leg_rtcp.h - RTCP across the gateway: opened with the keys of the leg it came by, closed with those of the leg it leaves by.
// SSRCs pass unchanged, so reports stay true end to end. Nothing plain enters or leaves a secured leg.
#pragma once
#include "mediarelay/media_priv.h"

void leg_rtcp_input(struct leg_transport *tp, const struct dp_punt *punt);
