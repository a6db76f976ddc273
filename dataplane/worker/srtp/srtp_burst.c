// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_burst.c - a burst's packets, sorted by what their suite needs. All packets of a stream have one key and so one
// suite: sorting keeps their order.
#include "dataplane/worker/srtp/srtp_engine_priv.h"
#include "dataplane/fastpath.h"

typedef void one_fn(struct srtp_engine *engine, struct srtp_op *op);
typedef void run_fn(struct srtp_engine *engine);
typedef void many_fn(struct srtp_engine *engine, struct srtp_op **ops, unsigned n);

enum how { HOW_NOT, HOW_CM, HOW_GCM };

#define LINE 64
#define AHEAD 8 // packets: what a line takes to come, where each packet is done at once

static const struct {
	uint8_t how;   // enum how
	uint8_t lines; // of what packets need of a key: to the last of its round keys
} suites[SRTP_SUITE_COUNT] = {
	[SRTP_AES_CM_128_HMAC_SHA1_80] = { HOW_CM, 4 }, [SRTP_AES_CM_128_HMAC_SHA1_32] = { HOW_CM, 4 },
	[SRTP_AES_192_CM_HMAC_SHA1_80] = { HOW_CM, 5 }, [SRTP_AES_192_CM_HMAC_SHA1_32] = { HOW_CM, 5 },
	[SRTP_AES_256_CM_HMAC_SHA1_80] = { HOW_CM, 5 }, [SRTP_AES_256_CM_HMAC_SHA1_32] = { HOW_CM, 5 },
	[SRTP_NULL_HMAC_SHA1_80] = { HOW_CM, 2 },       [SRTP_NULL_HMAC_SHA1_32] = { HOW_CM, 2 },
	[SRTP_AEAD_AES_128_GCM] = { HOW_GCM, 4 },       [SRTP_AEAD_AES_256_GCM] = { HOW_GCM, 5 },
};

static inline enum how how(const struct srtp_key *key)
{
	uint8_t suite = key->suite; // another process can write the record: looked at once

	return suite < SRTP_SUITE_COUNT ? (enum how)suites[suite].how : HOW_NOT;
}

// The caller has asked for SRTP_KEY_ASKED lines of every key. The rest comes while the packets before are worked on: all
// at once would be more than the CPU can wait for at a time, and it would do nothing else meanwhile. GCM of a packet of
// voice needs the low powers of its hash key as well.
static inline __attribute__((always_inline)) void key_ask(const struct srtp_key *key)
{
	const uint8_t *hot = (const uint8_t *)key + SRTP_KEY_HOT;
	uint8_t suite = key->suite;

	if (suite >= SRTP_SUITE_COUNT)
		return;
	for (unsigned line = SRTP_KEY_ASKED; line < suites[suite].lines; line++)
		__builtin_prefetch(hot + line * LINE);
	for (unsigned at = SRTP_KEY_GCM_POWERS; at < sizeof(*key) && suites[suite].how == HOW_GCM; at += LINE)
		__builtin_prefetch((const uint8_t *)key + at);
}

static inline __attribute__((always_inline)) void burst(struct srtp_engine *engine, struct srtp_op *ops, unsigned n,
							 one_fn *cm_add, run_fn *cm_run, one_fn *gcm,
							 many_fn *gcm_handed_over)
{
	struct srtp_op *handed_over[SRTP_BURST_MAX];
	unsigned n_handed_over = 0;

	for (unsigned i = 0; i < AHEAD && i < n; i++)
		key_ask(ops[i].key);
	for (unsigned i = 0; i < n; i++) {
		enum how does = how(ops[i].key);

		if (i + AHEAD < n)
			key_ask(ops[i + AHEAD].key);
		if (does == HOW_CM) { // most are
			cm_add(engine, &ops[i]);
			if (engine->n_cm == SRTP_BURST_MAX)
				cm_run(engine);
		} else if (does == HOW_NOT) {
			ops[i].result = SRTP_NO_KEY;
		} else if (engine_hands_over(engine)) {
			handed_over[n_handed_over++] = &ops[i];
		} else {
			gcm(engine, &ops[i]);
		}
		if (n_handed_over == SRTP_BURST_MAX) {
			if (engine->n_cm > 0) // they share scratch
				cm_run(engine);
			gcm_handed_over(engine, handed_over, n_handed_over);
			n_handed_over = 0;
		}
	}
	if (engine->n_cm > 0)
		cm_run(engine);
	if (n_handed_over > 0)
		gcm_handed_over(engine, handed_over, n_handed_over);
}

void srtp_unprotect_burst(struct srtp_engine *engine, struct srtp_op *ops, unsigned n)
{
	burst(engine, ops, n, srtp_cm_unprotect_add, srtp_cm_unprotect_run, srtp_gcm_unprotect,
	      srtp_handover_gcm_unprotect);
}

void srtp_protect_burst(struct srtp_engine *engine, struct srtp_op *ops, unsigned n)
{
	burst(engine, ops, n, srtp_cm_protect_add, srtp_cm_protect_run, srtp_gcm_protect,
	      srtp_handover_gcm_protect);
}
