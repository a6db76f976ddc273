// SPDX-License-Identifier: GPL-3.0-or-later
// bed_call.c - a call's legs, and libsrtp2 as a peer's SRTP.
#include "tests/dataplane/bed_call.h"
#include "base/secret.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "call of the test bed: %s\n", what);
	exit(99);
}

void bed_call_sockets(struct bed_call *call, struct bed *bed)
{
	*call = (struct bed_call){
		.bed = bed,
		.peer_a = bed_endpoint("10.77.1.2", 4000),
		.peer_b = bed_endpoint("10.77.2.2", 5000),
		.gw_a = bed_endpoint("10.77.1.1", 16384),
		.gw_b = bed_endpoint("10.77.2.1", 16386),
	};
	call->a = bed_socket(bed, BED_A, "10.77.1.2", 4000);
	call->b = bed_socket(bed, BED_B, "10.77.2.2", 5000);
}

void bed_call_legs(struct bed_call *call, enum dp_security a)
{
	call->leg_a = bed_transport(call->bed, 0, "10.77.1.1", 16384, DP_MODE_RTP, a, &call->peer_a);
	call->leg_b = bed_transport(call->bed, 1, "10.77.2.1", 16386, DP_MODE_RTP, DP_PLAIN, &call->peer_b);
	bed_join(call->bed, call->leg_a, call->leg_b);
}

void bed_call_remove(struct bed_call *call)
{
	uint8_t rest[2048];

	dp_transport_remove(call->bed->dp, call->leg_a);
	dp_transport_remove(call->bed->dp, call->leg_b);
	for (unsigned i = 0; i < 2; i++)
		must(bed_event(call->bed, DP_EVENT_REMOVED, 1000, NULL), "legs stay");
	call->bed->n_events = 0;
	while (bed_receive(call->a, rest, sizeof(rest), 0, NULL) >= 0 ||
	       bed_receive(call->b, rest, sizeof(rest), 0, NULL) >= 0)
		continue;
}

void bed_call_close(struct bed_call *call)
{
	close(call->a);
	close(call->b);
}

// ---- SRTP

static void policy_of(srtp_policy_t *policy, enum srtp_suite suite, srtp_ssrc_type_t type, uint8_t *key)
{
	memset(policy, 0, sizeof(*policy));
	switch (suite) {
	case SRTP_AES_CM_128_HMAC_SHA1_80: srtp_crypto_policy_set_rtp_default(&policy->rtp); break;
	case SRTP_AES_CM_128_HMAC_SHA1_32: srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy->rtp); break;
	case SRTP_AES_192_CM_HMAC_SHA1_80: srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80(&policy->rtp); break;
	case SRTP_AES_192_CM_HMAC_SHA1_32: srtp_crypto_policy_set_aes_cm_192_hmac_sha1_32(&policy->rtp); break;
	case SRTP_AES_256_CM_HMAC_SHA1_80: srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&policy->rtp); break;
	case SRTP_AES_256_CM_HMAC_SHA1_32: srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(&policy->rtp); break;
	case SRTP_NULL_HMAC_SHA1_80:
	case SRTP_NULL_HMAC_SHA1_32:
		srtp_crypto_policy_set_null_cipher_hmac_sha1_80(&policy->rtp);
		policy->rtp.auth_tag_len = srtp_suite_info(suite)->tag_len;
		break;
	case SRTP_AEAD_AES_128_GCM: srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp); break;
	default: srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtp); break;
	}
	policy->rtcp = policy->rtp;
	policy->ssrc.type = type;
	policy->key = key;
	policy->window_size = 128;
	policy->allow_repeat_tx = 0;
}

static void keys_make(struct dp_keys *keys, srtp_t *srtp, enum srtp_suite suite, enum dp_direction direction,
		      uint32_t epoch)
{
	const struct srtp_suite_info *info = srtp_suite_info(suite);
	uint8_t material[64];
	srtp_policy_t policy;

	must(secret_random(material, sizeof(material)) == 0, "random");
	policy_of(&policy, suite, direction == DP_RX ? ssrc_any_outbound : ssrc_any_inbound, material);
	must(srtp_create(srtp, &policy) == srtp_err_status_ok, "libsrtp2");
	*keys = (struct dp_keys){ .direction = direction, .epoch = epoch };
	must(srtp_master_set(&keys->master, suite, material, info->key_len + info->salt_len) == 0, "key");
}

void bed_srtp_open(struct bed_srtp *s, enum srtp_suite suite, uint32_t epoch)
{
	keys_make(&s->rx, &s->out, suite, DP_RX, epoch);
	keys_make(&s->tx, &s->in, suite, DP_TX, epoch);
}

void bed_srtp_give(const struct bed_srtp *s, struct bed *bed, struct dp_ref leg)
{
	dp_transport_keys(bed->dp, leg, &s->rx);
	dp_transport_keys(bed->dp, leg, &s->tx);
	bed_pump(bed, 20);
}

void bed_srtp_close(struct bed_srtp *s)
{
	srtp_dealloc(s->out);
	srtp_dealloc(s->in);
}

size_t bed_srtp_make(struct bed_srtp *s, uint8_t *packet, uint32_t ssrc, uint16_t seq)
{
	int len = (int)bed_rtp(packet, ssrc, seq, 160);

	must(srtp_protect(s->out, packet, &len) == srtp_err_status_ok, "protect");
	return (size_t)len;
}
