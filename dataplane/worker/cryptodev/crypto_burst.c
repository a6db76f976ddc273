// SPDX-License-Identifier: GPL-3.0-or-later
// crypto_burst.c - jobs to the device and back. A worker waits for its burst, but not for long: what has not come back by
// then is late. A late job keeps its slot, its buffer and its session until the device gives it back; when no slot is left
// new jobs fail at once, so that a device which hangs stops neither the worker nor the legs that do not need it.
#include "dataplane/worker/cryptodev/crypto_device_priv.h"
#include <rte_cycles.h>
#include <string.h>

// Between two bursts there is none of these.
#pragma GCC poison malloc calloc realloc free printf fprintf log_emit pthread_mutex_lock sleep

#define BACK_MAX 64
#define LOOKS_MIN 1000 // in vain, before time counts: it passes as well while the worker does not run

static inline uint8_t *buffer_of(const struct crypto_slot *slot)
{
	return rte_pktmbuf_mtod(slot->m, uint8_t *);
}

static void slot_give(struct crypto_queue *q, struct crypto_slot *slot)
{
	q->unused[q->n_unused++] = (uint16_t)(slot - q->slots);
}

// ---- there

static void buffer_fill(struct crypto_slot *slot, const uint8_t *from, unsigned len)
{
	slot->m->data_len = (uint16_t)len;
	slot->m->pkt_len = len;
	memcpy(buffer_of(slot), from, len);
}

static void aead_fill(struct crypto_slot *slot, struct rte_crypto_sym_op *sym, enum srtp_task task,
		      const struct srtp_job *job)
{
	struct crypto_area *area = area_of(slot->op);
	unsigned len = (unsigned)job->len - job->start;

	buffer_fill(slot, job->op->packet + job->start, len);
	memcpy(area->aad, job->op->packet, job->start);
	if (task == SRTP_TASK_OPEN)
		memcpy(area->digest, job->op->packet + job->len, SRTP_TAG_MAX);
	sym->aead.data.offset = 0;
	sym->aead.data.length = len;
	sym->aead.digest.data = area->digest;
	sym->aead.digest.phys_addr =
		slot->op->phys_addr + CRYPTO_AREA_OFFSET + offsetof(struct crypto_area, digest);
	sym->aead.aad.data = area->aad;
	sym->aead.aad.phys_addr = slot->op->phys_addr + CRYPTO_AREA_OFFSET + offsetof(struct crypto_area, aad);
}

static void slot_fill(struct crypto_slot *slot, enum srtp_task task, struct srtp_job *job)
{
	const struct crypto_session *session = job->session;
	struct rte_crypto_sym_op *sym = slot->op->sym;
	struct crypto_area *area = area_of(slot->op);

	slot->job = job;
	slot->key = session->key;
	__rte_crypto_op_reset(slot->op, RTE_CRYPTO_OP_TYPE_SYMMETRIC);
	sym->m_src = slot->m;
	(void)rte_crypto_op_attach_sym_session(slot->op, session->dpdk);
	if (task != SRTP_TASK_HASH)
		memcpy(area->iv, job->iv, sizeof(area->iv));
	if (task == SRTP_TASK_SEAL || task == SRTP_TASK_OPEN) {
		aead_fill(slot, sym, task, job);
	} else if (task == SRTP_TASK_CIPHER) {
		buffer_fill(slot, job->op->packet + job->start, (unsigned)job->len - job->start);
		sym->cipher.data.offset = 0;
		sym->cipher.data.length = (uint32_t)job->len - job->start;
	} else {
		buffer_fill(slot, job->op->packet, job->len);
		sym->auth.data.offset = 0;
		sym->auth.data.length = job->len;
		sym->auth.digest.data = area->digest;
		sym->auth.digest.phys_addr =
			slot->op->phys_addr + CRYPTO_AREA_OFFSET + offsetof(struct crypto_area, digest);
	}
}

// ---- and back

