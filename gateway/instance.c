// SPDX-License-Identifier: GPL-3.0-or-later
// instance.c - the claim is the name of an abstract Unix socket: those names belong to the network namespace, and the
// kernel gives them back when the holder dies in whatever way.
#include "gateway/instance.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME "sallyport-supervisor"

int instance_claim(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	memcpy(sun.sun_path + 1, NAME, sizeof(NAME) - 1); // abstract: begins with a zero byte
	if (bind(fd, (struct sockaddr *)&sun, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(NAME))) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}
