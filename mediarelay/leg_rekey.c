// SPDX-License-Identifier: GPL-3.0-or-later
// leg_rekey.c - change of a line's keys: RFC 5763 section 6.6, RFC 8842 section 4, RFC 4568 section 7.1.4.
#include "mediarelay/leg_rekey.h"
#include "base/log.h"
#include "mediarelay/leg_dtls.h"
#include "mediarelay/leg_keys.h"
#include "mediarelay/leg_line.h"
#include "mediarelay/leg_transport.h"
#include "mediarelay/media_notice_priv.h"
#include "mediarelay/media_record.h"

#include <string.h>

#define X(name, word) [LEG_CHANGE_##name] = word,
static const char *const change_names[LEG_CHANGE_COUNT] = { LEG_CHANGES(X) };
#undef X

const char *leg_change_name(enum leg_change change)
{
	return change < LEG_CHANGE_COUNT ? change_names[change] : "invalid";
}

// On hold the address may be none: that moves nothing.
static bool remote_moved(const struct leg_line *line, const struct media_line *plan)
{
	const struct leg_transport *rtp = &line->transports[LEG_RTP];

	return transport_live(rtp) && !inet_addr_is_any(&plan->remote.addr) && !inet_addr_is_any(&rtp->signalled.addr) &&
	       !inet_endpoint_equal(&rtp->signalled, &plan->remote);
}

static enum leg_change association_change(const struct leg_line *line, const struct media_line *plan)
{
	const struct keying_choice *old = &line->plan.keying, *new = &plan->keying;
	struct keying_choice named = *old; // all but the fingerprints

	named.dtls_role = new->dtls_role;
	memcpy(named.tls_id, new->tls_id, sizeof(named.tls_id));
	if (!keying_choice_same(&named, new))
		return LEG_CHANGE_FINGERPRINT;
	if (strcmp(old->tls_id, new->tls_id) != 0)
		return LEG_CHANGE_TLS_ID;
	if (old->dtls_role != new->dtls_role)
		return LEG_CHANGE_ROLE;
	if (!remote_moved(line, plan))
		return LEG_CHANGE_NONE;
	// With a tls-id the association is told by its name, and may move. Without one, or before it is made, a new
	// address wants a new association.
	if (new->tls_id[0] == '\0' || line->transports[LEG_RTP].keying == KEYING_STATE_REKEYING)
		return LEG_CHANGE_PORT;
	return LEG_CHANGE_NONE;
}

enum leg_change leg_rekey_change(const struct leg_line *line, const struct media_line *plan)
{
	const struct keying_choice *old = &line->plan.keying, *new = &plan->keying;

	if (!plan->agreed)
		return LEG_CHANGE_NONE;
	if (!line->plan.agreed)
		return LEG_CHANGE_FIRST;
	if (old->mechanism != new->mechanism)
		return old->mechanism <= KEYING_PLAIN ? LEG_CHANGE_FIRST : LEG_CHANGE_MECHANISM;
	if (new->mechanism == KEYING_DTLS_SRTP)
		return association_change(line, plan);
	return keying_choice_same(old, new) ? LEG_CHANGE_NONE : LEG_CHANGE_KEY;
}

void leg_rekey_begin(struct leg_line *line, enum leg_change change)
{
	if (change == LEG_CHANGE_FIRST)
		return;
	line->rekey.change = change; // on top of one that is not through: the old keys are worth no more by it
	// What the first plan of a new control changes, the old one had been told: see leg_rekey_resume().
	if (!line->adopted)
		line->rekey.certificate_gone |= change == LEG_CHANGE_FINGERPRINT || change == LEG_CHANGE_MECHANISM;
	line->rekey.since = env_now(line->session->media->env);
	line->rekey.mismatches_before = line->transports[LEG_RTP].mismatches;
}

void leg_rekey_done(struct leg_line *line)
{
	const struct leg_transport *rtp = &line->transports[LEG_RTP];
	struct log_field f[12];

	line->rekeys++;
	leg_line_log_fields(line, f);
	f[6] = (struct log_field)LOG_STR("mechanism", keying_mechanism_name(line->plan.keying.mechanism));
	f[7] = (struct log_field)LOG_STR("suite", srtp_suite_name(rtp->rx_master.suite));
	f[8] = (struct log_field)LOG_UINT("epoch", rtp->epoch);
	f[9] = (struct log_field)LOG_STR("cause", leg_change_name(line->rekey.change));
	f[10] = (struct log_field)LOG_UINT("after_ms",
					   (env_now(line->session->media->env) - line->rekey.since) / MONO_MS(1));
	f[11] = (struct log_field){ .key = NULL };
	media_notice_rekeyed(line, leg_change_name(line->rekey.change));
	line->rekey = (struct leg_rekey){ .change = LEG_CHANGE_NONE };
	log_emit(LOG_LEVEL_INFO, "media", "line rekeyed", f);
}

static bool heard_meanwhile(const struct leg_line *line)
{
	const struct leg_transport *rtp = &line->transports[LEG_RTP];
	struct dp_stats stats;

	return dp_transport_stats(line->session->media->dp, rtp->ref, &stats) == 0 && stats.last_rx > line->rekey.since;
}

bool leg_rekey_may_stay(const struct leg_line *line)
{
	bool expected = line->plan.receive && !line->plan.silent_allowed;

	if (line->rekey.change == LEG_CHANGE_NONE || line->rekey.certificate_gone)
		return false;
	return !expected || heard_meanwhile(line);
}

void leg_rekey_keep(struct leg_line *line)
{
	struct log_field f[8];

	leg_line_log_fields(line, f);
	f[6] = (struct log_field)LOG_STR("cause", leg_change_name(line->rekey.change));
	f[7] = (struct log_field){ .key = NULL };
	log_emit(LOG_LEVEL_WARNING, "media", "line keeps its keys", f);
	for (size_t i = 0; i < LEG_COMPONENTS; i++) {
		struct leg_transport *tp = &line->transports[i];

		if (!transport_live(tp) || keying_step(&tp->keying, KEYING_EVENT_KEEP) < 0)
			continue;
		leg_dtls_settle(tp);
		if (!heard_meanwhile(line)) // its packets would have shown where it is
			leg_transport_remote(tp, &tp->signalled);
	}
	line->rekey = (struct leg_rekey){ .change = LEG_CHANGE_NONE };
	media_record_save(line->session);
}

// Its old keys belong to an association that the peer has left.
void leg_rekey_end_rtcp(struct leg_line *line)
{
	struct leg_transport *rtcp = &line->transports[LEG_RTCP];

	if (!transport_live(rtcp) || rtcp->keying != KEYING_STATE_REKEYING)
		return;
	keying_step(&rtcp->keying, KEYING_EVENT_EXPIRE);
	leg_dtls_close(rtcp);
	leg_keys_forget(rtcp);
	media_record_save(line->session);
}

// What was shaken hands on is gone with the control before us. The peer may begin again, or go on with the old keys.
void leg_rekey_resume(struct leg_line *line)
{
	for (size_t i = 0; i < LEG_COMPONENTS; i++) {
		struct leg_transport *tp = &line->transports[i];

		if (transport_live(tp) && tp->keying == KEYING_STATE_REKEYING && tp->next.tx.suite == SRTP_SUITE_NONE)
			leg_dtls_agree(tp);
	}
	line->rekey.certificate_gone = false; // our fault: while the peer goes on with its old keys, the call does
	line->rekey.since = env_now(line->session->media->env);
	leg_line_keying_limit(line);
}
