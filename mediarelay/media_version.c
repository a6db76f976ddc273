// SPDX-License-Identifier: GPL-3.0-or-later
// media_version.c - which libsrtp2 is linked, and what it takes its ciphers from.
#include "mediarelay/media.h"
#include <srtp2/srtp.h>

const char *media_library_version(void)
{
	return srtp_get_version_string();
}
