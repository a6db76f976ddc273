// SPDX-License-Identifier: GPL-3.0-or-later
// snapshot.c - printed, sealed, and read like any other file.
#include "gateway/snapshot.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int snapshot_make(const struct config *cfg)
{
	int fd = memfd_create("sallyport-config", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;
	FILE *f;

	if (fd < 0)
		return -errno;
	f = fdopen(dup(fd), "w");
	err = f != NULL ? config_print(cfg, f) : -ENOMEM;
	if (f != NULL)
		fclose(f);
	if (err == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		err = -errno;
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

int snapshot_load(struct config **cfgp, int fd, struct config_error *why)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return config_load(cfgp, path, why);
}
