// SPDX-License-Identifier: GPL-3.0-or-later
// leg_dtls.c - the DTLS handshakes on one leg transport.
#include "mediarelay/leg_dtls.h"
#include "base/log.h"
#include "base/secret.h"
#include "mediarelay/leg_candidate.h"
#include "mediarelay/leg_keys.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/leg_transport.h"
#include "mediarelay/media_count.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FAILURE_TOLD_EVERY MONO_S(1)
#define OUTBOX_MAX 8 // a flight; what is beyond goes at once
#define OUTBOX_DATAGRAM 1500

static struct media *media_of(const struct leg_transport *tp)
{
	return tp->line->session->media;
}

// Our one offer may have gone to several peers, whose answers come one after the other. Who shakes hands before its answer is
// here waits for its fingerprint, on whichever line of the port it came to.
static bool others_wait(const struct leg_transport *tp)
{
	return tp->line->plan.provisional;
}

// What comes of a handshake

static void master_of(struct srtp_master *master, const struct dtls_srtp_keys *keys)
{
	memset(master, 0, sizeof(*master));
	master->suite = srtp_suite_by_dtls_profile(keys->profile);
	memcpy(master->key, keys->key, keys->key_len);
	memcpy(master->salt, keys->salt, keys->salt_len);
}

static void line_describe(struct leg_line *line, const struct dtls_candidate *c)
{
	struct dtls_endpoint_info info;
	struct dtls_fingerprint fp;

	dtls_endpoint_info(c->endpoint, &info);
	snprintf(line->dtls_version, sizeof(line->dtls_version), "%s", info.version ? info.version : "");
	snprintf(line->dtls_cipher, sizeof(line->dtls_cipher), "%s", info.cipher ? info.cipher : "");
	snprintf(line->dtls_group, sizeof(line->dtls_group), "%s", info.group ? info.group : "");
	line->dtls_role = c->role == DTLS_ACTIVE ? "active" : "passive";
	if (dtls_endpoint_peer_fingerprint(c->endpoint, &fp) == 0)
		dtls_fingerprint_print(line->peer_fingerprint, &fp);
}

static void candidates_drop_others(struct leg_transport *tp, const struct dtls_candidate *keep)
{
	for (size_t i = 0; i < LEG_DTLS_CANDIDATES; i++) {
		if (&tp->candidates[i] != keep)
			leg_candidate_free(&tp->candidates[i]);
	}
}

// A peer whose association ends may forget it. On the pair of addresses that the next one has, it could not tell
// whose close_notify this is.
static void association_end(struct dtls_candidate *old, const struct dtls_candidate *next)
{
	struct dtls_out out;

	if (old == NULL || old == next)
		return;
	out = leg_candidate_out(old);
	if (next == NULL || !inet_endpoint_equal(&old->peer, &next->peer))
		dtls_endpoint_close_notify(old->endpoint, &out);
}

// Who sends the last flight cannot know that it has arrived: the server of DTLS 1.2, the client of 1.3.
static enum leg_peer_has peer_has_keys(const struct dtls_candidate *c)
{
	struct dtls_endpoint_info info;
	bool newer;

	dtls_endpoint_info(c->endpoint, &info);
	newer = info.version != NULL && strcmp(info.version, "1.3") == 0;
	return newer == (c->role == DTLS_ACTIVE) ? LEG_PEER_SOON : LEG_PEER_HAS_IT;
}

// The certificate was signalled: its keys are the leg's, and the address that the handshake proved is its path.
static void candidate_choose(struct dtls_candidate *c)
{
	struct leg_transport *tp = c->transport;
	struct dtls_srtp_keys rx, tx;
	struct leg_keyset keys = { .rx_lifetime = 0 };

	if (dtls_endpoint_take_keys(c->endpoint, &rx, &tx) < 0)
		return;
	master_of(&keys.rx, &rx);
	master_of(&keys.tx, &tx);
	dtls_srtp_keys_wipe(&rx);
	dtls_srtp_keys_wipe(&tx);
	struct dtls_candidate *before = tp->chosen;

	association_end(before, c);
	tp->chosen = c;
	c->parked_since = 0;
	if (!others_wait(tp))
		candidates_drop_others(tp, c);
	else if (before != NULL)
		leg_candidate_free(before);
	line_describe(tp->line, c);
	if (leg_keys_install(tp, &keys, peer_has_keys(c), &c->peer) == 0)
		leg_line_keyed(tp->line, tp->component);
	secret_wipe(&keys, sizeof(keys));
}

