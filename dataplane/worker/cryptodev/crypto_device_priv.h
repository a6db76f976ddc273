// SPDX-License-Identifier: GPL-3.0-or-later
// crypto_device_priv.h - inside of the crypto device: queues, their slots, keys and sessions.
#pragma once
#include "dataplane/worker/cryptodev/crypto_device.h"
#include <rte_crypto.h>
#include <rte_cryptodev.h>
#include <rte_mbuf.h>

#define CRYPTO_SLOTS 256       // jobs of a queue: four whole bursts, so that one which is late stops nothing at once
#define CRYPTO_ROOM 9728       // octets of a packet; longer ones are ipsec-mb's
#define CRYPTO_AAD_MAX 64      // header; longer ones are ipsec-mb's
#define CRYPTO_KEY_SESSIONS 6  // of AEAD: one a direction and length of the header, as devices want it
#define CRYPTO_WISHES 16
#define CRYPTO_NONE UINT32_MAX

struct crypto_session {
	void *dpdk; // NULL: none
	uint32_t key; // whose: index of keys[]
	uint8_t task, start, digest_len;
};

struct crypto_key {
	const struct srtp_key *key; // NULL: free, or gone while jobs of it are under way
	uint64_t mark;              // of the salt: the record may be written by others, its sessions are of this key alone
	uint32_t next_free;
	uint16_t late;              // jobs that the device still has
	bool gone;
	uint8_t n_sessions;
	struct crypto_session sessions[CRYPTO_KEY_SESSIONS];
};

struct crypto_slot { // one job: all that the device may touch lies in op and mbuf
	struct rte_crypto_op *op;
	struct rte_mbuf *m;
	struct srtp_job *job; // NULL: nobody waits for it any more
	uint32_t key;
};

struct crypto_area { // behind each op
	struct crypto_slot *slot;
	alignas(16) uint8_t iv[16];
	alignas(16) uint8_t digest[32];
	alignas(16) uint8_t aad[CRYPTO_AAD_MAX];
};

#define CRYPTO_AREA_OFFSET \
	((sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op) + alignof(struct crypto_area) - 1) / \
	 alignof(struct crypto_area) * alignof(struct crypto_area))

struct crypto_wish {
	const struct srtp_key *key;
	uint8_t task, start;
};

struct crypto_queue {
	struct srtp_offload offload; // first
	uint8_t device;
	uint16_t queue;
	uint64_t patience; // ticks that a burst may take
	struct rte_mempool *op_pool, *mbuf_pool, *session_pool;
	struct crypto_slot slots[CRYPTO_SLOTS];
	uint16_t unused[CRYPTO_SLOTS]; // a stack: what was used last is warm
	unsigned n_unused;
	const struct crypto_caps *caps;
	struct crypto_key *keys;
	uint32_t n_keys, first_free;
	uint32_t *index, index_mask; // by the record's address: index of keys[], CRYPTO_NONE: none
	struct crypto_wish wishes[CRYPTO_WISHES];
	unsigned n_wishes;
	struct crypto_counters counters;
};

struct crypto_caps {
	bool suite[SRTP_SUITE_COUNT];
	uint8_t digest_len[SRTP_SUITE_COUNT]; // that the device computes: the tag's, or all of SHA-1's
};

struct crypto_device {
	char name[DP_CRYPTO_NAME];
	const char *driver;
	uint8_t id;
	bool made, configured, started; // the virtual device is ours to take away
	unsigned n_queues;
	struct crypto_caps caps;
	struct crypto_queue *queues[DP_WORKERS_MAX];
};

static inline struct crypto_queue *queue_of(struct srtp_offload *offload)
{
	return (struct crypto_queue *)offload;
}

static inline struct crypto_area *area_of(struct rte_crypto_op *op)
{
	return (struct crypto_area *)((uint8_t *)op + CRYPTO_AREA_OFFSET);
}

// crypto_key.c
int crypto_keys_open(struct crypto_queue *queue, uint32_t n_keys, int socket);
void crypto_keys_close(struct crypto_queue *queue);
void crypto_key_add(struct srtp_offload *offload, const struct srtp_key *key);
void crypto_key_remove(struct srtp_offload *offload, const struct srtp_key *key);
void *crypto_key_session(struct srtp_offload *offload, const struct srtp_key *key, enum srtp_task task, unsigned start);
void crypto_key_wish(struct srtp_offload *offload, const struct srtp_key *key, enum srtp_task task, unsigned start);
void crypto_key_tend(struct srtp_offload *offload);
void crypto_key_late_back(struct crypto_queue *queue, uint32_t index); // a job of it that was late is back

// crypto_burst.c
void crypto_run(struct srtp_offload *offload, enum srtp_task task, struct srtp_job *jobs, unsigned n);
void crypto_release(struct srtp_offload *offload, struct srtp_job *jobs, unsigned n);
