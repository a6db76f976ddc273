// SPDX-License-Identifier: GPL-3.0-or-later
// link.c - sendmsg and recvmsg with at most one descriptor.
#include "gateway/link.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union room { // for one descriptor, aligned
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int link_open(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ? -errno : 0;
}

static void attach(struct msghdr *msg, union room *room, int fd)
{
	struct cmsghdr *c;

	memset(room, 0, sizeof(*room));
	msg->msg_control = room->bytes;
	msg->msg_controllen = sizeof(room->bytes);
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

int link_say(int fd, const char *text, int attached)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text) };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	union room room;

	if (fd < 0)
		return -ENOTCONN;
	if (attached >= 0)
		attach(&msg, &room, attached);
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void detach(struct msghdr *msg, int *attached)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		int fd;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
			continue;
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		*attached = fd;
	}
}

int link_hear(int fd, char text[LINK_TEXT], int *attached)
{
	struct iovec part = { .iov_base = text, .iov_len = LINK_TEXT - 1 };
	union room room;
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	if (attached != NULL) {
		msg.msg_control = room.bytes;
		msg.msg_controllen = sizeof(room.bytes);
		*attached = -1;
	}
	n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (attached != NULL)
		detach(&msg, attached);
	text[n] = '\0';
	return (int)n;
}

const char *link_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(text, word, len) != 0 || (text[len] != '\0' && text[len] != ' '))
		return NULL;
	return text[len] == ' ' ? text + len + 1 : text + len;
}