static void candidate_mismatch(struct dtls_candidate *c)
{
	struct leg_line *line = c->transport->line;
	struct dtls_fingerprint fp;

	counter_add(&media_count_realm(line)->handshake_failures[DTLS_FAILURE_FINGERPRINT], 1);
	c->transport->mismatches++;
	if (dtls_endpoint_peer_fingerprint(c->endpoint, &fp) == 0)
		dtls_fingerprint_print(line->peer_fingerprint, &fp); // what was seen; overwritten by the right one
	leg_candidate_free(c);
}

// RTCP's own association was never begun by a peer whose media is secured: it goes without RTCP, as it may (leg_line_secured()).
// That is no failed handshake, of which somebody should hear.
static bool is_unanswered(const struct dtls_candidate *c)
{
	const struct leg_transport *tp = c->transport;
	struct dtls_endpoint_info info;

	dtls_endpoint_info(c->endpoint, &info);
	return tp->component == LEG_RTCP && tp->epoch == 0 && dtls_endpoint_failure(c->endpoint) == DTLS_FAILURE_TIMEOUT &&
	       info.datagrams_in == 0 && leg_line_secured(tp->line);
}

static void candidate_unanswered(struct dtls_candidate *c)
{
	struct leg_transport *tp = c->transport;
	struct log_field f[7];

	counter_add(&media_count_realm(tp->line)->rtcp_unanswered, 1);
	leg_line_log_fields(tp->line, f);
	f[6] = (struct log_field){ .key = NULL };
	log_emit(LOG_LEVEL_DEBUG, "media", "no handshake for RTCP", f);
	leg_candidate_free(c);
}

static void candidate_failed(struct dtls_candidate *c)
{
	struct leg_transport *tp = c->transport;
	struct leg_line *line = tp->line;
	enum dtls_failure failure = dtls_endpoint_failure(c->endpoint);
	mono_ns now = env_now(media_of(tp)->env);
	char peer[INET_ENDPOINT_STRLEN];

	if (failure == DTLS_FAILURE_FINGERPRINT) {
		candidate_mismatch(c);
		return;
	}
	if (is_unanswered(c)) {
		candidate_unanswered(c);
		return;
	}
	tp->drops[LEG_DROP_FAILED]++;
	counter_add(&media_count_realm(line)->handshake_failures[failure], 1);
	if (tp->failure_told == 0 || now >= tp->failure_told + FAILURE_TOLD_EVERY) { // strangers can make many
		log_info("media", "handshake failed", LOG_STR("call_id_a", line->session->call_id_a),
			 LOG_STR("call_id_b", line->session->call_id_b), LOG_UINT("session", line->session->id),
			 LOG_UINT("line", line->index), LOG_STR("peer", inet_endpoint_print(peer, &c->peer)),
			 LOG_STR("cause", dtls_failure_text(failure)), LOG_UINT("untold", tp->failures_untold));
		tp->failure_told = now;
		tp->failures_untold = 0;
	} else {
		tp->failures_untold++;
	}
	leg_candidate_free(c); // another may still come: the keying timeout decides
}

// It was begun before its fingerprint was known. -EACCES: it is somebody else's.
static int candidate_claim(struct dtls_candidate *c, const struct leg_transport *tp)
{
	const struct media_line *plan = &tp->line->plan;

	if (!plan->agreed || plan->changing || plan->keying.mechanism != KEYING_DTLS_SRTP ||
	    tp->keying == KEYING_STATE_SECURED || c->role != plan->keying.dtls_role)
		return -EAGAIN;
	return dtls_endpoint_claim(c->endpoint, &plan->keying.fingerprints);
}

// The next line's of this port, after that one's or the first; NULL: no more.
static struct leg_transport *transport_beside(const struct leg_transport *tp, const struct leg_transport *after)
{
	struct leg_line *line = after != NULL ? after->line : NULL;

	do {
		line = leg_line_beside(tp->line, line);
	} while (line != NULL && !transport_live(&line->transports[tp->component]));
	return line != NULL ? &line->transports[tp->component] : NULL;
}

// Its certificate is known now: whose is it?
static struct dtls_candidate *candidate_home(struct dtls_candidate *c)
{
	struct leg_transport *tp = c->transport, *other = NULL;

	if (candidate_claim(c, tp) == 0)
		return c;
	while ((other = transport_beside(tp, other)) != NULL) {
		if (candidate_claim(c, other) == 0)
			return leg_candidate_move(c, other);
	}
	return NULL;
}

