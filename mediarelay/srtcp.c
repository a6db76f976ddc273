// SPDX-License-Identifier: GPL-3.0-or-later
// srtcp.c - SRTCP contexts on libsrtp2, with indices that survive a restart.
#include "mediarelay/srtcp.h"
#include "base/secret.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

#define RTCP_HEADER 8 // V, P, RC, PT, length, SSRC
#define SRTCP_INDEX_LIMIT 0x7fffffffu

struct srtcp {
	srtp_t session;
	enum srtcp_direction direction;
	uint8_t tag_len;
	bool aead;
	bool encrypts; // the E flag of each packet
	struct srtp_mki mki;
	bool unsaved;
	struct srtcp_marks marks;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static srtp_err_status_t library_status;

static void library_init(void)
{
	library_status = srtp_init(); // fails when called twice
}

int srtcp_setup(void)
{
	pthread_once(&library_once, library_init);
	return library_status == srtp_err_status_ok ? 0 : -ENOSYS;
}

static void policy_of(srtp_policy_t *policy, enum srtp_suite suite)
{
	static void (*const set[SRTP_SUITE_COUNT])(srtp_crypto_policy_t *) = {
		// The short tag of _32 is for RTP alone (RFC 4568 section 6.2.2, RFC 5764 section 4.1.2).
		[SRTP_AES_CM_128_HMAC_SHA1_80] = srtp_crypto_policy_set_rtp_default,
		[SRTP_AES_CM_128_HMAC_SHA1_32] = srtp_crypto_policy_set_rtp_default,
		[SRTP_AES_192_CM_HMAC_SHA1_80] = srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80,
		[SRTP_AES_192_CM_HMAC_SHA1_32] = srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80,
		[SRTP_AES_256_CM_HMAC_SHA1_80] = srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80,
		[SRTP_AES_256_CM_HMAC_SHA1_32] = srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80,
		[SRTP_NULL_HMAC_SHA1_80] = srtp_crypto_policy_set_null_cipher_hmac_sha1_80,
		[SRTP_NULL_HMAC_SHA1_32] = srtp_crypto_policy_set_null_cipher_hmac_sha1_80,
		[SRTP_AEAD_AES_128_GCM] = srtp_crypto_policy_set_aes_gcm_128_16_auth,
		[SRTP_AEAD_AES_256_GCM] = srtp_crypto_policy_set_aes_gcm_256_16_auth,
	};

	set[suite](&policy->rtp);
	set[suite](&policy->rtcp);
}

int srtcp_open(struct srtcp **sp, const struct srtp_master *master, enum srtcp_direction direction)
{
	const struct srtp_suite_info *info;
	uint8_t key[SRTP_KEY_MAX + SRTP_SALT_MAX] = { 0 };
	srtp_policy_t policy = { .window_size = 128 };
	struct srtcp *s;
	int err = 0;

	if (sp == NULL || master->suite <= SRTP_SUITE_NONE || master->suite >= SRTP_SUITE_COUNT)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	info = srtp_suite_info(master->suite);
	memcpy(key, master->key, info->key_len);
	memcpy(key + info->key_len, master->salt, info->salt_len);
	policy_of(&policy, master->suite);
	policy.key = key;
	policy.ssrc.type = direction == SRTCP_SEND ? ssrc_any_outbound : ssrc_any_inbound;
	s->direction = direction;
	s->tag_len = info->rtcp_tag_len;
	s->aead = info->aead;
	s->encrypts = info->encrypts;
	if (srtp_create(&s->session, &policy) != srtp_err_status_ok) {
		err = -ENOMEM;
		goto out;
	}
	*sp = s;
	s = NULL;
out:
	secret_wipe(key, sizeof(key));
	srtcp_close(s);
	return err;
}

void srtcp_close(struct srtcp *s)
{
	if (s == NULL)
		return;
	if (s->session != NULL)
		srtp_dealloc(s->session);
	free(s);
}

void srtcp_set_mki(struct srtcp *s, const struct srtp_mki *mki)
{
	if (s != NULL)
		s->mki = *mki;
}

// The MKI stands between index and tag (RFC 3711 section 3.4); with AEAD, whose tag is part of the cipher text, behind the
// index (RFC 7714 section 9.2). It is not authenticated, so that it can be put in and taken out here.
static size_t behind_mki(const struct srtcp *s)
{
	return s->aead ? 0 : s->tag_len;
}

static void mki_insert(const struct srtcp *s, uint8_t *packet, size_t *len)
{
	uint8_t *at = packet + *len - behind_mki(s);

	memmove(at + s->mki.len, at, behind_mki(s));
	memcpy(at, s->mki.bytes, s->mki.len);
	*len += s->mki.len;
}

static int mki_remove(const struct srtcp *s, uint8_t *packet, size_t *len)
{
	uint8_t *at = packet + *len - behind_mki(s) - s->mki.len; // the length is checked

	if (memcmp(at, s->mki.bytes, s->mki.len) != 0)
		return -EBADMSG;
	memmove(at, at + s->mki.len, behind_mki(s));
	*len -= s->mki.len;
	return 0;
}

static uint32_t packet_ssrc(const uint8_t *packet)
{
	uint32_t ssrc;

	memcpy(&ssrc, packet + 4, sizeof(ssrc));
	return ntohl(ssrc);
}

// The mark of an SSRC, or the free one that it would get; NULL when all are taken by others.
static struct srtcp_mark *mark_of(struct srtcp *s, uint32_t ssrc)
{
	for (uint32_t i = 0; i < s->marks.n; i++) {
		if (s->marks.mark[i].ssrc == ssrc)
			return &s->marks.mark[i];
	}
	return s->marks.n < SRTCP_SSRCS_MAX ? &s->marks.mark[s->marks.n] : NULL;
}

static void mark_bind(struct srtcp *s, struct srtcp_mark *mark, uint32_t ssrc)
{
	if (mark != &s->marks.mark[s->marks.n])
		return;
	*mark = (struct srtcp_mark){ .ssrc = ssrc };
	s->marks.n++;
}

static int error_of(srtp_err_status_t status)
{
	switch (status) {
	case srtp_err_status_ok:
		return 0;
	case srtp_err_status_replay_fail:
	case srtp_err_status_replay_old:
		return -EALREADY;
	case srtp_err_status_key_expired:
		return -EKEYEXPIRED;
	case srtp_err_status_alloc_fail:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

int srtcp_protect(struct srtcp *s, uint8_t *packet, size_t *len, size_t room)
{
	struct srtcp_mark *mark;
	uint32_t ssrc, index = 0;
	int octets = (int)*len, err;

	if (*len < RTCP_HEADER || *len % 4 != 0)
		return -EBADMSG;
	if (*len + SRTCP_TRAILER_MAX > room)
		return -EMSGSIZE;
	ssrc = packet_ssrc(packet);
	mark = mark_of(s, ssrc);
	if (mark == NULL)
		return -ENOSPC;
	err = error_of(srtp_protect_rtcp(s->session, packet, &octets));
	if (err < 0)
		return err;
	mark_bind(s, mark, ssrc);
	srtp_get_stream_rtcp_index(s->session, ssrc, &index);
	if (index >= mark->index) {
		uint32_t left = SRTCP_INDEX_LIMIT - index;

		mark->index = index + (left < SRTCP_BLOCK ? left : SRTCP_BLOCK);
		s->unsaved = true;
	}
	*len = (size_t)octets;
	mki_insert(s, packet, len);
	return 0;
}

// RFC 3711 section 3.4: the E flag is the first bit of the word before the tag, once the MKI is out. A keyed leg takes no
// SRTCP in the clear, authenticated or not, but of a suite that encrypts nothing.
static bool is_encrypted(const struct srtcp *s, const uint8_t *packet, size_t len)
{
	size_t word = len - 4 - behind_mki(s);

	return (packet[word] & 0x80) != 0;
}

int srtcp_unprotect(struct srtcp *s, uint8_t *packet, size_t *len)
{
	struct srtcp_mark *mark;
	uint32_t ssrc;
	int octets, err;

	if (*len < (size_t)RTCP_HEADER + 4 + s->mki.len + s->tag_len || mki_remove(s, packet, len) < 0)
		return -EBADMSG;
	octets = (int)*len;
	if (is_encrypted(s, packet, *len) != s->encrypts)
		return -EPERM;
	ssrc = packet_ssrc(packet);
	mark = mark_of(s, ssrc);
	if (mark == NULL)
		return -ENOSPC;
	err = error_of(srtp_unprotect_rtcp(s->session, packet, &octets));
	if (err < 0)
		return err;
	mark_bind(s, mark, ssrc); // only an authenticated packet binds an SSRC
	srtp_get_stream_rtcp_index(s->session, ssrc, &mark->index);
	*len = (size_t)octets;
	return 0;
}

bool srtcp_unsaved(const struct srtcp *s)
{
	return s->unsaved;
}

void srtcp_save(struct srtcp *s, struct srtcp_marks *marks)
{
	*marks = s->marks;
	s->unsaved = false;
}

int srtcp_restore(struct srtcp *s, const struct srtcp_marks *marks)
{
	if (marks->n > SRTCP_SSRCS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < marks->n; i++) {
		const struct srtcp_mark *mark = &marks->mark[i];

		if (srtp_set_stream_rtcp_index(s->session, mark->ssrc, mark->index) != srtp_err_status_ok)
			return -EINVAL;
	}
	s->marks = *marks;
	return 0;
}
