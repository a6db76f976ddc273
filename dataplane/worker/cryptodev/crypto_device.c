// SPDX-License-Identifier: GPL-3.0-or-later
// crypto_device.c - birth and death of the device and its queues, and what it says that it can do.
#include "dataplane/worker/cryptodev/crypto_device_priv.h"
#include <errno.h>
#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTORS 512   // of a queue; more than there are slots
#define PATIENCE_US 1000  // a burst of an accelerator takes tens of microseconds
#define SESSION_BYTES 2048 // for the estimate: DPDK's own drivers have 1.0 to 1.5 KiB
#define SHA1_LEN 20

static const struct srtp_offload_ops ops = {
	.key_add = crypto_key_add,
	.key_remove = crypto_key_remove,
	.session = crypto_key_session,
	.wish = crypto_key_wish,
	.run = crypto_run,
	.release = crypto_release,
	.tend = crypto_key_tend,
};

// One on the bus is named by its address, and a suffix of its driver's: 0000:3d:01.0_qat_sym.
static bool is_pci(const char *name)
{
	unsigned domain, bus, slot, function;

	return sscanf(name, "%x:%x:%x.%x", &domain, &bus, &slot, &function) == 4;
}

bool crypto_device_address(const struct dp_crypto *config, char address[192])
{
	if (!is_pci(config->device))
		return false;
	snprintf(address, 192, "%.*s%s%s", (int)strcspn(config->device, "_"), config->device,
		 config->devargs[0] != '\0' ? "," : "", config->devargs);
	return true;
}

// Of a worker. Most calls have fewer keys than transports: lines that are plain, ports of RTCP.
static uint32_t keys_for(const struct dp_config *config)
{
	return config->max_transports / config->n_workers + 64;
}

// Two sessions a key: hash and cipher, or seal and open.
static uint32_t sessions_for(uint32_t n_keys)
{
	return 2 * n_keys + 64;
}

unsigned crypto_device_megabytes(const struct dp_config *config)
{
	uint64_t slots = (uint64_t)CRYPTO_SLOTS * (CRYPTO_ROOM + 1024);
	uint64_t sessions = (uint64_t)sessions_for(keys_for(config)) * SESSION_BYTES;

	return (unsigned)(config->n_workers * (slots + sessions) >> 20) + 8;
}

// ---- what it can do

static bool does_cipher(uint8_t id, unsigned key_len)
{
	const struct rte_cryptodev_sym_capability_idx idx = {
		.type = RTE_CRYPTO_SYM_XFORM_CIPHER, .algo.cipher = RTE_CRYPTO_CIPHER_AES_CTR
	};
	const struct rte_cryptodev_symmetric_capability *cap = rte_cryptodev_sym_capability_get(id, &idx);

	return cap != NULL && rte_cryptodev_sym_capability_check_cipher(cap, (uint16_t)key_len, 16) == 0;
}

// 0: it does not. Some make tags of any length, some only whole digests.
static unsigned does_hash(uint8_t id, unsigned tag_len)
{
	const struct rte_cryptodev_sym_capability_idx idx = {
		.type = RTE_CRYPTO_SYM_XFORM_AUTH, .algo.auth = RTE_CRYPTO_AUTH_SHA1_HMAC
	};
	const struct rte_cryptodev_symmetric_capability *cap = rte_cryptodev_sym_capability_get(id, &idx);

	if (cap == NULL)
		return 0;
	if (rte_cryptodev_sym_capability_check_auth(cap, SHA1_LEN, (uint16_t)tag_len, 0) == 0)
		return tag_len;
	return rte_cryptodev_sym_capability_check_auth(cap, SHA1_LEN, SHA1_LEN, 0) == 0 ? SHA1_LEN : 0;
}

static bool does_aead(uint8_t id, unsigned key_len)
{
	const struct rte_cryptodev_sym_capability_idx idx = {
		.type = RTE_CRYPTO_SYM_XFORM_AEAD, .algo.aead = RTE_CRYPTO_AEAD_AES_GCM
	};
	const struct rte_cryptodev_symmetric_capability *cap = rte_cryptodev_sym_capability_get(id, &idx);

	return cap != NULL &&
	       rte_cryptodev_sym_capability_check_aead(cap, (uint16_t)key_len, SRTP_TAG_MAX, 12, 12) == 0;
}

