// SPDX-License-Identifier: GPL-3.0-or-later
// keying_words.c - the words of keying: mechanisms, protos, setup, tls-id; and wiping.
#include "base/secret.h"
#include "mediarelay/keying/keying_priv.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

const enum srtp_suite keying_suites_default[KEYING_SUITES_MAX + 1] = {
	SRTP_AEAD_AES_256_GCM,        SRTP_AEAD_AES_128_GCM,        SRTP_AES_256_CM_HMAC_SHA1_80,
	SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_AES_CM_128_HMAC_SHA1_32,
};

const char *keying_mechanism_name(enum keying_mechanism mechanism)
{
	static const char *const names[KEYING_MECHANISM_COUNT] = {
		[KEYING_UNDECIDED] = "undecided",
		[KEYING_PLAIN] = "none",
		[KEYING_SDES] = "sdes",
		[KEYING_DTLS_SRTP] = "dtls-srtp",
	};

	return (unsigned)mechanism < KEYING_MECHANISM_COUNT ? names[mechanism] : "undecided";
}

static const char *const proto_names[][2] = {
	[KEYING_TRANSPORT_OTHER] = { "", "" },
	[KEYING_RTP_AVP] = { "RTP/AVP", "RTP/AVPF" },
	[KEYING_RTP_SAVP] = { "RTP/SAVP", "RTP/SAVPF" },
	[KEYING_UDP_TLS_RTP_SAVP] = { "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF" },
};

struct keying_proto keying_proto_parse(const char *token, size_t len)
{
	for (int t = KEYING_RTP_AVP; t <= KEYING_UDP_TLS_RTP_SAVP; t++) {
		for (int f = 0; f <= 1; f++) {
			if (strlen(proto_names[t][f]) == len && strncasecmp(proto_names[t][f], token, len) == 0)
				return (struct keying_proto){ (enum keying_transport)t, f == 1 };
		}
	}
	return (struct keying_proto){ KEYING_TRANSPORT_OTHER, false };
}

const char *keying_proto_name(struct keying_proto proto)
{
	return proto_names[proto.transport][proto.feedback];
}

static const char *const setup_names[] = {
	[KEYING_SETUP_NONE] = "",     [KEYING_ACTPASS] = "actpass",   [KEYING_ACTIVE] = "active",
	[KEYING_PASSIVE] = "passive", [KEYING_HOLDCONN] = "holdconn", [KEYING_SETUP_BAD] = "",
};

enum keying_setup keying_setup_parse(const char *text, size_t len)
{
	while (len > 0 && text[len - 1] == ' ')
		len--;
	for (int s = KEYING_ACTPASS; s <= KEYING_HOLDCONN; s++) {
		if (strlen(setup_names[s]) == len && strncasecmp(setup_names[s], text, len) == 0)
			return (enum keying_setup)s;
	}
	return KEYING_SETUP_BAD;
}

const char *keying_setup_name(enum keying_setup setup)
{
	return setup_names[setup];
}

void keying_tls_id_set(char dst[KEYING_TLS_ID_MAX], const char *text, size_t len)
{
	// FNV-1a; two long ones that collide would share a connection's name only.
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	int head = len < KEYING_TLS_ID_MAX ? (int)len : KEYING_TLS_ID_MAX - 18;

	snprintf(dst, KEYING_TLS_ID_MAX, "%.*s", head, text);
	if (len < KEYING_TLS_ID_MAX)
		return;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	snprintf(dst + head, (size_t)(KEYING_TLS_ID_MAX - head), "~%016llx", (unsigned long long)hash);
}

// Member by member: what lies between the members is not compared.
bool keying_master_same(const struct srtp_master *a, const struct srtp_master *b)
{
	const struct srtp_suite_info *info = srtp_suite_info(a->suite);

	return info != NULL && a->suite == b->suite && secret_equal(a->key, b->key, info->key_len) &&
	       secret_equal(a->salt, b->salt, info->salt_len);
}

