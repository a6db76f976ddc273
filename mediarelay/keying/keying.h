// SPDX-License-Identifier: GPL-3.0-or-later
// keying.h - how a leg gets its keys, as SDP negotiates it: policy in, offer and answer lines in and out, a choice out.
// Pure functions without I/O or threads; the sip thread calls them, the media thread carries the choice out.
// The proto of an m-line, the mechanisms offered, the one chosen and the keys in force are four things; none is
// derived from another.
#pragma once
#include "base/env.h"
#include "dataplane/srtp_suite.h"
#include "dtls/dtls_endpoint.h"
#include "dtls/dtls_fingerprint.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum keying_mechanism {
	KEYING_UNDECIDED = 0, // nothing chosen yet
	KEYING_PLAIN,         // "none": RTP without protection
	KEYING_SDES,          // RFC 4568
	KEYING_DTLS_SRTP,     // RFC 5763, 5764
	KEYING_MECHANISM_COUNT
};

enum keying_role { KEYING_ROLE_AUTO = 0, KEYING_ROLE_ACTIVE, KEYING_ROLE_PASSIVE };

// Master key identifiers of SDES lines (RFC 3711 section 3.1). An answer of ours has one of the length that the offer has.
enum keying_mki { KEYING_MKI_ACCEPT = 0, KEYING_MKI_OFFER, KEYING_MKI_NEVER }; // OFFER also accepts

#define KEYING_SUITES_MAX 12
#define KEYING_CRYPTO_MAX 32 // a=crypto lines looked at in one m-line; the rest is not chosen
#define KEYING_TLS_ID_MAX 64 // RFC 8842 allows 255; we only compare, so a longer one is kept as its head and a hash
#define KEYING_REASON_MAX 96
#define KEYING_ATTRIBUTE_MAX 384

struct keying_policy { // of a profile; lists end with UNDECIDED or NONE
	// Order of choice when we answer; without PLAIN encryption is required.
	enum keying_mechanism accept[KEYING_MECHANISM_COUNT];
	enum keying_mechanism offer[KEYING_MECHANISM_COUNT]; // what we put into our m-line
	// Our order, for SDES and DTLS-SRTP; empty: keying_suites_default.
	enum srtp_suite suites[KEYING_SUITES_MAX + 1];
	enum keying_role role;
	enum keying_mki mki;
	bool signalling_security_required;
	bool far_leg_secured; // 488 if the other leg would be plain
};

extern const enum srtp_suite keying_suites_default[KEYING_SUITES_MAX + 1];

// The third word of an m-line, in what matters to us.
enum keying_transport { KEYING_TRANSPORT_OTHER = 0, KEYING_RTP_AVP, KEYING_RTP_SAVP, KEYING_UDP_TLS_RTP_SAVP };

struct keying_proto {
	enum keying_transport transport;
	bool feedback; // AVPF, SAVPF
};

struct keying_choice { // what offer and answer agreed on; holds secrets with SDES: keying_choice_wipe()
	enum keying_mechanism mechanism;
	struct keying_proto proto;                     // of the m-line, as offered; a later offer of ours repeats it
	struct srtp_master rx, tx;                     // SDES: suites are equal
	struct srtp_mki rx_mki, tx_mki;                // SDES: in the packets under that key; len 0: none
	uint64_t rx_lifetime;                          // SDES: packets under the peer's key; 0: the suite's limit
	enum dtls_role dtls_role;                      // DTLS-SRTP: ours
	struct dtls_fingerprints fingerprints;         // DTLS-SRTP: the peer's
	char tls_id[KEYING_TLS_ID_MAX];                // DTLS-SRTP: the peer's, empty without
	char our_tls_id[KEYING_TLS_ID_MAX];            // DTLS-SRTP: of ours, in that association; empty: not said
	enum srtp_suite suites[KEYING_SUITES_MAX + 1]; // DTLS-SRTP: what we negotiate, our order
};

struct keying_proto keying_proto_parse(const char *token, size_t len);
const char *keying_proto_name(struct keying_proto proto); // "RTP/AVP"; "" for OTHER

enum keying_setup {
	KEYING_SETUP_NONE = 0,
	KEYING_ACTPASS,
	KEYING_ACTIVE,
	KEYING_PASSIVE,
	KEYING_HOLDCONN,
	KEYING_SETUP_BAD
};
enum keying_setup keying_setup_parse(const char *text, size_t len); // BAD: not a word of RFC 4145
const char *keying_setup_name(enum keying_setup setup);
void keying_tls_id_set(char dst[KEYING_TLS_ID_MAX], const char *text, size_t len);