static bool is_nobodys(const struct dtls_candidate *c)
{
	const struct leg_transport *tp = c->transport;

	return !others_wait(tp) && tp->line->plan.agreed && !tp->line->plan.changing && tp->keying != KEYING_STATE_SECURED &&
	       tp->line->plan.keying.mechanism == KEYING_DTLS_SRTP && c->role == tp->line->plan.keying.dtls_role;
}

// From its first datagram to the keys, whoever's they are.
static void candidate_timed(struct dtls_candidate *c)
{
	struct media_stats_realm *realm = media_count_realm(c->transport->line);

	if (c->began != 0)
		histogram_add(&realm->handshake_ms[c->role == DTLS_ACTIVE], &media_stats_handshake_scale,
			      (env_now(media_of(c->transport)->env) - c->began) / MONO_MS(1));
	c->began = 0;
}

void leg_dtls_step(struct dtls_candidate *c)
{
	if (dtls_endpoint_status(c->endpoint) == DTLS_SECURED || dtls_endpoint_status(c->endpoint) == DTLS_PARKED)
		candidate_timed(c);
	if (dtls_endpoint_status(c->endpoint) == DTLS_PARKED && c->parked_since == 0) {
		struct dtls_candidate *home = candidate_home(c);

		if (home == NULL && is_nobodys(c)) {
			candidate_mismatch(c);
			return;
		}
		c = home != NULL ? home : c;
	}
	switch (dtls_endpoint_status(c->endpoint)) {
	case DTLS_SECURED:
		if (c->transport->chosen != c)
			candidate_choose(c);
		break;
	case DTLS_PARKED:
		if (c->parked_since == 0) {
			c->parked_since = env_now(media_of(c->transport)->env);
			keying_step(&c->transport->keying, KEYING_EVENT_PARK);
		}
		break;
	case DTLS_FAILED:
		candidate_failed(c);
		break;
	case DTLS_CLOSED: // says nothing about the call; SIP does
	case DTLS_HANDSHAKING:
		break;
	}
	if (c->endpoint != NULL)
		leg_candidate_arm(c);
}

// What an input answers waits until what it led to is done: a peer may send under new keys as soon as it has our last flight,
// and by then the relay must have them.
struct outbox {
	struct leg_transport *tp;
	struct inet_endpoint peer;
	size_t n;
	struct {
		size_t len;
		uint8_t bytes[OUTBOX_DATAGRAM];
	} kept[OUTBOX_MAX];
};

static void outbox_send(void *ctx, const uint8_t *datagram, size_t len)
{
	struct outbox *box = ctx;

	if (box->n == OUTBOX_MAX || len > OUTBOX_DATAGRAM) {
		dp_transport_send(media_of(box->tp)->dp, box->tp->ref, &box->peer, datagram, len);
		return;
	}
	box->kept[box->n].len = len;
	memcpy(box->kept[box->n++].bytes, datagram, len);
}

// First keys need not wait any longer than for our last flight to leave: there are none before them.
static void first_keys(struct leg_transport *tp)
{
	if (tp->tx_epoch == 0)
		leg_keys_confirm(tp);
}

static void candidate_input(struct dtls_candidate *c, const void *datagram, size_t len)
{
	struct outbox box = { .tp = c->transport, .peer = c->peer, .n = 0 };
	struct dtls_out out = { .send = outbox_send, .ctx = &box };
	struct leg_transport *other = NULL;

	dtls_endpoint_input(c->endpoint, datagram, len, &out);
	leg_dtls_step(c);
	for (size_t i = 0; i < box.n; i++)
		dp_transport_send(media_of(box.tp)->dp, box.tp->ref, &box.peer, box.kept[i].bytes, box.kept[i].len);
	first_keys(box.tp);
	while ((other = transport_beside(box.tp, other)) != NULL)
		first_keys(other);
}

// RFC 6347 section 4.1.1.1: what Linux knows of the way is the limit of the flight that this datagram asks for.
static void candidate_fit(struct dtls_candidate *c, const struct dp_punt *punt, uint16_t mtu)
{
	size_t headers = punt->source.addr.family == INET_V4 ? 28 : 48;

	if (mtu > headers)
		dtls_endpoint_mtu(c->endpoint, mtu - headers);
}

// Entry points

struct listener_reply {
	struct leg_transport *tp;
	const struct dp_punt *punt;
};

static void listener_send(void *ctx, const uint8_t *datagram, size_t len)
{
	const struct listener_reply *reply = ctx;

	dp_transport_answer(media_of(reply->tp)->dp, reply->punt, datagram, len);
}

