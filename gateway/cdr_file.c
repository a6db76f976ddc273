// SPDX-License-Identifier: GPL-3.0-or-later
// cdr_file.c - append, notice a rotation, rotate, wait for better times.
#include "gateway/cdr_file.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAG "cdr"
#define TAIL 65536 // longer than any line

struct cdr_file {
	char path[PATH_MAX];
	uint64_t max_size;
	uint32_t keep;
	int fd; // -1: not open
	bool grows; // it could not be renamed: it grows until it is opened again
	char *waiting;
	size_t n_waiting, room;
	unsigned lines_waiting;
	uint64_t written, lost, failures;
	mono_ns told_at; // when the log last said that it fails; 0: all is well
};

// A process that was killed in the middle of a write, or a disk that was full: a line that has no end is cut off.
static void cut_torn_line(struct cdr_file *f, off_t size)
{
	off_t from = size > TAIL ? size - TAIL : 0;
	char tail[4096];

	for (off_t end = size; end > from;) {
		size_t len = end - from > (off_t)sizeof(tail) ? sizeof(tail) : (size_t)(end - from);

		if (pread(f->fd, tail, len, end - (off_t)len) != (ssize_t)len)
			return;
		for (size_t i = len; i > 0; i--) {
			if (tail[i - 1] != '\n')
				continue;
			if (end - (off_t)(len - i) < size && ftruncate(f->fd, end - (off_t)(len - i)) == 0)
				log_warning(TAG, "torn line cut off", LOG_STR("file", f->path),
					    LOG_INT("octets", size - (end - (off_t)(len - i))));
			return;
		}
		end -= (off_t)len;
	}
	if (size > 0 && from == 0 && ftruncate(f->fd, 0) == 0)
		log_warning(TAG, "torn line cut off", LOG_STR("file", f->path), LOG_INT("octets", size));
}

static int open_file(struct cdr_file *f)
{
	struct stat st;

	f->fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (f->fd < 0)
		return -errno;
	if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		cdr_file_reopen(f);
		return -EINVAL;
	}
	cut_torn_line(f, st.st_size);
	return 0;
}

void cdr_file_reopen(struct cdr_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1; // opened with the next line
	f->grows = false;
}

// Somebody has renamed or removed it: what the path names now is another file, or none.
static void notice_rotation(struct cdr_file *f)
{
	struct stat here, there;

	if (f->fd < 0 || fstat(f->fd, &here) < 0)
		return;
	if (stat(f->path, &there) < 0 ? errno == ENOENT : here.st_ino != there.st_ino || here.st_dev != there.st_dev)
		cdr_file_reopen(f);
}

static void rotate(struct cdr_file *f)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 16];

	for (uint32_t n = f->keep; n > 1; n--) {
		snprintf(from, sizeof(from), "%s.%u", f->path, n - 1);
		snprintf(to, sizeof(to), "%s.%u", f->path, n);
		rename(from, to); // one that is not there yet is not missed
	}
	snprintf(to, sizeof(to), "%s.1", f->path);
	if (rename(f->path, to) == 0) {
		cdr_file_reopen(f);
		return;
	}
	f->grows = true;
	log_warning(TAG, "cannot rotate", LOG_STR("file", f->path), LOG_ERRNO(-errno));
}

// Whole lines, as many as there are: one write. 0, or why not; then nothing of it is there.
static int append(struct cdr_file *f, const char *lines, size_t len)
{
	struct stat st;
	ssize_t n;
	int err;

	notice_rotation(f);
	if (f->fd >= 0 && f->max_size > 0 && !f->grows && fstat(f->fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size + len > f->max_size)
		rotate(f);
	if (f->fd < 0) {
		err = open_file(f);
		if (err < 0)
			return err;
	}
	if (fstat(f->fd, &st) < 0)
		return -errno;
	n = write(f->fd, lines, len);
	if (n == (ssize_t)len)
		return 0;
	err = n < 0 ? -errno : -ENOSPC;
	if (n > 0 && ftruncate(f->fd, st.st_size) < 0)
		cdr_file_reopen(f); // opening it cuts the torn line off
	return err;
}

static void complain(struct cdr_file *f, int err, mono_ns now)
{
	f->failures++;
	if (f->told_at != 0 && now < f->told_at + CDR_COMPLAINT_EVERY)
		return;
	f->told_at = now;
	log_error(TAG, "call records cannot be written", LOG_STR("file", f->path), LOG_ERRNO(err),
		  LOG_UINT("waiting", f->lines_waiting), LOG_UINT("lost", f->lost));
}

static bool make_room(struct cdr_file *f, size_t room)
{
	char *more = realloc(f->waiting, room);

	if (more == NULL)
		return false;
	f->waiting = more;
	f->room = room;
	return true;
}

static void keep_waiting(struct cdr_file *f, const char *line, size_t len)
{
	size_t need = f->n_waiting + len;

	if (need > CDR_BUFFER_MAX || (need > f->room && !make_room(f, 2 * need))) {
		f->lost++;
		return;
	}
	memcpy(f->waiting + f->n_waiting, line, len);
	f->n_waiting += len;
	f->lines_waiting++;
}

static void written_again(struct cdr_file *f, unsigned waited)
{
	if (f->told_at != 0)
		log_info(TAG, "call records are written again", LOG_STR("file", f->path), LOG_UINT("waited", waited),
			 LOG_UINT("lost", f->lost));
	f->told_at = 0;
}

// In order, a line at a time: a disk may have room for some of them.
static int write_waiting(struct cdr_file *f)
{
	size_t at = 0;
	int err = 0;

	while (at < f->n_waiting) {
		const char *line = f->waiting + at;
		size_t len = (size_t)((const char *)memchr(line, '\n', f->n_waiting - at) - line) + 1;

		err = append(f, line, len);
		if (err < 0)
			break;
		at += len;
		f->written++;
		f->lines_waiting--;
	}
	memmove(f->waiting, f->waiting + at, f->n_waiting - at);
	f->n_waiting -= at;
	return err;
}

void cdr_file_retry(struct cdr_file *f, mono_ns now)
{
	unsigned waited = f->lines_waiting;
	int err;

	if (f->n_waiting == 0)
		return;
	err = write_waiting(f);
	if (err < 0)
		complain(f, err, now);
	else
		written_again(f, waited);
}

void cdr_file_add(struct cdr_file *f, const char *line, size_t len, mono_ns now)
{
	int err = f->n_waiting > 0 ? -EAGAIN : append(f, line, len);

	if (err == 0) {
		f->written++;
		return;
	}
	keep_waiting(f, line, len); // in order: behind those that wait already
	if (err != -EAGAIN)
		complain(f, err, now);
}

int cdr_file_open(struct cdr_file **fp, const char *path, uint64_t max_size, uint32_t keep)
{
	struct cdr_file *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->max_size = max_size;
	f->keep = keep;
	f->fd = -1;
	*fp = f;
	return 0;
}

void cdr_file_close(struct cdr_file *f)
{
	if (f == NULL)
		return;
	if (f->n_waiting > 0 && write_waiting(f) < 0)
		log_error(TAG, "call records lost", LOG_UINT("lines", f->lines_waiting + f->lost));
	cdr_file_reopen(f);
	free(f->waiting);
	free(f);
}

void cdr_file_counts(const struct cdr_file *f, struct cdr_file_counts *counts)
{
	*counts = (struct cdr_file_counts){ f->written, f->lost, f->failures, f->n_waiting };
}
