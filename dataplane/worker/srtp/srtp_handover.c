// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_handover.c - the jobs of a burst that go to another engine than ipsec-mb (srtp_offload.h). What it cannot do stays
// here, packet by packet; what is decided about packets is the same for both.
#include "dataplane/worker/srtp/srtp_engine_priv.h"
#include "dataplane/fastpath.h"

// Not every device takes an empty text.
static void *session_of(struct srtp_engine *engine, const struct srtp_op *op, enum srtp_task task, unsigned start,
			unsigned len)
{
	struct srtp_offload *to = engine->handover->to;

	return len > start && len <= to->max_len ? to->ops->session(to, op->key, task, start) : NULL;
}

static void run(struct srtp_engine *engine, enum srtp_task task, struct srtp_job *jobs, unsigned n)
{
	struct srtp_offload *to = engine->handover->to;

	if (n > 0)
		to->ops->run(to, task, jobs, n);
}

static void wish(struct srtp_engine *engine, const struct srtp_op *op, enum srtp_task task, unsigned start)
{
	struct srtp_offload *to = engine->handover->to;

	to->ops->wish(to, op->key, task, start);
}

// ---- AES-CM: two tasks, since what is forged is not to be decrypted

bool srtp_handover_hash(struct srtp_engine *engine, struct srtp_op *op, unsigned slot, unsigned len)
{
	struct srtp_handover *h = engine->handover;
	void *session = session_of(engine, op, SRTP_TASK_HASH, 0, len);

	if (session == NULL)
		return false;
	h->hash[h->n_hash++] = (struct srtp_job){
		.op = op, .session = session, .digest = engine->digest[slot], .len = (uint16_t)len
	};
	return true;
}

bool srtp_handover_cipher(struct srtp_engine *engine, struct srtp_op *op, unsigned slot, unsigned start, unsigned len)
{
	struct srtp_handover *h = engine->handover;
	void *session = session_of(engine, op, SRTP_TASK_CIPHER, 0, len);

	if (session == NULL)
		return false;
	h->cipher[h->n_cipher++] = (struct srtp_job){
		.op = op, .session = session, .iv = engine->iv[slot], .start = (uint16_t)start, .len = (uint16_t)len
	};
	return true;
}

static void run_in_place(struct srtp_engine *engine, enum srtp_task task, struct srtp_job *jobs, unsigned *n)
{
	run(engine, task, jobs, *n);
	for (unsigned i = 0; i < *n; i++) {
		if (jobs[i].state != SRTP_JOB_DONE)
			jobs[i].op->result = SRTP_DEVICE;
	}
	*n = 0;
}

void srtp_handover_hash_run(struct srtp_engine *engine)
{
	run_in_place(engine, SRTP_TASK_HASH, engine->handover->hash, &engine->handover->n_hash);
}

void srtp_handover_cipher_run(struct srtp_engine *engine)
{
	run_in_place(engine, SRTP_TASK_CIPHER, engine->handover->cipher, &engine->handover->n_cipher);
}

// ---- AES-GCM

struct gcm_rx {
	struct srtp_job *job; // NULL: not handed over
	enum srtp_header header;
	unsigned wish; // length of the header that there is no session for; 0: there is one
};

// Opened under the index as the stream stands at the burst's begin. What has none that can be good, or no session, waits
// for its turn.
static void rx_submit(struct srtp_engine *engine, struct srtp_op *op, struct gcm_rx *rx, struct srtp_job *job,
		      uint8_t *iv)
{
	unsigned start = op->hdr_len, len;
	void *session;

	*rx = (struct gcm_rx){ .header = SRTP_HEADER_CLEAR };
	op->result = srtp_rx_check(engine, op, srtp_trailer_len(op->key));
	if (op->result != SRTP_OK)
		return;
	op->index = srtp_op_index(op);
	if (srtp_index_check(op) != SRTP_OK)
		return;
	if (srtp_header_concerned(op))
		rx->header = srtp_header_rx(op);
	if (rx->header == SRTP_HEADER_CRYPTEX)
		start = SRTP_CRYPTEX_START;
	len = op->len - srtp_trailer_len(op->key);
	session = session_of(engine, op, SRTP_TASK_OPEN, start, len);
	if (session == NULL) {
		rx->wish = len > start ? start : 0;
		return;
	}
	if (rx->header == SRTP_HEADER_CRYPTEX)
		srtp_cryptex_rx(op);
	srtp_gcm_iv(op, iv);
	*job = (struct srtp_job){
		.op = op, .session = session, .iv = iv, .start = (uint16_t)start, .len = (uint16_t)len
	};
	rx->job = job;
}