static void result_take(struct crypto_slot *slot, enum srtp_task task, struct srtp_job *job)
{
	unsigned len = (unsigned)job->len - job->start;

	switch (task) {
	case SRTP_TASK_HASH:
		memcpy(job->digest, area_of(slot->op)->digest, SRTP_TAG_MAX);
		break;
	case SRTP_TASK_CIPHER:
		memcpy(job->op->packet + job->start, buffer_of(slot), len);
		break;
	case SRTP_TASK_SEAL:
		memcpy(job->op->packet + job->start, buffer_of(slot), len);
		memcpy(job->op->packet + job->len, area_of(slot->op)->digest, SRTP_TAG_MAX);
		break;
	default:
		job->text = buffer_of(slot);
		job->held = slot;
	}
}

static void job_end(struct crypto_queue *q, struct crypto_slot *slot, enum srtp_task task)
{
	struct srtp_job *job = slot->job;

	slot->job = NULL;
	if (slot->op->status == RTE_CRYPTO_OP_STATUS_SUCCESS) {
		job->state = SRTP_JOB_DONE;
		result_take(slot, task, job);
	} else if (slot->op->status == RTE_CRYPTO_OP_STATUS_AUTH_FAILED && task == SRTP_TASK_OPEN) {
		job->state = SRTP_JOB_FORGED;
	} else {
		job->state = SRTP_JOB_FAILED;
		q->counters.failed++;
	}
	q->counters.jobs += job->state != SRTP_JOB_FAILED;
	if (job->held == NULL)
		slot_give(q, slot);
}

// Returns how many of those that somebody waits for.
static unsigned take_back(struct crypto_queue *q, enum srtp_task task)
{
	struct rte_crypto_op *back[BACK_MAX];
	unsigned n = rte_cryptodev_dequeue_burst(q->device, q->queue, back, BACK_MAX), awaited = 0;

	for (unsigned i = 0; i < n; i++) {
		struct crypto_slot *slot = area_of(back[i])->slot;

		if (slot->job != NULL) {
			job_end(q, slot, task);
			awaited++;
			continue;
		}
		q->counters.late++;
		crypto_key_late_back(q, slot->key);
		slot_give(q, slot);
	}
	return awaited;
}

static void give_up(struct crypto_queue *q, struct rte_crypto_op **ops, unsigned n, unsigned sent)
{
	for (unsigned i = 0; i < n; i++) {
		struct crypto_slot *slot = area_of(ops[i])->slot;

		if (slot->job == NULL) // is back
			continue;
		q->counters.stalled++;
		slot->job = NULL;
		if (i < sent)
			q->keys[slot->key].late++;
		else // the device never saw it
			slot_give(q, slot);
	}
}

void crypto_run(struct srtp_offload *offload, enum srtp_task task, struct srtp_job *jobs, unsigned n)
{
	struct crypto_queue *q = queue_of(offload);
	struct rte_crypto_op *ops[BACK_MAX];
	unsigned n_ops = 0, sent = 0, back = 0, looks = 0, n_back;
	uint64_t end;

	if (q->n_unused < n)
		(void)take_back(q, task); // late ones, if any
	for (unsigned i = 0; i < n; i++) {
		jobs[i].state = SRTP_JOB_FAILED;
		if (q->n_unused == 0 || n_ops == BACK_MAX) {
			q->counters.stalled++;
			continue;
		}
		slot_fill(&q->slots[q->unused[--q->n_unused]], task, &jobs[i]);
		ops[n_ops++] = q->slots[q->unused[q->n_unused]].op;
	}
	end = rte_rdtsc() + q->patience;
	while (back < n_ops) {
		if (sent < n_ops)
			sent += rte_cryptodev_enqueue_burst(q->device, q->queue, ops + sent, (uint16_t)(n_ops - sent));
		n_back = take_back(q, task);
		back += n_back;
		if (n_back == 0 && ++looks > LOOKS_MIN && rte_rdtsc() > end) {
			give_up(q, ops, n_ops, sent);
			return;
		}
	}
}

void crypto_release(struct srtp_offload *offload, struct srtp_job *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (jobs[i].held != NULL)
			slot_give(queue_of(offload), jobs[i].held);
	}
}
