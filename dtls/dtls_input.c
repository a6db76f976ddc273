// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_input.c - a datagram's way into an endpoint: what the library may see of it, and when.
#include "dtls/dtls_endpoint_priv.h"
#include "dtls/dtls_record.h"
#include "dtls/dtls_time.h"
#include <errno.h>
#include <string.h>

static bool handshake_is_through(const struct dtls_endpoint *ep)
{
	return ep->status == DTLS_PARKED || ep->status == DTLS_SECURED;
}

static void feed(struct dtls_endpoint *ep, const uint8_t *bytes, size_t len)
{
	ep->in = bytes;
	ep->in_len = len;
	if (ep->status == DTLS_HANDSHAKING)
		dtls_tls_handshake(ep);
	if (handshake_is_through(ep)) // also what stood behind the last message of the handshake
		dtls_tls_read(ep);
	ep->in = NULL;
}

// Is there a ClientHello, and may the library have it? Once it works on one, only the very same may come again:
// another's would end the handshake that runs.
static bool hello_may_pass(struct dtls_endpoint *ep, const uint8_t *body, size_t len)
{
	uint16_t profile = 0;
	struct dtls_hello hello;

	if (dtls_hello_parse(&hello, body, len) < 0) {
		ep->info.drops[DTLS_DROP_HELLO_MALFORMED]++;
		return false;
	}
	if (dtls_tls_hello_taken(ep) && ep->hello_taken) {
		if (memcmp(ep->hello_head, body, sizeof(ep->hello_head)) == 0)
			return true;
		ep->info.drops[DTLS_DROP_FORGED]++;
		return false;
	}
	// Nothing is decided by a hello whose sender may be anyone. The library answers it with a cookie, and forgets
	// it.
	if (!ep->address_proven && !hello.has_cookie)
		return true;
	profile = dtls_profile_choose(ep->profiles, hello.profiles, hello.n_profiles);
	if (hello.n_ciphers == 0)
		dtls_endpoint_fail(ep, DTLS_FAILURE_NO_CIPHER);
	else if (profile == 0)
		dtls_endpoint_fail(ep, hello.has_srtp ? DTLS_FAILURE_NO_PROFILE : DTLS_FAILURE_NO_SRTP);
	else if (dtls_tls_choose_profile(ep, profile) < 0)
		dtls_endpoint_fail(ep, DTLS_FAILURE_INTERNAL);
	memcpy(ep->hello_head, body, sizeof(ep->hello_head));
	ep->hello_taken = true;
	return ep->status == DTLS_HANDSHAKING;
}

// The messages that a peer sends in plain text in a handshake without resumption or renegotiation (RFC 5246
// section 7.4, RFC 6347 section 4.3.2). A HelloRequest, say, is nobody's but a forger's.
static bool handshake_may_pass(struct dtls_endpoint *ep, const struct dtls_record *r)
{
	static const uint32_t expected[] = {
		[DTLS_ACTIVE] = 1u << 2 | 1u << 3 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14,
		[DTLS_PASSIVE] = 1u << DTLS_CLIENT_HELLO | 1u << 11 | 1u << 15 | 1u << 16,
	};
	static const uint8_t last[] = { [DTLS_ACTIVE] = 14, [DTLS_PASSIVE] = 15 }; // ServerHelloDone, CertificateVerify
	struct dtls_fragment f;
	size_t at = 0;
	int n;

	for (; at < r->len; at += (size_t)n) {
		n = dtls_fragment_read(&f, r->body + at, r->len - at);
		if (n < 0 || f.type >= 32 || (expected[ep->role] >> f.type & 1) == 0)
			return false;
		ep->cipher_change_due |= f.type == last[ep->role];
	}
	return at > 0;
}

// May the library see this record? After the handshake nothing plain may: it can be anyone's. Before, only what the
// peer must say in the clear. Alerts are noted; a plain acknowledgement (RFC 9147 section 7) would only spare a
// retransmission.
static bool record_may_pass(struct dtls_endpoint *ep, const struct dtls_record *r)
{
	if (r->type != 0 && !dtls_record_is_dtls(r)) { // fatal to the library
		ep->info.drops[DTLS_DROP_FORGED]++;
		return false;
	}
	if (r->type == 0 || r->epoch > 0)
		return true;
	if (r->type == DTLS_ALERT && ep->status == DTLS_HANDSHAKING) {
		if (r->len == 2)
			ep->info.plain_alert = r->body[1];
		ep->info.drops[DTLS_DROP_PLAIN_ALERT]++;
		return false;
	}
	if (ep->status == DTLS_HANDSHAKING && r->type == DTLS_HANDSHAKE && handshake_may_pass(ep, r))
		return true;
	// A ChangeCipherSpec ahead of its time would move the library to an epoch without keys. One that was only
	// overtaken on its way comes again with its flight.
	if (ep->status == DTLS_HANDSHAKING && r->type == DTLS_CHANGE_CIPHER_SPEC && ep->cipher_change_due)
		return true;
	ep->info.drops[DTLS_DROP_FORGED]++;
	return false;
}

