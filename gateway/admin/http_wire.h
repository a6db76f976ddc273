// SPDX-License-Identifier: GPL-3.0-or-later
// http_wire.h - a connection's octets, in clear or by TLS, between its socket and libevent's buffers. Nothing waits.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct evbuffer;
struct tls_setup;
struct tls_stream;

struct http_wire { // stays where it is, once it is open
	int fd;
	struct tls_stream *tls; // NULL: in clear
	bool begun;             // a handshake
	bool read_waits;        // until octets can go
	size_t again;           // octets that were offered to be sent, and must be offered again
};

int http_wire_open(struct http_wire *wire, int fd, struct tls_setup *setup); // setup NULL: in clear. -ENOMEM: fd is still the caller's
void http_wire_close(struct http_wire *wire);
// 0; -EAGAIN; -EPROTO; -ENOTTY: what came is no TLS, but somebody's clear text.
int http_wire_handshake(struct http_wire *wire);
ssize_t http_wire_read(struct http_wire *wire, struct evbuffer *in, size_t most); // 0: the end; -EAGAIN; another: broken
ssize_t http_wire_write(struct http_wire *wire, struct evbuffer *out);            // the same
bool http_wire_reads_on_write(const struct http_wire *wire); // the last read, or the handshake, goes on when octets can go
void http_wire_clear(struct http_wire *wire); // speaks in clear from now on
void http_wire_end(struct http_wire *wire);   // nothing more will be written
