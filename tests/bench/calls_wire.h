// SPDX-License-Identifier: GPL-3.0-or-later
// calls_wire.h - the sockets of bench_calls: datagrams by the batch, streams cut into messages.
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct wire; // a UDP socket, a TCP listener or a TCP connection; lives as long as the program
struct wire_peer { // whom to answer: by which wire, and where
	struct wire *wire;
	struct sockaddr_in address;
};

typedef void wire_message_f(const struct wire_peer *from, const char *bytes, size_t len);

struct sockaddr_in wire_address(const char *host, unsigned port);
// stream: whole SIP messages. All end the program when they cannot.
struct wire *wire_udp(const struct sockaddr_in *own, wire_message_f *message);
struct wire *wire_listen(const struct sockaddr_in *own, wire_message_f *message);
struct wire *wire_connect(const struct sockaddr_in *own, const struct sockaddr_in *to, wire_message_f *message);
bool wire_is_stream(const struct wire *w);
void wire_send(const struct wire_peer *to, const void *bytes, size_t len);
// What came is handed out, what was written goes out. Waits so long for the first.
void wires_turn(int wait_ms);
