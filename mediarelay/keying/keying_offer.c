// SPDX-License-Identifier: GPL-3.0-or-later
// keying_offer.c - what we offer, and how our lines are written.
#include "base/secret.h"
#include "mediarelay/keying/keying_priv.h"
#include "mediarelay/keying/sdes.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

const enum srtp_suite *keying_policy_suites(const struct keying_policy *policy)
{
	return policy->suites[0] != SRTP_SUITE_NONE ? policy->suites : keying_suites_default;
}

bool keying_list_has(const enum keying_mechanism *list, enum keying_mechanism mechanism)
{
	for (size_t i = 0; i < KEYING_MECHANISM_COUNT && list[i] != KEYING_UNDECIDED; i++) {
		if (list[i] == mechanism)
			return true;
	}
	return false;
}

void keying_dtls_suites(enum srtp_suite to[KEYING_SUITES_MAX + 1], const struct keying_policy *policy,
			enum keying_floor floor)
{
	const enum srtp_suite *from = keying_policy_suites(policy);
	size_t n = 0;

	for (; *from != SRTP_SUITE_NONE; from++) {
		if (srtp_suite_info(*from)->dtls_profile == 0)
			continue;
		if (floor < KEYING_FLOOR_ENCRYPTED || keying_suite_encrypts(*from))
			to[n++] = *from;
	}
	to[n] = SRTP_SUITE_NONE;
}

static const char *list_fault(const enum keying_mechanism *list)
{
	unsigned seen = 0;

	if (list[0] == KEYING_UNDECIDED)
		return "names no mechanism";
	for (size_t i = 0; i < KEYING_MECHANISM_COUNT && list[i] != KEYING_UNDECIDED; i++) {
		if (list[i] >= KEYING_MECHANISM_COUNT)
			return "names an unknown mechanism";
		if (seen & 1u << list[i])
			return "names a mechanism twice";
		seen |= 1u << list[i];
	}
	return NULL;
}

static const char *suites_fault(const struct keying_policy *policy)
{
	enum srtp_suite dtls[KEYING_SUITES_MAX + 1];
	unsigned seen = 0;
	size_t i;

	for (i = 0; i <= KEYING_SUITES_MAX && policy->suites[i] != SRTP_SUITE_NONE; i++) {
		if (srtp_suite_info(policy->suites[i]) == NULL)
			return "suites: an unknown suite";
		if (seen & 1u << policy->suites[i])
			return "suites: a suite stands twice";
		seen |= 1u << policy->suites[i];
	}
	if (i > KEYING_SUITES_MAX)
		return "suites: too many";
	keying_dtls_suites(dtls, policy, KEYING_FLOOR_NONE);
	if (dtls[0] == SRTP_SUITE_NONE &&
	    (keying_list_has(policy->accept, KEYING_DTLS_SRTP) || keying_list_has(policy->offer, KEYING_DTLS_SRTP)))
		return "suites: none of them is a DTLS-SRTP profile";
	return NULL;
}

const char *keying_policy_fault(const struct keying_policy *policy)
{
	const char *fault = list_fault(policy->accept);

	if (fault != NULL)
		return fault;
	fault = list_fault(policy->offer);
	if (fault != NULL)
		return fault;
	if (keying_list_has(policy->offer, KEYING_PLAIN) && policy->offer[1] != KEYING_UNDECIDED)
		return "offer: with form strict, none is offered alone";
	return suites_fault(policy);
}

// The MKI of keys that are new in an offer: of one octet, 1 at first, then another than that of the key in force.
static struct srtp_mki offer_mki(const struct keying_policy *policy, const struct keying_choice *current)
{
	struct srtp_mki mki = { .len = 1 };

	if (current != NULL && current->tx_mki.len > 0)
		mki = current->tx_mki;
	else if (policy->mki != KEYING_MKI_OFFER)
		return (struct srtp_mki){ .len = 0 };
	keying_mki_next(&mki);
	return mki;
}

// RFC 4568 section 7.1.1: a line for each suite, each with a key of its own. The suite in force comes first, with its
// key.
static int offer_sdes(struct keying_local *local, const struct keying_policy *policy,
		      const struct keying_choice *current, const struct env *env)
{
	bool encrypted = keying_floor_of(current) == KEYING_FLOOR_ENCRYPTED;
	const enum srtp_suite *suite = keying_policy_suites(policy);
	struct srtp_mki mki = offer_mki(policy, current);
	int err;

	local->mki_refused = policy->mki == KEYING_MKI_NEVER;
	if (current != NULL) {
		local->crypto[0].master = current->tx;
		local->crypto[0].mki = current->tx_mki;
		local->n_crypto = 1;
	}
	for (; *suite != SRTP_SUITE_NONE && local->n_crypto < KEYING_SUITES_MAX; suite++) {
		if (current != NULL && *suite == current->tx.suite)
			continue;
		if (encrypted && !keying_suite_encrypts(*suite))
			continue;
		err = sdes_key_make(&local->crypto[local->n_crypto].master, *suite, env);
		if (err < 0)
			return err;
		local->crypto[local->n_crypto++].mki = mki;
	}
	for (unsigned i = 0; i < local->n_crypto; i++)
		local->crypto[i].tag = i + 1;
	return 0;
}