static bool may_be_passive(const struct leg_transport *tp)
{
	const struct media_line *plan = &tp->line->plan;

	if (tp->line->failed)
		return false;
	if (!plan->agreed || plan->changing || others_wait(tp))
		return true;
	return plan->keying.mechanism == KEYING_DTLS_SRTP && plan->keying.dtls_role == DTLS_PASSIVE &&
	       tp->keying != KEYING_STATE_SECURED;
}

// Where a peer's handshake is: it may have begun before another answerer's line was there, or its own.
static struct dtls_candidate *candidate_of_port(struct leg_transport *tp, const struct inet_endpoint *peer)
{
	struct dtls_candidate *c = leg_candidate_of(tp, peer);
	struct leg_transport *other = NULL;

	while (c == NULL && (other = transport_beside(tp, other)) != NULL)
		c = leg_candidate_of(other, peer);
	return c;
}

// A cookie is good for one session's port, whichever of its transports the next hello comes to.
static uint64_t port_name(const struct leg_transport *tp)
{
	return (uint64_t)tp->line->session->id << 32 | (uint64_t)tp->line->plan.seat.realm << 16 | tp->local.port;
}

void leg_dtls_input(struct leg_transport *tp, const struct dp_punt *punt)
{
	struct dtls_candidate *c = candidate_of_port(tp, &punt->source);
	struct listener_reply reply = { .tp = tp, .punt = punt };
	struct dtls_out out = { .send = listener_send, .ctx = &reply };
	uint64_t port = port_name(tp);
	struct dtls_proof proof;
	bool begins = c != NULL && c == tp->chosen && may_be_passive(tp) &&
		      dtls_is_hello(punt->payload, punt->len); // a new association of the same addresses

	if (c != NULL && !begins) {
		candidate_fit(c, punt, punt->mtu);
		candidate_input(c, punt->payload, punt->len);
		return;
	}
	if (!may_be_passive(tp)) {
		tp->drops[LEG_DROP_STALE]++;
		return;
	}
	if (dtls_listener_input(media_of(tp)->listener, port, &punt->source, sizeof(punt->source), punt->payload,
				punt->len, &out, &proof) != 1) {
		leg_drops_listener(tp, proof.drop);
		return;
	}
	c = leg_candidate_open(tp, &punt->source, DTLS_PASSIVE, proof.cookie_generation);
	if (c != NULL) { // its first answer asked for no next hop: what Linux knows of the way must be asked now
		candidate_fit(c, punt, punt->mtu != 0 ? punt->mtu :
				       dp_transport_way_mtu(media_of(tp)->dp, tp->ref, &punt->source));
		candidate_input(c, proof.datagram, proof.len);
	}
}

// Handshakes that came to the other lines of this port, and are this one's as it turns out.
static void candidates_fetch(struct leg_transport *tp)
{
	struct leg_transport *other = NULL;

	while ((other = transport_beside(tp, other)) != NULL) {
		for (size_t i = 0; i < LEG_DTLS_CANDIDATES; i++) {
			struct dtls_candidate *c = &other->candidates[i];

			if (c->endpoint == NULL || c == other->chosen || dtls_endpoint_status(c->endpoint) != DTLS_PARKED ||
			    candidate_claim(c, tp) != 0)
				continue;
			c = leg_candidate_move(c, tp);
			if (c != NULL)
				leg_dtls_step(c);
		}
	}
}

static void candidates_claim(struct leg_transport *tp)
{
	const struct dtls_fingerprints *expected = &tp->line->plan.keying.fingerprints;
	mono_ns now = env_now(media_of(tp)->env);

	for (size_t i = 0; i < LEG_DTLS_CANDIDATES; i++) {
		struct dtls_candidate *c = &tp->candidates[i];
		int err;

		if (c->endpoint == NULL || c == tp->chosen)
			continue;
		if (leg_candidate_overdue(c, now)) { // its timer is some milliseconds late
			leg_candidate_free(c);
			continue;
		}
		if (others_wait(tp) && dtls_endpoint_status(c->endpoint) == DTLS_HANDSHAKING)
			continue; // its certificate will say whose it is
		err = dtls_endpoint_claim(c->endpoint, expected);
		if (err == -EACCES && others_wait(tp))
			continue;
		if (err == -EACCES)
			candidate_mismatch(c);
		else if (err == -EALREADY) // it was begun for other fingerprints, which no longer count
			leg_candidate_free(c);
		else
			leg_dtls_step(c); // may choose, which drops the others
	}
	if (tp->keying == KEYING_STATE_PARKED)
		keying_step(&tp->keying, KEYING_EVENT_UNPARK);
	first_keys(tp);
}

