// SPDX-License-Identifier: GPL-3.0-or-later
// calls_dtls.c - DTLS-SRTP of the callers of bench_calls, as the passive side.
#include "tests/bench/calls_dtls.h"
#include "dtls/dtls_endpoint.h"
#include "dtls/dtls_identity.h"
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT 10000 // of all callers
#define SLOTS (1u << 17)
#define PLACES (1u << 24) // the last octet of an address of the gateway's, and a port

static struct dtls_identity *identity;
static struct dtls_endpoint **endpoints;
static uint32_t *slot_at, *place_of; // slot_at: 0: nobody's
static char fingerprint[256];
static uint64_t secured, failed;
static unsigned waiting;

static uint32_t place(const struct sockaddr_in *address)
{
	return (ntohl(address->sin_addr.s_addr) & 255) << 16 | ntohs(address->sin_port);
}

static void send_datagram(void *ctx, const uint8_t *datagram, size_t len)
{
	wire_send(ctx, datagram, len);
}

static void endpoint_end(uint32_t slot)
{
	waiting -= endpoints[slot] != NULL;
	dtls_endpoint_close(endpoints[slot]);
	endpoints[slot] = NULL;
}

static void on_datagram(const struct wire_peer *from, const char *bytes, size_t len)
{
	uint32_t slot = slot_at[place(&from->address)];
	struct dtls_out out = { send_datagram, (void *)(uintptr_t)from };

	if (slot-- == 0 || endpoints[slot] == NULL)
		return;
	dtls_endpoint_input(endpoints[slot], bytes, len, &out);
	if (dtls_endpoint_status(endpoints[slot]) == DTLS_HANDSHAKING)
		return;
	secured += dtls_endpoint_status(endpoints[slot]) == DTLS_SECURED;
	failed += dtls_endpoint_status(endpoints[slot]) != DTLS_SECURED;
	endpoint_end(slot);
}

void calls_dtls_open(const char *own)
{
	struct sockaddr_in address = wire_address(own, PORT);
	char text[DTLS_FINGERPRINT_STRLEN];

	endpoints = calloc(SLOTS, sizeof(endpoints[0]));
	slot_at = calloc(PLACES, sizeof(slot_at[0]));
	place_of = calloc(SLOTS, sizeof(place_of[0]));
	if (endpoints == NULL || slot_at == NULL || place_of == NULL || dtls_identity_make(&identity, 30) < 0)
		errx(1, "no DTLS");
	dtls_fingerprint_print(text, dtls_identity_fingerprint(identity, DTLS_HASH_SHA256));
	snprintf(fingerprint, sizeof(fingerprint), "a=fingerprint:%s\r\n", text);
	wire_udp(&address, on_datagram);
}

void calls_dtls_offer(char *dst, size_t size, const char *own)
{
	snprintf(dst, size,
		 "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %u UDP/TLS/RTP/SAVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
		 "a=rtpmap:101 telephone-event/8000\r\na=setup:actpass\r\n%sa=rtcp-mux\r\na=sendrecv\r\n",
		 own, own, PORT, fingerprint);
}

void calls_dtls_answer(uint32_t slot, struct piece sdp)
{
	struct dtls_fingerprints expected = { .n = 1 };
	struct dtls_endpoint_config config = { .identity = identity, .role = DTLS_PASSIVE, .expected = &expected };
	struct piece host = piece_after(sdp, "c=IN IP4 ", "\r/"), port = piece_after(sdp, "m=audio ", " ");
	struct piece theirs = piece_after(sdp, "a=fingerprint:", "\r");
	char text[INET_ADDRSTRLEN];
	struct sockaddr_in from;

	if (host.at == NULL || port.at == NULL || theirs.at == NULL ||
	    dtls_fingerprint_parse(&expected.list[0], theirs.at, theirs.len) < 0)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)host.len, host.at);
	from = wire_address(text, (unsigned)atoi(port.at));
	if (dtls_endpoint_open(&endpoints[slot], &config) < 0)
		return;
	waiting++;
	place_of[slot] = place(&from);
	slot_at[place_of[slot]] = slot + 1;
}

void calls_dtls_end(uint32_t slot)
{
	if (endpoints == NULL)
		return;
	endpoint_end(slot);
	if (slot_at[place_of[slot]] == slot + 1)
		slot_at[place_of[slot]] = 0;
}

uint64_t calls_dtls_secured(void)
{
	return secured;
}

uint64_t calls_dtls_failed(void)
{
	return failed;
}

unsigned calls_dtls_waiting(void)
{
	return waiting;
}
