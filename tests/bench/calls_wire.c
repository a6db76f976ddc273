// SPDX-License-Identifier: GPL-3.0-or-later
// calls_wire.c - the sockets of bench_calls: datagrams by the batch, streams cut into messages.
#include "tests/bench/calls_wire.h"
#include "tests/bench/calls_text.h"
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define ROUNDS 8                  // batches of one socket before the others have their turn
#define STREAM_ROOM (4u << 20)    // octets that wait on one connection, each way
#define SOCKET_ROOM (32 << 20)    // of the kernel's: what comes while we do something else

enum wire_kind { WIRE_UDP, WIRE_LISTENER, WIRE_STREAM };

struct datagram {
	struct sockaddr_in address;
	struct iovec iov;
	char bytes[TEXT_MAX];
};

struct wire {
	enum wire_kind kind;
	int fd;
	wire_message_f *message;
	struct wire *next;
	struct datagram *in, *out; // UDP: of BATCH
	struct mmsghdr headers_in[BATCH], headers_out[BATCH];
	unsigned n_out;
	char *in_bytes, *out_bytes; // streams
	size_t n_in, n_out_bytes;
};

static struct wire *wires;
static int poller = -1;

struct sockaddr_in wire_address(const char *host, unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
		errx(64, "%s is no IPv4 address", host);
	return address;
}

static struct wire *wire_new(enum wire_kind kind, int fd, wire_message_f *message)
{
	struct wire *w = calloc(1, sizeof(*w));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = w };

	if (poller < 0)
		poller = epoll_create1(EPOLL_CLOEXEC);
	if (w == NULL || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "a socket");
	w->kind = kind;
	w->fd = fd;
	w->message = message;
	w->next = wires;
	wires = w;
	return w;
}

static void *room(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		err(1, "memory");
	return p;
}

