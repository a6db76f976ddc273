// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_pem.c - PEM files: certificate and key in, the automatic pair out, never readable by others.
#include "dtls/dtls_certificate.h"
#include "base/file.h"
#include "base/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_FILE_MAX (64 * 1024)

static int read_fully(int fd, uint8_t *dst, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, dst + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EINVAL;
		have += (size_t)n;
	}
	return 0;
}

static int file_read(const char *path, uint8_t **bytes, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *buf = NULL;
	struct stat st;
	int err;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) < 0 ? -errno : 0;
	if (err == 0 && (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size > PEM_FILE_MAX))
		err = -EINVAL;
	if (err < 0)
		goto out;
	buf = malloc((size_t)st.st_size);
	err = buf == NULL ? -ENOMEM : read_fully(fd, buf, (size_t)st.st_size);
	if (err < 0)
		goto out;
	*bytes = buf;
	*len = (size_t)st.st_size;
	buf = NULL;
out:
	if (buf != NULL)
		secret_wipe(buf, (size_t)st.st_size);
	free(buf);
	close(fd);
	return err;
}

int dtls_pem_load(struct dtls_pem *pem, const char *cert_path, const char *key_path)
{
	int err = file_read(cert_path, &pem->cert, &pem->cert_len);

	if (err == 0)
		err = file_read(key_path, &pem->key, &pem->key_len);
	return err;
}

static int octets_copy(uint8_t **to, size_t *to_len, const char *text, size_t len)
{
	*to = malloc(len);
	if (*to == NULL)
		return -ENOMEM;
	memcpy(*to, text, len);
	*to_len = len;
	return 0;
}

int dtls_pem_copy(struct dtls_pem *pem, const char *text, size_t len)
{
	int err = len == 0 || len > PEM_FILE_MAX ? -EINVAL : octets_copy(&pem->cert, &pem->cert_len, text, len);

	return err == 0 ? octets_copy(&pem->key, &pem->key_len, text, len) : err;
}

int dtls_pem_check_private(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return -EPERM;
	return 0;
}

// Into a file of its own beside path. Certificate and key may be one text.
static int write_beside(const struct dtls_pem *pem, const char *path, char temporary[PATH_MAX])
{
	bool both = pem->cert_len != pem->key_len || memcmp(pem->cert, pem->key, pem->key_len) != 0;
	int fd, err;

	if (snprintf(temporary, PATH_MAX, "%s.XXXXXX", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = mkostemp(temporary, O_CLOEXEC); // mode 0600 from its birth
	if (fd < 0)
		return -errno;
	err = file_write(fd, pem->cert, pem->cert_len);
	if (err == 0 && both)
		err = file_write(fd, pem->key, pem->key_len);
	if (err == 0 && fsync(fd) < 0)
		err = -errno;
	close(fd);
	if (err < 0)
		unlink(temporary);
	return err;
}

static int name_it(const char *temporary, const char *path)
{
	if (rename(temporary, path) == 0)
		return file_sync_folder(path);
	return -errno;
}

int dtls_pem_store(const struct dtls_pem *pem, const char *path)
{
	char temporary[PATH_MAX];
	int err = write_beside(pem, path, temporary);

	if (err < 0)
		return err;
	err = name_it(temporary, path);
	if (err < 0)
		unlink(temporary);
	return err;
}

int dtls_pem_replace(const struct dtls_pem *pem, const char *path, const char *before)
{
	char temporary[PATH_MAX];
	int err = write_beside(pem, path, temporary);

	if (err < 0)
		return err;
	if (rename(path, before) < 0 && errno != ENOENT)
		err = -errno;
	if (err == 0)
		err = name_it(temporary, path);
	if (err < 0)
		unlink(temporary);
	return err;
}

void dtls_pem_wipe(struct dtls_pem *pem)
{
	secret_wipe(pem->key, pem->key_len);
	free(pem->key);
	free(pem->cert);
	*pem = (struct dtls_pem){ 0 };
}
