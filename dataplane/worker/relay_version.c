// SPDX-License-Identifier: GPL-3.0-or-later
// relay_version.c - sallyport-relay --version: the libraries of the packet path.
#include "dataplane/worker/relay_version.h"
#include <bpf/libbpf.h>
#include <intel-ipsec-mb.h>
#include <rte_version.h>

int relay_version_print(FILE *to)
{
	fprintf(to, "sallyport-relay %s\n", SALLYPORT_VERSION);
	fprintf(to, "%s\n", rte_version());
	fprintf(to, "ipsec-mb %s\n", imb_get_version_str());
	fprintf(to, "libbpf %s\n", libbpf_version_string());
	return fflush(to) != 0;
}
