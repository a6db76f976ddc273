// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_endpoint.c - an endpoint's life: birth, claim, keys, time, death. What comes in is sorted in dtls_input.c.
#include "dtls/dtls_endpoint_priv.h"
#include "dtls/dtls_identity.h"
#include "dtls/dtls_time.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HELLO_LIMIT 5000 // the library reads its MTU and 4,096 bytes at once; the longest ClientHello seen is 1.5 kB
#define MTU_MIN 256      // below that, one message takes too many fragments
#define ANSWERS_MAX 32   // times that our last flight is sent again because the peer repeats its own

static const uint16_t default_profiles[] = { DTLS_PROFILE_AEAD_AES_256_GCM, DTLS_PROFILE_AEAD_AES_128_GCM,
					     DTLS_PROFILE_AES128_CM_SHA1_80, DTLS_PROFILE_AES128_CM_SHA1_32, 0 };

static int config_check(const struct dtls_endpoint_config *config)
{
	if (config == NULL || config->identity == NULL || config->role > DTLS_PASSIVE)
		return -EINVAL;
	if (config->mtu != 0 && (config->mtu < MTU_MIN || config->mtu > 9000))
		return -EINVAL;
	if (config->cookie != NULL && (config->peer == NULL || config->peer_len == 0 || config->peer_len > 28))
		return -EINVAL;
	if (config->expected != NULL && config->expected->n == 0)
		return -EPERM; // only lines that we refuse: no certificate could ever match
	return 0;
}

int dtls_endpoint_open(struct dtls_endpoint **epp, const struct dtls_endpoint_config *config)
{
	struct dtls_endpoint *ep;
	int err = config_check(config);

	if (err < 0 || epp == NULL)
		return err < 0 ? err : -EINVAL;
	ep = calloc(1, sizeof(*ep));
	if (ep == NULL)
		return -ENOMEM;
	ep->env = config->env != NULL ? config->env : &env_real;
	ep->identity = dtls_identity_ref(config->identity);
	ep->role = config->role;
	ep->mtu = config->mtu != 0 ? config->mtu : 1200;
	ep->send_alerts = config->send_alerts;
	ep->address_proven = config->cookie == NULL;
	memcpy(ep->profiles, config->profiles[0] != 0 ? config->profiles : default_profiles,
	       config->profiles[0] != 0 ? sizeof(ep->profiles) : sizeof(default_profiles));
	ep->profiles[DTLS_PROFILES_MAX] = 0;
	if (config->expected != NULL) {
		ep->expecting = true;
		ep->expected = *config->expected;
	}
	ep->first_interval = MONO_MS(config->retransmit_ms != 0 ? config->retransmit_ms : 200);
	ep->handshake_limit = MONO_MS(config->handshake_ms != 0 ? config->handshake_ms : 10000);
	ep->interval = ep->first_interval;
	ep->retransmit_at = ep->ack_at = ep->give_up_at = MONO_NEVER;
	ep->answers_left = ANSWERS_MAX;
	dtls_time_set(env_now(ep->env));
	ep->merge.limit = HELLO_LIMIT;
	err = dtls_tls_open(ep, config);
	if (err < 0)
		goto out;
	*epp = ep;
	ep = NULL;
out:
	dtls_endpoint_close(ep);
	return err;
}

void dtls_endpoint_close(struct dtls_endpoint *ep)
{
	if (ep == NULL)
		return;
	ep->out = NULL;
	dtls_tls_close(ep);
	dtls_hello_merge_clear(&ep->merge);
	dtls_identity_unref(ep->identity);
	secret_wipe(ep, sizeof(*ep));
	free(ep);
}

// The first reason stays: what follows from it says less.
void dtls_endpoint_fail(struct dtls_endpoint *ep, enum dtls_failure failure)
{
	if (ep->status == DTLS_FAILED)
		return;
	ep->status = DTLS_FAILED;
	ep->failure = failure;
}

int dtls_endpoint_start(struct dtls_endpoint *ep, const struct dtls_out *out)
{
	mono_ns now = env_now(ep->env);

	if (ep->role != DTLS_ACTIVE || ep->give_up_at != MONO_NEVER)
		return 0;
	dtls_time_set(now);
	ep->give_up_at = now + ep->handshake_limit;
	ep->retransmit_at = now + ep->interval;
	ep->out = out;
	dtls_tls_handshake(ep);
	ep->out = NULL;
	return ep->status == DTLS_FAILED ? -ENOMEM : 0;
}

void dtls_endpoint_mtu(struct dtls_endpoint *ep, size_t mtu)
{
	if (mtu < MTU_MIN)
		mtu = MTU_MIN;
	if (mtu >= ep->mtu)
		return;
	if (dtls_tls_mtu(ep, (uint16_t)mtu) == 0)
		ep->mtu = (uint16_t)mtu;
}

mono_ns dtls_endpoint_deadline(const struct dtls_endpoint *ep)
{
	mono_ns at = ep->give_up_at;

	if (ep->status != DTLS_HANDSHAKING)
		return MONO_NEVER;
	at = ep->retransmit_at < at ? ep->retransmit_at : at;
	return ep->ack_at < at ? ep->ack_at : at;
}

