// SPDX-License-Identifier: GPL-3.0-or-later
// srtp_key.c - from a master key to the expanded session keys of a key record (RFC 3711 4.3).
#include "dataplane/worker/srtp/srtp_engine_priv.h"
#include <errno.h>
#include <string.h>
#include "dataplane/fastpath.h"

#define SHA1_BLOCK 64

// Only the type is aligned to a line, for its arrays' sake; the code loads without.
static_assert(offsetof(struct gcm_key_data, ghash_keys) + sizeof(((struct gcm_key_data *)0)->ghash_keys) ==
		      sizeof(((struct srtp_key *)0)->gcm.data), "gcm_key_data fits its place");

// RFC 3711 4.3.2, RFC 6904 4.1. (SRTCP's labels 3 to 5 are the affair of the media thread.)
enum srtp_label {
	LABEL_CIPHER = 0,
	LABEL_AUTH = 1,
	LABEL_SALT = 2,
	LABEL_EXTENSION_CIPHER = 6,
	LABEL_EXTENSION_SALT = 7,
};

struct expanded_key { // AES round keys; the library makes those for decryption as well
	alignas(16) uint8_t enc[240];
	alignas(16) uint8_t dec[240];
};

static void aes_expand(struct srtp_engine *engine, struct expanded_key *rounds, const uint8_t *key, unsigned key_len)
{
	memset(rounds, 0, sizeof(*rounds)); // AES-128 has fewer rounds; the rest must not be what lay on the stack
	if (key_len == IMB_KEY_128_BYTES)
		IMB_AES_KEYEXP_128(engine->mgr, key, rounds->enc, rounds->dec);
	else if (key_len == IMB_KEY_192_BYTES)
		IMB_AES_KEYEXP_192(engine->mgr, key, rounds->enc, rounds->dec);
	else
		IMB_AES_KEYEXP_256(engine->mgr, key, rounds->enc, rounds->dec);
}

// The AES-CM PRF (RFC 3711 4.3.3; with AES-192 and -256: RFC 6188 3). A 96 bit salt (RFC 7714 11) has zeros behind it.
static void prf(struct srtp_engine *engine, const struct expanded_key *rounds, const struct srtp_master *master,
		enum srtp_label label, uint8_t *out, size_t len)
{
	const struct srtp_suite_info *info = srtp_suite_info(master->suite);
	alignas(16) uint8_t iv[16] = { 0 };
	IMB_JOB job = {
		.enc_keys = rounds->enc,
		.dec_keys = rounds->enc,
		.key_len_in_bytes = info->key_len,
		.src = out,
		.dst = out,
		.msg_len_to_cipher_in_bytes = len,
		.iv = iv,
		.iv_len_in_bytes = sizeof(iv),
		.cipher_mode = IMB_CIPHER_CNTR,
		.cipher_direction = IMB_DIR_ENCRYPT,
		.hash_alg = IMB_AUTH_NULL,
	};

	memcpy(iv, master->salt, info->salt_len);
	iv[7] ^= (uint8_t)label; // key_id = label || index DIV 0 (48 bits), right-aligned with the salt
	memset(out, 0, len);
	IMB_SUBMIT_CIPHER_BURST_NOCHECK(engine->mgr, &job, 1, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT,
					(IMB_KEY_SIZE_BYTES)info->key_len);
	explicit_bzero(iv, sizeof(iv));
}

static void hmac_state(struct srtp_engine *engine, const uint8_t auth_key[20], uint8_t pad, uint32_t state[5])
{
	alignas(16) uint8_t block[SHA1_BLOCK];

	memset(block, pad, sizeof(block));
	for (unsigned i = 0; i < 20; i++)
		block[i] ^= auth_key[i];
	IMB_SHA1_ONE_BLOCK(engine->mgr, block, state);
	explicit_bzero(block, sizeof(block));
}

