// SPDX-License-Identifier: GPL-3.0-or-later
// crypto_key.c - which key record has which sessions of the device. In the worker's memory alone: the shared records
// name none, and the next relay makes its own when it adopts the keys.
//
// A session is made when a key is installed. Only AEAD has one for each length of the header besides, since devices
// want to know it in advance: that of 12 octets is made at once, another between two bursts after the first packet that
// has it, by ipsec-mb, was good.
#include "dataplane/worker/cryptodev/crypto_device_priv.h"
#include <errno.h>
#include <rte_malloc.h>
#include <string.h>

// Of a session: what a short packet needs of a driver's expanded keys lies in the first KiB, and most of that is read.
#define SESSION_LINES 16

// ---- from a record's address to its entry

static uint32_t place_of(const struct crypto_queue *q, const struct srtp_key *key)
{
	return (uint32_t)(((uintptr_t)key >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & q->index_mask;
}

// Where it is, or the empty place where it would be.
static uint32_t place_find(const struct crypto_queue *q, const struct srtp_key *key)
{
	uint32_t place = place_of(q, key);

	while (q->index[place] != CRYPTO_NONE && q->keys[q->index[place]].key != key)
		place = (place + 1) & q->index_mask;
	return place;
}

static uint64_t mark_of(const struct srtp_key *key)
{
	uint64_t mark;

	memcpy(&mark, key->salt, sizeof(mark));
	return mark;
}

static struct crypto_key *key_find(const struct crypto_queue *q, const struct srtp_key *key)
{
	uint32_t index = q->index[place_find(q, key)];

	return index != CRYPTO_NONE && q->keys[index].mark == mark_of(key) ? &q->keys[index] : NULL;
}

// What lies behind an emptied place must still be found: it moves up if it may.
static void place_clear(struct crypto_queue *q, uint32_t hole)
{
	uint32_t next = hole;

	for (;;) {
		next = (next + 1) & q->index_mask;
		if (q->index[next] == CRYPTO_NONE)
			break;
		if (((next - place_of(q, q->keys[q->index[next]].key)) & q->index_mask) >=
		    ((next - hole) & q->index_mask)) {
			q->index[hole] = q->index[next];
			hole = next;
		}
	}
	q->index[hole] = CRYPTO_NONE;
}

// ---- sessions

static void xform_cipher(struct rte_crypto_sym_xform *x, const struct srtp_key *key)
{
	*x = (struct rte_crypto_sym_xform){
		.type = RTE_CRYPTO_SYM_XFORM_CIPHER,
		.cipher = {
			.op = RTE_CRYPTO_CIPHER_OP_ENCRYPT, // a key stream has no direction
			.algo = RTE_CRYPTO_CIPHER_AES_CTR,
			.key = { .data = key->cipher_key,
				 .length = srtp_suite_info((enum srtp_suite)key->suite)->key_len },
			.iv = { .offset = CRYPTO_AREA_OFFSET + offsetof(struct crypto_area, iv), .length = 16 },
		},
	};
}

// The digest is made, never checked, by the device: how tags are compared is decided in one place.
static void xform_hash(struct rte_crypto_sym_xform *x, const struct srtp_key *key, unsigned digest_len)
{
	*x = (struct rte_crypto_sym_xform){
		.type = RTE_CRYPTO_SYM_XFORM_AUTH,
		.auth = {
			.op = RTE_CRYPTO_AUTH_OP_GENERATE,
			.algo = RTE_CRYPTO_AUTH_SHA1_HMAC,
			.key = { .data = key->auth_key, .length = sizeof(key->auth_key) },
			.digest_length = (uint16_t)digest_len,
		},
	};
}

static void xform_aead(struct rte_crypto_sym_xform *x, const struct srtp_key *key, enum srtp_task task, unsigned start)
{
	*x = (struct rte_crypto_sym_xform){
		.type = RTE_CRYPTO_SYM_XFORM_AEAD,
		.aead = {
			.op = task == SRTP_TASK_SEAL ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT,
			.algo = RTE_CRYPTO_AEAD_AES_GCM,
			.key = { .data = key->cipher_key,
				 .length = srtp_suite_info((enum srtp_suite)key->suite)->key_len },
			.iv = { .offset = CRYPTO_AREA_OFFSET + offsetof(struct crypto_area, iv), .length = 12 },
			.digest_length = SRTP_TAG_MAX,
			.aad_length = (uint16_t)start,
		},
	};
}

static void session_make(struct crypto_queue *q, struct crypto_key *k, enum srtp_task task, unsigned start)
{
	unsigned digest_len = q->caps->digest_len[k->key->suite];
	struct rte_crypto_sym_xform x;
	void *dpdk;

	if (k->n_sessions == CRYPTO_KEY_SESSIONS)
		return;
	if (task == SRTP_TASK_HASH)
		xform_hash(&x, k->key, digest_len);
	else if (task == SRTP_TASK_CIPHER)
		xform_cipher(&x, k->key);
	else
		xform_aead(&x, k->key, task, start);
	dpdk = rte_cryptodev_sym_session_create(q->device, &x, q->session_pool);
	if (dpdk == NULL) {
		q->counters.no_session++;
		return;
	}
	k->sessions[k->n_sessions++] = (struct crypto_session){
		.dpdk = dpdk, .key = (uint32_t)(k - q->keys), .task = (uint8_t)task, .start = (uint8_t)start
	};
	q->counters.sessions++;
}

// Whether or not the driver has wiped it; the pool is ours alone, so nobody has taken it meanwhile.
static void session_end(struct crypto_queue *q, struct crypto_session *s)
{
	(void)rte_cryptodev_sym_session_free(q->device, s->dpdk);
	explicit_bzero(s->dpdk, q->session_pool->elt_size);
	q->counters.sessions--;
}

static void entry_free(struct crypto_queue *q, struct crypto_key *k)
{
	for (unsigned i = 0; i < k->n_sessions; i++)
		session_end(q, &k->sessions[i]);
	*k = (struct crypto_key){ .next_free = q->first_free };
	q->first_free = (uint32_t)(k - q->keys);
	q->counters.keys--;
}

// ---- the engine's verbs

void crypto_key_remove(struct srtp_offload *offload, const struct srtp_key *key)
{
	struct crypto_queue *q = queue_of(offload);
	uint32_t place = place_find(q, key);
	struct crypto_key *k;

	if (q->index[place] == CRYPTO_NONE)
		return;
	k = &q->keys[q->index[place]];
	place_clear(q, place);
	k->key = NULL;
	k->gone = true;
	if (k->late == 0)
		entry_free(q, k);
}

void crypto_key_late_back(struct crypto_queue *queue, uint32_t index)
{
	struct crypto_key *k = &queue->keys[index];

	if (--k->late == 0 && k->gone)
		entry_free(queue, k);
}

void crypto_key_add(struct srtp_offload *offload, const struct srtp_key *key)
{
	const struct srtp_suite_info *info = srtp_suite_info((enum srtp_suite)key->suite);
	struct crypto_queue *q = queue_of(offload);
	struct crypto_key *k;

	crypto_key_remove(offload, key);
	if (info == NULL || !q->caps->suite[key->suite])
		return;
	if (q->first_free == CRYPTO_NONE) {
		q->counters.no_session++;
		return;
	}
	k = &q->keys[q->first_free];
	q->first_free = k->next_free;
	*k = (struct crypto_key){ .key = key, .mark = mark_of(key) };
	q->index[place_find(q, key)] = (uint32_t)(k - q->keys);
	q->counters.keys++;
	if (info->aead) {
		session_make(q, k, SRTP_TASK_OPEN, 12);
		session_make(q, k, SRTP_TASK_SEAL, 12);
		return;
	}
	session_make(q, k, SRTP_TASK_HASH, 0);
	if (info->encrypts)
		session_make(q, k, SRTP_TASK_CIPHER, 0);
}

static struct crypto_session *session_find(struct crypto_key *k, enum srtp_task task, unsigned start)
{
	for (unsigned i = 0; i < k->n_sessions; i++) {
		if (k->sessions[i].task == task && k->sessions[i].start == start)
			return &k->sessions[i];
	}
	return NULL;
}

void *crypto_key_session(struct srtp_offload *offload, const struct srtp_key *key, enum srtp_task task, unsigned start)
{
	struct crypto_key *k = key_find(queue_of(offload), key);
	struct crypto_session *s = k != NULL ? session_find(k, task, start) : NULL;

	for (unsigned line = 0; s != NULL && line < SESSION_LINES; line++)
		__builtin_prefetch((const uint8_t *)s->dpdk + 64 * line); // it runs when those of the burst are together
	return s;
}

void crypto_key_wish(struct srtp_offload *offload, const struct srtp_key *key, enum srtp_task task, unsigned start)
{
	struct crypto_queue *q = queue_of(offload);
	struct crypto_key *k = key_find(q, key);

	if (start > CRYPTO_AAD_MAX || k == NULL || k->n_sessions == CRYPTO_KEY_SESSIONS || q->n_wishes == CRYPTO_WISHES)
		return;
	q->wishes[q->n_wishes++] = (struct crypto_wish){ .key = key, .task = (uint8_t)task, .start = (uint8_t)start };
}

void crypto_key_tend(struct srtp_offload *offload)
{
	struct crypto_queue *q = queue_of(offload);

	for (; q->n_wishes > 0; q->n_wishes--) {
		const struct crypto_wish *wish = &q->wishes[q->n_wishes - 1];
		struct crypto_key *k = key_find(q, wish->key); // it may have gone, or been granted

		if (k != NULL && session_find(k, (enum srtp_task)wish->task, wish->start) == NULL)
			session_make(q, k, (enum srtp_task)wish->task, wish->start);
	}
}

int crypto_keys_open(struct crypto_queue *queue, uint32_t n_keys, int socket)
{
	uint32_t n = 16;

	while (n < 2 * n_keys)
		n *= 2;
	queue->keys = rte_zmalloc_socket(NULL, n_keys * sizeof(*queue->keys), 64, socket);
	queue->index = rte_zmalloc_socket(NULL, n * sizeof(*queue->index), 64, socket);
	if (queue->keys == NULL || queue->index == NULL)
		return -ENOMEM;
	memset(queue->index, 0xff, n * sizeof(*queue->index));
	queue->index_mask = n - 1;
	queue->n_keys = n_keys;
	for (uint32_t i = 0; i < n_keys; i++)
		queue->keys[i].next_free = i + 1 < n_keys ? i + 1 : CRYPTO_NONE;
	return 0;
}

void crypto_keys_close(struct crypto_queue *queue)
{
	for (uint32_t i = 0; queue->keys != NULL && i < queue->n_keys; i++) {
		for (unsigned s = 0; s < queue->keys[i].n_sessions; s++)
			session_end(queue, &queue->keys[i].sessions[s]);
	}
	rte_free(queue->keys);
	rte_free(queue->index);
}