bool keying_mki_same(const struct srtp_mki *a, const struct srtp_mki *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

void keying_mki_next(struct srtp_mki *mki)
{
	for (size_t i = mki->len; i > 0; i--) {
		if (++mki->bytes[i - 1] != 0)
			return;
	}
}

bool keying_suite_encrypts(enum srtp_suite suite)
{
	const struct srtp_suite_info *info = srtp_suite_info(suite);

	return info != NULL && info->encrypts;
}

enum keying_floor keying_floor_of(const struct keying_choice *choice)
{
	if (choice == NULL || choice->mechanism <= KEYING_PLAIN)
		return KEYING_FLOOR_NONE;
	if (choice->mechanism == KEYING_SDES)
		return keying_suite_encrypts(choice->tx.suite) ? KEYING_FLOOR_ENCRYPTED : KEYING_FLOOR_SECURED;
	for (const enum srtp_suite *suite = choice->suites; *suite != SRTP_SUITE_NONE; suite++) {
		if (keying_suite_encrypts(*suite)) // the handshake may have taken it
			return KEYING_FLOOR_ENCRYPTED;
	}
	return KEYING_FLOOR_SECURED;
}

bool keying_fingerprints_same(const struct dtls_fingerprints *a, const struct dtls_fingerprints *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!dtls_fingerprint_equal(&a->list[i], &b->list[i]))
			return false;
	}
	return true;
}

bool keying_choice_same(const struct keying_choice *a, const struct keying_choice *b)
{
	if (a->mechanism != b->mechanism)
		return false;
	if (a->mechanism == KEYING_SDES)
		return keying_master_same(&a->rx, &b->rx) && keying_master_same(&a->tx, &b->tx) &&
		       keying_mki_same(&a->rx_mki, &b->rx_mki) && keying_mki_same(&a->tx_mki, &b->tx_mki);
	if (a->mechanism == KEYING_DTLS_SRTP)
		return a->dtls_role == b->dtls_role && strcmp(a->tls_id, b->tls_id) == 0 &&
		       keying_fingerprints_same(&a->fingerprints, &b->fingerprints);
	return true;
}

static bool prints_are_sound(const struct dtls_fingerprints *prints)
{
	if (prints->n > DTLS_FINGERPRINTS_MAX)
		return false;
	for (size_t i = 0; i < DTLS_FINGERPRINTS_MAX; i++) {
		if ((unsigned)prints->list[i].hash >= DTLS_HASH_COUNT || prints->list[i].len > DTLS_DIGEST_MAX)
			return false;
	}
	return true;
}

bool keying_choice_is_sound(const struct keying_choice *choice)
{
	for (size_t i = 0; i <= KEYING_SUITES_MAX; i++) {
		if ((unsigned)choice->suites[i] >= SRTP_SUITE_COUNT)
			return false;
	}
	return (unsigned)choice->mechanism < KEYING_MECHANISM_COUNT &&
	       (unsigned)choice->proto.transport <= KEYING_UDP_TLS_RTP_SAVP && *(const uint8_t *)&choice->proto.feedback <= 1 &&
	       (unsigned)choice->rx.suite < SRTP_SUITE_COUNT && (unsigned)choice->tx.suite < SRTP_SUITE_COUNT &&
	       choice->rx_mki.len <= SRTP_MKI_MAX && choice->tx_mki.len <= SRTP_MKI_MAX &&
	       (unsigned)choice->dtls_role <= DTLS_PASSIVE && prints_are_sound(&choice->fingerprints) &&
	       memchr(choice->tls_id, 0, sizeof(choice->tls_id)) != NULL &&
	       memchr(choice->our_tls_id, 0, sizeof(choice->our_tls_id)) != NULL &&
	       choice->suites[KEYING_SUITES_MAX] == SRTP_SUITE_NONE;
}

void keying_choice_wipe(struct keying_choice *choice)
{
	secret_wipe(choice, choice != NULL ? sizeof(*choice) : 0);
}

void keying_local_wipe(struct keying_local *local)
{
	secret_wipe(local, local != NULL ? sizeof(*local) : 0);
}
