// SPDX-License-Identifier: GPL-3.0-or-later
// privileges.c - bounding set, ids, capabilities, no_new_privs; and a look whether it took.
#include "gateway/privileges.h"
#include "base/log.h"
#include "gateway/user.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TAG "control"

// What this process could ever get again, by whatever program it executes.
static int empty_bounding_set(bool bind_low)
{
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (bind_low && cap == CAP_NET_BIND_SERVICE)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL) // EINVAL: newer than the kernel
			return -errno;
	}
	return 0;
}

static int set_capabilities(bool bind_low)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (bind_low)
		data[0].effective = data[0].permitted = 1u << CAP_NET_BIND_SERVICE;
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int become(const struct user_ids *ids, bool bind_low)
{
	int err = empty_bounding_set(bind_low);

	if (err < 0)
		return err;
	if (bind_low && prctl(PR_SET_KEEPCAPS, 1) < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(ids->gid, ids->gid, ids->gid) < 0 ||
	    setresuid(ids->uid, ids->uid, ids->uid) < 0)
		return -errno;
	err = set_capabilities(bind_low);
	if (err == 0 && setuid(0) == 0)
		return -EPERM; // it did not take
	return err;
}

int privileges_drop(const char *user, bool bind_low)
{
	struct user_ids ids;
	int err = user_find(&ids, user);

	if (err < 0)
		return err;
	if (geteuid() == 0 && ids.uid != 0) {
		err = become(&ids, bind_low);
		if (err < 0)
			return err;
		prctl(PR_SET_PDEATHSIG, SIGKILL); // the change of user has cleared it
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
#ifdef SALLYPORT_SANITIZE_ADDRESS
	prctl(PR_SET_DUMPABLE, 1); // else the leak check at the end cannot look at its own threads
#else
	prctl(PR_SET_DUMPABLE, 0); // keys are on the heap: no core file, no debugger of the same user
#endif
	log_info(TAG, "privileges dropped", LOG_STR("user", ids.name), LOG_BOOL("bind_low", bind_low));
	return 0;
}