static enum srtp_result rx_result(const struct srtp_op *op, const struct gcm_rx *rx)
{
	enum srtp_result result = srtp_index_check(op);

	if (result != SRTP_OK)
		return result;
	if (rx->job->state == SRTP_JOB_FAILED)
		return SRTP_DEVICE;
	if (rx->job->state == SRTP_JOB_FORGED)
		return SRTP_AUTH;
	return rx->header == SRTP_HEADER_BROKEN ? SRTP_EXTENSION : SRTP_OK;
}

static void rx_take(struct srtp_engine *engine, struct srtp_op *op, const struct gcm_rx *rx)
{
	const struct srtp_job *job = rx->job;

	op->result = rx_result(op, rx);
	if (op->result == SRTP_OK) {
		memcpy(op->packet + job->start, job->text, (size_t)(job->len - job->start));
		srtp_rx_accept(op, srtp_trailer_len(op->key));
		if (rx->header == SRTP_HEADER_ELEMENTS)
			srtp_header_elements(engine, op);
	}
	if (rx->header == SRTP_HEADER_CRYPTEX)
		srtp_cryptex_rx_done(op, op->result == SRTP_OK);
}

// As if the packet had come alone. One whose index is another by now, which is rare, is opened here and anew.
static void rx_decide(struct srtp_engine *engine, struct srtp_op *op, const struct gcm_rx *rx)
{
	if (op->result != SRTP_OK)
		return;
	if (rx->job != NULL && srtp_op_index(op) == op->index) {
		rx_take(engine, op, rx);
		return;
	}
	if (rx->job != NULL && rx->header == SRTP_HEADER_CRYPTEX)
		srtp_cryptex_rx_done(op, false);
	srtp_gcm_unprotect(engine, op);
	if (rx->wish != 0 && op->result == SRTP_OK)
		wish(engine, op, SRTP_TASK_OPEN, rx->wish);
}

void srtp_handover_gcm_unprotect(struct srtp_engine *engine, struct srtp_op **ops, unsigned n)
{
	struct srtp_offload *to = engine->handover->to;
	struct srtp_job jobs[SRTP_BURST_MAX];
	struct gcm_rx rx[SRTP_BURST_MAX];
	unsigned n_jobs = 0;

	for (unsigned i = 0; i < n; i++) {
		rx_submit(engine, ops[i], &rx[i], &jobs[n_jobs], engine->iv[i]);
		n_jobs += rx[i].job != NULL;
	}
	run(engine, SRTP_TASK_OPEN, jobs, n_jobs);
	for (unsigned i = 0; i < n; i++)
		rx_decide(engine, ops[i], &rx[i]);
	if (n_jobs > 0)
		to->ops->release(to, jobs, n_jobs);
}

void srtp_handover_gcm_protect(struct srtp_engine *engine, struct srtp_op **ops, unsigned n)
{
	enum srtp_header header[SRTP_BURST_MAX];
	struct srtp_job jobs[SRTP_BURST_MAX];
	unsigned start, n_jobs = 0;

	for (unsigned i = 0; i < n; i++) {
		void *session;

		if (!srtp_gcm_tx_begin(engine, ops[i], &header[i], &start))
			continue;
		session = session_of(engine, ops[i], SRTP_TASK_SEAL, start, ops[i]->len);
		if (session == NULL) {
			srtp_gcm_seal(engine, ops[i], start);
			if (ops[i]->len > start)
				wish(engine, ops[i], SRTP_TASK_SEAL, start);
			continue;
		}
		srtp_gcm_iv(ops[i], engine->iv[i]);
		jobs[n_jobs++] = (struct srtp_job){
			.op = ops[i], .session = session, .iv = engine->iv[i], .start = (uint16_t)start, .len = ops[i]->len
		};
	}
	run_in_place(engine, SRTP_TASK_SEAL, jobs, &n_jobs);
	for (unsigned i = 0; i < n; i++) {
		if (ops[i]->result == SRTP_OK)
			srtp_gcm_tx_end(ops[i], header[i]);
	}
}
