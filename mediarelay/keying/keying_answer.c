// SPDX-License-Identifier: GPL-3.0-or-later
// keying_answer.c - choosing from what the peer offered, and reading what it answered.
#include "base/secret.h"
#include "mediarelay/keying/keying_priv.h"
#include "mediarelay/keying/sdes.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct answer { // one attempt to answer with one mechanism
	struct keying_choice *choice;
	struct keying_local *local;
	const struct keying_policy *policy;
	const struct keying_lines *offer;
	const struct keying_facts *facts;
	const struct keying_identity *us;
	const struct keying_choice *current; // of the same mechanism, else NULL
	enum keying_floor floor;
	const struct env *env;
	struct keying_reason *reason;
};

void keying_because(struct keying_reason *reason, const char *format, ...)
{
	va_list args;

	if (reason == NULL)
		return;
	va_start(args, format);
	vsnprintf(reason->text, sizeof(reason->text), format, args);
	va_end(args);
}

static size_t suite_rank(const struct keying_policy *policy, enum srtp_suite suite) // KEYING_SUITES_MAX: not listed
{
	const enum srtp_suite *list = keying_policy_suites(policy);
	size_t i = 0;

	while (list[i] != suite && list[i] != SRTP_SUITE_NONE)
		i++;
	return list[i] == suite ? i : KEYING_SUITES_MAX;
}

// What stands against a well-formed line, or NULL.
static const char *line_refusal(const struct answer *a, const struct sdes_line *line)
{
	bool encrypts = keying_suite_encrypts(line->master.suite);

	if (!encrypts && a->floor == KEYING_FLOOR_ENCRYPTED)
		return "the offer would take the media's encryption away";
	if (!encrypts && suite_rank(a->policy, line->master.suite) == KEYING_SUITES_MAX)
		return "unencrypted SRTP, which the profile does not list";
	if (line->mki.len > 0 && a->policy->mki == KEYING_MKI_NEVER)
		return "an MKI, which the profile forbids";
	return NULL;
}

// The first usable line of the suite that stands first with us. RFC 4568 section 5.1: a tag stands once; a second line
// with it is not looked at. -ENOTSUP: none, *why says what was wrong with the first.
static int crypto_choose(const struct answer *a, struct sdes_line *best, const char **why)
{
	size_t rank = KEYING_SUITES_MAX, n_tags = 0;
	uint32_t tags[KEYING_CRYPTO_MAX];
	struct sdes_line line;

	*why = NULL;
	for (size_t i = 0; i < a->offer->n_crypto; i++) {
		enum sdes_fault fault = SDES_FAULT_NONE;
		const char *refusal = NULL;
		bool again = false;

		if (sdes_line_parse(&line, a->offer->crypto[i].value, a->offer->crypto[i].len, &fault) < 0) {
			if (*why == NULL && fault != SDES_FAULT_SUITE) // that is no fault: a suite that we do not have
				*why = sdes_fault_text[fault];
			continue;
		}
		for (size_t t = 0; t < n_tags; t++)
			again = again || tags[t] == line.tag;
		tags[n_tags++] = line.tag;
		if (!again)
			refusal = line_refusal(a, &line);
		if (*why == NULL)
			*why = refusal;
		if (!again && refusal == NULL && suite_rank(a->policy, line.master.suite) < rank) {
			rank = suite_rank(a->policy, line.master.suite);
			*best = line;
		}
		sdes_line_wipe(&line);
	}
	if (*why == NULL)
		*why = a->offer->n_crypto == 0 ? "no crypto line" : "no suite in common";
	return rank < KEYING_SUITES_MAX ? 0 : -ENOTSUP;
}

// Our key's MKI has the length of the offer's. Of a key that is new to the peer it is also another than that of the key
// before, or the packets of both could not be told apart.
static void answer_mki(struct answer *a, const struct sdes_line *line)
{
	a->choice->tx_mki = line->mki;
	if (a->current != NULL && keying_mki_same(&a->current->tx_mki, &line->mki))
		keying_mki_next(&a->choice->tx_mki);
}

static int answer_sdes_key(struct answer *a, const struct sdes_line *line)
{
	// An offer that repeats the key in force keeps ours in force as well: nothing rekeys (RFC 4568 section 7.1.4).
	if (a->current != NULL && keying_master_same(&a->current->rx, &line->master) &&
	    keying_mki_same(&a->current->rx_mki, &line->mki)) {
		a->choice->tx = a->current->tx;
		a->choice->tx_mki = a->current->tx_mki;
		return 0;
	}
	answer_mki(a, line);
	return sdes_key_make(&a->choice->tx, line->master.suite, a->env);
}

