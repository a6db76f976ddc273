// SPDX-License-Identifier: GPL-3.0-or-later
// sip_stream.h - messages out of what TCP connections bring, in pieces as they come. Nothing is kept of a connection between two
// whole messages, so that it does not matter when one begins to look.
#pragma once
#include "base/inet.h"
#include <stdbool.h>
#include <stddef.h>

struct sip_streams;

struct sip_stream_name { // one direction of a connection
	int fd;
	bool out;
	struct inet_endpoint remote;
};

typedef void sip_stream_fn(void *ctx, char *message, size_t len); // may write into it

struct sip_streams *sip_streams_new(void); // NULL: no memory
void sip_streams_free(struct sip_streams *streams);
// False: it does not begin where a message does, is too long, or too many others are in pieces; nothing of it is kept.
bool sip_stream_feed(struct sip_streams *streams, const struct sip_stream_name *name, char *bytes, size_t len, sip_stream_fn *each,
		     void *ctx);
