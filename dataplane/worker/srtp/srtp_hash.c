// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_hash.c - all tags of a burst: our own lanes where the CPU has AVX-512, ipsec-mb elsewhere.
#include "dataplane/worker/srtp/srtp_engine_priv.h"
#include <assert.h>
#include <string.h>
#include "dataplane/fastpath.h"

#define LIBRARY_OUT 12 // what the library writes at least; our tags are shorter

void srtp_hash_init(struct srtp_engine *engine)
{
	for (unsigned i = 0; i < SRTP_BURST_MAX; i++) {
		engine->library_hash[i].cipher_mode = IMB_CIPHER_NULL;
		engine->library_hash[i].chain_order = IMB_ORDER_HASH_CIPHER;
		engine->library_hash[i].hash_alg = IMB_AUTH_HMAC_SHA_1;
		engine->library_hash[i].auth_tag_output_len_in_bytes = LIBRARY_OUT;
	}
}

// RFC 3711 4.2.
void srtp_hash_add(struct srtp_engine *engine, struct srtp_op *op, unsigned slot, unsigned len)
{
	uint32_t roc = htobe32((uint32_t)(op->index >> 16));

	memcpy(op->packet + len, &roc, sizeof(roc));
	if (engine_hands_over(engine) && srtp_handover_hash(engine, op, slot, len + sizeof(roc)))
		return;
	engine->hash[engine->n_hash++] = (struct hmac_sha1_job){
		.key = &op->key->cm.hmac,
		.message = op->packet,
		.out = engine->digest[slot],
		.len = len + (uint32_t)sizeof(roc),
	};
}

static void library_run(struct srtp_engine *engine)
{
	unsigned done;

	for (unsigned i = 0; i < engine->n_hash; i++) {
		const struct hmac_sha1_job *hash = &engine->hash[i];
		IMB_JOB *job = &engine->library_hash[i];

		job->src = hash->message;
		job->msg_len_to_hash_in_bytes = hash->len;
		job->auth_tag_output = hash->out;
		job->u.HMAC._hashed_auth_key_xor_ipad = (const uint8_t *)hash->key->inner;
		job->u.HMAC._hashed_auth_key_xor_opad = (const uint8_t *)hash->key->outer;
	}
	done = IMB_SUBMIT_HASH_BURST_NOCHECK(engine->mgr, engine->library_hash, engine->n_hash, IMB_AUTH_HMAC_SHA_1);
	assert(done == engine->n_hash);
}

void srtp_hash_run(struct srtp_engine *engine)
{
	if (engine_hands_over(engine))
		srtp_handover_hash_run(engine);
	if (engine->n_hash == 0)
		return;
	if (engine->arch == SRTP_ARCH_AVX512)
		hmac_sha1_run(engine->hash, engine->n_hash);
	else
		library_run(engine);
	engine->n_hash = 0;
}