static int answer_sdes(struct answer *a)
{
	struct sdes_line line;
	const char *why;
	int err;

	if (a->offer->proto.transport != KEYING_RTP_SAVP) {
		keying_because(a->reason, "SDES is not offered on %s", keying_proto_name(a->offer->proto));
		return -ENOTSUP;
	}
	if (crypto_choose(a, &line, &why) < 0) {
		keying_because(a->reason, "SDES: %s", why);
		return -ENOTSUP;
	}
	a->choice->rx = line.master;
	a->choice->rx_mki = line.mki;
	a->choice->rx_lifetime = line.lifetime;
	err = answer_sdes_key(a, &line);
	a->local->crypto[0].tag = line.tag;
	a->local->crypto[0].draft_name = line.draft_name;
	a->local->crypto[0].master = a->choice->tx;
	a->local->crypto[0].mki = a->choice->tx_mki;
	a->local->n_crypto = 1;
	sdes_line_wipe(&line);
	return err;
}

static int fingerprints_fault(const struct keying_lines *lines, struct keying_reason *reason)
{
	const char *fault = NULL;

	if (!lines->fingerprint_seen)
		fault = "no fingerprint";
	else if (lines->fingerprint_malformed)
		fault = "malformed fingerprint";
	else if (lines->fingerprints.n == 0)
		fault = "no fingerprint with SHA-256, SHA-384 or SHA-512";
	if (fault == NULL)
		return 0;
	keying_because(reason, "DTLS-SRTP: %s", fault);
	return -ENOTSUP;
}

static bool association_kept(const struct answer *a)
{
	return a->current != NULL && strcmp(a->current->tls_id, a->offer->tls_id) == 0 &&
	       keying_fingerprints_same(&a->current->fingerprints, &a->offer->fingerprints);
}

// The offer leaves the roles to us. Active opens a NAT on our side of the peer; passive lets its ClientHello open the
// one on its side, and shows us its address.
static enum dtls_role role_by_policy(const struct answer *a)
{
	if (association_kept(a)) // RFC 8842 section 5.5: the association stays, and so do its roles
		return a->current->dtls_role;
	if (a->policy->role == KEYING_ROLE_ACTIVE)
		return DTLS_ACTIVE;
	if (a->policy->role == KEYING_ROLE_PASSIVE)
		return DTLS_PASSIVE;
	return a->facts->ice || a->facts->media_at_source ? DTLS_ACTIVE : DTLS_PASSIVE;
}

// RFC 4145 section 4.1, RFC 5763 section 5, RFC 8842 section 5.3.
static int answer_role(struct answer *a)
{
	switch (a->offer->setup) {
	case KEYING_ACTPASS:
		a->choice->dtls_role = role_by_policy(a);
		return 0;
	case KEYING_SETUP_NONE: // RFC 4145: an offer without it is active
	case KEYING_ACTIVE:
		a->choice->dtls_role = DTLS_PASSIVE;
		return 0;
	case KEYING_PASSIVE:
		a->choice->dtls_role = DTLS_ACTIVE;
		return 0;
	case KEYING_HOLDCONN:
	case KEYING_SETUP_BAD:
		break;
	}
	keying_because(a->reason, "DTLS-SRTP: %s",
		       a->offer->setup == KEYING_HOLDCONN ? "setup holdconn" : "unknown setup");
	return -ENOTSUP;
}

// RFC 8842 section 5.3: answered only if offered; the association that goes on keeps its name, a new one gets another.
static int answer_tls_id(struct answer *a)
{
	bool again = a->current != NULL && a->current->our_tls_id[0] != '\0'; // else the seat's: it is the line's first
	bool kept = association_kept(a) && a->current->dtls_role == a->choice->dtls_role;
	uint8_t random[16];

	if (a->offer->tls_id[0] == '\0') {
		a->local->tls_id[0] = '\0';
	} else if (again && kept) {
		memcpy(a->local->tls_id, a->current->our_tls_id, sizeof(a->local->tls_id));
	} else if (again) {
		int err = env_random(a->env, random, sizeof(random));

		if (err < 0)
			return err;
		for (size_t i = 0; i < sizeof(random); i++)
			snprintf(a->local->tls_id + 2 * i, 3, "%02x", random[i]);
	}
	memcpy(a->choice->our_tls_id, a->local->tls_id, sizeof(a->choice->our_tls_id));
	return 0;
}