int dtls_endpoint_tick(struct dtls_endpoint *ep, mono_ns now, const struct dtls_out *out)
{
	if (ep->status != DTLS_HANDSHAKING)
		return 0;
	if (now >= ep->give_up_at) {
		// A plain alert was not believed when it came; now it is the best explanation that there is.
		dtls_endpoint_fail(ep, ep->info.plain_alert != 0 ? DTLS_FAILURE_ALERT : DTLS_FAILURE_TIMEOUT);
		return -ETIMEDOUT;
	}
	dtls_time_set(now);
	ep->out = out;
	if (now >= ep->retransmit_at) {
		ep->sent = 0;
		dtls_tls_retransmit(ep);
		ep->info.retransmissions += ep->sent > 0;
		ep->interval *= 2; // RFC 6347 section 4.2.4.1; kept for the rest of the handshake
		ep->retransmit_at = now + ep->interval;
		ep->ack_at = MONO_NEVER;
	} else if (now >= ep->ack_at) {
		dtls_tls_acknowledge(ep);
		ep->ack_at = MONO_NEVER;
	}
	ep->out = NULL;
	return ep->status == DTLS_FAILED ? -ENOMEM : 0;
}

int dtls_endpoint_close_notify(struct dtls_endpoint *ep, const struct dtls_out *out)
{
	if (ep->status != DTLS_PARKED && ep->status != DTLS_SECURED)
		return -ENOTCONN;
	dtls_time_set(env_now(ep->env));
	ep->out = out;
	dtls_tls_shutdown(ep);
	ep->out = NULL;
	return 0;
}

int dtls_endpoint_claim(struct dtls_endpoint *ep, const struct dtls_fingerprints *expected)
{
	if (ep->expecting)
		return -EALREADY;
	if (expected == NULL || expected->n == 0)
		return -EPERM;
	if (ep->status == DTLS_HANDSHAKING && ep->leaf == NULL) {
		ep->expected = *expected;
		ep->expecting = true;
		return 0;
	}
	if (ep->leaf == NULL || ep->status == DTLS_FAILED || ep->status == DTLS_CLOSED)
		return -ENOTCONN;
	if (!dtls_fingerprints_match(expected, ep->leaf, ep->leaf_len))
		return -EACCES;
	ep->expected = *expected;
	ep->expecting = true;
	if (ep->status == DTLS_PARKED)
		ep->status = DTLS_SECURED;
	return 0;
}

int dtls_endpoint_take_keys(struct dtls_endpoint *ep, struct dtls_srtp_keys *rx, struct dtls_srtp_keys *tx)
{
	struct dtls_srtp_keys client = { 0 }, server = { 0 };
	int err;

	if (ep->keys_taken)
		return -ENODATA;
	if (ep->status != DTLS_SECURED)
		return -EAGAIN;
	ep->keys_taken = true;
	err = dtls_tls_export(ep, &client, &server);
	if (err == 0) {
		*rx = ep->role == DTLS_ACTIVE ? server : client;
		*tx = ep->role == DTLS_ACTIVE ? client : server;
	} else {
		dtls_endpoint_fail(ep, DTLS_FAILURE_INTERNAL);
	}
	dtls_srtp_keys_wipe(&client);
	dtls_srtp_keys_wipe(&server);
	return err;
}

void dtls_srtp_keys_wipe(struct dtls_srtp_keys *keys)
{
	secret_wipe(keys, sizeof(*keys));
}

enum dtls_status dtls_endpoint_status(const struct dtls_endpoint *ep)
{
	return ep->status;
}

enum dtls_failure dtls_endpoint_failure(const struct dtls_endpoint *ep)
{
	return ep->failure;
}

void dtls_endpoint_info(const struct dtls_endpoint *ep, struct dtls_endpoint_info *info)
{
	*info = ep->info;
	info->drops[DTLS_DROP_REFUSED] += dtls_tls_refused(ep); // those that the library passed over without a word
}

int dtls_endpoint_peer_fingerprint(const struct dtls_endpoint *ep, struct dtls_fingerprint *fp)
{
	if (ep->leaf == NULL)
		return -ENOENT;
	return dtls_fingerprint_of(fp, DTLS_HASH_SHA256, ep->leaf, ep->leaf_len);
}

#define X(name, fault, text) { DTLS_FAULT_##fault, text },
static const struct {
	enum dtls_fault fault;
	const char *text;
} failures[] = { DTLS_FAILURES(X) };
#undef X

enum dtls_fault dtls_failure_fault(enum dtls_failure failure)
{
	return failure < DTLS_FAILURE_COUNT ? failures[failure].fault : DTLS_FAULT_NONE;
}

const char *dtls_failure_text(enum dtls_failure failure)
{
	return failure < DTLS_FAILURE_COUNT ? failures[failure].text : "unknown";
}

const char *dtls_drop_text(enum dtls_drop drop)
{
#define X(name, text) text,
	static const char *const texts[] = { DTLS_DROPS(X) };
#undef X

	return drop < DTLS_DROP_COUNT ? texts[drop] : "unknown";
}