// A suite is the device's as a whole or not at all.
static bool caps_read(struct crypto_device *device)
{
	struct crypto_caps *caps = &device->caps;
	bool any = false;

	for (enum srtp_suite s = SRTP_SUITE_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		const struct srtp_suite_info *info = srtp_suite_info(s);

		if (info->aead) {
			caps->suite[s] = does_aead(device->id, info->key_len);
		} else {
			caps->digest_len[s] = (uint8_t)does_hash(device->id, info->tag_len);
			caps->suite[s] = caps->digest_len[s] != 0 &&
					 (!info->encrypts || does_cipher(device->id, info->key_len));
		}
		any |= caps->suite[s];
	}
	return any;
}

bool crypto_device_does(const struct crypto_device *device, enum srtp_suite suite)
{
	return device->caps.suite[suite];
}

const char *crypto_device_driver(const struct crypto_device *device)
{
	return device->driver;
}

// ---- queues

static int slots_open(struct crypto_queue *q)
{
	for (unsigned i = 0; i < CRYPTO_SLOTS; i++) {
		struct crypto_slot *slot = &q->slots[i];

		slot->op = rte_crypto_op_alloc(q->op_pool, RTE_CRYPTO_OP_TYPE_SYMMETRIC);
		slot->m = rte_pktmbuf_alloc(q->mbuf_pool);
		if (slot->op == NULL || slot->m == NULL)
			return -ENOMEM;
		area_of(slot->op)->slot = slot;
		q->unused[q->n_unused++] = (uint16_t)i;
	}
	return 0;
}

static int pools_open(struct crypto_queue *q, uint32_t n_keys, int socket)
{
	unsigned session = rte_cryptodev_sym_get_private_session_size(q->device);
	char name[32];

	snprintf(name, sizeof(name), "crypto_ops%u_%u", q->device, q->queue);
	q->op_pool = rte_crypto_op_pool_create(name, RTE_CRYPTO_OP_TYPE_SYMMETRIC, CRYPTO_SLOTS, 0,
					       sizeof(struct crypto_area) + alignof(struct crypto_area), socket);
	snprintf(name, sizeof(name), "crypto_text%u_%u", q->device, q->queue);
	q->mbuf_pool = rte_pktmbuf_pool_create(name, CRYPTO_SLOTS, 0, 0, RTE_PKTMBUF_HEADROOM + CRYPTO_ROOM, socket);
	snprintf(name, sizeof(name), "crypto_keys%u_%u", q->device, q->queue);
	q->session_pool = rte_cryptodev_sym_session_pool_create(name, sessions_for(n_keys), session, 0, 0, socket);
	return q->op_pool == NULL || q->mbuf_pool == NULL || q->session_pool == NULL ? -ENOMEM : slots_open(q);
}

static void queue_close(struct crypto_queue *q)
{
	if (q == NULL)
		return;
	crypto_keys_close(q);
	for (unsigned i = 0; i < CRYPTO_SLOTS; i++) {
		if (q->slots[i].op != NULL)
			rte_crypto_op_free(q->slots[i].op);
		if (q->slots[i].m != NULL)
			rte_pktmbuf_free(q->slots[i].m);
	}
	rte_mempool_free(q->op_pool);
	rte_mempool_free(q->mbuf_pool);
	rte_mempool_free(q->session_pool);
	free(q);
}

static int queue_open(struct crypto_device *device, unsigned worker, uint32_t n_keys)
{
	const struct rte_cryptodev_qp_conf conf = { .nb_descriptors = DESCRIPTORS };
	int socket = rte_cryptodev_socket_id(device->id), err;
	struct crypto_queue *q = aligned_alloc(64, (sizeof(*q) + 63) / 64 * 64);

	if (q == NULL)
		return -ENOMEM;
	memset(q, 0, sizeof(*q));
	device->queues[worker] = q;
	q->offload = (struct srtp_offload){ .ops = &ops, .max_len = CRYPTO_ROOM };
	q->device = device->id;
	q->queue = (uint16_t)worker;
	q->patience = rte_get_tsc_hz() / 1000000 * PATIENCE_US;
	q->caps = &device->caps;
	err = crypto_keys_open(q, n_keys, socket);
	if (err == 0)
		err = pools_open(q, n_keys, socket);
	if (err == 0)
		err = rte_cryptodev_queue_pair_setup(device->id, q->queue, &conf, socket);
	return err;
}