static int answer_dtls(struct answer *a)
{
	enum keying_transport transport = a->offer->proto.transport;
	int err;

	// RTP/SAVP(F) with a fingerprint is how it was written before RFC 5764 was out.
	if (transport != KEYING_UDP_TLS_RTP_SAVP && transport != KEYING_RTP_SAVP) {
		keying_because(a->reason, "DTLS-SRTP is not offered on %s", keying_proto_name(a->offer->proto));
		return -ENOTSUP;
	}
	err = fingerprints_fault(a->offer, a->reason);
	if (err == 0)
		err = answer_role(a);
	if (err < 0)
		return err;
	a->choice->fingerprints = a->offer->fingerprints;
	memcpy(a->choice->tls_id, a->offer->tls_id, sizeof(a->choice->tls_id));
	keying_local_dtls(a->local, a->policy, a->us,
			  a->choice->dtls_role == DTLS_ACTIVE ? KEYING_ACTIVE : KEYING_PASSIVE, a->floor);
	if (a->local->suites[0] == SRTP_SUITE_NONE) {
		keying_because(a->reason, "DTLS-SRTP: the profile would take the media's encryption away");
		return -ENOTSUP;
	}
	err = answer_tls_id(a);
	if (err < 0)
		return err;
	memcpy(a->choice->suites, a->local->suites, sizeof(a->choice->suites));
	return 0;
}

static int answer_plain(struct answer *a)
{
	if (a->offer->proto.transport == KEYING_RTP_AVP)
		return 0;
	keying_because(a->reason, "plain RTP is not offered on %s", keying_proto_name(a->offer->proto));
	return -ENOTSUP;
}

static int answer_with(struct answer *a, enum keying_mechanism mechanism)
{
	static int (*const answer[KEYING_MECHANISM_COUNT])(struct answer *) = {
		[KEYING_PLAIN] = answer_plain,
		[KEYING_SDES] = answer_sdes,
		[KEYING_DTLS_SRTP] = answer_dtls,
	};

	if (mechanism != KEYING_PLAIN && a->policy->signalling_security_required && !a->facts->signalling_secure) {
		keying_because(a->reason, "the signalling that would carry the keying is not secured");
		return -ENOTSUP;
	}
	return answer[mechanism](a);
}

static void nothing_in_common(const struct answer *a, const struct keying_reason *first)
{
	const char *sep = "";
	char accepted[48] = "";

	for (size_t i = 0; i < KEYING_MECHANISM_COUNT && a->policy->accept[i] != KEYING_UNDECIDED; i++) {
		size_t len = strlen(accepted);

		snprintf(accepted + len, sizeof(accepted) - len, "%s%s", sep,
			 keying_mechanism_name(a->policy->accept[i]));
		sep = ", ";
	}
	if (a->offer->proto.transport == KEYING_RTP_AVP)
		keying_because(a->reason, "media must be secured here: %s", accepted);
	else
		*a->reason = *first;
}

int keying_choose(struct keying_choice *choice, struct keying_local *local, const struct keying_policy *policy,
		  const struct keying_lines *offer, const struct keying_facts *facts, const struct keying_identity *us,
		  const struct keying_choice *current, const struct env *env, struct keying_reason *reason)
{
	struct keying_reason why = { "" }, first = { "" };
	struct keying_choice chosen;
	struct keying_local ours;
	enum keying_floor floor = keying_floor_of(current) > facts->floor ? keying_floor_of(current) : facts->floor;
	struct answer a = { &chosen, &ours, policy, offer, facts, us, NULL, floor, env, &why };
	int err = -ENOTSUP;

	if (floor > KEYING_FLOOR_NONE && offer->proto.transport == KEYING_RTP_AVP) {
		keying_because(reason, "the offer would take the media's protection away");
		return -ENOTSUP;
	}
	for (size_t i = 0; i < KEYING_MECHANISM_COUNT && policy->accept[i] != KEYING_UNDECIDED; i++) {
		chosen = (struct keying_choice){ .mechanism = policy->accept[i], .proto = offer->proto };
		ours = (struct keying_local){ .proto = offer->proto, .mechanisms = { policy->accept[i] } };
		a.current = current != NULL && current->mechanism == policy->accept[i] ? current : NULL;
		err = answer_with(&a, policy->accept[i]);
		if (err != -ENOTSUP)
			break;
		if (first.text[0] == '\0')
			first = why;
	}
	if (err == 0) {
		*choice = chosen;
		*local = ours;
	} else if (err == -ENOTSUP && reason != NULL) {
		a.reason = reason;
		nothing_in_common(&a, &first);
	}
	keying_choice_wipe(&chosen);
	keying_local_wipe(&ours);
	return err;
}

