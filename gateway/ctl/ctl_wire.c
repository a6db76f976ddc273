// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_wire.c - a unix socket or TCP.
#include "gateway/ctl/ctl_wire.h"
#include "gateway/ctl/ctl_http.h"
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 20 // a stream has a heartbeat each fifteen

struct ctl_wire {
	int fd;
};

static int dial_unix(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(at.sun_path))
		return -1;
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int dial_tcp(const char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list;
	const char *colon = strrchr(address, ':');
	char host[256];
	size_t len = colon != NULL ? (size_t)(colon - address) : 0;
	int fd = -1;

	if (len == 0 || len >= sizeof(host))
		return -1;
	if (address[0] == '[' && colon[-1] == ']') { // of IPv6
		address++;
		len -= 2;
	}
	memcpy(host, address, len);
	host[len] = '\0';
	if (getaddrinfo(host, colon + 1, &hints, &list) != 0)
		return -1;
	for (const struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next) {
		fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

struct ctl_wire *ctl_wire_open(const struct ctl_door *door, const char **why)
{
	static const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct ctl_wire *wire = malloc(sizeof(*wire));

	*why = "cannot connect: is the gateway up, and has its configuration a token?";
	if (wire == NULL)
		return NULL;
	wire->fd = strncmp(door->address, "unix:", 5) == 0 ? dial_unix(door->address + 5) : dial_tcp(door->address);
	if (wire->fd < 0) {
		free(wire);
		return NULL;
	}
	setsockopt(wire->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return wire;
}

void ctl_wire_close(struct ctl_wire *wire)
{
	if (wire != NULL)
		close(wire->fd);
	free(wire);
}

int ctl_wire_send(struct ctl_wire *wire, const char *octets, size_t len)
{
	while (len > 0) {
		ssize_t n = send(wire->fd, octets, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		octets += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t ctl_wire_receive(struct ctl_wire *wire, char *octets, size_t room)
{
	return recv(wire->fd, octets, room, 0);
}
