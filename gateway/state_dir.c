// SPDX-License-Identifier: GPL-3.0-or-later
// state_dir.c - made while we still may.
#include "gateway/state_dir.h"
#include "gateway/user.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		int err;

		*slash = '\0';
		err = mkdir(path, 0755);
		*slash = '/';
		if (err < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static bool may_write(const struct stat *st, const struct user_ids *ids)
{
	if (ids->uid == 0)
		return true;
	if (st->st_uid == ids->uid)
		return (st->st_mode & S_IWUSR) != 0;
	return (st->st_mode & (st->st_gid == ids->gid ? S_IWGRP : S_IWOTH)) != 0;
}

// A directory that was there before stays whose it is: state_dir: /tmp must not give /tmp away.
static int check_existing(const char *path, const struct user_ids *ids)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return may_write(&st, ids) ? 0 : -EACCES;
}

int state_dir_make(const char *path, const char *user)
{
	struct user_ids ids;
	char copy[256];
	int err;

	if (user_find(&ids, user) < 0)
		return -ENOENT;
	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	err = make_parents(copy);
	if (err < 0)
		return err;
	if (mkdir(path, 0750) < 0)
		return errno == EEXIST ? check_existing(path, &ids) : -errno;
	if (geteuid() == 0 && lchown(path, ids.uid, ids.gid) < 0)
		return -errno;
	return 0;
}
