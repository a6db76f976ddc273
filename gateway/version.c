// SPDX-License-Identifier: GPL-3.0-or-later
// version.c - our version and those of the libraries, as they are at run time. The relay says its own.
#include "gateway/version.h"
#include "dtls/dtls_identity.h"
#include <event2/event.h>
#include <yaml.h>

int version_print(FILE *to)
{
	fprintf(to, "sallyport %s\n", SALLYPORT_VERSION);
	fprintf(to, "%s\n", dtls_library_version());
	fprintf(to, "libevent %s\n", event_get_version());
	fprintf(to, "libyaml %s\n", yaml_get_version_string());
	return fflush(to) != 0;
}