// What runs in the other role was begun for an agreement that another has followed.
static void candidates_of_role(struct leg_transport *tp, enum dtls_role role)
{
	for (size_t i = 0; i < LEG_DTLS_CANDIDATES; i++) {
		struct dtls_candidate *c = &tp->candidates[i];

		if (c->endpoint != NULL && c != tp->chosen && c->role != role)
			leg_candidate_free(c);
	}
}

static int hello_to(struct leg_transport *tp, const struct inet_endpoint *peer)
{
	struct dtls_candidate *c = leg_candidate_open(tp, peer, DTLS_ACTIVE, 0);
	struct dtls_out out;

	if (c == NULL)
		return -ENOMEM;
	out = leg_candidate_out(c);
	if (dtls_endpoint_start(c->endpoint, &out) < 0) {
		leg_candidate_free(c);
		return -EIO;
	}
	leg_candidate_arm(c);
	return 0;
}

// A passive peer behind a NAT sends nothing of its own by which it could be found, and its SDP may say a private address.
// If its NAT lets the same port through, it is where its SIP comes from; whoever is there must have the right certificate.
static bool nat_endpoint(const struct leg_transport *tp, struct inet_endpoint *peer)
{
	const struct inet_addr *sip = &tp->line->plan.sip_source;

	*peer = (struct inet_endpoint){ .addr = *sip, .port = tp->signalled.port };
	return leg_line_profile(tp->line)->learn != MEDIA_LEARN_NEVER && sip->family == tp->signalled.addr.family &&
	       !inet_addr_equal(sip, &tp->signalled.addr);
}

int leg_dtls_agree(struct leg_transport *tp)
{
	const struct keying_choice *choice = &tp->line->plan.keying;
	struct inet_endpoint nat;
	int err;

	keying_step(&tp->keying, KEYING_EVENT_AGREE);
	if (choice->dtls_role == DTLS_PASSIVE) {
		candidates_of_role(tp, DTLS_PASSIVE);
		candidates_fetch(tp);
		candidates_claim(tp);
		return 0;
	}
	if (!others_wait(tp))
		candidates_drop_others(tp, tp->chosen); // the peer is passive: no hello of its own counts
	if (inet_addr_is_any(&tp->signalled.addr))
		return -EDESTADDRREQ;
	err = hello_to(tp, &tp->signalled);
	if (err == 0 && nat_endpoint(tp, &nat))
		hello_to(tp, &nat);
	return err;
}

void leg_dtls_final(struct leg_transport *tp)
{
	if (tp->keying == KEYING_STATE_SECURED || tp->line->plan.keying.mechanism != KEYING_DTLS_SRTP)
		leg_dtls_settle(tp);
	else if (tp->line->plan.keying.dtls_role == DTLS_PASSIVE)
		candidates_claim(tp);
	else // our own hello to him goes on; those that came to us are nobody's
		candidates_of_role(tp, DTLS_ACTIVE);
}

void leg_dtls_settle(struct leg_transport *tp)
{
	candidates_drop_others(tp, tp->chosen);
}

void leg_dtls_bequeath(struct leg_transport *tp, struct leg_transport *heir)
{
	for (size_t i = 0; i < LEG_DTLS_CANDIDATES; i++) {
		struct dtls_candidate *c = &tp->candidates[i];

		if (c->endpoint == NULL || c == tp->chosen || c->role != DTLS_PASSIVE)
			continue;
		if (others_wait(heir) || (heir->keying != KEYING_STATE_SECURED && dtls_endpoint_status(c->endpoint) == DTLS_HANDSHAKING))
			leg_candidate_move(c, heir);
	}
}

void leg_dtls_close(struct leg_transport *tp)
{
	association_end(tp->chosen, NULL);
	candidates_drop_others(tp, NULL);
}

void leg_dtls_seen(const struct leg_transport *tp, char *dst, size_t size)
{
	size_t at = 0;

	snprintf(dst, size, "%s", tp->mismatches > 0 ? tp->line->peer_fingerprint : "");
	at = strlen(dst);
	for (size_t i = 0; i < LEG_DTLS_CANDIDATES && at < size; i++) {
		char text[DTLS_FINGERPRINT_STRLEN];
		struct dtls_fingerprint fp;

		if (tp->candidates[i].endpoint == NULL ||
		    dtls_endpoint_peer_fingerprint(tp->candidates[i].endpoint, &fp) < 0)
			continue;
		snprintf(dst + at, size - at, "%s%s", at > 0 ? ", " : "", dtls_fingerprint_print(text, &fp));
		at = strlen(dst);
	}
	if (at == 0)
		snprintf(dst, size, "none");
}
