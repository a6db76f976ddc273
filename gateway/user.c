// SPDX-License-Identifier: GPL-3.0-or-later
// user.c - a name to ids.
#include "gateway/user.h"
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

int user_find(struct user_ids *ids, const char *name)
{
	const struct passwd *user = getpwnam(name);

	if (user == NULL && strcmp(name, "sallyport") == 0)
		user = getpwnam("nobody"); // nobody has installed a package here
	if (user == NULL)
		return -ENOENT;
	ids->uid = user->pw_uid;
	ids->gid = user->pw_gid;
	snprintf(ids->name, sizeof(ids->name), "%s", user->pw_name);
	return 0;
}