void keying_local_dtls(struct keying_local *local, const struct keying_policy *policy, const struct keying_identity *us,
		       enum keying_setup setup, enum keying_floor floor)
{
	snprintf(local->fingerprint, sizeof(local->fingerprint), "%s", us->fingerprint);
	if (us->tls_id != NULL)
		keying_tls_id_set(local->tls_id, us->tls_id, strlen(us->tls_id));
	local->setup = setup;
	keying_dtls_suites(local->suites, policy, floor);
}

// Form strict. With SDES in the offer the line is RTP/SAVP: fingerprints may stand there too (RFC 5763 section 8 in the
// form that came before UDP/TLS/RTP/SAVP), whereas a=crypto is defined for RTP/SAVP alone.
static struct keying_proto offer_proto(const struct keying_local *local, bool feedback)
{
	enum keying_transport transport = KEYING_UDP_TLS_RTP_SAVP;

	if (keying_list_has(local->mechanisms, KEYING_PLAIN))
		transport = KEYING_RTP_AVP;
	else if (keying_list_has(local->mechanisms, KEYING_SDES))
		transport = KEYING_RTP_SAVP;
	return (struct keying_proto){ transport, feedback };
}

int keying_offer(struct keying_local *local, const struct keying_policy *policy, bool feedback,
		 const struct keying_identity *us, const struct keying_choice *current, const struct env *env)
{
	bool in_force = current != NULL && current->mechanism != KEYING_UNDECIDED;
	int err = 0;

	if (keying_policy_fault(policy) != NULL)
		return -EINVAL;
	*local = (struct keying_local){ .setup = KEYING_SETUP_NONE };
	if (in_force) // an offer within a call does not change the mechanism, up or down
		local->mechanisms[0] = current->mechanism;
	else
		memcpy(local->mechanisms, policy->offer, sizeof(local->mechanisms));
	if (keying_list_has(local->mechanisms, KEYING_SDES))
		err = offer_sdes(local, policy, in_force ? current : NULL, env);
	if (err == 0 && keying_list_has(local->mechanisms, KEYING_DTLS_SRTP)) // RFC 5763 section 5: actpass
		keying_local_dtls(local, policy, us, KEYING_ACTPASS,
				  in_force ? keying_floor_of(current) : KEYING_FLOOR_NONE);
	if (in_force && current->our_tls_id[0] != '\0') // RFC 8842 section 5.5: the association that is there
		memcpy(local->tls_id, current->our_tls_id, sizeof(local->tls_id));
	local->proto = offer_proto(local, feedback);
	if (in_force && current->proto.transport != KEYING_TRANSPORT_OTHER)
		local->proto = current->proto;
	if (err < 0)
		keying_local_wipe(local);
	return err;
}

static size_t crypto_attribute(const struct keying_local *local, size_t i, char dst[KEYING_ATTRIBUTE_MAX])
{
	struct sdes_line line = {
		.tag = local->crypto[i].tag,
		.draft_name = local->crypto[i].draft_name,
		.master = local->crypto[i].master,
		.mki = local->crypto[i].mki,
	};
	size_t len = sdes_line_print(dst, KEYING_ATTRIBUTE_MAX, &line);

	sdes_line_wipe(&line);
	return len;
}

size_t keying_local_attribute(const struct keying_local *local, size_t i, char dst[KEYING_ATTRIBUTE_MAX])
{
	int len = 0;

	if (i < local->n_crypto)
		return crypto_attribute(local, i, dst);
	i -= local->n_crypto;
	if (local->fingerprint[0] == '\0')
		return 0;
	switch (i) {
	case 0:
		len = snprintf(dst, KEYING_ATTRIBUTE_MAX, "fingerprint:%s", local->fingerprint);
		break;
	case 1:
		len = snprintf(dst, KEYING_ATTRIBUTE_MAX, "setup:%s", keying_setup_name(local->setup));
		break;
	case 2:
		if (local->tls_id[0] != '\0')
			len = snprintf(dst, KEYING_ATTRIBUTE_MAX, "tls-id:%s", local->tls_id);
		break;
	}
	return (size_t)len;
}
