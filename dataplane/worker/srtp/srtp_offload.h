// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_offload.h - what another crypto engine than ipsec-mb has to be able to do: hash, encrypt, seal and open, bursts
// at a time. Nothing of SRTP is decided behind this interface. Which index a packet has, whether the window lets it in,
// when a tag is good, what of a header is encrypted: srtp_cm.c and srtp_gcm*.c say so for every engine.
//
// One object a worker's engine; it belongs to that thread. No verb but key_add and tend allocates, none waits without
// bound.
#pragma once
#include "dataplane/worker/srtp/srtp_engine.h"

enum srtp_task {
	SRTP_TASK_HASH,   // HMAC-SHA1 of [0, len) into `digest`
	SRTP_TASK_CIPHER, // AES-CM of [start, len) in place, with a whole block as IV
	SRTP_TASK_SEAL,   // AES-GCM of [start, len) in place, tag behind it; [0, start) is authenticated; 12 octets of IV
	SRTP_TASK_OPEN,   // the same back. The packet stays as it is: the plain text is at `text`
	SRTP_TASKS
};

enum srtp_job_state {
	SRTP_JOB_FAILED, // not done, or not in time; in place: [start, len) is as it was
	SRTP_JOB_DONE,
	SRTP_JOB_FORGED, // OPEN: the tag is not that of the packet
};

struct srtp_job {
	struct srtp_op *op;   // whose packet and key; its other fields are not looked at
	void *session;        // what session() gave
	const uint8_t *iv;    // of an alignment of 16
	uint8_t *digest;      // HASH, out: as many octets as the tag has
	const uint8_t *text;  // OPEN, out: len - start octets, until release()
	void *held;           // the engine's own, between run() and release()
	uint16_t start, len;
	uint8_t state;        // out: enum srtp_job_state
};

struct srtp_offload;

struct srtp_offload_ops {
	// A key that is whole, new or found again. What cannot be done for it, session() says. A key added twice is as
	// one that was removed in between.
	void (*key_add)(struct srtp_offload *offload, const struct srtp_key *key);
	void (*key_remove)(struct srtp_offload *offload, const struct srtp_key *key); // one never added is fine
	// What a job with this key needs; NULL: the engine cannot do it, ipsec-mb shall. `start`: of SEAL and OPEN.
	void *(*session)(struct srtp_offload *offload, const struct srtp_key *key, enum srtp_task task,
			 unsigned start);
	// A packet that was good and for which there was no session: one for its like would be used.
	void (*wish)(struct srtp_offload *offload, const struct srtp_key *key, enum srtp_task task, unsigned start);
	void (*run)(struct srtp_offload *offload, enum srtp_task task, struct srtp_job *jobs, unsigned n);
	void (*release)(struct srtp_offload *offload, struct srtp_job *jobs, unsigned n); // of OPEN alone
	void (*tend)(struct srtp_offload *offload); // between bursts: what takes longer, such as to grant wishes
};

struct srtp_offload {
	const struct srtp_offload_ops *ops;
	unsigned max_len; // of a job, octets
};

// An engine that gives to `offload` what it can do; the offload must outlive it. As srtp_engine_open(), and the known
// vectors go through both. -EILSEQ: one of the two computes something else than SRTP.
int srtp_engine_open_with(struct srtp_engine **enginep, enum srtp_arch arch, struct srtp_offload *offload);
void srtp_engine_tend(struct srtp_engine *engine); // once in a while, between bursts; without an offload it does nothing