// RFC 4568 section 7.1.3: exactly one line, with a tag that we offered and that tag's suite.
static int accept_sdes(struct keying_choice *choice, const struct keying_local *offered,
		       const struct keying_lines *answer, struct keying_reason *reason)
{
	enum sdes_fault fault = SDES_FAULT_NONE;
	const struct srtp_master *ours = NULL;
	const struct srtp_mki *mki = NULL;
	const char *text = NULL;
	struct sdes_line line = { .tag = 0 };

	if (answer->n_crypto != 1)
		text = answer->n_crypto == 0 ? "no crypto line" : "several crypto lines";
	else if (sdes_line_parse(&line, answer->crypto[0].value, answer->crypto[0].len, &fault) < 0)
		text = sdes_fault_text[fault];
	for (size_t i = 0; text == NULL && i < offered->n_crypto; i++) {
		if (offered->crypto[i].tag != line.tag)
			continue;
		ours = &offered->crypto[i].master;
		mki = &offered->crypto[i].mki;
	}
	if (text == NULL && ours == NULL)
		text = "a tag that was not offered";
	else if (text == NULL && ours->suite != line.master.suite)
		text = "another suite than its tag's";
	else if (text == NULL && keying_master_same(ours, &line.master))
		text = "our own key sent back"; // two senders under one key
	else if (text == NULL && line.mki.len > 0 && offered->mki_refused)
		text = "an MKI, which the profile forbids";
	if (text != NULL) {
		keying_because(reason, "SDES answer: %s", text);
	} else {
		choice->rx = line.master;
		choice->rx_mki = line.mki;
		choice->rx_lifetime = line.lifetime;
		choice->tx = *ours;
		choice->tx_mki = *mki;
	}
	sdes_line_wipe(&line);
	return text != NULL ? -ENOTSUP : 0;
}

static int accept_dtls(struct keying_choice *choice, const struct keying_local *offered,
		       const struct keying_lines *answer, struct keying_reason *reason)
{
	int err = fingerprints_fault(answer, reason);

	if (err < 0)
		return err;
	switch (answer->setup) {
	case KEYING_ACTIVE:
		choice->dtls_role = DTLS_PASSIVE;
		break;
	case KEYING_SETUP_NONE: // RFC 4145: an answer without it is passive
	case KEYING_PASSIVE:
		choice->dtls_role = DTLS_ACTIVE;
		break;
	default: // RFC 8842 section 5.3: active or passive
		keying_because(reason, "DTLS-SRTP answer: setup is neither active nor passive");
		return -ENOTSUP;
	}
	choice->fingerprints = answer->fingerprints;
	memcpy(choice->tls_id, answer->tls_id, sizeof(choice->tls_id));
	memcpy(choice->our_tls_id, offered->tls_id, sizeof(choice->our_tls_id));
	memcpy(choice->suites, offered->suites, sizeof(choice->suites));
	return 0;
}

static int accept_one(struct keying_choice *choice, enum keying_mechanism mechanism, const struct keying_local *offered,
		      const struct keying_lines *answer, struct keying_reason *reason)
{
	*choice = (struct keying_choice){ .mechanism = mechanism, .proto = offered->proto };
	switch (mechanism) {
	case KEYING_SDES:
		return accept_sdes(choice, offered, answer, reason);
	case KEYING_DTLS_SRTP:
		return accept_dtls(choice, offered, answer, reason);
	default:
		return 0; // the proto says it all
	}
}

int keying_accept_answer(struct keying_choice *choice, const struct keying_local *offered,
			 const struct keying_lines *answer, struct keying_reason *reason)
{
	bool plain = answer->proto.transport == KEYING_RTP_AVP;
	struct keying_reason first = { "" }, why = { "" };
	struct keying_choice chosen;
	int err = -ENOTSUP;

	// RFC 3264 section 6.1 wants the same proto. A secured one for another is let pass: the mechanism decides, not
	// the word.
	if (answer->proto.transport == KEYING_TRANSPORT_OTHER ||
	    plain != (offered->proto.transport == KEYING_RTP_AVP)) {
		keying_because(reason, "answered %s to %s",
			       plain ? keying_proto_name(answer->proto) : "another protocol",
			       keying_proto_name(offered->proto));
		return -ENOTSUP;
	}
	for (size_t i = 0; i < KEYING_MECHANISM_COUNT && offered->mechanisms[i] != KEYING_UNDECIDED; i++) {
		err = accept_one(&chosen, offered->mechanisms[i], offered, answer, &why);
		if (err == 0)
			break;
		if (first.text[0] == '\0')
			first = why;
	}
	if (err == 0)
		*choice = chosen;
	else if (reason != NULL)
		*reason = first;
	keying_choice_wipe(&chosen);
	return err;
}
