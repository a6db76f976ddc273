// SPDX-License-Identifier: GPL-3.0-or-later
// sip_stats.h - figures of the SIP side since it was opened. The sip thread writes, any thread reads (base/counter.h).
// Every set of names is fixed here: nothing that a message says makes a new one.
#pragma once
#include "base/counter.h"
#include <stdbool.h>

// X(NAME, word): those that signalling answers or sends; what else comes is other.
#define SIP_STAT_METHODS(X)                                                                                       \
	X(INVITE, "INVITE") X(ACK, "ACK") X(BYE, "BYE") X(CANCEL, "CANCEL") X(OPTIONS, "OPTIONS") X(PRACK, "PRACK") \
	X(UPDATE, "UPDATE") X(REFER, "REFER") X(INFO, "INFO") X(MESSAGE, "MESSAGE") X(SUBSCRIBE, "SUBSCRIBE")       \
	X(NOTIFY, "NOTIFY") X(PUBLISH, "PUBLISH") X(REGISTER, "REGISTER") X(OTHER, "other")

#define X(name, word) SIP_STAT_##name,
enum sip_stat_method { SIP_STAT_METHODS(X) SIP_STAT_METHOD_COUNT };
#undef X

enum sip_stat_way { SIP_STAT_IN, SIP_STAT_OUT, SIP_STAT_WAYS };

// How a call ended. X(NAME, word)
#define SIP_STAT_RESULTS(X)                                                                      \
	X(COMPLETED, "completed")   /* answered, and ended by a BYE or at our stop */            \
	X(LOST_KEYS, "keying_failed") /* answered, and ended since its keys did not come */      \
	X(LOST_MEDIA, "media_lost") /* answered, and ended since media did not come */           \
	X(CANCELLED, "cancelled")   /* 487 */                                                    \
	X(BUSY, "busy")             /* 486, 600 */                                               \
	X(UNANSWERED, "unanswered") /* 408, 480 */                                               \
	X(REDIRECTED, "redirected") /* 3xx */                                                    \
	X(REFUSED, "refused")       /* other 4xx and 6xx, 488 among them */                      \
	X(FAILED, "failed")         /* 5xx */

#define X(name, word) SIP_STAT_##name,
enum sip_stat_result { SIP_STAT_RESULTS(X) SIP_STAT_RESULT_COUNT };
#undef X

// What a leg's media was secured by when the call ended; of several lines the weakest.
#define SIP_STAT_KEYINGS(X) X(NONE, "none") X(PLAIN, "plain") X(SDES, "sdes") X(DTLS, "dtls-srtp")

#define X(name, word) SIP_STAT_KEYING_##name,
enum sip_stat_keying { SIP_STAT_KEYINGS(X) SIP_STAT_KEYING_COUNT };
#undef X

#define SIP_STAT_CODES 64 // of sip_stat_codes: those with a meaning of their own, and one for the rest of each class

extern const char *const sip_stat_method_name[SIP_STAT_METHOD_COUNT];
extern const char *const sip_stat_result_name[SIP_STAT_RESULT_COUNT];
extern const char *const sip_stat_keying_name[SIP_STAT_KEYING_COUNT];
const char *sip_stat_code_name(unsigned code); // by index; "486", "4xx"; NULL: there are no more
extern const struct histogram_scale sip_stat_setup_scale; // milliseconds

struct sip_stats_realm { // [way]: IN: the caller's leg is here; OUT: the callee's
	_Atomic uint64_t calls[SIP_STAT_WAYS][SIP_STAT_RESULT_COUNT][SIP_STAT_KEYING_COUNT];
	struct histogram answer_ms; // INVITE to 2xx, of calls from here
};

struct sip_stats {
	_Atomic uint64_t requests[SIP_STAT_WAYS][SIP_STAT_METHOD_COUNT];
	_Atomic uint64_t responses[SIP_STAT_WAYS][SIP_STAT_METHOD_COUNT][SIP_STAT_CODES];
	// Of the transaction layer: read from it once a second.
	_Atomic uint64_t resent_requests, resent_responses, received_again, malformed;
	_Atomic uint64_t strangers; // requests from no peer of ours
	_Atomic uint64_t calls, dialogs, subscriptions, transactions; // now
	size_t n_realms;
	struct sip_stats_realm realms[]; // as sip_config has them
};
