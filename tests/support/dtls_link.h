// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_link.h - two DTLS endpoints and the wire between them, under a fake clock: for tests, scenarios and fuzzers.
#pragma once
#include "dtls/dtls_endpoint.h"
#include "dtls/dtls_identity.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLIENT, SERVER }; // ends; the client is the active one

#define LINK_QUEUE 256
#define LINK_DATAGRAM 2048

struct link_datagram {
	size_t len;
	uint8_t bytes[LINK_DATAGRAM];
};

struct link_queue { // on its way to one end
	size_t n;
	struct link_datagram d[LINK_QUEUE];
};

struct dtls_link {
	mono_ns now;
	struct env env; // clock: now; random: a fixed sequence
	uint64_t seed;
	struct dtls_identity *identity[2];
	struct dtls_endpoint_config config[2]; // fill before link_open()
	struct dtls_endpoint *end[2];
	struct dtls_out out[2];    // what an end sends through
	struct link_queue to[2];   // toward an end
	size_t sent[2], bytes[2], longest[2]; // by that end
	struct link_port { struct dtls_link *link; int from; } port[2];
};

struct dtls_link *link_new(enum dtls_version min, enum dtls_version max); // own identities, no fingerprints
void link_open(struct dtls_link *l);                                     // makes the endpoints of config
void link_free(struct dtls_link *l);

void link_expect(const struct dtls_link *l, int of, struct dtls_fingerprints *list, enum dtls_hash hash); // right ones of that end
struct dtls_link *link_expecting(enum dtls_version version); // open, of that version, each expects the other's certificate
int link_deliver(struct dtls_link *l, int to);  // everything queued; last error
void link_pass(struct dtls_link *l);            // to and fro until nothing is queued
void link_tick(struct dtls_link *l);            // what is due now, both ends
mono_ns link_deadline(const struct dtls_link *l);
bool link_wait(struct dtls_link *l, mono_ns span); // time passes; ticks when due; false if nothing was due
void link_run(struct dtls_link *l);             // start, then pass and wait until both ends leave HANDSHAKING
void link_discard(struct dtls_link *l, int to);
