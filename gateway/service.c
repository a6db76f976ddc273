// SPDX-License-Identifier: GPL-3.0-or-later
// service.c - sd_notify(3) and the descriptor store.
#include "gateway/service.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define TAG "supervisor"

void service_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void service_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void service_status(const char *status)
{
	sd_notifyf(0, "STATUS=%s", status);
}

mono_ns service_watchdog(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? MONO_MS(1) * us / 2000 : MONO_NEVER;
}

void service_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void service_store(const char *name, int fd)
{
	char text[96];
	int err;

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	err = sd_pid_notify_with_fds(0, 0, text, &fd, 1);
	if (err < 0)
		log_warning(TAG, "descriptor store refused", LOG_STR("name", name), LOG_ERRNO(err));
}

void service_unstore(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

int service_stored(const char *name)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(0, &names), fd = -ENOENT;

	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			fd = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	return fd;
}
