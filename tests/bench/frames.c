// SPDX-License-Identifier: GPL-3.0-or-later
// frames.c - frames for the pipeline's programs, made and checked by libsrtp2.
#include "tests/bench/frames.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_malloc.h>
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64
#define RTP 12

static void *need(void *p, const char *what)
{
	if (p != NULL)
		return p;
	fprintf(stderr, "no memory for %s\n", what);
	exit(1);
}

// ---- keys

static uint64_t next_random(uint64_t *state) // repeatable: each run has the same sessions in the same order
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void master_make(struct srtp_master *master, enum srtp_suite suite, uint64_t *state)
{
	*master = (struct srtp_master){ .suite = suite };
	for (unsigned i = 0; i < sizeof(master->key); i++)
		master->key[i] = (uint8_t)(next_random(state) >> 32);
	for (unsigned i = 0; i < sizeof(master->salt); i++)
		master->salt[i] = (uint8_t)(next_random(state) >> 32);
}

static bool policy_set(srtp_crypto_policy_t *policy, enum srtp_suite suite)
{
	switch (suite) {
	case SRTP_AES_CM_128_HMAC_SHA1_80:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(policy);
		return true;
	case SRTP_AES_CM_128_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(policy);
		return true;
	case SRTP_AES_256_CM_HMAC_SHA1_80:
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(policy);
		return true;
	case SRTP_AEAD_AES_128_GCM:
		srtp_crypto_policy_set_aes_gcm_128_16_auth(policy);
		return true;
	case SRTP_AEAD_AES_256_GCM:
		srtp_crypto_policy_set_aes_gcm_256_16_auth(policy);
		return true;
	default:
		return false;
	}
}

static srtp_t context_open(const struct srtp_master *master, srtp_ssrc_type_t direction)
{
	const struct srtp_suite_info *info = srtp_suite_info(master->suite);
	uint8_t key[SRTP_KEY_MAX + SRTP_SALT_MAX];
	srtp_policy_t policy = { .ssrc.type = direction, .key = key, .window_size = 128 };
	srtp_t context = NULL;

	memcpy(key, master->key, info->key_len);
	memcpy(key + info->key_len, master->salt, info->salt_len);
	if (!policy_set(&policy.rtp, master->suite) || !policy_set(&policy.rtcp, master->suite) ||
	    srtp_create(&context, &policy) != srtp_err_status_ok) {
		fprintf(stderr, "libsrtp2 cannot do %s\n", srtp_suite_name(master->suite));
		exit(1);
	}
	return context;
}

// ---- frames

uint32_t frames_address(const struct frames_plan *plan, unsigned session)
{
	return 0xc0000201 + (plan->first + session) % plan->addresses;
}

uint16_t frames_port(const struct frames_plan *plan, unsigned session)
{
	return (uint16_t)(FRAMES_FIRST_PORT + (plan->first + session) / plan->addresses);
}

static void be16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void be32(uint8_t *at, uint32_t v)
{
	be16(at, v >> 16);
	be16(at + 2, v & 0xffff);
}