static int socket_new(int type, const struct sockaddr_in *own)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, size = SOCKET_ROOM;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (const struct sockaddr *)own, sizeof(*own)) < 0)
		err(1, "%s port %u", inet_ntoa(own->sin_addr), ntohs(own->sin_port));
	if (type == SOCK_DGRAM && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

static void batch_prepare(struct datagram **batch, struct mmsghdr *headers)
{
	*batch = room(BATCH, sizeof(**batch));
	for (unsigned i = 0; i < BATCH; i++) {
		struct datagram *d = &(*batch)[i];

		d->iov = (struct iovec){ d->bytes, sizeof(d->bytes) };
		headers[i].msg_hdr = (struct msghdr){ .msg_name = &d->address, .msg_namelen = sizeof(d->address),
						      .msg_iov = &d->iov, .msg_iovlen = 1 };
	}
}

struct wire *wire_udp(const struct sockaddr_in *own, wire_message_f *message)
{
	struct wire *w = wire_new(WIRE_UDP, socket_new(SOCK_DGRAM, own), message);

	batch_prepare(&w->in, w->headers_in);
	batch_prepare(&w->out, w->headers_out);
	return w;
}

static struct wire *stream_new(int fd, wire_message_f *message)
{
	struct wire *w = wire_new(WIRE_STREAM, fd, message);
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	w->in_bytes = room(1, STREAM_ROOM);
	w->out_bytes = room(1, STREAM_ROOM);
	return w;
}

struct wire *wire_listen(const struct sockaddr_in *own, wire_message_f *message)
{
	int fd = socket_new(SOCK_STREAM, own);

	if (listen(fd, 64) < 0)
		err(1, "listen");
	return wire_new(WIRE_LISTENER, fd, message);
}

struct wire *wire_connect(const struct sockaddr_in *own, const struct sockaddr_in *to, wire_message_f *message)
{
	int fd = socket_new(SOCK_STREAM, own), error = 0;
	struct epoll_event event = { .events = EPOLLOUT };
	socklen_t len = sizeof(error);

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS)
		err(1, "connect");
	int wait = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(wait, EPOLL_CTL_ADD, fd, &event);
	if (epoll_wait(wait, &event, 1, 10000) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
		errx(1, "no TCP connection: %s", strerror(error));
	close(wait);
	return stream_new(fd, message);
}

bool wire_is_stream(const struct wire *w)
{
	return w->kind == WIRE_STREAM;
}

static void udp_flush(struct wire *w)
{
	for (unsigned done = 0; done < w->n_out;) {
		int n = sendmmsg(w->fd, w->headers_out + done, w->n_out - done, 0);

		if (n < 0 && errno == EAGAIN)
			continue;
		done += n > 0 ? (unsigned)n : 1; // refused by the network: lost, as a datagram may be
	}
	w->n_out = 0;
}

static void stream_flush(struct wire *w)
{
	size_t done = 0;

	while (done < w->n_out_bytes) {
		ssize_t n = send(w->fd, w->out_bytes + done, w->n_out_bytes - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) // the other end has closed it: lost, and the calls that need it fail
			done = w->n_out_bytes;
		else
			done += (size_t)n;
	}
	w->n_out_bytes -= done;
	memmove(w->out_bytes, w->out_bytes + done, w->n_out_bytes);
}

void wire_send(const struct wire_peer *to, const void *bytes, size_t len)
{
	struct wire *w = to->wire;

	if (len > TEXT_MAX)
		return;
	if (w->kind == WIRE_STREAM) {
		if (w->n_out_bytes + len > STREAM_ROOM)
			stream_flush(w);
		if (w->n_out_bytes + len > STREAM_ROOM)
			return; // the other end does not read: lost, and its call fails
		memcpy(w->out_bytes + w->n_out_bytes, bytes, len);
		w->n_out_bytes += len;
		return;
	}
	struct datagram *d = &w->out[w->n_out++];

	d->address = to->address;
	d->iov.iov_len = len;
	memcpy(d->bytes, bytes, len);
	if (w->n_out == BATCH)
		udp_flush(w);
}

static void udp_read(struct wire *w)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		int n = recvmmsg(w->fd, w->headers_in, BATCH, 0, NULL);

		for (int i = 0; i < n; i++) {
			struct wire_peer from = { w, w->in[i].address };

			w->message(&from, w->in[i].bytes, w->headers_in[i].msg_len);
		}
		if (n < BATCH)
			return;
	}
}

static void stream_read(struct wire *w)
{
	ssize_t n = recv(w->fd, w->in_bytes + w->n_in, STREAM_ROOM - w->n_in, 0);
	struct wire_peer from = { .wire = w };
	size_t done = 0;

	if (n == 0 || (n < 0 && errno != EAGAIN)) { // whoever still needs it will miss its answers
		epoll_ctl(poller, EPOLL_CTL_DEL, w->fd, NULL);
		return;
	}
	w->n_in += n > 0 ? (size_t)n : 0;
	for (size_t len; (len = text_framed(w->in_bytes + done, w->n_in - done)) > 0; done += len)
		w->message(&from, w->in_bytes + done, len);
	w->n_in -= done;
	memmove(w->in_bytes, w->in_bytes + done, w->n_in);
}

static void wire_read(struct wire *w)
{
	if (w->kind == WIRE_UDP) {
		udp_read(w);
	} else if (w->kind == WIRE_STREAM) {
		stream_read(w);
	} else {
		int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			stream_new(fd, w->message);
	}
}

static void wires_flush(void)
{
	for (struct wire *w = wires; w != NULL; w = w->next) {
		if (w->kind == WIRE_UDP)
			udp_flush(w);
		else if (w->kind == WIRE_STREAM)
			stream_flush(w);
	}
}

void wires_turn(int wait_ms)
{
	struct epoll_event events[BATCH];

	wires_flush();
	int n = epoll_wait(poller, events, BATCH, wait_ms);

	for (int i = 0; i < n; i++)
		wire_read(events[i].data.ptr);
	wires_flush();
}
