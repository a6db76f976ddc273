// SPDX-License-Identifier: GPL-3.0-or-later
// sip_version.c - which Sofia-SIP is linked.
#include "signaling/sip.h"
#include <sofia-sip/su_types.h> // the next one needs it and does not include it
#include <sofia-sip/sofia_features.h>

const char *sip_library_version(void)
{
	return sofia_sip_name_version;
}
