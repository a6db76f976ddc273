// SPDX-License-Identifier: GPL-3.0-or-later
// version.c - our version and those of the libraries, as they are at run time. The relay says its own.
#include "gateway/version.h"
#include "dtls/dtls_identity.h"
#include "gateway/allocator.h"
#include "mediarelay/media.h"
#include "signaling/sip.h"
#include <event2/event.h>
#include <jansson.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yaml.h>

// The relay says its own: its libraries are not linked here.
static int relay_print(const char *path)
{
	const char *argv[] = { path, "--version", NULL };
	int status;
	pid_t pid;

	if (posix_spawn(&pid, path, NULL, NULL, (char *const *)argv, environ) != 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int version_print(FILE *to, const char *relay)
{
	fprintf(to, "sallyport %s\n", SALLYPORT_VERSION);
	fprintf(to, "%s\n", dtls_library_version());
	fprintf(to, "%s\n", media_library_version());
	fprintf(to, "%s\n", sip_library_version());
	fprintf(to, "libevent %s\n", event_get_version());
	fprintf(to, "jansson %s\n", jansson_version_str());
	fprintf(to, "libyaml %s\n", yaml_get_version_string());
	fprintf(to, "jemalloc %s\n", allocator_version());
	if (fflush(to) != 0)
		return 1;
	return relay != NULL ? relay_print(relay) : 0;
}