// What one m-line of the peer says of keying. Texts belong to whoever holds the description.
struct keying_lines {
	struct keying_proto proto;
	struct {
		const char *value; // behind "a=crypto:"
		size_t len;
	} crypto[KEYING_CRYPTO_MAX];
	uint8_t n_crypto;
	uint16_t crypto_beyond; // lines that were too many
	struct dtls_fingerprints fingerprints;
	bool fingerprint_seen;      // any fingerprint line, also one that we do not trust
	bool fingerprint_malformed; // the peer's fault: the line cannot be DTLS-SRTP
	enum keying_setup setup;
	char tls_id[KEYING_TLS_ID_MAX]; // empty: none
};

// What our m-line says of keying; kept from offer to answer. Holds secrets with SDES: keying_local_wipe().
struct keying_local {
	struct keying_proto proto;                                // of an offer; an answer repeats the offer's token
	enum keying_mechanism mechanisms[KEYING_MECHANISM_COUNT]; // offered, or the one answered
	struct {
		uint32_t tag;
		bool draft_name; // the offer said AES_CM_256_... or AES_CM_192_..., and the answer repeats the word
		struct srtp_master master;
		struct srtp_mki mki;
	} crypto[KEYING_SUITES_MAX];
	uint8_t n_crypto;
	bool mki_refused; // an answer must not bring one
	char fingerprint[DTLS_FINGERPRINT_STRLEN]; // "sha-256 AB:CD..."
	enum keying_setup setup;
	char tls_id[KEYING_TLS_ID_MAX];                // empty: not said
	enum srtp_suite suites[KEYING_SUITES_MAX + 1]; // DTLS-SRTP
};

struct keying_identity {         // what DTLS-SRTP says of us
	const char *fingerprint; // media_seat_fingerprint()
	const char *tls_id;      // of the seat
};

// What an m-line had earlier in the call, and therefore does not lose, whatever the policy would take from a new one.
enum keying_floor { KEYING_FLOOR_NONE = 0, KEYING_FLOOR_SECURED, KEYING_FLOOR_ENCRYPTED };

struct keying_facts {
	bool ice;
	bool media_at_source;    // the peer's media address is its SIP source: no NAT in between
	bool signalling_secure;  // TLS on this hop
	enum keying_floor floor; // of a line that was taken away and comes back; `current` says its own
};

struct keying_reason { // for a Warning header and the log; never holds a secret
	char text[KEYING_REASON_MAX];
};

const char *keying_mechanism_name(enum keying_mechanism mechanism); // "dtls-srtp", "sdes", "none"
// What is wrong with a policy, or NULL. Form is strict: `none` is offered alone.
const char *keying_policy_fault(const struct keying_policy *policy);

// What we offer. `current`: what is in force on this line (NULL: nothing); its SDES key and suite are offered again, so
// that an unchanged line does not rekey; only its mechanism is offered, with its proto. `feedback` chooses AVPF, SAVPF
// for a new line. -EINVAL: keying_policy_fault(). Else the random source's error.
int keying_offer(struct keying_local *local, const struct keying_policy *policy, bool feedback,
		 const struct keying_identity *us, const struct keying_choice *current, const struct env *env);
// We answer: the first mechanism of policy->accept that the offered line can do. `current` as above: an association or
// key that the offer repeats is kept. -ENOTSUP: nothing in common, reason says why (488). Nothing is written on error.
int keying_choose(struct keying_choice *choice, struct keying_local *local, const struct keying_policy *policy,
		  const struct keying_lines *offer, const struct keying_facts *facts, const struct keying_identity *us,
		  const struct keying_choice *current, const struct env *env, struct keying_reason *reason);
// The peer answered what we offered. -ENOTSUP: it chose what we did not offer, or less; reason says why (the call
// ends).
int keying_accept_answer(struct keying_choice *choice, const struct keying_local *offered,
			 const struct keying_lines *answer, struct keying_reason *reason);
// The i-th attribute of ours without "a=", terminated; 0 behind the last, else its length. dst holds
// KEYING_ATTRIBUTE_MAX, and a secret with SDES.
size_t keying_local_attribute(const struct keying_local *local, size_t i, char dst[KEYING_ATTRIBUTE_MAX]);

enum keying_floor keying_floor_of(const struct keying_choice *choice); // NULL: none
// Same mechanism, and same keys or same association (RFC 8842 section 4: role, fingerprints and tls-id name it).
bool keying_choice_same(const struct keying_choice *a, const struct keying_choice *b);
bool keying_choice_is_sound(const struct keying_choice *choice); // of bytes that something may have damaged
void keying_choice_wipe(struct keying_choice *choice);
void keying_local_wipe(struct keying_local *local);
