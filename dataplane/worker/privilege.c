// SPDX-License-Identifier: GPL-3.0-or-later
// privilege.c - capset(2) without a library.
#include "dataplane/worker/privilege.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int capabilities_get(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

static int capabilities_set(const struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int privilege_drop(int pinned)
{
	uint64_t keep = UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_NET_RAW | UINT64_C(1) << CAP_BPF |
			UINT64_C(1) << CAP_IPC_LOCK | (pinned ? UINT64_C(1) << CAP_SYS_NICE : 0);
	struct __user_cap_data_struct data[2];
	int err = capabilities_get(data);

	if (err < 0)
		return err;
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if ((keep >> cap & 1) == 0)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0,
				    0); // needs CAP_SETPCAP; without it there is less to lose
	}
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	err = capabilities_set(data);
	if (err < 0)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
