// SPDX-License-Identifier: GPL-3.0-or-later
// inherited.c - reads the environment; a number that is no open descriptor counts as none.
#include "gateway/inherited.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

int inherited_fd(const char *variable)
{
	const char *text = getenv(variable);
	char *rest;
	long fd;

	if (text == NULL)
		return -1;
	fd = strtol(text, &rest, 10);
	if (rest == text || *rest != '\0' || fd < 0 || fd > 1 << 20 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return (int)fd;
}

const char *inherited_config(void)
{
	return getenv("SALLYPORT_CONFIG");
}

void inherited_restarts(unsigned *control, unsigned *relay)
{
	const char *text = getenv("SALLYPORT_RESTARTS");

	*control = *relay = 0;
	if (text != NULL)
		sscanf(text, "%u %u", control, relay);
}
