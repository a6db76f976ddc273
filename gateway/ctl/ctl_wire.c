// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_wire.c - a unix socket, TCP, or TLS.
#include "gateway/ctl/ctl_wire.h"
#include "dtls/tls_stream.h"
#include "gateway/ctl/ctl_http.h"
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 20 // a stream has a heartbeat each fifteen

struct ctl_wire {
	int fd;
	struct tls_stream *tls; // NULL: in clear
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

// HOST:PORT, or [HOST]:PORT. False: it is neither.
static bool address_split(const char *address, char *host, size_t size, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon != NULL ? (size_t)(colon - address) : 0;

	if (len > 1 && address[0] == '[' && colon[-1] == ']') { // of IPv6
		address++;
		len -= 2;
	}
	if (len == 0 || len >= size)
		return false;
	memcpy(host, address, len);
	host[len] = '\0';
	*port = colon + 1;
	return true;
}

static int dial_tcp(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list;
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &list) != 0)
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

// TLS. The socket waits, for a while: -EAGAIN says that its time is up.

static ssize_t receive(void *ctx, void *octets, size_t room)
{
	ssize_t n = recv(((struct ctl_wire *)ctx)->fd, octets, room, 0);

	return n < 0 ? -errno : n;
}

static ssize_t transmit(void *ctx, const void *octets, size_t len)
{
	ssize_t n = send(((struct ctl_wire *)ctx)->fd, octets, len, MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

static int secure(struct ctl_wire *wire, const struct ctl_door *door, const char *host, const char **why)
{
	static struct tls_setup *setup; // of the one door that a process knows; read once
	const struct tls_files files = { .certificate = door->certificate, .key = door->key, .authorities = door->authorities };
	const struct tls_io io = { .receive = receive, .send = transmit, .ctx = wire };
	int err = setup != NULL ? 0 : tls_setup_client(&setup, &files);

	*why = "--cacert, --cert or --key: a file cannot be read, or is not what it should be";
	if (err == 0)
		err = tls_stream_open(&wire->tls, setup, &io, host);
	if (err < 0)
		return err;
	err = tls_stream_handshake(wire->tls);
	if (err < 0)
		*why = tls_stream_failure(wire->tls);
	return err;
}

struct ctl_wire *ctl_wire_open(const struct ctl_door *door, const char **why)
{
	static const struct timeval patience = { .tv_sec = PATIENCE_S };
	bool tls = strncmp(door->address, "https://", 8) == 0;
	struct ctl_wire *wire = calloc(1, sizeof(*wire));
	const char *port;
	char host[256];

	*why = "cannot connect: is the gateway up, and has its configuration a token?";
	if (wire == NULL)
		return NULL;
	wire->fd = -1;
	if (strncmp(door->address, "unix:", 5) == 0)
		wire->fd = dial_unix(door->address + 5);
	else if (address_split(tls ? door->address + 8 : door->address, host, sizeof(host), &port))
		wire->fd = dial_tcp(host, port);
	if (wire->fd < 0)
		goto out;
	setsockopt(wire->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(wire->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!tls || secure(wire, door, host, why) == 0)
		return wire;
out:
	ctl_wire_close(wire);
	return NULL;
}

void ctl_wire_close(struct ctl_wire *wire)
{
	if (wire == NULL)
		return;
	tls_stream_close(wire->tls);
	if (wire->fd >= 0)
		close(wire->fd);
	free(wire);
}

int ctl_wire_send(struct ctl_wire *wire, const char *octets, size_t len)
{
	while (len > 0) {
		ssize_t n = wire->tls != NULL ? tls_stream_write(wire->tls, octets, len) : transmit(wire, octets, len);

		if (n <= 0)
			return -1;
		octets += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t ctl_wire_receive(struct ctl_wire *wire, char *octets, size_t room)
{
	ssize_t n = wire->tls != NULL ? tls_stream_read(wire->tls, octets, room) : receive(wire, octets, room);

	return n < 0 ? -1 : n;
}
