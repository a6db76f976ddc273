// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_burst.c - a burst's packets, sorted by what their suite needs. All packets of a stream have one key and so one
// suite: sorting keeps their order.
#include "dataplane/worker/srtp/srtp_engine_priv.h"
#include "dataplane/fastpath.h"

typedef void one_fn(struct srtp_engine *engine, struct srtp_op *op);
typedef void many_fn(struct srtp_engine *engine, struct srtp_op **ops, unsigned n);

// With many streams their records are cold. Four lines of a key have the salt, the HMAC states and the rounds of
// AES-128, the first of a stream has the window: asked for at once, they arrive while others are worked on.
static inline void prefetch(const struct srtp_op *op)
{
	const uint8_t *key = (const uint8_t *)op->key + offsetof(struct srtp_key, salt);

	for (unsigned line = 0; line < 4; line++)
		__builtin_prefetch(key + 64 * line);
	__builtin_prefetch(op->stream, 1);
}

// Longer keys end in a line more, which only the key itself tells. The cipher, which needs it, comes last.
static inline void prefetch_longer(const struct srtp_op *op)
{
	__builtin_prefetch((const uint8_t *)op->key + offsetof(struct srtp_key, salt) + 256);
}

static void burst(struct srtp_engine *engine, struct srtp_op *ops, unsigned n, many_fn *cm, one_fn *gcm,
		  many_fn *gcm_handed_over)
{
	struct srtp_op *list[SRTP_BURST_MAX], *handed_over[SRTP_BURST_MAX];
	unsigned n_list = 0, n_handed_over = 0;

	for (unsigned i = 0; i < n; i++)
		prefetch(&ops[i]);
	for (unsigned i = 0; i < n; i++) {
		switch (ops[i].key->suite) {
		case SRTP_AES_192_CM_HMAC_SHA1_80:
		case SRTP_AES_192_CM_HMAC_SHA1_32:
		case SRTP_AES_256_CM_HMAC_SHA1_80:
		case SRTP_AES_256_CM_HMAC_SHA1_32:
			prefetch_longer(&ops[i]);
			// fall through
		case SRTP_AES_CM_128_HMAC_SHA1_80:
		case SRTP_AES_CM_128_HMAC_SHA1_32:
		case SRTP_NULL_HMAC_SHA1_80:
		case SRTP_NULL_HMAC_SHA1_32:
			list[n_list++] = &ops[i];
			break;
		case SRTP_AEAD_AES_128_GCM:
		case SRTP_AEAD_AES_256_GCM:
			if (!engine_hands_over(engine))
				gcm(engine, &ops[i]);
			else
				handed_over[n_handed_over++] = &ops[i];
			break;
		default:
			ops[i].result = SRTP_NO_KEY;
		}
		if (n_list == SRTP_BURST_MAX) {
			cm(engine, list, n_list);
			n_list = 0;
		}
		if (n_handed_over == SRTP_BURST_MAX) {
			gcm_handed_over(engine, handed_over, n_handed_over);
			n_handed_over = 0;
		}
	}
	if (n_list > 0)
		cm(engine, list, n_list);
	if (n_handed_over > 0)
		gcm_handed_over(engine, handed_over, n_handed_over);
}

void srtp_unprotect_burst(struct srtp_engine *engine, struct srtp_op *ops, unsigned n)
{
	burst(engine, ops, n, srtp_cm_unprotect, srtp_gcm_unprotect, srtp_handover_gcm_unprotect);
}

void srtp_protect_burst(struct srtp_engine *engine, struct srtp_op *ops, unsigned n)
{
	burst(engine, ops, n, srtp_cm_protect, srtp_gcm_protect, srtp_handover_gcm_protect);
}