// The peer repeats its last flight, so ours was lost. The library answers by itself in DTLS 1.3; in 1.2 it waits for a
// plain Certificate, which we never let through. Bounded all the same.
static void answer_again(struct dtls_endpoint *ep)
{
	mono_ns now = env_now(ep->env);

	if (ep->answers_left == 0 || now < ep->answered_at + ep->first_interval / 2)
		return;
	ep->answers_left--;
	ep->answered_at = now;
	ep->info.retransmissions++;
	dtls_tls_retransmit(ep);
}

// Feeds what may pass, in runs of neighbours, so that an untouched datagram stays one.
static void feed_records(struct dtls_endpoint *ep, const uint8_t *p, size_t len)
{
	bool was_through = handshake_is_through(ep), last_flight = false;
	uint32_t refused = dtls_tls_refused(ep);
	const uint8_t *run = p;
	struct dtls_record r;
	int n;

	while ((n = dtls_record_read(&r, p, len)) > 0) {
		if (!record_may_pass(ep, &r)) {
			if (p > run)
				feed(ep, run, (size_t)(p - run));
			run = p + n;
		} else if (r.type == DTLS_HANDSHAKE && r.epoch > 0) {
			last_flight = true;
		}
		p += n;
		len -= (size_t)n;
	}
	if (p > run)
		feed(ep, run, (size_t)(p - run));
	if (was_through && last_flight && dtls_tls_refused(ep) == refused && ep->role == DTLS_PASSIVE &&
	    handshake_is_through(ep))
		answer_again(ep);
}

static int input_result(const struct dtls_endpoint *ep)
{
	if (ep->status != DTLS_FAILED)
		return 0;
	switch (dtls_failure_fault(ep->failure)) {
	case DTLS_FAULT_POLICY:
		return -EPERM;
	case DTLS_FAULT_OURS:
		return -ENOMEM;
	default:
		return -EPROTO;
	}
}

static void arm_timers(struct dtls_endpoint *ep, mono_ns now)
{
	if (ep->sent > 0) // a flight of ours is on its way
		ep->retransmit_at = now + ep->interval;
	if (dtls_tls_wants_ack(ep))
		ep->ack_at = ep->ack_at < now + ep->interval / 4 ? ep->ack_at : now + ep->interval / 4;
}

static void input_passive(struct dtls_endpoint *ep, const uint8_t *datagram, size_t len)
{
	struct dtls_hello_result result;

	dtls_hello_filter(&ep->merge, datagram, len, &result);
	ep->info.drops[DTLS_DROP_HELLO_MALFORMED] += result.dropped;
	if (result.pass == NULL)
		return;
	if (result.hello == NULL)
		feed_records(ep, result.pass, result.pass_len);
	else if (hello_may_pass(ep, result.hello, result.hello_len))
		feed(ep, result.pass, result.pass_len);
	if (handshake_is_through(ep))
		dtls_hello_merge_clear(&ep->merge);
}

int dtls_endpoint_input(struct dtls_endpoint *ep, const void *datagram, size_t len, const struct dtls_out *out)
{
	mono_ns now = env_now(ep->env);

	if (ep->status == DTLS_FAILED || ep->status == DTLS_CLOSED || len == 0) {
		ep->info.drops[DTLS_DROP_FINISHED]++;
		return 0;
	}
	dtls_time_set(now);
	ep->info.datagrams_in++;
	if (ep->give_up_at == MONO_NEVER)
		ep->give_up_at = now + ep->handshake_limit;
	ep->out = out;
	ep->sent = 0;
	if (ep->role == DTLS_PASSIVE && ep->status == DTLS_HANDSHAKING)
		input_passive(ep, datagram, len);
	else
		feed_records(ep, datagram, len);
	if (ep->status == DTLS_HANDSHAKING)
		arm_timers(ep, now);
	ep->out = NULL;
	return input_result(ep);
}
