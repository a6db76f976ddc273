// SPDX-License-Identifier: GPL-3.0-or-later
// config_file.c - write beside, sync, rename.
#include "gateway/config_file.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int read_from(int fd, char **textp, size_t *lenp)
{
	char *text = malloc(CONFIG_FILE_MAX + 2);
	size_t len = 0;
	ssize_t n = 1;

	if (text == NULL)
		return -ENOMEM;
	while (len <= CONFIG_FILE_MAX && n > 0) {
		n = pread(fd, text + len, CONFIG_FILE_MAX + 1 - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (n < 0 || len > CONFIG_FILE_MAX) {
		int err = n < 0 ? -errno : -EFBIG;

		free(text);
		return err;
	}
	text[len] = '\0';
	*textp = text;
	*lenp = len;
	return 0;
}

int config_file_read(const char *path, char **text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;
	struct stat st;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read_from(fd, text, len) : -EINVAL;
	close(fd);
	return err;
}

// Anything else might keep us waiting, or change under our eyes.
int config_file_take(int fd, char **text, size_t *len)
{
	int seals = fd >= 0 ? fcntl(fd, F_GET_SEALS) : -1;

	return seals < 0 || (seals & SEALS) != SEALS ? -EINVAL : read_from(fd, text, len);
}

int config_file_give(const char *text, size_t len)
{
	int fd = memfd_create("sallyport-document", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return -errno;
	err = file_write(fd, text, len);
	if (err == 0 && fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)
		err = -errno;
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

static int fill(int fd, const struct stat *like, const char *text, size_t len)
{
	int err = file_write(fd, text, len);

	// The mode first: what is another user's is not ours to change without a capability that we do not have.
	if (err == 0 && (fchmod(fd, like->st_mode & 0777) < 0 || fchown(fd, like->st_uid, like->st_gid) < 0 || fsync(fd) < 0))
		err = -errno;
	return err;
}

int config_file_write(const char *path, const char *like, const char *text, size_t len)
{
	char real[PATH_MAX], beside[PATH_MAX + 8];
	struct stat st;
	int fd, err;

	if (stat(like, &st) < 0)
		return -errno;
	if (realpath(path, real) == NULL) { // not there yet
		if (errno != ENOENT)
			return -errno;
		snprintf(real, sizeof(real), "%s", path);
	}
	snprintf(beside, sizeof(beside), "%s.XXXXXX", real);
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fill(fd, &st, text, len);
	close(fd);
	if (err == 0 && rename(beside, real) < 0)
		err = -errno;
	if (err < 0)
		unlink(beside);
	return err < 0 ? err : file_sync_folder(real);
}

// FNV-1a, 64 bits: who edits a file by hand meanwhile does not do it to meet another text's mark.
static uint64_t mark(uint64_t h, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
	return (h ^ 0x1ff) * 0x100000001b3u; // an end that is no octet
}

uint64_t config_file_mark(const char *file, size_t file_len, const char *in_force, size_t in_force_len)
{
	return mark(mark(0xcbf29ce484222325u, file, file_len), in_force, in_force_len);
}
