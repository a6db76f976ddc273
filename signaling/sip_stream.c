// SPDX-License-Identifier: GPL-3.0-or-later
// sip_stream.c - a few connections at a time have a message in pieces; the one that waits longest gives way.
#include "signaling/sip_stream.h"
#include "base/secret.h"
#include "signaling/sip_raw.h"
#include <stdlib.h>
#include <string.h>

#define STREAMS 64
#define MESSAGE_MAX (256u << 10) // twice what the agent takes

struct piece {
	struct sip_stream_name name;
	char *bytes; // NULL: free
	size_t len;
	unsigned long turn;
};

struct sip_streams {
	struct piece pieces[STREAMS];
	unsigned long turn;
};

static void piece_free(struct piece *p)
{
	if (p->bytes != NULL)
		secret_wipe(p->bytes, p->len);
	free(p->bytes);
	*p = (struct piece){ 0 };
}

struct sip_streams *sip_streams_new(void)
{
	return calloc(1, sizeof(struct sip_streams));
}

void sip_streams_free(struct sip_streams *streams)
{
	for (unsigned i = 0; streams != NULL && i < STREAMS; i++)
		piece_free(&streams->pieces[i]);
	free(streams);
}

// The connection's; a number that another connection has now names nothing.
static struct piece *piece_of(struct sip_streams *streams, const struct sip_stream_name *name)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		struct piece *p = &streams->pieces[i];

		if (p->bytes == NULL || p->name.fd != name->fd || p->name.out != name->out)
			continue;
		if (inet_endpoint_equal(&p->name.remote, &name->remote))
			return p;
		piece_free(p);
	}
	return NULL;
}

static void keep(struct sip_streams *streams, const struct sip_stream_name *name, char *bytes, size_t len)
{
	struct piece *oldest = &streams->pieces[0];

	for (unsigned i = 0; i < STREAMS && oldest->bytes != NULL; i++) {
		if (streams->pieces[i].bytes == NULL || streams->pieces[i].turn < oldest->turn)
			oldest = &streams->pieces[i];
	}
	piece_free(oldest);
	*oldest = (struct piece){ .name = *name, .bytes = bytes, .len = len, .turn = ++streams->turn };
}

// What was kept and what has come, in one; takes the first. NULL: no memory, or too long.
static char *joined(struct piece *p, const char *bytes, size_t len)
{
	char *all = p->len + len <= MESSAGE_MAX ? malloc(p->len + len) : NULL;

	if (all != NULL) {
		memcpy(all, p->bytes, p->len);
		memcpy(all + p->len, bytes, len);
	}
	return all;
}

static size_t messages(char *bytes, size_t len, sip_stream_fn *each, void *ctx, bool *good)
{
	size_t at = 0;

	for (*good = true; at < len; ) {
		ssize_t n;

		if (bytes[at] == '\r' || bytes[at] == '\n') { // RFC 5626 4.4.1, and what stands between messages
			at++;
			continue;
		}
		n = sip_raw_message(bytes + at, len - at);
		*good = n >= 0;
		if (n <= 0)
			break;
		each(ctx, bytes + at, (size_t)n);
		at += (size_t)n;
	}
	return at;
}

bool sip_stream_feed(struct sip_streams *streams, const struct sip_stream_name *name, char *bytes, size_t len, sip_stream_fn *each,
		     void *ctx)
{
	struct piece *p = piece_of(streams, name);
	size_t all_len = len, used;
	char *all = bytes, *rest;
	bool good;

	if (p != NULL) {
		all = joined(p, bytes, len);
		all_len = p->len + len;
		piece_free(p);
		if (all == NULL)
			return false;
	}
	used = messages(all, all_len, each, ctx, &good);
	rest = good && used < all_len && all_len - used <= MESSAGE_MAX ? malloc(all_len - used) : NULL;
	if (rest != NULL) {
		memcpy(rest, all + used, all_len - used);
		keep(streams, name, rest, all_len - used);
	}
	if (all != bytes) {
		secret_wipe(all, all_len);
		free(all);
	}
	return good && (used == all_len || rest != NULL);
}
