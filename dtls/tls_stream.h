// SPDX-License-Identifier: GPL-3.0-or-later
// tls_stream.h - TLS 1.2 and 1.3 on a byte stream, either side of it, for the management door and its command line. No I/O of its own:
// octets come and go by callbacks, and whoever has none says -EAGAIN.
#pragma once
#include "dtls/dtls_facts.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tls_setup; // certificate, key, authorities: immutable, shared by one thread's streams; counted references
struct tls_stream;

struct tls_files { // PEM; NULL: none
	const char *certificate, *key; // both, or neither (a client's)
	// Of a server: whose certificates a client must show, or none is asked for. Of a client: who vouches for the server; NULL: the
	// host's own authorities.
	const char *authorities;
};

// -EINVAL: not a matching pair, or no authority in the file; -errno of a file that cannot be read.
int tls_setup_server(struct tls_setup **setupp, const struct tls_files *files);
int tls_setup_client(struct tls_setup **setupp, const struct tls_files *files);
struct tls_setup *tls_setup_ref(struct tls_setup *setup);
void tls_setup_unref(struct tls_setup *setup); // NULL is fine
const struct dtls_certificate_facts *tls_setup_facts(const struct tls_setup *setup); // of its own; zeros where it has none

struct tls_io { // octets moved; 0: the end; -EAGAIN; another negative errno: broken
	ssize_t (*receive)(void *ctx, void *octets, size_t room);
	ssize_t (*send)(void *ctx, const void *octets, size_t len);
	void *ctx;
};

// server: of a client, the name or address that the server's certificate must be for; NULL of a server.
int tls_stream_open(struct tls_stream **streamp, struct tls_setup *setup, const struct tls_io *io, const char *server);
void tls_stream_close(struct tls_stream *stream); // NULL is fine

// -EAGAIN: call again when octets have come, or, if tls_stream_wants_write(), when they can go. -EPROTO: it is over, and
// tls_stream_failure() says why.
int tls_stream_handshake(struct tls_stream *stream);
ssize_t tls_stream_read(struct tls_stream *stream, void *octets, size_t room); // 0: the end
// After -EAGAIN the same octets must be offered again, as many.
ssize_t tls_stream_write(struct tls_stream *stream, const void *octets, size_t len);
bool tls_stream_wants_write(const struct tls_stream *stream);
void tls_stream_end(struct tls_stream *stream); // says that nothing follows; does not wait

const char *tls_stream_failure(const struct tls_stream *stream); // for the log
const char *tls_stream_version(const struct tls_stream *stream); // "TLSv1.3"
// Whether the peer's certificate, which an authority of ours vouches for, has this common name or alternative name.
bool tls_stream_peer_is(const struct tls_stream *stream, const char *name);
