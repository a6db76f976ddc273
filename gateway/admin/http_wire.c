// SPDX-License-Identifier: GPL-3.0-or-later
// http_wire.c - what the library wants of a socket, and what libevent's buffers want of the library.
#include "gateway/admin/http_wire.h"
#include "dtls/tls_stream.h"
#include <errno.h>
#include <event2/buffer.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 16384 // a TLS record

static ssize_t receive(void *ctx, void *octets, size_t room)
{
	ssize_t n = recv(((struct http_wire *)ctx)->fd, octets, room, 0);

	return n < 0 ? -errno : n;
}

static ssize_t transmit(void *ctx, const void *octets, size_t len)
{
	ssize_t n = send(((struct http_wire *)ctx)->fd, octets, len, MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

int http_wire_open(struct http_wire *wire, int fd, struct tls_setup *setup)
{
	const struct tls_io io = { .receive = receive, .send = transmit, .ctx = wire };

	*wire = (struct http_wire){ .fd = fd };
	return setup != NULL ? tls_stream_open(&wire->tls, setup, &io, NULL) : 0;
}

void http_wire_close(struct http_wire *wire)
{
	tls_stream_close(wire->tls);
	close(wire->fd);
}

int http_wire_handshake(struct http_wire *wire)
{
	unsigned char first;
	int err;

	// The first octet is looked at before the library takes it.
	if (!wire->begun && recv(wire->fd, &first, 1, MSG_PEEK) == 1) {
		if (first >= 'A' && first <= 'Z') // a method's
			return -ENOTTY;
		wire->begun = true;
	}
	err = tls_stream_handshake(wire->tls);
	wire->read_waits = err == -EAGAIN && tls_stream_wants_write(wire->tls);
	return err;
}

static ssize_t read_tls(struct http_wire *wire, struct evbuffer *in, size_t most)
{
	size_t total = 0;

	while (total < most) { // the library may have more than the socket tells
		struct evbuffer_iovec room;
		ssize_t n;

		if (evbuffer_reserve_space(in, PIECE, &room, 1) != 1)
			return -ENOMEM;
		n = tls_stream_read(wire->tls, room.iov_base, room.iov_len < PIECE ? room.iov_len : PIECE);
		wire->read_waits = n == -EAGAIN && tls_stream_wants_write(wire->tls);
		if (n <= 0)
			return total > 0 ? (ssize_t)total : n; // an end is told again
		room.iov_len = (size_t)n;
		evbuffer_commit_space(in, &room, 1);
		total += (size_t)n;
	}
	return (ssize_t)total;
}

ssize_t http_wire_read(struct http_wire *wire, struct evbuffer *in, size_t most)
{
	int n;

	if (wire->tls != NULL)
		return read_tls(wire, in, most);
	n = evbuffer_read(in, wire->fd, (int)most);
	return n < 0 ? -errno : n;
}

static ssize_t write_tls(struct http_wire *wire, struct evbuffer *out)
{
	size_t len = evbuffer_get_length(out);
	ssize_t n;

	if (wire->again > 0)
		len = wire->again;
	else if (len > PIECE)
		len = PIECE;
	n = tls_stream_write(wire->tls, evbuffer_pullup(out, (ssize_t)len), len);
	wire->again = n == -EAGAIN ? len : 0;
	if (n > 0)
		evbuffer_drain(out, (size_t)n);
	return n;
}

ssize_t http_wire_write(struct http_wire *wire, struct evbuffer *out)
{
	int n;

	if (wire->tls != NULL)
		return write_tls(wire, out);
	n = evbuffer_write(out, wire->fd);
	return n < 0 ? -errno : n;
}

bool http_wire_reads_on_write(const struct http_wire *wire)
{
	return wire->tls != NULL && wire->read_waits;
}

void http_wire_clear(struct http_wire *wire)
{
	tls_stream_close(wire->tls);
	wire->tls = NULL;
}

void http_wire_end(struct http_wire *wire)
{
	if (wire->tls != NULL)
		tls_stream_end(wire->tls);
	shutdown(wire->fd, SHUT_WR);
}