struct srtp_offload *crypto_device_queue(struct crypto_device *device, unsigned worker)
{
	return &device->queues[worker]->offload;
}

const struct crypto_counters *crypto_device_counters(const struct crypto_device *device, unsigned worker)
{
	return &device->queues[worker]->counters;
}

// ---- the device

// One that is on the bus has been found by the EAL; one in software is made.
static int device_find(struct crypto_device *device, const struct dp_crypto *config, char why[256])
{
	int err = 0, id;

	snprintf(device->name, sizeof(device->name), "%s", config->device);
	if (rte_cryptodev_get_dev_id(device->name) < 0 && !is_pci(device->name))
		err = rte_vdev_init(device->name, config->devargs);
	device->made = err == 0 && !is_pci(device->name);
	id = rte_cryptodev_get_dev_id(device->name);
	if (err < 0 || id < 0) {
		snprintf(why, 256, "no crypto device \"%s\": %s", device->name,
			 err < 0 ? strerror(-err) : "not found on the bus; is it bound to vfio-pci?");
		return -ENODEV;
	}
	device->id = (uint8_t)id;
	return 0;
}

static int device_check(struct crypto_device *device, char why[256])
{
	struct rte_cryptodev_info info;

	rte_cryptodev_info_get(device->id, &info);
	device->driver = info.driver_name;
	if (info.max_nb_queue_pairs < device->n_queues) {
		snprintf(why, 256, "crypto device \"%s\" has %u queues for %u workers: fewer workers, or devargs: "
			 "max_nb_queue_pairs=%u", device->name, info.max_nb_queue_pairs, device->n_queues,
			 device->n_queues);
		return -ENOSPC;
	}
	if (!caps_read(device)) {
		snprintf(why, 256, "crypto device \"%s\" (%s) can do no suite of SRTP", device->name, info.driver_name);
		return -ENOTSUP;
	}
	return 0;
}

static int device_start(struct crypto_device *device, uint32_t n_keys)
{
	struct rte_cryptodev_config config = {
		.socket_id = rte_cryptodev_socket_id(device->id),
		.nb_queue_pairs = (uint16_t)device->n_queues,
		.ff_disable = RTE_CRYPTODEV_FF_ASYMMETRIC_CRYPTO | RTE_CRYPTODEV_FF_SECURITY,
	};
	int err = rte_cryptodev_configure(device->id, &config);

	device->configured = err == 0;
	for (unsigned i = 0; i < device->n_queues && err == 0; i++)
		err = queue_open(device, i, n_keys);
	if (err == 0)
		err = rte_cryptodev_start(device->id);
	device->started = err == 0;
	return err;
}

int crypto_device_open(struct crypto_device **devicep, const struct dp_config *config, char why[256])
{
	struct crypto_device *device = calloc(1, sizeof(*device));
	int err;

	if (device == NULL)
		return -ENOMEM;
	device->n_queues = config->n_workers;
	err = device_find(device, &config->crypto, why);
	if (err == 0)
		err = device_check(device, why);
	if (err < 0)
		goto out;
	err = device_start(device, keys_for(config));
	if (err < 0) {
		snprintf(why, 256, "crypto device \"%s\" cannot start: %s", device->name, strerror(-err));
		goto out;
	}
	*devicep = device;
	device = NULL;
out:
	crypto_device_close(device);
	return err;
}

void crypto_device_close(struct crypto_device *device)
{
	if (device == NULL)
		return;
	if (device->started)
		rte_cryptodev_stop(device->id);
	for (unsigned i = 0; i < DP_WORKERS_MAX; i++)
		queue_close(device->queues[i]);
	if (device->configured)
		(void)rte_cryptodev_close(device->id);
	if (device->made)
		(void)rte_vdev_uninit(device->name);
	free(device);
}