static void key_expand(struct srtp_engine *engine, struct srtp_key *key)
{
	const struct srtp_suite_info *info = srtp_suite_info((enum srtp_suite)key->suite);
	struct expanded_key rounds;

	// A kill in the middle leaves a record without stamp, which nobody uses and srtp_key_adopt() does again.
	key->stamp = 0;
	srtp_window_order();
	aes_expand(engine, &rounds, key->extension_key, info->key_len);
	memcpy(key->extension_rounds, rounds.enc, sizeof(key->extension_rounds));
	if (info->aead) {
		if (info->key_len == IMB_KEY_128_BYTES)
			IMB_AES128_GCM_PRE(engine->mgr, key->cipher_key, (struct gcm_key_data *)key->gcm.data);
		else
			IMB_AES256_GCM_PRE(engine->mgr, key->cipher_key, (struct gcm_key_data *)key->gcm.data);
	} else {
		aes_expand(engine, &rounds, key->cipher_key, info->key_len);
		memcpy(key->cm.rounds, rounds.enc, sizeof(key->cm.rounds));
		hmac_state(engine, key->auth_key, 0x36, key->cm.hmac.inner);
		hmac_state(engine, key->auth_key, 0x5c, key->cm.hmac.outer);
	}
	explicit_bzero(&rounds, sizeof(rounds));
	srtp_window_order();
	key->stamp = engine->stamp;
}

static void key_hand_over(struct srtp_engine *engine, const struct srtp_key *key)
{
	if (engine_hands_over(engine))
		engine->handover->to->ops->key_add(engine->handover->to, key);
}

int srtp_key_derive(struct srtp_engine *engine, struct srtp_key *key, const struct srtp_master *master,
		    const struct srtp_mki *mki, uint64_t lifetime)
{
	const struct srtp_suite_info *info = srtp_suite_info(master->suite);
	struct expanded_key rounds;

	if (info == NULL || (mki != NULL && mki->len > SRTP_MKI_MAX))
		return -EINVAL;
	memset(key, 0, srtp_key_size(master->suite));
	key->remaining = lifetime == 0 || lifetime > SRTP_INDEX_LIMIT ? SRTP_INDEX_LIMIT : lifetime;
	key->tag_len = info->tag_len;
	if (mki != NULL && mki->len != 0) {
		key->mki_len = mki->len;
		memcpy(key->mki, mki->bytes, mki->len);
	}
	aes_expand(engine, &rounds, master->key, info->key_len);
	prf(engine, &rounds, master, LABEL_CIPHER, key->cipher_key, info->key_len);
	prf(engine, &rounds, master, LABEL_SALT, key->salt, info->salt_len);
	prf(engine, &rounds, master, LABEL_EXTENSION_CIPHER, key->extension_key, info->key_len);
	// As long as the packets' own salt, also where that is 96 bits long (RFC 7714 8.3, 11).
	prf(engine, &rounds, master, LABEL_EXTENSION_SALT, key->extension_salt, info->salt_len);
	if (!info->aead)
		prf(engine, &rounds, master, LABEL_AUTH, key->auth_key, sizeof(key->auth_key));
	explicit_bzero(&rounds, sizeof(rounds));
	srtp_window_order();
	key->suite = (uint8_t)master->suite; // from here on srtp_key_adopt() can finish it
	key_expand(engine, key);
	key_hand_over(engine, key);
	return 0;
}

int srtp_key_adopt(struct srtp_engine *engine, struct srtp_key *key)
{
	const struct srtp_suite_info *info = srtp_suite_info((enum srtp_suite)key->suite);

	if (info == NULL || key->tag_len != info->tag_len || key->mki_len > SRTP_MKI_MAX)
		return -EINVAL;
	if (key->stamp != engine->stamp)
		key_expand(engine, key);
	key_hand_over(engine, key);
	return 0;
}

void srtp_key_forget(struct srtp_engine *engine, const struct srtp_key *key)
{
	if (engine != NULL && engine_hands_over(engine))
		engine->handover->to->ops->key_remove(engine->handover->to, key);
}

void srtp_key_wipe(struct srtp_engine *engine, struct srtp_key *key)
{
	if (key == NULL)
		return;
	srtp_key_forget(engine, key);
	explicit_bzero(key, srtp_key_size(key->suite));
}
