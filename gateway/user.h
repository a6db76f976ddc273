// SPDX-License-Identifier: GPL-3.0-or-later
// user.h - whom control becomes.
#pragma once
#include <sys/types.h>

struct user_ids {
	uid_t uid;
	gid_t gid;
	char name[32];
};

// The configured user, or nobody where the default, "sallyport", does not exist. -ENOENT
int user_find(struct user_ids *ids, const char *name);