// A frame from 198.51.100.1:4000; UDP checksum 0.
static void headers_make(const struct frames *f, uint8_t *at, unsigned session)
{
	unsigned len = (unsigned)f->len - 14;
	uint32_t sum = 0;

	memset(at, 0, FRAMES_HEADERS);
	at[0] = 2;
	at[6] = 2;
	at[11] = 1;
	at[12] = 8;
	at[14] = 0x45;
	be16(at + 16, len);
	at[22] = 64;
	at[23] = IPPROTO_UDP;
	be32(at + 26, 0xc6336401);
	be32(at + 30, frames_address(&f->plan, session));
	for (unsigned i = 14; i < 34; i += 2)
		sum += (unsigned)(at[i] << 8 | at[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	be16(at + 24, ~(sum + (sum >> 16)) & 0xffff);
	be16(at + 34, 4000);
	be16(at + 36, frames_port(&f->plan, session));
	be16(at + 38, len - 20);
}

static void rtp_make(const struct frames *f, uint8_t *at, unsigned session, unsigned pass)
{
	at[0] = 0x80;
	at[1] = 96;
	be16(at + 2, 1 + pass);
	be32(at + 4, pass * 160);
	be32(at + 8, 1000 + f->plan.first + session);
	memset(at + RTP, (int)(session + pass), f->plan.payload);
}

static void order_make(struct frames *f, uint64_t *state)
{
	for (uint32_t i = 0; i < f->plan.sessions; i++)
		f->order[i] = i;
	for (uint32_t i = f->plan.sessions - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(next_random(state) % (i + 1)), swap = f->order[i];

		f->order[i] = f->order[j];
		f->order[j] = swap;
	}
}

static void frames_fill(struct frames *f)
{
	bool secured = f->plan.in != SRTP_SUITE_NONE;

	for (unsigned k = 0; k < f->plan.sessions; k++) {
		unsigned session = f->order[k];
		srtp_t context = secured ? context_open(&f->in[session], ssrc_any_outbound) : NULL;

		for (unsigned pass = 0; pass < f->plan.passes; pass++) {
			uint8_t *at = f->bytes + f->slot * (pass * f->plan.sessions + k);
			int len = (int)(RTP + f->plan.payload);

			headers_make(f, at, session);
			rtp_make(f, at + FRAMES_HEADERS, session, pass);
			if (secured && (srtp_protect(context, at + FRAMES_HEADERS, &len) != srtp_err_status_ok ||
					FRAMES_HEADERS + (size_t)len != f->len)) {
				fprintf(stderr, "libsrtp2 did not protect a packet\n");
				exit(1);
			}
		}
		if (secured)
			srtp_dealloc(context);
	}
}

void frames_keys(struct frames *f, const struct frames_plan *given)
{
	const struct frames_plan plan = *given; // perhaps f's own
	uint64_t state = UINT64_C(0x2545f4914f6cdd1d) + plan.first;
	unsigned tag = plan.in != SRTP_SUITE_NONE ? srtp_suite_info(plan.in)->tag_len : 0;

	*f = (struct frames){ .plan = plan, .len = FRAMES_HEADERS + RTP + plan.payload + tag };
	f->slot = (f->len + LINE - 1) / LINE * LINE;
	if ((plan.first + plan.sessions - 1) / plan.addresses >= FRAMES_PORTS) {
		fprintf(stderr, "too many sessions for %u addresses\n", plan.addresses);
		exit(1);
	}
	f->order = need(calloc(plan.sessions, sizeof(*f->order)), "the order");
	f->in = need(calloc(plan.sessions, sizeof(*f->in)), "keys");
	f->out = need(calloc(plan.sessions, sizeof(*f->out)), "keys");
	order_make(f, &state);
	for (unsigned i = 0; i < plan.sessions; i++) {
		master_make(&f->in[i], plan.in, &state);
		master_make(&f->out[i], plan.out, &state);
	}
}

void frames_open(struct frames *f, const struct frames_plan *plan)
{
	static bool started;

	frames_keys(f, plan);
	if (!started && srtp_init() != srtp_err_status_ok) {
		fprintf(stderr, "libsrtp2 does not start\n");
		exit(1);
	}
	started = true;
	f->bytes = need(rte_malloc(NULL, f->slot * f->plan.sessions * f->plan.passes, LINE), "frames");
	frames_fill(f);
}

// ---- what came out

bool frames_good(const struct frames *f, unsigned t, const uint8_t *rtp, size_t len)
{
	unsigned session = frames_session(f, t), pass = t / f->plan.sessions;
	uint8_t got[2048], want[2048];
	int n = (int)len;

	if (len > sizeof(got))
		return false;
	memcpy(got, rtp, len);
	if (f->plan.out != SRTP_SUITE_NONE) {
		srtp_t context = context_open(&f->out[session], ssrc_any_inbound);
		srtp_err_status_t status = srtp_unprotect(context, got, &n);

		srtp_dealloc(context);
		if (status != srtp_err_status_ok)
			return false;
	}
	rtp_make(f, want, session, pass);
	return n == (int)(RTP + f->plan.payload) && memcmp(got, want, (size_t)n) == 0;
}
